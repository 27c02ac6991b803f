"""The headline of how long neutropenia lasts: medians and means that allow for what happened between two tests.

From the same counts as the naive curve, by `interval_durations`. Death competes (`interval_summaries`). The typical
episode counts every episode once; the typical patient counts every person once, however many episodes they have.
Where tests are too sparse to see an episode of median length, nothing is given and the bounds stand beside it. Which
family, and how sparse is too sparse, is `definitions/estimation`.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from transforms.duration_families import FAMILIES, Numbers
from transforms.durations import HOURS_A_DAY, Incident
from transforms.interval_durations import chances_of_detection, fit_durations, resample
from transforms.interval_groups import Groups, Triples
from transforms.interval_summaries import Fitted, summarise
from transforms.model.estimation import Plan

_HOURS = ["gap_before_hours", "inside_hours", "gap_after_hours"]
_MADE = ["median_days", "median_lo", "median_hi", "rmst_days", "rmst_lo", "rmst_hi"]
_CURVE = ["still_low", "still_low_lo", "still_low_hi"]
_ABOUT = ["estimator", "estimand", "tau_days", "is_death_competing"]
_REPLACED = [*_ABOUT, *_MADE, "status"]
_HALF = np.asarray(0.5)
_MOST_DRAWN = 20  # at a mean of one, nobody is drawn more often


@dataclass(frozen=True)
class Headline:
    """Rows of `estimate.duration`, and the curve of a typical episode as rows of `estimate.duration_curve`."""

    rows: pl.DataFrame
    curve: pl.DataFrame


def estimate_by_intervals(incident: Incident, groups: pl.DataFrame, plan: Plan) -> Headline:
    """Of every group under the default rule, both estimands at every horizon, without their run.

    `groups` is `estimate_durations` at one horizon: the numbers and bounds that stand beside. Rules for comparison have
    no headline.
    """
    wanted = plan.estimation.duration
    own = groups.filter(pl.col("rule") == plan.estimation.default_rule).drop(_REPLACED, strict=False)
    rows = incident.rows.join(own.select("group"), on="group", how="semi")  # causes and all of them are of one rule
    made, curve = _fit_groups(_count_episodes(Incident(incident.groups, incident.wholes, rows)), plan)
    estimands = pl.DataFrame({"estimand": [wanted.estimand, wanted.intervals.patient_estimand]})
    horizons = pl.DataFrame({"tau_days": [float(days) for days in wanted.horizons_days]})
    rows = own.join(estimands, how="cross").join(horizons, how="cross")
    rows = rows.join(made, on=["group", "estimand", "tau_days"], how="left")
    is_dense = (pl.col("detection") >= wanted.intervals.detection_at_least) & (
        pl.col("median_gap_days") <= wanted.intervals.gap_at_most_of_median * pl.col("typical")
    )
    is_given = is_dense.fill_null(value=False) & pl.col("rmst_lo").is_not_null()  # nothing without its interval
    rows = rows.with_columns(
        pl.when(is_given).then(pl.col(_MADE)),
        status=pl.when(~is_given)
        .then(pl.lit("not_estimable"))
        .when(pl.col("median_days").is_null())
        .then(pl.lit("not_reached"))
        .otherwise(pl.lit("estimated")),
        estimator=pl.lit(wanted.intervals.estimator),
        is_death_competing=pl.lit(value=True),
    ).drop("typical", "detection")
    given = rows.filter(pl.col("status") != "not_estimable", pl.col("estimand") == wanted.estimand)
    keys = ["cohort", "cause_group", "rule", "threshold_cells_per_ul", "estimator"]
    curve = curve.join(given.select("group", *keys).unique(), on="group")
    return Headline(rows, curve)


def draw_weights(n_clusters: int, n_replicates: int) -> Numbers:
    """How often each cluster (rows) is drawn in each replicate (columns): Poisson with mean 1, from a hash of both.

    The same on every machine, so that a network that adds its counts draws as one hospital would.
    """
    cluster = np.arange(n_clusters, dtype=np.uint64)[:, None]
    hashed = _mix(cluster * np.uint64(n_replicates) + np.arange(n_replicates, dtype=np.uint64)[None, :])
    share = (hashed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.searchsorted(special.pdtr(np.arange(_MOST_DRAWN), 1.0), share, side="right").astype(np.float64)


def _mix(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of the result depends on every bit of `number` (Steele, Lea and Flood 2014: splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _count_episodes(incident: Incident) -> pl.DataFrame:
    """Incident episodes of each group by their three times, ending and person, in one order.

    `of_person` is how many of the episodes of the group the person of each has. Rows that are alike in all but what is
    left out here stay apart: hardly any are, and to look for them takes longer than to count them.
    """
    facts = [*_HOURS, "person_group", "is_event", "is_death", "n_episodes"]
    told = incident.rows.with_columns(
        is_death=pl.col("ended_as") == "died", gap_after_hours=pl.when("is_event").then("gap_after_hours")
    )
    of_all = told.join(incident.wholes, on="group").with_columns(group="whole")
    rows = [
        part.select("group", *facts, of_person=pl.max_horizontal(n_of_person, 1))
        for part, n_of_person in ((told, "episodes_of_person_and_cause"), (of_all, "episodes_of_person"))
    ]
    return pl.concat(rows).sort("group", *facts[:-1], "of_person", facts[-1], nulls_last=True)


def _number() -> pl.Expr:
    return pl.col("n_episodes")


def _fit_groups(counted: pl.DataFrame, plan: Plan) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Estimates in days of the groups with enough recoveries, by estimand and horizon; and their curves by day.

    Both estimands are fitted side by side: the same episodes with other weights are groups of their own.
    """
    wanted = plan.estimation.duration
    n_recovered = _number().filter("is_event").sum().over("group")
    rows = counted.filter(n_recovered >= wanted.intervals.recoveries_at_least)
    numbers = rows["group"].unique().sort()
    place = rows.join(numbers.to_frame().with_row_index("place"), on="group", how="left", maintain_order="left")
    at, n = place["place"].to_numpy().astype(np.int64), len(numbers)
    weights = _floats(rows["n_episodes"])
    triples, cluster = _triples(rows), rows["person_group"].to_numpy().astype(np.int64)
    twice = Triples(*(np.concatenate([side, side]) for side in (triples.before, triples.inside, triples.after)))
    both = Groups(
        twice, np.concatenate([weights, weights / _floats(rows["of_person"])]), np.concatenate([at, at + n]), 2 * n
    )
    is_death = np.tile(_floats(rows["is_death"]), 2)
    fitted = fit_clusters(both, np.tile(cluster, 2), is_death, plan)
    found = summarise(fitted, plan)
    estimands = [wanted.estimand] * n + [wanted.intervals.patient_estimand] * n
    named = pl.DataFrame({"group": pl.concat([numbers, numbers]), "estimand": pl.Series(estimands, dtype=pl.String)})
    medians = named.with_columns(
        typical=_series(fitted.family.quantile(_HALF, fitted.place, fitted.spread)),
        detection=_series(fitted.detection),
        **{name: _series(limit) for name, limit in zip(_MADE[:3], found.median, strict=True)},
    )
    made = [
        medians.with_columns(
            tau_days=pl.lit(float(days)),
            **{name: _series(limit[:, place]) for name, limit in zip(_MADE[3:], found.means, strict=True)},
        )
        for place, days in enumerate(wanted.horizons_days)
    ]
    days = np.arange(wanted.curve_days + 1)
    curve = pl.DataFrame(
        {
            "group": numbers.gather(np.repeat(np.arange(n), len(days))),
            "day": np.tile(days, n),
            **{name: _series(limit[:n].ravel()) for name, limit in zip(_CURVE, found.curve, strict=True)},
        }
    )
    return pl.concat(made), curve


def fit_clusters(groups: Groups, cluster: NDArray[np.int64], is_death: Numbers, plan: Plan) -> Fitted:
    """Each group fitted, and again in each replicate of people. `cluster` and `is_death` (0 or 1) go with triples."""
    wanted = plan.estimation.duration.intervals
    family = FAMILIES[wanted.family]
    fits = fit_durations(groups, family)
    weights = draw_weights(wanted.person_groups, wanted.replicates)
    deaths, again = _death_rates(groups, is_death, cluster, weights)
    steps = np.stack([*resample(groups, fits, cluster, weights), again], axis=1)
    has_cluster = np.zeros((groups.n_groups, len(weights)), np.bool_)
    has_cluster[groups.group, cluster] = True
    detection = chances_of_detection(groups, np.nan_to_num(family.quantile(_HALF, fits.place, fits.spread)))
    return Fitted(family, fits.place, fits.spread, deaths, steps, has_cluster.sum(axis=1), detection)


def _death_rates(
    groups: Groups, is_death: Numbers, cluster: NDArray[np.int64], weights: Numbers
) -> tuple[Numbers, Numbers]:
    """Deaths for a day in an episode, of each group; and of each group in each replicate, moved as `resample` moves.

    Days run from the middle of onset's bounds to the middle of the end's.
    """
    triples = groups.triples
    days = triples.inside + (triples.before + np.where(np.isfinite(triples.after), triples.after, 0.0)) / 2
    cell, n_cells = groups.group * len(weights) + cluster, groups.n_groups * len(weights)
    deaths, lived = (
        np.bincount(cell, groups.weights * each, n_cells).reshape(groups.n_groups, len(weights))
        for each in (is_death, days)
    )
    died, stayed = (each.sum(axis=1, keepdims=True) for each in (deaths, lived))
    rate = died / stayed
    with np.errstate(invalid="ignore"):
        held = rate - (died - deaths) / (stayed - lived)
    return rate[:, 0], rate + held @ (weights - 1)


def _triples(rows: pl.DataFrame) -> Triples:
    """Days; two tests of one hour lie an hour apart, because an area of nothing has no chance."""
    before, inside, after = (_floats(rows[name]) / HOURS_A_DAY for name in _HOURS)
    least = 1 / HOURS_A_DAY
    return Triples(np.maximum(before, least), inside, np.where(np.isnan(after), np.inf, np.maximum(after, least)))


def _floats(numbers: pl.Series) -> Numbers:
    return numbers.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _series(numbers: Numbers) -> pl.Series:
    return pl.Series(numbers, dtype=pl.Float64).fill_nan(None)
