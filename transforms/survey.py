"""Weighted shares of a survey with strata and PSUs: Taylor-linearised variance, Korn-Graubard interval.

PSUs count as drawn with replacement. A cohort is a domain of the whole design: PSUs without its people stay in the
variance with nothing in them. Degrees of freedom are the PSUs less the strata that hold people of the domain. A
stratum with one PSU has no spread of its own; its total is centred at the mean of all PSUs, which is zero. Obeys
`definitions/survey`; every number is a function of the counts alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from transforms.frames import empty, shape
from transforms.intervals import NONE, Numbers
from transforms.model.estimation import Plan
from transforms.model.survey import Presentation

_CELL = ["cohort", "denominator_name", "measure", "rule", "threshold_cells_per_ul"]
_PSU = ["stratum", "psu"]
_ONLY = ("degrees_of_freedom", "lone_strata", "reliability", "status")
_PEOPLE = ["n_population", "n_low", "n_low_possible"]
RELIABLE, REVIEW, UNRELIABLE = "reliable", "review", "unreliable"


@dataclass(frozen=True)
class Domains:
    """Cells by PSU: one row a cell, one column a PSU, the PSUs of a stratum side by side; `starts` has its first."""

    weight: Numbers
    weight_low: Numbers
    people: Numbers
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class Spread:
    """Of each cell: the weighted share, its variance, and the degrees of freedom; NaN without weight."""

    share: Numbers
    variance: Numbers
    degrees_of_freedom: NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """Limits of each share, NaN where there are none, and the effective number of people behind them."""

    lo: Numbers
    hi: Numbers
    size: Numbers


def with_weighted(prevalence: pl.DataFrame, counts: Mapping[str, pl.DataFrame], plan: Plan) -> pl.DataFrame:
    """Rows of `estimate.prevalence` without their run: those given and, where people have weights, weighted ones."""
    never = (pl.Int64, pl.Int64, pl.String, pl.String)
    unweighted = prevalence.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in zip(_ONLY, never, strict=True)
    )
    weighted = estimate_weighted(counts["counts.survey_cell"], counts["counts.survey_psu"], plan)
    if weighted.is_empty():
        return unweighted
    known = _where_known(weighted, prevalence)
    return pl.concat(
        [shape(rows.with_columns(run_id=pl.lit("")), "estimate.prevalence") for rows in (unweighted, known)]
    )


def _where_known(weighted: pl.DataFrame, prevalence: pl.DataFrame) -> pl.DataFrame:
    """No weighted share where that of people is not known: nobody of the cohort was tested, and that is not 0 %."""
    unknown = prevalence.filter(pl.col("interval_unit") == "all", pl.col("prevalence").is_null()).select(_CELL)
    rows = weighted.join(unknown.with_columns(is_unknown=pl.lit(value=True)), on=_CELL, how="left")
    is_unknown = pl.col("is_unknown").fill_null(value=False)
    made = ("prevalence", "prevalence_lo", "prevalence_hi", "degrees_of_freedom", "reliability")
    return rows.with_columns(
        *(pl.when(~is_unknown).then(name).alias(name) for name in made),
        method=pl.when(is_unknown).then(pl.lit(NONE)).otherwise("method"),
    )


def estimate_weighted(cells: pl.DataFrame, psus: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Weighted rows of `estimate.prevalence`, from `counts.survey_cell` and `counts.survey_psu`; none without weights.

    `n_low` and `n_population` are people, not weights. `plan.survey` is the definition.
    """
    if plan.survey is None or cells.is_empty():
        return empty("estimate.prevalence").drop("run_id")
    design = psus.select(_PSU).sort(_PSU)
    rows = cells.group_by(_CELL).agg(pl.col(_PEOPLE).sum()).sort(_CELL)
    spread = linearise(_domains(rows.select(_CELL), design, cells))
    n_people, n_low = rows["n_population"].to_numpy(), rows["n_low"].to_numpy()
    interval = korn_graubard(spread, n_people, level=plan.estimation.confidence_level)
    known = _numbers(spread, interval).with_columns(
        reliability=_reliability(spread, interval, n_people, n_low, plan.survey.presentation)
    )
    lone = design.group_by("stratum").len().filter(pl.col("len") == 1).height
    return rows.hstack(known).with_columns(
        interval_unit=pl.lit("all"),
        interval_start=pl.lit(None, pl.Date),
        stratum=pl.lit("all"),
        standard=pl.lit("crude"),
        is_weighted=pl.lit(value=True),
        is_complete=pl.lit(value=True),
        method=pl.when(pl.col("prevalence_lo").is_null()).then(pl.lit(NONE)).otherwise(pl.lit(plan.survey.interval)),
        lone_strata=pl.lit(lone),
        status=pl.lit(None, pl.String),
    )


def linearise(domains: Domains) -> Spread:
    """Weighted shares with their variance by Taylor linearisation, PSUs drawn with replacement inside strata."""
    weight, low, starts = domains.weight, domains.weight_low, domains.starts
    total = weight.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = low.sum(axis=1, keepdims=True) / total
        scores = (low - share * weight) / total
    n_psus = np.diff(np.append(starts, weight.shape[1]))
    is_lone = n_psus == 1
    means = np.where(is_lone, 0.0, np.add.reduceat(scores, starts, axis=1) / n_psus)
    squares = np.add.reduceat((scores - np.repeat(means, n_psus, axis=1)) ** 2, starts, axis=1)
    factor = np.where(is_lone, 1.0, n_psus / np.maximum(n_psus - 1, 1))
    is_held = domains.people > 0
    n_strata = (np.add.reduceat(is_held.astype(np.int64), starts, axis=1) > 0).sum(axis=1)
    return Spread(share[:, 0], (squares * factor).sum(axis=1), is_held.sum(axis=1) - n_strata)


def korn_graubard(spread: Spread, n: NDArray[np.int64], *, level: float) -> Interval:
    """The interval of Korn and Graubard (1998) as NCHS uses it: exact limits at the effective number of people.

    That number is adjusted for the degrees of freedom and is never more than `n`; at a share of 0 or 1 it starts from
    `n`. No degrees of freedom give no interval.
    """
    share, upper = spread.share, (1 + level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(spread.variance > 0, share * (1 - share) / spread.variance, n)
        ratio = special.stdtrit(np.maximum(n - 1, 1), upper) / special.stdtrit(spread.degrees_of_freedom, upper)
        size = np.minimum(n, effective * np.where(n > 1, ratio, 1.0) ** 2)
        x = share * size
        lo = np.where(x > 0, special.betaincinv(x, size - x + 1, 1 - upper), 0.0)
        hi = np.where(x < size, special.betaincinv(x + 1, size - x, upper), 1.0)
    is_known = (spread.degrees_of_freedom > 0) & np.isfinite(share)
    return Interval(np.where(is_known, lo, np.nan), np.where(is_known, hi, np.nan), np.where(is_known, size, np.nan))


def _domains(rows: pl.DataFrame, design: pl.DataFrame, cells: pl.DataFrame) -> Domains:
    every = rows.join(design, how="cross").join(cells, on=[*_CELL, *_PSU], how="left").sort([*_CELL, *_PSU])
    shape = (rows.height, design.height)
    weight, weight_low, people = (
        every[name].cast(pl.Float64).fill_null(0).to_numpy().reshape(shape)
        for name in ("weight_population", "weight_low", "n_population")
    )
    is_first = (design["stratum"] != design["stratum"].shift(1)).fill_null(value=True)
    return Domains(weight, weight_low, people, np.flatnonzero(is_first.to_numpy()))


def _numbers(spread: Spread, interval: Interval) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "prevalence": spread.share,
            "prevalence_lo": interval.lo,
            "prevalence_hi": interval.hi,
            "degrees_of_freedom": spread.degrees_of_freedom,
        }
    )
    return frame.with_columns(pl.col("^prevalence.*$").fill_nan(None))


def _reliability(
    spread: Spread, interval: Interval, n: NDArray[np.int64], n_low: NDArray[np.int64], rule: Presentation
) -> pl.Series:
    """Whether each share meets the presentation standard, meets it but wants a look, or does not."""
    width = interval.hi - interval.lo
    with np.errstate(divide="ignore", invalid="ignore"):
        is_wide = (width >= rule.wide_width) | (
            (width > rule.narrow_width) & (width / spread.share > rule.relative_width_at_most)
        )
    is_small = (n < rule.least_people) | (interval.size < rule.least_people)
    is_bare = (n_low == 0) | (n_low == n) | (spread.degrees_of_freedom < rule.least_degrees_of_freedom)
    is_unknown = np.isnan(width)
    words = np.where(is_bare, REVIEW, RELIABLE)
    words = np.where(is_small | is_wide | is_unknown, UNRELIABLE, words)
    return pl.Series(words.tolist(), dtype=pl.String)
