"""A released duration curve has a few days that are the same for all, and shows those where nobody is singled out.

Days are those of the rule. A day is shown when the recoveries since the shown day before are none or enough, and so
are all that come after; its number at risk, when those who left since the number before and those still open are none
or enough, and when the causes and the curve of all together leave no small rest; its recovered and censored, when
each of the two is none or enough since they were shown before, and to come. Where a day is not shown it is hidden,
and what happened counts for the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
_ALL = "all"
_PLACE = ["run_id", "cohort", "rule", "threshold_cells_per_ul", "estimator"]
_CURVE = [*_PLACE, "cause_group"]
_SHARES = ("still_low", "still_low_lo", "still_low_hi")
_PARTS = ("n_recovered", "n_censored")
_OF_GROUP = ("n_episodes", "n_censored", "hide_n_episodes", "hide_n_censored", "hide_values")


@dataclass(frozen=True)
class _Curves:
    """All curves at all days of the grid; arrays have a row for each curve and a column for each day.

    `recovered` and `censored` are gone by the day. `may_count` and `may_part` say what the table of durations allows.
    """

    recovered: Counts
    censored: Counts
    all_recovered: Counts
    all_censored: Counts
    place: Counts
    is_all: Flags
    may_count: Flags
    may_part: Flags

    @property
    def at_risk(self) -> Counts:
        """Episodes still open after each day."""
        return (self.all_recovered + self.all_censored)[:, None] - self.recovered - self.censored


@dataclass(frozen=True)
class _Shown:
    """Which days of which curves show their share, their number at risk, their recovered and censored."""

    share: Flags
    at_risk: Flags
    parts: Flags


def coarsen_curves(curve: pl.DataFrame, durations: pl.DataFrame, days: Sequence[int], min_cell: int) -> pl.DataFrame:
    """Every curve at `days`, until it shows that nobody is left, with hide_VALUE for every value.

    `durations` is what `hide_durations` gave. A curve that must not be shown keeps one hidden day. A fitted curve has
    no counts; it is shown where the durations and deaths that it is made of are.
    """
    of_group = durations.unique(_CURVE, keep="first").select(*_CURVE, "hide_n_died", *_OF_GROUP)
    is_fitted = pl.col("n_at_risk").is_null()
    counted = _coarsen_counted(curve.filter(~is_fitted), of_group, days, min_cell)
    fitted = curve.filter(is_fitted, pl.col("day").is_in(list(days))).join(of_group, on=_CURVE, suffix="_of_group")
    fitted = fitted.with_columns(
        pl.lit(value=False).alias(f"hide_{name}") for name in ("n_at_risk", *_PARTS)
    ).with_columns((pl.col("hide_values") | pl.col("hide_n_died")).alias(f"hide_{name}") for name in _SHARES)
    fitted = fitted.filter(~pl.col("hide_still_low") | (pl.col("day") == days[0]))
    return pl.concat([counted, fitted.select(counted.columns)])


def _coarsen_counted(curve: pl.DataFrame, durations: pl.DataFrame, days: Sequence[int], min_cell: int) -> pl.DataFrame:
    groups = curve.select(_CURVE).unique().join(durations.select(*_CURVE, *_OF_GROUP), on=_CURVE).sort(_CURVE)
    rows = _at_days(curve, groups, days)
    if rows.is_empty():
        return curve.clear().with_columns(
            pl.lit(value=True).alias(f"hide_{name}") for name in ("n_at_risk", *_PARTS, *_SHARES)
        )
    curves = _curves_of(rows, groups, len(days))
    shown = _choose_days(curves, min_cell)
    rows = rows.with_columns(
        n_at_risk=pl.Series(curves.at_risk.ravel()),
        n_recovered=pl.Series(_since(curves.recovered, shown.parts).ravel()),
        n_censored=pl.Series(_since(curves.censored, shown.parts).ravel()),
        hide_n_at_risk=pl.Series(~shown.at_risk.ravel()),
        **{f"hide_{name}": pl.Series(~shown.parts.ravel()) for name in _PARTS},
        **{f"hide_{name}": pl.Series(~shown.share.ravel()) | pl.col("hide_values") for name in _SHARES},
    )
    is_end = ~pl.col("hide_n_at_risk") & (pl.col("n_at_risk") == 0)
    is_over = is_end.cast(pl.Int64).cum_sum().over(_CURVE) - is_end.cast(pl.Int64) > 0
    return rows.filter(~is_over & (~pl.col("hide_values") | (pl.col("day") == days[0])))


def _at_days(curve: pl.DataFrame, groups: pl.DataFrame, days: Sequence[int]) -> pl.DataFrame:
    """What had happened by each of `days` to each of `groups`, in their order."""
    gone = curve.sort([*_CURVE, "day"]).with_columns(pl.col(name).cum_sum().over(_CURVE) for name in _PARTS)
    grid = groups.join(pl.DataFrame({"day": list(days)}, schema={"day": pl.Int64}), how="cross").sort("day")
    states = gone.select(*_CURVE, "day", *_PARTS, *_SHARES).sort("day")
    joined = grid.drop("n_censored").join_asof(states, on="day", by=_CURVE, check_sortedness=False)
    return joined.sort([*_CURVE, "day"])


def _curves_of(rows: pl.DataFrame, groups: pl.DataFrame, n_days: int) -> _Curves:
    place = groups.select(pl.struct(_PLACE).rank("dense")).to_series().cast(pl.Int64)
    hidden = groups["hide_n_episodes"] | groups["hide_values"]
    censored = groups["n_censored"].to_numpy().astype(np.int64)
    return _Curves(
        recovered=rows["n_recovered"].to_numpy().astype(np.int64).reshape(-1, n_days),
        censored=rows["n_censored"].to_numpy().astype(np.int64).reshape(-1, n_days),
        all_recovered=groups["n_episodes"].to_numpy().astype(np.int64) - censored,
        all_censored=censored,
        place=place.to_numpy(),
        is_all=(groups["cause_group"] == _ALL).to_numpy(),
        may_count=(~hidden).to_numpy(),
        may_part=(~(hidden | groups["hide_n_censored"])).to_numpy(),
    )


def _choose_days(curves: _Curves, min_cell: int) -> _Shown:
    shape = curves.recovered.shape
    shown = _Shown(*(np.zeros(shape, np.bool_) for _ in range(3)))
    zeros = np.zeros(shape[0], np.int64)
    kept, counted, recovered, censored = zeros, curves.all_recovered + curves.all_censored, zeros, zeros
    for at in range(shape[1]):
        gone, left, open_now = curves.recovered[:, at], curves.censored[:, at], curves.at_risk[:, at]
        to_come = curves.all_recovered - gone
        may_keep = _are_safe(min_cell, gone - kept, to_come, open_now) | (gone + left == 0)
        steps = (gone - recovered, left - censored, to_come, curves.all_censored - left)
        may_count = may_keep & curves.may_part & _are_safe(min_cell, counted - open_now, open_now, *steps)
        protecting = _protect_rest(curves, open_now, may_count, min_cell)
        shown.share[:, at] = may_keep & curves.may_count & ~protecting
        shown.at_risk[:, at] = may_count & ~protecting
        shown.parts[:, at] = shown.at_risk[:, at]
        kept = np.where(shown.share[:, at], gone, kept)
        counted = np.where(shown.at_risk[:, at], open_now, counted)
        recovered = np.where(shown.parts[:, at], gone, recovered)
        censored = np.where(shown.parts[:, at], left, censored)
    return shown


def _protect_rest(curves: _Curves, at_risk: Counts, may_count: Flags, min_cell: int) -> Flags:
    """Curves to hide on a day: the smallest causes until the hidden ones protect each other, else that of all."""
    protecting = np.zeros(len(at_risk), np.bool_)
    for whole in np.flatnonzero(curves.is_all & may_count):
        causes = np.flatnonzero((curves.place == curves.place[whole]) & ~curves.is_all)
        hidden = ~may_count[causes]
        shown = causes[~hidden & (at_risk[causes] > 0)]
        waiting = sorted(shown.tolist(), key=lambda cause: (at_risk[cause], cause))
        n_hidden, held = int(hidden.sum()), int(at_risk[causes[hidden]].sum())
        while held and (n_hidden == 1 or held - (n_hidden - 1) < min_cell - 1):
            next_one = waiting.pop(0) if waiting else int(whole)
            protecting[next_one] = True
            if next_one == whole:
                break
            n_hidden, held = n_hidden + 1, held + int(at_risk[next_one])
    return protecting


def _since(gone: Counts, shown: Flags) -> Counts:
    """What happened by each day since the last shown day before it."""
    last = np.maximum.accumulate(np.where(shown, gone, 0), axis=1)
    before: Counts = np.concatenate([np.zeros((len(gone), 1), np.int64), last[:, :-1]], axis=1)
    since: Counts = gone - before
    return since


def _are_safe(min_cell: int, *counts: Counts) -> Flags:
    """Whether each of the counts is none or enough."""
    safe: Flags = np.logical_and.reduce([(count == 0) | (count >= min_cell) for count in counts])
    return safe
