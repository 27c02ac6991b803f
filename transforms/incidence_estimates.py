"""Incidence rates from counts alone: exact for first episodes, resampled for those that come back, and standardised.

A person has a first new episode once, so its number is a Poisson count (Garwood). Episodes of one person are not
independent, so the interval of every episode comes from replicates in which groups of people are drawn again; where
there is no episode it is the exact one. Standardised rates are of first episodes, over the whole extract, under the
default rule (Fay and Feuer). No time at risk gives no rate.
"""

import numpy as np
import polars as pl
from scipy import special

from transforms.incidence import EVERY, FIRST
from transforms.interval_estimates import draw_weights
from transforms.intervals import NONE, Numbers
from transforms.model.estimation import Plan
from transforms.rates import garwood
from transforms.standardising import ESTIMATED, RATE, standardise, with_rate_limits

NO_TIME, CRUDE = "no_time", "crude"
EXACT, RESAMPLED = "garwood", "person_bootstrap"
_RULE = ["rule", "threshold_cells_per_ul"]
_KEY = ["cohort", "interval_unit", "interval_start", *_RULE, "onset"]
_CELL = ["cohort", *_RULE]
_LAST_MONTH_OF_A_YEAR = "11mo"


def estimate_incidence(
    incidence: pl.DataFrame, groups: pl.DataFrame, observed_time: pl.DataFrame, plan: Plan
) -> pl.DataFrame:
    """`estimate.incidence` without its run."""
    counted = incidence.filter((pl.col("n_days") != 0) | (pl.col("n_episodes") != 0))
    crude = _crude(counted, groups, plan)
    rows = pl.concat([crude, _standardised(counted, plan).select(crude.columns)])
    since, until = (observed_time.filter(pl.col("edge") == edge)["interval_start"] for edge in ("from", "until"))
    ends = pl.col("interval_start").dt.offset_by(_LAST_MONTH_OF_A_YEAR)
    is_whole = (pl.col("interval_start") >= pl.lit(since.min(), pl.Date)) & (ends <= pl.lit(until.max(), pl.Date))
    return rows.with_columns(is_complete=(pl.col("interval_unit") == "all") | is_whole.fill_null(value=False))


def _crude(incidence: pl.DataFrame, groups: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    rows = incidence.group_by(_KEY).agg(pl.col("n_episodes", "n_days").sum()).sort(_KEY, nulls_last=True)
    level, per = plan.estimation.confidence_level, _per(plan)
    events, days = rows["n_episodes"].to_numpy(), rows["n_days"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, (low, high) = events / days * per, (limits / days * per for limits in garwood(events, level=level))
    spread = rows.join(_spread(groups, plan), on=_CELL, how="left", maintain_order="left")["spread"]
    is_drawn = (rows["onset"] == EVERY) & (rows["n_episodes"] > 0) & (rows["interval_unit"] == "all")
    drawn = is_drawn.to_numpy()
    reach = np.exp(float(special.ndtri(0.5 + level / 2)) * spread.fill_null(np.nan).to_numpy())
    numbers = {
        "rate_per_1000_py": rate,
        "rate_lo": np.where(drawn, rate / reach, low),
        "rate_hi": np.where(drawn, rate * reach, high),
    }
    is_known, is_first = pl.col("n_days") > 0, pl.col("onset") == FIRST
    has_limits = is_first | (pl.col("interval_unit") == "all")
    method = pl.when(pl.col("is_drawn")).then(pl.lit(RESAMPLED)).otherwise(pl.lit(EXACT))
    made = rows.with_columns(is_drawn=is_drawn, **{name: pl.Series(numbers[name]).fill_nan(None) for name in numbers})
    return made.select(
        *_KEY,
        pl.lit(CRUDE).alias("standard"),
        "n_episodes",
        pl.col("n_days").alias("person_days"),
        pl.when(is_known).then("rate_per_1000_py").alias("rate_per_1000_py"),
        *(pl.when(is_known & has_limits).then(name).alias(name) for name in ("rate_lo", "rate_hi")),
        method=pl.when(is_known & has_limits).then(method).otherwise(pl.lit(NONE)),
        status=pl.when(is_known).then(pl.lit(ESTIMATED)).otherwise(pl.lit(NO_TIME)),
    )


def _standardised(incidence: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    is_own = (pl.col("rule") == plan.estimation.default_rule) & (pl.col("onset") == FIRST)
    strata = incidence.filter(is_own, pl.col("interval_unit") == "all").rename(
        {"n_episodes": "n_events", "n_days": "n_base"}
    )
    if strata.is_empty() or not plan.standards:
        rows = (
            strata.clear()
            .with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("adjusted", "lo", "hi"))
            .with_columns(standard=pl.lit(""), status=pl.lit(""))
        )
    else:
        found = standardise(strata, _KEY, plan.standards, plan.estimation.standardisation)
        rows = with_rate_limits(found, level=plan.estimation.confidence_level)
    per = _per(plan)
    return rows.with_columns(
        n_episodes="n_events",
        person_days="n_base",
        rate_per_1000_py=pl.col("adjusted") * per,
        rate_lo=pl.col("lo") * per,
        rate_hi=pl.col("hi") * per,
        method=pl.when(pl.col("status") == ESTIMATED).then(pl.lit(RATE)).otherwise(pl.lit(NONE)),
    )


def _spread(groups: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Of each cohort, rule and threshold, the standard deviation of the logarithm of the rate over replicates."""
    n_groups, wanted = plan.estimation.duration.intervals.person_groups, plan.estimation.incidence
    cells = groups.select(_CELL).unique().sort(_CELL)
    if cells.is_empty():
        return cells.with_columns(spread=pl.lit(None, pl.Float64))
    placed = groups.join(cells.with_row_index("place"), on=_CELL, how="left")
    places = (placed["place"].to_numpy(), placed["person_group"].to_numpy())
    weights = draw_weights(n_groups, wanted.replicates)
    events, days = (
        _by_group(placed[name], places, (cells.height, n_groups)) @ weights for name in ("n_episodes", "n_days")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(events / days)
    return cells.with_columns(spread=pl.Series(_deviation(np.where(np.isfinite(logs), logs, np.nan))))


def _by_group(numbers: pl.Series, places: tuple[Numbers, Numbers], shape: tuple[int, int]) -> Numbers:
    found = np.zeros(shape)
    found[places] = numbers.to_numpy()
    return found


def _deviation(logs: Numbers) -> Numbers:
    """Standard deviation of each row over its replicates with an episode; NaN with fewer than two."""
    known = np.isfinite(logs)
    size = known.sum(axis=1)
    filled = np.where(known, logs, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = filled.sum(axis=1) / size
        squares = np.where(known, (logs - mean[:, None]) ** 2, 0.0).sum(axis=1)
        return np.asarray(np.where(size > 1, np.sqrt(squares / (size - 1)), np.nan))


def _per(plan: Plan) -> float:
    wanted = plan.estimation.incidence
    return wanted.days_a_year * wanted.years
