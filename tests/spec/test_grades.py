"""Severity of a count known within bounds, on every shipped scale."""

import polars as pl
import pytest
from pydantic import ValidationError

from transforms.grades import severity_of
from transforms.load import load_definitions
from transforms.model.scales import Scale

SCALES = load_definitions().scales


def grade(scale: Scale, lower: int, upper: int | None) -> str:
    frame = pl.DataFrame({"lo": [lower], "up": [upper]}, schema={"lo": pl.Int64, "up": pl.Int64})
    return frame.select(severity_of("lo", "up", scale)).item()


def test_every_exact_count_has_a_level_on_every_scale() -> None:
    counts = pl.DataFrame({"count": range(3000)})
    for scale in SCALES:
        graded = counts.with_columns(severity=severity_of("count", "count", scale))
        assert graded.filter(pl.col("severity") == scale.undecided).height == 0
        assert set(graded["severity"]) == {level.name for level in scale.levels}


def test_wider_bounds_never_prove_more() -> None:
    scale = next(scale for scale in SCALES if scale.is_default)
    order = {name: rank for rank, name in enumerate(["profound", "severe", "undecided"])}
    for upper in range(0, 2000, 50):
        narrow, wide = grade(scale, 0, upper), grade(scale, 0, upper + 50)
        assert order[wide] >= order[narrow]


def test_a_scale_with_a_gap_is_refused() -> None:
    clinical = next(scale for scale in SCALES if scale.is_default).model_dump()
    clinical["levels"] = [level for level in clinical["levels"] if level["name"] != "moderate"]
    with pytest.raises(ValidationError, match="gap or overlaps"):
        Scale.model_validate(clinical)
