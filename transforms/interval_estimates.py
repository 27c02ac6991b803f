"""The headline of how long neutropenia lasts: medians and means that allow for what happened between two tests.

From the same counts as the naive curve, by `interval_durations`. Death competes: the median is the time until half
have recovered alive, the restricted mean the days that are spent neutropenic and alive. Where tests are too sparse to
see an episode of median length, nothing is given and the bounds stand beside it. Which family, and how sparse is too
sparse, is `definitions/estimation`.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from transforms.duration_families import FAMILIES, Family, Numbers
from transforms.durations import HOURS_A_DAY, Incident
from transforms.interval_durations import Groups, Triples, chances_of_detection, fit_durations, resample
from transforms.model.estimation import IntervalCensoring, Plan

_HOURS = ["gap_before_hours", "inside_hours", "gap_after_hours"]
_MADE = ["typical", "half", "half_lo", "half_hi", "low_days", "detection"]
_REPLACED = ["estimator", "median_days", "median_lo", "median_hi", "rmst_days", "status"]
_GRID = (np.arange(400) + 0.5) / 400  # shares of all durations, at which curves are added up
_HALF = np.asarray(0.5)
_MOST_DRAWN = 20  # at a mean of one, nobody is drawn more often


def estimate_by_intervals(incident: Incident, naive: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Rows of `estimate.duration` without their run: one for each of `naive` under the default rule, with its bounds.

    `naive` is what `estimate_durations` gave, with the number of its group. Rules for comparison have no headline.
    """
    wanted = plan.estimation.duration.intervals
    own = naive.filter(pl.col("rule") == plan.estimation.default_rule)
    counted = _count_episodes(incident).join(own.select("group"), on="group", how="semi", maintain_order="left")
    rows = own.drop(_REPLACED).join(_fit_groups(counted, plan), on="group", how="left")
    is_dense = (pl.col("detection") >= wanted.detection_at_least) & (
        pl.col("median_gap_days") <= wanted.gap_at_most_of_median * pl.col("typical")
    )
    is_given = is_dense.fill_null(value=False)
    given = {"median_days": "half", "median_lo": "half_lo", "median_hi": "half_hi", "rmst_days": "low_days"}
    return rows.with_columns(
        **{name: pl.when(is_given).then(found) for name, found in given.items()},
        status=pl.when(~is_given)
        .then(pl.lit("not_estimable"))
        .when(pl.col("half").is_null())
        .then(pl.lit("not_reached"))
        .otherwise(pl.lit("estimated")),
        estimator=pl.lit(wanted.estimator),
    ).drop(_MADE)


def draw_weights(n_clusters: int, n_replicates: int) -> Numbers:
    """How often each cluster (rows) is drawn in each replicate (columns): Poisson with mean 1, from a hash of both.

    The same on every machine, so that a network that adds its counts draws as one hospital would.
    """
    cluster = np.arange(n_clusters, dtype=np.uint64)[:, None]
    hashed = _mix(cluster * np.uint64(n_replicates) + np.arange(n_replicates, dtype=np.uint64)[None, :])
    share = (hashed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.searchsorted(stats.poisson.cdf(np.arange(_MOST_DRAWN), 1.0), share, side="right").astype(np.float64)


def _mix(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of the result depends on every bit of `number` (Steele, Lea and Flood 2014: splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _count_episodes(incident: Incident) -> pl.DataFrame:
    """Incident episodes of each group by their three times and group of people, in one order."""
    facts = [*_HOURS, "person_group", "is_event", "is_death"]
    is_event = pl.col("is_event")
    timed = incident.rows.with_columns(
        is_death=pl.col("ended_as") == "died", gap_after_hours=pl.when(is_event).then("gap_after_hours")
    )
    summed = Incident(incident.groups, incident.wholes, timed).add_up(facts, n_episodes=pl.col("n_episodes"))
    return summed.group_by("group", *facts).agg(pl.col("n_episodes").sum()).sort("group", *facts, nulls_last=True)


def _fit_groups(counted: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """group and _MADE, in days, of the groups with enough recoveries."""
    wanted = plan.estimation.duration.intervals
    n_recovered = pl.col("n_episodes").filter("is_event").sum().over("group")
    rows = counted.filter(n_recovered >= wanted.recoveries_at_least)
    schema = {"group": counted.schema["group"], **dict.fromkeys(_MADE, pl.Float64())}
    if rows.is_empty():
        return pl.DataFrame(schema=schema)
    numbers = rows["group"].unique().sort()
    place = rows.join(numbers.to_frame().with_row_index("place"), on="group", how="left", maintain_order="left")
    groups = Groups(
        _triples(rows), _floats(rows["n_episodes"]), place["place"].to_numpy().astype(np.int64), len(numbers)
    )
    made = _summarise(groups, rows, wanted, plan)
    return pl.DataFrame({"group": numbers, **made}, schema=schema).with_columns(pl.col(_MADE).fill_nan(None))


def _summarise(groups: Groups, rows: pl.DataFrame, wanted: IntervalCensoring, plan: Plan) -> dict[str, Numbers]:
    family, level = FAMILIES[wanted.family], plan.estimation.confidence_level
    fits = fit_durations(groups, family)
    cluster = rows["person_group"].to_numpy().astype(np.int64)
    weights = draw_weights(wanted.person_groups, wanted.replicates)
    places, spreads = resample(groups, fits, cluster, weights)
    deaths = _death_rates(groups, rows)
    half, low_days = _curves(family, fits.place, fits.spread, deaths, float(plan.estimation.duration.horizon_days))
    again, _ = _curves(family, places, spreads, np.broadcast_to(deaths[:, None], places.shape), 0.0)
    typical = family.quantile(_HALF, fits.place, fits.spread)
    error = np.std(np.log(again), axis=1, ddof=1)
    reach = stats.norm.ppf(0.5 + level / 2) * error
    return {
        "typical": typical,
        "half": half,
        "half_lo": half * np.exp(-reach),
        "half_hi": half * np.exp(reach),
        "low_days": low_days,
        "detection": chances_of_detection(groups, np.nan_to_num(typical)),
    }


def _triples(rows: pl.DataFrame) -> Triples:
    """Days; two tests of one hour lie an hour apart, because an area of nothing has no chance."""
    before, inside, after = (_floats(rows[name]) / HOURS_A_DAY for name in _HOURS)
    least = 1 / HOURS_A_DAY
    return Triples(np.maximum(before, least), inside, np.where(np.isnan(after), np.inf, np.maximum(after, least)))


def _floats(numbers: pl.Series) -> Numbers:
    return numbers.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _death_rates(groups: Groups, rows: pl.DataFrame) -> Numbers:
    """Deaths for a day in an episode, over the days from the middle of onset's bounds to the middle of the end's."""
    triples = groups.triples
    days = triples.inside + (triples.before + np.where(np.isfinite(triples.after), triples.after, 0.0)) / 2
    return groups.add_up(_floats(rows["is_death"])) / groups.add_up(days)


def _curves(
    family: Family, place: Numbers, spread: Numbers, deaths: Numbers, horizon: float
) -> tuple[Numbers, Numbers]:
    """The time until half have recovered alive (NaN: never), and the mean days neutropenic and alive to the horizon.

    Recovery and death go their ways independently; death comes at one rate.
    """
    if not deaths.any() and not horizon:
        return family.quantile(_HALF, place, spread), place
    times = family.quantile(_GRID, place[..., None], spread[..., None])
    alive = np.exp(-deaths[..., None] * times)
    recovered = np.cumsum(alive, axis=-1) / len(_GRID)
    is_half = recovered >= _HALF
    first = np.take_along_axis(times, np.argmax(is_half, axis=-1)[..., None], axis=-1)[..., 0]
    exact = family.quantile(_HALF, place, spread)
    median = np.where(deaths == 0, exact, np.where(is_half.any(axis=-1), first, np.nan))
    days = horizon * _GRID
    low = family.beyond(days, place[..., None], spread[..., None]) * np.exp(-deaths[..., None] * days)
    return median, horizon * low.mean(axis=-1)
