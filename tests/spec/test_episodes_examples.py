"""Every example that an episode rule ships with comes out as the definition says."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from transforms.load import SHIPPED, _read
from transforms.model.episodes import EpisodeRule

RULES = [_read(path, EpisodeRule) for path in sorted(Path(SHIPPED / "episodes").glob("*.yaml"))]
CASES = [pytest.param(rule, example, id=f"{rule.id}: {example['case']}") for rule in RULES for example in rule.examples]
TIMES = {
    "onset_after": "onset_after",
    "first_low": "first_low_at",
    "last_low": "last_low_at",
    "recovery_by": "recovery_by",
    "nadir_day": "nadir_at",
}
NUMBERS = {
    "lower": "duration_lower_days",
    "upper": "duration_upper_days",
    "interpolated": "duration_interpolated_days",
    "nadir": "nadir_cells_per_ul",
}


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_an_example_of_a_rule_comes_out_as_written(
    rule: EpisodeRule, example: dict[str, Any], episodes_of: Any, day_0: Any
) -> None:
    found = [
        row
        for row in episodes_of(
            example["counts"],
            rule,
            doses=example.get("doses", ()),
            gcsf=example.get("gcsf", ()),
            died=example.get("died"),
        )
        if row["threshold_cells_per_ul"] == example["threshold"]
    ]
    assert len(found) == len(example["episodes"])
    for row, expected in zip(found, example["episodes"], strict=True):
        for name, value in expected.items():
            if name in TIMES:
                assert row[TIMES[name]] == (None if value is None else day_0 + timedelta(days=value)), name
            elif name in NUMBERS:
                assert row[NUMBERS[name]] == (None if value is None else pytest.approx(value, abs=5e-5)), name
            else:
                assert row[name] == value, name
