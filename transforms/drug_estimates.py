"""Estimates of what follows a drug: shares of courses, quantiles by day, and the self-controlled ratio.

All from `counts.drug*` alone. The interval of a share takes people as clusters: the variance of a ratio of sums over
people gives an effective number of courses, at which the usual interval is taken. Obeys `definitions/after_drugs`.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import polars as pl

from transforms.clustered import clustered_shares
from transforms.drug_counts import DRUG, ONSET, RECOVERY
from transforms.drug_weeks import AROUND_START, EVERYBODY, ON_DRUG, PRE_EXPOSURE, REFERENCE, RISK
from transforms.frames import empty
from transforms.intervals import Numbers
from transforms.medians import median_of_counts
from transforms.model.drugs import DrugRules
from transforms.model.estimation import Plan
from transforms.rate_ratios import Counts, rate_ratio

RAISED, NOT_RAISED = "raised", "not_raised"
_SUMS = ("n_tested", "n_affected", "n_people_tested", "n_tested_squared", "n_affected_squared", "n_tested_affected")
_COURSE = [*DRUG, "threshold_cells_per_ul"]


def estimate_after_drugs(counts: Mapping[str, pl.DataFrame], plan: Plan) -> dict[str, pl.DataFrame]:
    """`estimate.drug`, `estimate.drug_day` and `estimate.drug_ratio`, without their run."""
    if plan.drugs is None:
        return {
            name: empty(name).drop("run_id") for name in ("estimate.drug", "estimate.drug_day", "estimate.drug_ratio")
        }
    return {
        "estimate.drug": estimate_courses(counts["counts.drug"], counts["counts.drug_time"], plan),
        "estimate.drug_day": estimate_days(counts["counts.drug_day"], plan.drugs),
        "estimate.drug_ratio": estimate_ratios(counts["counts.drug_week"], counts["counts.drug"], plan.drugs),
    }


def estimate_courses(drug: pl.DataFrame, times: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Share of tested courses with an episode, its interval, and median times to onset and recovery."""
    rows = drug.sort(_COURSE)
    lo, hi, method = clustered_shares(rows, _SUMS, plan.estimation)
    share = pl.when(pl.col("n_tested") > 0).then(pl.col("n_affected") / pl.col("n_tested"))
    known = rows.with_columns(share=share, share_lo=pl.Series(lo), share_hi=pl.Series(hi), method=pl.Series(method))
    for measure in (ONSET, RECOVERY):
        own = times.filter(pl.col("measure") == measure)
        medians = median_of_counts(own, by=_COURSE, value="days", count="n_episodes")
        known = known.join(medians.rename({"median": f"median_{measure}_days"}), on=_COURSE, how="left")
    return known.with_columns(pl.col("share_lo", "share_hi").fill_nan(None))


def estimate_days(days: pl.DataFrame, rules: DrugRules) -> pl.DataFrame:
    """Quantiles of each day as the middle of their bin, null where it is the open last one."""
    key = [*DRUG, "anchor", "day", "day_until"]
    edges = rules.bins_cells_per_ul
    middles = pl.DataFrame(
        {
            "bin_lower_cells_per_ul": edges,
            "middle": [*((low + high) // 2 for low, high in pairwise(edges)), None],
        },
        schema={"bin_lower_cells_per_ul": pl.Int64, "middle": pl.Int64},
    )
    ranked = (
        days.join(middles, on="bin_lower_cells_per_ul", how="left")
        .sort([*key, "bin_lower_cells_per_ul"])
        .with_columns(total=pl.col("n_people").sum().over(key), reached=pl.col("n_people").cum_sum().over(key))
    )
    quantiles = {
        f"{name}_cells_per_ul": pl.col("middle").filter(pl.col("reached") >= share * pl.col("total")).first()
        for name, share in rules.quantiles.items()
    }
    return ranked.group_by(key, maintain_order=True).agg(n_people=pl.col("n_people").sum(), **quantiles)


def estimate_ratios(weeks: pl.DataFrame, drug: pl.DataFrame, rules: DrugRules) -> pl.DataFrame:
    """The self-controlled ratio of each drug that enough people were given, with its check and the disproportion."""
    wanted = rules.ratio
    periods = (RISK, REFERENCE, PRE_EXPOSURE, AROUND_START, ON_DRUG)
    rows = (
        weeks.filter(pl.col("period") != EVERYBODY)
        .group_by(DRUG)
        .agg(
            **{
                f"{kind}_{period}": pl.col(f"n_{kind}").filter(pl.col("period") == period).sum()
                for period in periods
                for kind in ("episodes", "weeks")
            },
        )
    )
    people = drug.select(*DRUG, "n_people").unique()
    rows = rows.join(people, on=list(DRUG)).filter(pl.col("n_people") >= wanted.people_at_least).sort(DRUG)
    risk, reference = (_side(rows, period) for period in (RISK, REFERENCE))
    ratio = rate_ratio(*risk, *reference, level=wanted.confidence_level)
    n_before, check = _check(rows, reference, wanted.confidence_level)
    everybody = weeks.filter(pl.col("period") == EVERYBODY)
    expected = pl.col("weeks_on_drug") * everybody["n_episodes"].sum() / max(everybody["n_weeks"].sum(), 1)
    found = {
        **dict(zip(("ratio", "ratio_lo", "ratio_hi"), ratio, strict=True)),
        **dict(zip(("pre_ratio", "pre_ratio_lo", "pre_ratio_hi"), check, strict=True)),
    }
    known = rows.with_columns(pl.Series(name, values) for name, values in found.items())
    known = known.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in found)
    return known.with_columns(
        drugs_screened=pl.len(),
        n_risk="episodes_risk",
        n_reference="episodes_reference",
        n_pre_exposure=pl.Series(n_before),
        n_on_drug="episodes_on_drug",
        pre_check=pl.when(pl.col("pre_ratio_lo") > 1)
        .then(pl.lit(RAISED))
        .when(pl.col("pre_ratio_lo").is_not_null())
        .then(pl.lit(NOT_RAISED)),
        log2_disproportion=pl.when(pl.col("weeks_on_drug") > 0).then(
            ((pl.col("episodes_on_drug") + wanted.shrinkage) / (expected + wanted.shrinkage)).log(2)
        ),
    )


def _check(rows: pl.DataFrame, reference: tuple[Counts, Counts], level: float) -> tuple[Counts, list[Numbers]]:
    """Episodes, ratio and limits of the more raised of the two periods of the check, by their lower limits."""
    sides = [_side(rows, period) for period in (PRE_EXPOSURE, AROUND_START)]
    before, around = (rate_ratio(*side, *reference, level=level) for side in sides)
    is_around = np.nan_to_num(around[1], nan=-1.0) > np.nan_to_num(before[1], nan=-1.0)
    found = [np.where(is_around, one, other) for one, other in zip(around, before, strict=True)]
    return np.where(is_around, sides[1][0], sides[0][0]), found


def _side(rows: pl.DataFrame, period: str) -> tuple[Counts, Counts]:
    return (
        rows[f"episodes_{period}"].to_numpy().astype(np.int64),
        rows[f"weeks_{period}"].to_numpy().astype(np.int64),
    )
