"""A released duration curve stops only where nobody can be singled out between two of its days.

A day is kept when the recoveries since the kept day before are none or enough, and so are all that come after; its
counts are shown when that also holds for the censored and for those still open. Counts are of the step: what happened
since the day whose counts were shown before. Every other day is left out, so the curve is coarser where few are left.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
_GROUP = ["run_id", "cohort", "cause_group", "rule", "threshold_cells_per_ul", "estimator"]
_TOTALS = ["n_episodes", "n_censored"]


@dataclass
class _Steps:
    """What happened since the last kept day, and since the last day with counts; one value per curve."""

    recovered_since_kept: Counts
    recovered: Counts
    censored: Counts
    recovered_to_come: Counts
    censored_to_come: Counts


def coarsen_curves(curve: pl.DataFrame, durations: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """The kept days with counts of their steps, and hide_VALUE for every value.

    `durations` is what `hide_durations` gave. A curve that must not be shown keeps one hidden day.
    """
    totals = durations.select(*_GROUP, *_TOTALS, "hide_n_episodes", "hide_values").rename(
        {"n_episodes": "total", "n_censored": "total_censored"}
    )
    rows = curve.join(totals, on=_GROUP, how="inner").sort([*_GROUP, "day"])
    if rows.is_empty():
        return rows.with_columns(pl.lit(value=True).alias(f"hide_{name}") for name in _values())
    kept = _keep_days(rows, min_cell)
    is_first = pl.col("day") == 0
    hide_counts = pl.col("hide_n_episodes") | pl.col("hide_values") | ~pl.col("has_counts")
    return (
        kept.filter(pl.col("is_kept") & (~pl.col("hide_values") | is_first))
        .with_columns(hide_counts.alias(f"hide_{name}") for name in ("n_at_risk", "n_recovered", "n_censored"))
        .with_columns(pl.col("hide_values").alias(f"hide_{name}") for name in _values()[3:])
    )


def _values() -> tuple[str, ...]:
    return ("n_at_risk", "n_recovered", "n_censored", "still_low", "still_low_lo", "still_low_hi")


def _keep_days(rows: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Adds is_kept and has_counts, and puts counts of the step in place of those of the day."""
    lengths = rows.group_by(_GROUP, maintain_order=True).agg(
        pl.len(), pl.col("total").first(), pl.col("total_censored").first()
    )
    curve_at = np.repeat(np.arange(lengths.height), lengths["len"].to_numpy())
    day = rows["day"].to_numpy()
    shape = (lengths.height, int(day.max()) + 1)
    recovered, censored, is_there = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    recovered[curve_at, day] = rows["n_recovered"].to_numpy()
    censored[curve_at, day] = rows["n_censored"].to_numpy()
    is_there[curve_at, day] = True
    all_censored = lengths["total_censored"].to_numpy().astype(np.int64)
    all_recovered = lengths["total"].to_numpy() - all_censored
    zeros = np.zeros(lengths.height, np.int64)
    steps = _Steps(zeros, zeros, zeros, all_recovered, all_censored)
    kept, counted = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    at_risk, step_recovered, step_censored = (np.zeros(shape, np.int64) for _ in range(3))
    for at in range(shape[1]):
        steps = _go_on(steps, recovered[:, at], censored[:, at])
        kept[:, at] = is_there[:, at] & (_may_keep(steps, min_cell) | (at == 0))
        counted[:, at] = kept[:, at] & _may_count(steps, min_cell)
        step_recovered[:, at], step_censored[:, at] = steps.recovered, steps.censored
        at_risk[:, at] = steps.recovered_to_come + steps.censored_to_come
        steps = _start_again(steps, kept[:, at], counted[:, at])
    return rows.with_columns(
        is_kept=pl.Series(kept[curve_at, day]),
        has_counts=pl.Series(counted[curve_at, day]),
        n_at_risk=pl.Series(at_risk[curve_at, day]),
        n_recovered=pl.Series(step_recovered[curve_at, day]),
        n_censored=pl.Series(step_censored[curve_at, day]),
    )


def _go_on(steps: _Steps, recovered: Counts, censored: Counts) -> _Steps:
    return _Steps(
        steps.recovered_since_kept + recovered,
        steps.recovered + recovered,
        steps.censored + censored,
        steps.recovered_to_come - recovered,
        steps.censored_to_come - censored,
    )


def _start_again(steps: _Steps, kept: Flags, counted: Flags) -> _Steps:
    return _Steps(
        np.where(kept, 0, steps.recovered_since_kept),
        np.where(counted, 0, steps.recovered),
        np.where(counted, 0, steps.censored),
        steps.recovered_to_come,
        steps.censored_to_come,
    )


def _may_keep(steps: _Steps, min_cell: int) -> Flags:
    return _is_safe(steps.recovered_since_kept, min_cell) & _is_safe(steps.recovered_to_come, min_cell)


def _may_count(steps: _Steps, min_cell: int) -> Flags:
    to_come = steps.recovered_to_come + steps.censored_to_come
    counts = (steps.recovered, steps.recovered_to_come, steps.censored, steps.censored_to_come, to_come)
    safe: Flags = np.logical_and.reduce([_is_safe(count, min_cell) for count in counts])
    return safe


def _is_safe(count: Counts, min_cell: int) -> Flags:
    safe: Flags = (count == 0) | (count >= min_cell)
    return safe
