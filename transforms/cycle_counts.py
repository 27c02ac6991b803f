"""How many cycles, how many of them affected at each threshold, when the nadir came, how many days were severe.

A cycle counts for a cohort when its first dose lies in a stay. The share affected is of cycles with a count. Its
variance is that of a ratio over people, each with all their cycles, so it needs only sums of their squares; the
interval is that of Korn and Graubard with the people as the units drawn.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from transforms.cycles import COUNTED
from transforms.frames import empty, shape, stack
from transforms.intervals import NONE
from transforms.medians import median_of_counts
from transforms.model.estimation import Plan
from transforms.person_time import Stays
from transforms.survey import Spread, korn_graubard

ALL = "all"
METHOD = "korn_graubard"
_ROW = ["cohort", "regimen", "threshold_cells_per_ul"]


def count_cycles(stays: Stays, cycles: pl.DataFrame, plan: Plan) -> dict[str, pl.DataFrame]:
    """`counts.cycle*` of cohorts by name. `cycles` has the columns of derived.cycle by person_index."""
    begun = (
        stays.inside(cycles.with_columns(begun=pl.col("started_on").cast(pl.Int32)))
        .filter(pl.col("begun").is_between("stay_started", "stay_ended"))
        .drop("begun", "stay_started", "stay_ended")
    )
    both = pl.concat([begun, begun.with_columns(regimen=pl.lit(ALL))])
    by_threshold = [(cut.threshold_cells_per_ul, cut.is_low(pl.col("nadir_cells_per_ul"))) for cut in plan.any_low]
    counted = [
        _count(both.with_columns(is_affected=is_low.fill_null(value=False)), limit) for limit, is_low in by_threshold
    ]
    nadirs = [
        both.filter(is_low)
        .group_by("cohort", "regimen", "nadir_day")
        .agg(n_cycles=pl.len())
        .with_columns(_limit(limit))
        for limit, is_low in by_threshold
    ]
    tested = begun.filter(pl.col("n_tests") > 0)
    severe = tested.group_by("cohort", "severe_status").agg(
        n_cycles=pl.len(), n_people=pl.col("person_index").n_unique()
    )
    days = tested.filter(pl.col("severe_status") == COUNTED).group_by("cohort", "severe_days").agg(n_cycles=pl.len())
    made = {
        "counts.cycle": pl.concat(counted),
        "counts.cycle_nadir": pl.concat(nadirs),
        "counts.cycle_severe": severe,
        "counts.cycle_severe_days": days,
    }
    return {name: shape(rows, name) for name, rows in made.items()}


def read_cycles(frames: Mapping[str, pl.LazyFrame], plan: Plan) -> pl.DataFrame | None:
    """The cycles to count; none without dates."""
    return frames["cycle"].collect() if plan.has_dates and "cycle" in frames else None


def estimate_cycles(counts: Mapping[str, pl.DataFrame], plan: Plan) -> pl.DataFrame:
    """`estimate.cycle` without its run, from `counts.cycle` and `counts.cycle_nadir`."""
    rows = counts["counts.cycle"].sort(_ROW)
    if rows.is_empty():
        return empty("estimate.cycle").drop("run_id")
    medians = median_of_counts(counts["counts.cycle_nadir"], by=_ROW, value="nadir_day", count="n_cycles")
    return (
        rows.hstack(_shares(rows, plan.estimation.confidence_level))
        .join(medians.rename({"median": "median_nadir_day"}), on=_ROW, how="left")
        .with_columns(
            tests_per_cycle=pl.col("n_cycle_tests") / pl.col("n_cycles"),
            affected_method=pl.when(pl.col("affected_lo").is_null()).then(pl.lit(NONE)).otherwise(pl.lit(METHOD)),
        )
    )


def estimate_severe_days(counts: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """`estimate.cycle_severe` without its run: cycles by whether severe days are known, and their median."""
    statuses, days = counts["counts.cycle_severe"], counts["counts.cycle_severe_days"]
    medians = median_of_counts(days, by=["cohort"], value="severe_days", count="n_cycles")
    known = medians.with_columns(severe_status=pl.lit(COUNTED))
    total = pl.col("n_cycles").sum().over("cohort")
    return (
        stack([statuses], "counts.cycle_severe")
        .with_columns(cycle_share=pl.col("n_cycles") / total)
        .join(known, on=["cohort", "severe_status"], how="left", maintain_order="left")
        .rename({"median": "median_severe_days"})
    )


def _limit(threshold: int) -> pl.Expr:
    return pl.lit(threshold).alias("threshold_cells_per_ul")


def _count(cycles: pl.DataFrame, threshold: int) -> pl.DataFrame:
    """Sums over people of their cycles, of the tested and affected among them, and of the squares of both."""
    tested, affected = pl.col("tested"), pl.col("affected")
    people = cycles.group_by("cohort", "regimen", "person_index").agg(
        cycles=pl.len().cast(pl.Int64),
        tests=pl.col("n_tests").sum(),
        tested=(pl.col("n_tests") > 0).sum().cast(pl.Int64),
        affected=pl.col("is_affected").sum().cast(pl.Int64),
    )
    return (
        people.group_by("cohort", "regimen")
        .agg(
            n_cycles=pl.col("cycles").sum(),
            n_people=pl.len(),
            n_cycle_tests=pl.col("tests").sum(),
            n_tested=tested.sum(),
            n_people_tested=(tested > 0).sum(),
            n_affected=affected.sum(),
            n_people_affected=(affected > 0).sum(),
            n_tested_squared=(tested * tested).sum(),
            n_affected_squared=(affected * affected).sum(),
            n_tested_affected=(tested * affected).sum(),
        )
        .with_columns(_limit(threshold))
    )


def _shares(rows: pl.DataFrame, level: float) -> pl.DataFrame:
    """affected_share, affected_lo and affected_hi; null where no cycle has a count."""
    names = ("n_tested", "n_affected", "n_people_tested", "n_tested_squared", "n_affected_squared", "n_tested_affected")
    tested, affected, people, tested2, affected2, product = (rows[name].to_numpy().astype(np.float64) for name in names)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = affected / tested
        squares = affected2 - 2 * share * product + share**2 * tested2
        variance = np.maximum(squares, 0) * people / (people - 1) / tested**2
    variance = np.where((affected == 0) | (affected == tested) | ~np.isfinite(variance), 0.0, variance)
    size = np.where(variance > 0, tested, people).astype(np.int64)
    interval = korn_graubard(Spread(share, variance, people.astype(np.int64) - 1), size, level=level)
    frame = pl.DataFrame({"affected_share": share, "affected_lo": interval.lo, "affected_hi": interval.hi})
    return frame.with_columns(pl.all().fill_nan(None))
