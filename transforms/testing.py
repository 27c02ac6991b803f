"""How closely people are tested: who, how often, how far apart; it stands beside every prevalence and duration.

A gap lies between two consecutive test days of a person in one stay in the cohort, and belongs to the interval of the
later day. Gaps longer than `definitions/estimation` says are counted as that many days.
"""

import polars as pl

from transforms.frames import shape
from transforms.medians import median_of_counts
from transforms.model.estimation import Plan
from transforms.person_time import Stays
from transforms.prevalence import name_intervals

_INTERVAL = ["cohort", "interval_unit", "interval_start"]


def count_tests(population: pl.DataFrame) -> pl.DataFrame:
    """`counts.testing` of cohorts; `population` is their `count_population`."""
    return shape(name_intervals(population), "counts.testing")


def count_gaps(stays: Stays, plan: Plan) -> pl.DataFrame:
    """`counts.testing_gap` of cohorts."""
    gaps = (
        stays.days.filter(pl.col("gap_days").is_not_null())
        .group_by("cohort", "month", gap_days=pl.min_horizontal("gap_days", pl.lit(plan.estimation.gap_days_at_most)))
        .agg(n_gaps=pl.len().cast(pl.Int64))
    )
    whole = gaps.group_by("cohort", "gap_days").agg(pl.col("n_gaps").sum()).with_columns(month=pl.lit(0, pl.Int32))
    parts = [whole, gaps.select(whole.columns)] if plan.has_calendar else [whole]
    return shape(name_intervals(pl.concat(parts)), "counts.testing_gap")


def estimate_testing(testing: pl.DataFrame, testing_gap: pl.DataFrame) -> pl.DataFrame:
    """`estimate.testing` without its run."""
    gaps = testing_gap.group_by(_INTERVAL).agg(pl.col("n_gaps").sum())
    medians = median_of_counts(testing_gap, by=_INTERVAL, value="gap_days", count="n_gaps")
    return (
        testing.join(gaps, on=_INTERVAL, how="left", nulls_equal=True)
        .join(medians, on=_INTERVAL, how="left", nulls_equal=True)
        .with_columns(
            n_gaps=pl.col("n_gaps").fill_null(0),
            tested_share=_share("n_tested", "n_observed"),
            tests_per_tested_person=_share("n_tests", "n_tested"),
            median_gap_days=pl.col("median"),
        )
    )


def _share(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))
