"""What an episode is and how long it lasted, in tables a clinician can check by hand."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from transforms.load import load_definitions
from transforms.model.episodes import EpisodeRule

RULES = {rule.id: rule for rule in load_definitions().rules}

WORKED_1 = """
day   | 0    | 5    | 8   | 10  | 13  | 16   | 20
count | 4000 | 2500 | 900 | 300 | 600 | 1200 | 3000
"""
WORKED_2 = """
day   | 0    | 7   | 14   | 21
count | 3000 | 400 | 1800 | 3500
"""


def counts_of(text: str) -> dict[float, str]:
    days, counts = ([cell.strip() for cell in line.split("|")[1:]] for line in text.strip().splitlines())
    return {float(day): count for day, count in zip(days, counts, strict=True)}


def at(rows: list[dict[str, Any]], threshold: int) -> list[dict[str, Any]]:
    return [row for row in rows if row["threshold_cells_per_ul"] == threshold]


@pytest.mark.parametrize(
    ("text", "threshold", "lower", "upper", "interpolated"),
    [
        pytest.param(WORKED_1, 1500, 8, 15, 9.7917, id="worked example 1 below 1500"),
        pytest.param(WORKED_1, 500, 0, 5, 2.6667, id="worked example 1 below 500"),
        pytest.param(WORKED_2, 1500, 0, 14, 8.4615, id="worked example 2"),
    ],
)
def test_the_worked_examples_come_out_to_the_digits_given(
    text: str, threshold: int, lower: float, upper: float, interpolated: float, episodes_of: Any
) -> None:
    (row,) = at(episodes_of(counts_of(text), RULES["simple_run"]), threshold)
    assert (row["duration_lower_days"], row["duration_upper_days"]) == (lower, upper)
    assert round(row["duration_interpolated_days"], 4) == interpolated


def test_first_low_to_first_recovered_is_definition_b(episodes_of: Any) -> None:
    (row,) = at(episodes_of(counts_of(WORKED_1), RULES["simple_run"]), 1500)
    assert row["recovery_by"] - row["first_low_at"] == timedelta(days=12)


def test_between_logarithmic_crossings_example_1_lasts_10_4741_days(episodes_of: Any) -> None:
    (row,) = at(episodes_of(counts_of(WORKED_1), RULES["simple_run"]), 1500)
    assert round(row["duration_log_interpolated_days"], 4) == 10.4741


def test_a_count_of_zero_has_no_logarithm_and_so_no_such_crossing(episodes_of: Any) -> None:
    (row,) = at(episodes_of({0: 3000, 5: 0, 9: 2000}, RULES["simple_run"]), 1500)
    assert row["duration_interpolated_days"] == pytest.approx(5.5)
    assert row["duration_log_interpolated_days"] is None


def test_the_linear_crossings_of_example_1_are_days_6_875_and_16_6667(episodes_of: Any) -> None:
    (row,) = at(episodes_of(counts_of(WORKED_1), RULES["simple_run"]), 1500)
    begins, ends = 5 + 3 * (2500 - 1500) / (2500 - 900), 16 + 4 * (1500 - 1200) / (3000 - 1200)
    assert (begins, round(ends, 4)) == (6.875, 16.6667)
    assert row["duration_interpolated_days"] == pytest.approx(ends - begins)


@pytest.mark.parametrize(("threshold", "exclusive", "inclusive"), [(1500, 8, 9), (500, 0, 1)])
def test_last_low_minus_first_low_is_counted_without_the_first_day(
    threshold: int, exclusive: int, inclusive: int, episodes_of: Any
) -> None:
    (row,) = at(episodes_of(counts_of(WORKED_1), RULES["simple_run"]), threshold)
    days_low = (row["last_low_at"].date() - row["first_low_at"].date()).days
    assert (row["duration_lower_days"], days_low + 1) == (exclusive, inclusive)


@pytest.mark.parametrize(
    ("true_days", "detected", "expected"),
    [
        pytest.param(10, 1.0, {"lower": 3.0, "ruled": 10.0, "upper": 17.0}, id="ten days"),
        pytest.param(4, 4 / 7, {"lower": 0.0, "ruled": 7.0, "upper": 14.0}, id="four days"),
    ],
)
def test_weekly_tests_bias_each_duration_by_the_gap_between_them(
    true_days: int, detected: float, expected: dict[str, float], episodes_of: Any, anc: Any
) -> None:
    """Low for so many days, tested every 7 days from each of 280 moments of the week: the mean over all of them."""
    phases, onset = [phase / 40 + 1 / 80 for phase in range(280)], 21
    rows = [
        anc(day, 900 if onset <= day < onset + true_days else 3000, person_index=person)
        for person, phase in enumerate(phases)
        for day in [phase + 7 * week for week in range(8)]
    ]
    found = at(episodes_of(rows, RULES["simple_run"]), 1500)
    means = {name: sum(row[f"duration_{name}_days"] for row in found) / len(found) for name in expected}
    assert len(found) / len(phases) == pytest.approx(detected, abs=0.005)
    assert means == pytest.approx(expected)


def test_under_the_two_value_rule_example_1_is_unconfirmed_and_example_2_is_not(episodes_of: Any, day_0: Any) -> None:
    (first,) = at(episodes_of(counts_of(WORKED_1), RULES["clinical"]), 1500)
    (second,) = at(episodes_of(counts_of(WORKED_2), RULES["clinical"]), 1500)
    assert (first["ended_as"], first["recovery_by"]) == ("recovered_unconfirmed", day_0 + timedelta(days=20))
    assert (second["ended_as"], second["recovery_by"]) == ("recovered", day_0 + timedelta(days=14))


def test_where_only_days_are_known_both_bounds_are_a_day_wider(episodes_of: Any, anc: Any) -> None:
    rows = [
        anc(day, count, time_precision="day") for day, count in [(0, 3000), (5, 900), (9, 800), (12, 1700), (15, 1800)]
    ]
    (row,) = at(episodes_of(rows, RULES["clinical"]), 1500)
    assert (row["duration_lower_days"], row["duration_upper_days"]) == (3, 13)


def test_each_threshold_has_its_own_episodes(episodes_of: Any) -> None:
    rows = episodes_of({0: 3000, 5: 900, 7: 400, 9: 900, 11: 1600, 13: 1700}, RULES["clinical"])
    assert [(row["threshold_cells_per_ul"], row["n_values"]) for row in rows] == [(500, 1), (1000, 3), (1500, 3)]


def test_extracts_without_dates_have_no_episodes(episodes_of: Any, anc: Any) -> None:
    rows = [anc(0, 100, collected_at=None, time_precision="none")]
    assert episodes_of(rows, RULES["clinical"]) == []


def test_nobody_and_nobody_low_give_no_episodes(episodes_of: Any) -> None:
    assert episodes_of({}, RULES["clinical"]) == []
    assert episodes_of({0: 3000, 5: 2000}, RULES["clinical"]) == []


def test_hysteresis_keeps_an_episode_open_between_its_two_limits(episodes_of: Any, day_0: Any) -> None:
    changed = RULES["clinical"].model_dump() | {
        "thresholds": [{"low_cells_per_ul": 500, "low_operator": "le", "recovered_cells_per_ul": 750}]
    }
    rule = EpisodeRule.model_validate(changed)
    (row,) = episodes_of({0: 3000, 5: 500, 8: 600, 10: 700, 12: 760, 14: 900}, rule)
    assert (row["last_low_at"], row["recovery_by"]) == (day_0 + timedelta(days=5), day_0 + timedelta(days=12))


def test_engraftment_is_the_first_of_three_values_from_500_on_on_different_days(episodes_of: Any, day_0: Any) -> None:
    changed = RULES["simple_run"].model_dump() | {"recovered_values": 3, "takes": "day"}
    counts = {0: 3000, 5: 200, 9: 500, 10: 600, 11: 499, 13: 500, 13.4: 900, 14: 700, 15: 800, 20: 400, 22: 3000}
    first, _ = at(episodes_of(counts, EpisodeRule.model_validate(changed)), 500)
    assert (first["first_low_at"], first["recovery_by"]) == (day_0 + timedelta(days=5), day_0 + timedelta(days=13.4))
    assert first["ended_as"] == "recovered"


def test_three_values_of_one_day_are_one_day(episodes_of: Any, day_0: Any) -> None:
    changed = RULES["simple_run"].model_dump() | {"recovered_values": 2, "takes": "day"}
    counts = {0: 3000, 5: 200, 9.1: 600, 9.2: 700, 9.3: 800, 11: 300, 13: 600, 14: 700}
    (row,) = at(episodes_of(counts, EpisodeRule.model_validate(changed)), 500)
    assert (row["last_low_at"], row["recovery_by"]) == (day_0 + timedelta(days=11), day_0 + timedelta(days=13))


def test_a_single_low_after_a_dose_confirms_only_under_the_relaxed_rule(episodes_of: Any) -> None:
    counts = {0: 3000, 10: 900, 15: 1700, 18: 1800}
    relaxed = RULES["clinical"].model_dump()
    relaxed["confirmed_by"]["or_days_after_dose"] = (3, 21)
    (strict,) = at(episodes_of(counts, RULES["clinical"], doses=[0]), 1500)
    (loose,) = at(episodes_of(counts, EpisodeRule.model_validate(relaxed), doses=[0]), 1500)
    assert (strict["is_confirmed"], loose["is_confirmed"]) == (False, True)


def test_daily_doses_of_one_cycle_do_not_split_an_episode(episodes_of: Any) -> None:
    counts = {0: 3000, 3: 900, 4: 1600, 5: 700, 9: 300, 20: 1700, 24: 1800}
    (row,) = at(episodes_of(counts, RULES["clinical"], doses=[1, 2, 3, 4, 5, 6, 7]), 1500)
    assert row["n_values"] == 4


def test_people_do_not_touch_each_other(episodes_of: Any, anc: Any) -> None:
    rows = [anc(0, 900), anc(5, 800), anc(6, 3000, person_index=1), anc(9, 700, person_index=1)]
    found = at(episodes_of(rows, RULES["clinical"]), 1500)
    assert [(row["person_index"], row["ended_as"], row["is_incident"]) for row in found] == [
        (0, "censored_end", False),
        (1, "censored_end", True),
    ]


def test_a_rule_that_recovers_below_its_low_limit_is_refused() -> None:
    changed = RULES["clinical"].model_dump()
    changed["thresholds"] = [{"low_cells_per_ul": 500, "recovered_cells_per_ul": 400}]
    with pytest.raises(ValidationError, match="must not lie below"):
        EpisodeRule.model_validate(changed)


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        EpisodeRule.model_validate(RULES["clinical"].model_dump() | {"washout": 3})
