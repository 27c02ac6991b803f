"""Days of observation below each threshold: certainly low, certainly not low, unknown.

All values of a day are one, low when any is. A day between two of the same kind is of that kind when they lie close
together, as `definitions/person_days` says; nothing else is carried from one day to another.
"""

import polars as pl

from transforms.frames import empty, shape
from transforms.model.estimation import Cut, Plan
from transforms.model.person_days import PersonDaysRule
from transforms.person_time import Stays, undecided_name

_SPAN = ("person_index", "stay")
_NUMBERS = ("n_people_low", "n_days_low", "n_days_not_low")


def count_person_days(stays: Stays, plan: Plan) -> pl.DataFrame:
    """`counts.person_days` of cohorts; no rows without dates."""
    rule = plan.person_days
    if rule is None or not plan.has_dates:
        return empty("counts.person_days")
    observed = stays.spans.group_by("cohort").agg(
        n_people=pl.col("person_index").n_unique(),
        n_days_observed=(pl.col("ended") - pl.col("started") + 1).cast(pl.Int64).sum(),
    )
    parts = [
        observed.join(_count(stays.days, cut, rule), on="cohort", how="left").with_columns(
            pl.col(_NUMBERS).fill_null(0), threshold_cells_per_ul=pl.lit(cut.threshold_cells_per_ul)
        )
        for cut in plan.any_low
    ]
    return shape(pl.concat(parts), "counts.person_days")


def estimate_person_days(person_days: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.person_days` without its run: the days unknown, and the least and most days low a year."""
    if plan.person_days is None:
        return empty("estimate.person_days").drop("run_id")
    year, observed = plan.person_days.days_a_year, pl.col("n_days_observed")
    has_days = observed > 0
    return person_days.with_columns(
        n_days_unknown=observed - pl.col("n_days_low") - pl.col("n_days_not_low"),
        low_days_a_year_least=pl.when(has_days).then(pl.col("n_days_low") * year / observed),
        low_days_a_year_most=pl.when(has_days).then((observed - pl.col("n_days_not_low")) * year / observed),
    )


def _count(days: pl.DataFrame, cut: Cut, rule: PersonDaysRule) -> pl.DataFrame:
    """cohort, n_people_low, n_days_low and n_days_not_low at one threshold."""
    is_low = cut.is_low(pl.col("lowest_cells_per_ul")).fill_null(value=False)
    decided = (
        days.lazy()
        .filter(pl.col("day").is_not_null())
        .select(*_SPAN, "cohort", "day", is_low=is_low, is_open=pl.col(undecided_name(cut)) & ~is_low)
        .filter(~pl.col("is_open"))
    )
    is_same = pl.all_horizontal((pl.col(name) == pl.col(name).shift(-1)) for name in (*_SPAN, "is_low"))
    gap = pl.col("day").shift(-1) - pl.col("day")
    most = pl.when("is_low").then(rule.low_between_days).otherwise(rule.not_low_between_days)
    known = decided.with_columns(n_days=pl.when(is_same & (gap <= most)).then(gap).otherwise(1).cast(pl.Int64))
    return (
        known.group_by("cohort")
        .agg(
            n_people_low=pl.col("person_index").filter("is_low").n_unique(),
            n_days_low=pl.col("n_days").filter("is_low").sum(),
            n_days_not_low=pl.col("n_days").filter(~pl.col("is_low")).sum(),
        )
        .collect()
    )
