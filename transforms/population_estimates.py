"""Shares of populations of different names, with the testing behind each: functions of `counts.population` alone.

Where nobody of a population was tested and nobody is low nothing is known, and no share is given. Nor is one of those
in an episode on the first day of the extract, before which no test could begin it. An interval is complete when it lies
inside the observed time; the latest complete one of each unit is marked.
"""

import polars as pl

from transforms.calendar_units import ALL, last_day_of
from transforms.intervals import share_intervals
from transforms.model.estimation import Plan
from transforms.populations import POINT


def estimate_populations(counted: pl.DataFrame, observed_time: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.population` without its run."""
    is_first = (pl.col("interval_start") <= _first_month(counted)).fill_null(value=False)
    is_known = ((pl.col("n_tested") > 0) | (pl.col("n_low") > 0)) & ~(is_first & (pl.col("measure") == POINT))
    known = counted.select(pl.when(is_known).then("n_population").otherwise(0)).to_series()
    intervals = share_intervals(
        counted["n_low"].to_numpy(),
        known.to_numpy(),
        level=plan.estimation.confidence_level,
        method=plan.estimation.prevalence_interval,
    )
    n_people = pl.col("n_population")
    rows = counted.hstack(intervals).with_columns(
        prevalence="share",
        prevalence_lo="share_lo",
        prevalence_hi="share_hi",
        tested_share=pl.when(n_people > 0).then(pl.col("n_tested") / n_people),
        tests_per_person=pl.when(n_people > 0).then(pl.col("n_tests") / n_people),
        is_complete=_is_complete(observed_time),
    )
    latest = pl.col("interval_start").filter("is_complete").max().over("interval_unit")
    is_latest = (pl.col("interval_unit") == ALL) | (pl.col("interval_start") == latest)
    return rows.with_columns(is_latest=is_latest.fill_null(value=False))


def _first_month(counted: pl.DataFrame) -> pl.Expr:
    """The first day of the month in which anybody was seen first, also within it; null without one."""
    months = counted.filter(pl.col("interval_unit") == "month", pl.col("n_population") > 0)
    return pl.lit(months["interval_start"].min(), pl.Date)


def _is_complete(observed_time: pl.DataFrame) -> pl.Expr:
    """The interval begins no earlier than the first whole month that was seen, and ends no later than the last."""
    since, until = (observed_time.filter(pl.col("edge") == edge)["interval_start"] for edge in ("from", "until"))
    start = pl.col("interval_start")
    last = last_day_of(start, pl.col("interval_unit"))
    is_whole = (start >= pl.lit(since.min(), pl.Date)) & (last <= pl.lit(until.max(), pl.Date).dt.month_end())
    return (pl.col("interval_unit") == ALL) | is_whole.fill_null(value=False)
