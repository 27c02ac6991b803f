"""How long neutropenia lasts: medians of bounds and the naive curve, from triples of bounds."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from transforms.durations import (
    count_durations,
    estimate_duration_curves,
    estimate_durations,
    hour_columns,
    incident_of,
    recovery_curve,
    summarise_groups,
)
from transforms.frames import stack
from transforms.load import load_definitions
from transforms.model.estimation import Plan

PLAN = Plan(load_definitions().estimation, (), (), (), has_calendar=True)
ORIGIN = datetime.fromisoformat("2025-03-01T08:00:00")


def _counts(rows: str, *, cause: str = "chemotherapy") -> pl.DataFrame:
    """counts.duration of a table: onset_after, first_low, last_low, recovery_by (days, - not seen), values, ending."""
    episodes = [_episode(*line.split()) | {"cause_group": cause} for line in rows.strip().splitlines()]
    frame = pl.DataFrame(episodes, infer_schema_length=None).with_columns(
        pl.col("onset_after", "recovery_by").cast(pl.Datetime("us"))
    )
    frame = frame.with_row_index("person_index").with_columns(person_group=pl.lit(0), **hour_columns())
    return count_durations(frame.with_columns(cohort=pl.lit("everyone")))


def _episode(before: str, first: str, last: str, after: str, values: str, ending: str) -> dict[str, object]:
    at = {
        name: None if day == "-" else ORIGIN + timedelta(days=float(day))
        for name, day in zip(
            ("onset_after", "first_low_at", "last_low_at", "recovery_by"), (before, first, last, after), strict=True
        )
    }
    fixed = {"rule": "clinical", "threshold_cells_per_ul": 1500, "is_confirmed": True}
    return {**at, **fixed, "is_incident": before != "-", "n_values": int(values), "ended_as": ending}


def _curve(counts: pl.DataFrame) -> pl.DataFrame:
    incident = incident_of(counts)
    curve = estimate_duration_curves(incident, recovery_curve(incident, PLAN), PLAN)
    return curve.filter(pl.col("cause_group") == "all")


def _one(counts: pl.DataFrame, cause: str = "all", *, to_day: int = 30) -> dict[str, object]:
    incident = incident_of(counts)
    rows = estimate_durations(summarise_groups(incident), recovery_curve(incident, PLAN), PLAN)
    return rows.row(by_predicate=(pl.col("cause_group") == cause) & (pl.col("tau_days") == to_day), named=True)


def test_worked_example_one_has_bounds_of_8_and_15_days_and_a_naive_duration_of_12() -> None:
    row = _one(_counts("5 8 16 20 4 recovered"))
    assert (row["median_lower_days"], row["median_days"], row["median_upper_days"]) == (8, 12, 15)


def test_worked_example_two_tested_weekly_has_bounds_of_0_and_14_days_and_a_naive_duration_of_7() -> None:
    row = _one(_counts("0 7 7 14 1 recovered"))
    assert (row["median_lower_days"], row["median_days"], row["median_upper_days"]) == (0, 7, 14)
    assert row["median_gap_days"] == 7


def test_an_episode_that_recovers_after_the_horizon_counts_in_full_up_to_the_horizon() -> None:
    row = _one(_counts("0 1 2 101 2 recovered\n0 1 2 11 2 recovered"))
    assert row["rmst_days"] == pytest.approx((30 + 10) / 2)
    later = _one(_counts("0 1 2 101 2 recovered\n0 1 2 11 2 recovered"), to_day=90)
    assert later["rmst_days"] == pytest.approx((90 + 10) / 2)


def test_a_median_that_is_not_reached_is_not_replaced_by_the_longest_time() -> None:
    row = _one(_counts("0 1 4 6 3 recovered\n0 1 9 - 3 censored_end\n0 1 9 - 3 censored_end"))
    assert (row["median_days"], row["status"]) == (None, "not_reached")


def test_single_low_values_that_nobody_followed_up_have_no_duration() -> None:
    row = _one(_counts("0 1 1 - 1 censored_end\n0 1 1 - 1 censored_gap"))
    assert row["status"] == "not_estimable"
    assert [row[name] for name in ("median_days", "rmst_days", "median_lower_days")] == [None, None, None]


def test_an_episode_whose_start_was_not_seen_is_counted_but_gives_no_duration() -> None:
    counts = _counts("- 1 5 9 3 recovered\n0 1 5 7 3 recovered")
    assert counts["n_episodes"].sum() == 2
    assert _one(counts)["n_episodes"] == 1


def test_death_never_counts_as_recovery() -> None:
    row = _one(_counts("0 1 5 - 3 died\n0 1 5 7 3 recovered"))
    assert (row["n_censored"], row["n_died"]) == (1, 1)


def test_the_upper_bound_is_open_when_no_recovery_was_seen_and_an_open_middle_has_no_median() -> None:
    row = _one(_counts("0 1 5 - 3 censored_end\n0 1 5 7 3 recovered"))
    assert row["median_upper_days"] is None
    assert row["median_lower_days"] == 4


def test_all_causes_together_are_the_sum_of_the_causes() -> None:
    counts = stack(
        [_counts("0 1 5 7 3 recovered"), _counts("0 1 2 3 2 recovered", cause="infection")], "counts.duration"
    )
    assert [_one(counts, cause)["n_episodes"] for cause in ("all", "chemotherapy", "infection")] == [2, 1, 1]


def test_the_curve_says_for_every_day_how_many_are_still_open_and_what_happened_to_the_others() -> None:
    counts = _counts("0 1 2 3 2 recovered\n0 1 2.5 3.5 2 recovered\n0 1 4 - 2 censored_end\n0 1 3 5 2 recovered")
    curve = _curve(counts)
    told = curve.sort("day").select("day", "n_at_risk", "n_recovered", "n_censored", "still_low").rows()
    assert told == [
        (0, 4, 0, 0, 1.0),
        (1, 4, 0, 0, 1.0),
        (2, 3, 1, 0, 0.75),
        (3, 1, 1, 1, 0.5),
        (4, 0, 1, 0, 0.0),
    ]


def test_limits_are_one_before_the_first_recovery_and_the_upper_one_is_unknown_after_the_last() -> None:
    curve = _curve(_counts("0 1 2 3 2 recovered\n0 1 2.5 3.5 2 recovered\n0 1 3 5 2 recovered")).sort("day")
    limits = curve.select("still_low", "still_low_lo", "still_low_hi").rows()
    assert limits[0] == (1.0, 1.0, 1.0)
    assert limits[-1] == (0.0, 0.0, None)


@pytest.mark.parametrize("seed", range(6))
def test_a_second_library_draws_the_same_curve_with_the_same_limits_median_and_restricted_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(25, 400))
    hours = rng.integers(1, 24 * 45, size)
    recovered = rng.random(size) < 0.75
    hours[~recovered] = np.minimum(hours[~recovered] * 2, 24 * 80)
    counts = pl.DataFrame(
        {
            "inside_hours": np.where(recovered, 0, hours),
            "gap_after_hours": np.where(recovered, hours, -1),
            "ended_as": np.where(recovered, "recovered", "censored_end"),
        }
    ).with_columns(
        gap_after_hours=pl.when(pl.col("gap_after_hours") >= 0).then("gap_after_hours"),
        gap_before_hours=24,
        test_gap_hours=24,
        cohort=pl.lit("everyone"),
        cause_group=pl.lit("infection"),
        rule=pl.lit("clinical"),
        threshold_cells_per_ul=500,
        is_incident=True,
        person_group=0,
        episodes_of_person=1,
        episodes_of_person_and_cause=1,
        n_episodes=1,
    )
    ours = _one(counts)
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times, restricted_mean_survival_time

    theirs = KaplanMeierFitter().fit(hours, recovered)
    assert ours["median_days"] == pytest.approx(theirs.median_survival_time_ / 24)
    limits = median_survival_times(theirs.confidence_interval_survival_function_).iloc[0].to_list()
    assert (ours["median_lo"], ours["median_hi"]) == pytest.approx(tuple(limit / 24 for limit in limits))
    assert ours["rmst_days"] == pytest.approx(restricted_mean_survival_time(theirs, t=30 * 24) / 24)
    curve = _curve(counts).sort("day")
    days = curve["day"].to_numpy()
    np.testing.assert_allclose(curve["still_low"], theirs.survival_function_at_times(days * 24), atol=1e-9)
    table = theirs.confidence_interval_survival_function_
    below = np.maximum(table.index.searchsorted(days * 24, side="right") - 1, 0)
    inside = (curve["still_low"].to_numpy() > 0) & (curve["still_low"].to_numpy() < 1)
    for column, at in (("still_low_lo", 0), ("still_low_hi", 1)):
        expected = table.iloc[below, at].to_numpy()
        np.testing.assert_allclose(curve[column].to_numpy()[inside], expected[inside], atol=1e-9)
