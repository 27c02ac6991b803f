"""Direct standardisation by age and sex: what would be seen if the people had the ages and sexes of a standard.

Only people of known age and sex take part. Bands without people are joined to the next older band that has some, and
the last ones to the band before; where one sex has nobody at all, the other stands for both. With too few events
nothing is given. The variance of a share takes one person more of each kind in every stratum: else a stratum of few
people who are all low, or all not, would be known for certain, and a standard may give it much weight. Obeys
`definitions/standards` and `standardisation` of `definitions/estimation`.

Source of one more of each kind: Agresti and Caffo 2000, who add them to each of two samples.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.frames import settle
from transforms.model.standards import Standard, Standardisation
from transforms.rates import fay_feuer, logit_interval
from transforms.strata import STRATUM, UNKNOWN, band_of

ESTIMATED, TOO_FEW, NO_AGES = "estimated", "too_few_events", "no_ages"
SHARE, RATE = "logit", "fay_feuer"
_MADE = ("adjusted", "variance", "largest")


def standardise(
    counts: pl.DataFrame, by: Sequence[str], standards: Sequence[Standard], wanted: Standardisation
) -> pl.DataFrame:
    """`by`, standard, n_events, n_base, adjusted, variance, largest and status, one row a group and standard.

    `counts` has `by`, age_from_years, sex, n_events and n_base (people, or days). `variance` is of a share (binomial
    within strata, with one person more of each kind), `variance_of_rate` of a rate (Poisson); `largest` is the largest
    weight / base.
    """
    parts = [_standardise_to(counts, list(by), standard, wanted) for standard in standards]
    return pl.concat(parts).sort([*by, "standard"], nulls_last=True)


def with_share_limits(rows: pl.DataFrame, *, level: float) -> pl.DataFrame:
    """`rows` of `standardise` with lo, hi: on the scale of log odds."""
    share, variance = (rows[name].fill_null(np.nan).to_numpy() for name in ("adjusted", "variance"))
    return _with_limits(rows, *logit_interval(share, variance, level=level))


def with_rate_limits(rows: pl.DataFrame, *, level: float) -> pl.DataFrame:
    """`rows` of `standardise` with lo, hi: Fay and Feuer."""
    numbers = (rows[name].fill_null(np.nan).to_numpy() for name in ("adjusted", "variance_of_rate", "largest"))
    return _with_limits(rows, *fay_feuer(*numbers, level=level))


def _with_limits(rows: pl.DataFrame, lo: object, hi: object) -> pl.DataFrame:
    limits = pl.DataFrame({"lo": lo, "hi": hi}, schema={"lo": pl.Float64, "hi": pl.Float64})
    given = pl.col("status") == ESTIMATED
    both = rows.hstack(limits.with_columns(pl.all().fill_nan(None)))
    return both.with_columns(pl.when(given).then(name).alias(name) for name in ("adjusted", "lo", "hi"))


def _standardise_to(counts: pl.DataFrame, by: list[str], standard: Standard, wanted: Standardisation) -> pl.DataFrame:
    known = counts.lazy().filter(pl.col("age_from_years").is_not_null(), pl.col("sex") != UNKNOWN)
    bands = sorted(standard.weights)
    summed = settle(
        known.with_columns(age_from_years=band_of(pl.col("age_from_years"), bands))
        .group_by([*by, *STRATUM])
        .agg(pl.col("n_events", "n_base").sum())
    )
    strata = _collapse(_with_weights(summed.lazy(), by, standard, wanted), by)
    share = pl.col("n_events") / pl.col("n_base")
    weight, base = pl.col("weight"), pl.col("n_base")
    likely = (pl.col("n_events") + 1) / (base + 2)
    made = (
        strata.sort([*by, "sex", "joined"])
        .group_by(by, maintain_order=True)
        .agg(
            pl.col("n_events", "n_base").sum(),
            adjusted=(weight * share).sum() / weight.sum(),
            variance=(weight**2 * likely * (1 - likely) / base).sum() / weight.sum() ** 2,
            variance_of_rate=((weight / base) ** 2 * pl.col("n_events")).sum() / weight.sum() ** 2,
            largest=(weight / base).max() / weight.sum(),
        )
    )
    every = counts.lazy().select(by).unique().join(made, on=by, how="left", nulls_equal=True)
    enough = pl.col("n_events") >= wanted.events_at_least
    status = pl.when(pl.col("n_base").is_null()).then(pl.lit(NO_AGES)).when(enough).then(pl.lit(ESTIMATED))
    told = every.with_columns(
        pl.col("n_events", "n_base").fill_null(0),
        status=status.otherwise(pl.lit(TOO_FEW)),
        standard=pl.lit(standard.id),
    )
    return settle(told)


def _with_weights(summed: pl.LazyFrame, by: list[str], standard: Standard, wanted: Standardisation) -> pl.LazyFrame:
    """Every band and sex of each group with its weight, also those without people."""
    rows = [
        (band, sex, weight * share)
        for band, weight in standard.weights.items()
        for sex, share in wanted.sex_shares.items()
    ]
    schema = {"age_from_years": pl.Int32, "sex": pl.String, "weight": pl.Float64}
    weights = pl.LazyFrame(rows, schema=schema, orient="row")
    every = summed.select(by).unique().join(weights, how="cross")
    return every.join(summed, on=[*by, *STRATUM], how="left", nulls_equal=True).with_columns(
        pl.col("n_events", "n_base").fill_null(0)
    )


def _collapse(strata: pl.LazyFrame, by: list[str]) -> pl.LazyFrame:
    """Bands of a sex without people joined to the next that has some; a sex without anybody is left out."""
    group, is_full = [*by, "sex"], pl.col("n_base") > 0
    ordered = strata.sort([*group, "age_from_years"], nulls_last=True)
    n_full = is_full.sum().cast(pl.Int64).over(group)
    before = is_full.cast(pl.Int64).cum_sum().over(group) - is_full.cast(pl.Int64)
    return (
        ordered.with_columns(joined=pl.min_horizontal(before, n_full - 1))
        .filter(n_full > 0)
        .group_by([*group, "joined"], maintain_order=True)
        .agg(pl.col("n_events", "n_base", "weight").sum())
    )
