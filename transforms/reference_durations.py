"""References beside the headline of durations: recovery with death competing, and Turnbull's median of the bounds.

Both are naive. Aalen and Johansen's estimate takes the day of a test for the day of the event, as the naive curve does,
but lets death compete. Turnbull's takes both ends as bounds, but every duration between them for equally likely, and
the median that it leaves is an interval: half of the episodes are recovered somewhere in it. It is made for the
default rule. From the same counts, under `definitions/estimation`.
"""

import numpy as np
import polars as pl

from transforms.competing import aalen_johansen
from transforms.durations import Incident, at_horizons, in_days
from transforms.model.estimation import Plan
from transforms.survival import median_times
from transforms.turnbull import Bounds, turnbull_medians

_BY = ["group"]
_AT = ["least", "most"]


def estimate_with_deaths(incident: Incident, groups: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.duration` without its run: Aalen and Johansen's rows. `groups` is what `summarise_groups` gave."""
    until = pl.when("is_event").then(pl.col("inside_hours") + pl.col("gap_after_hours")).otherwise("inside_hours")
    timed = Incident(incident.groups, incident.wholes, incident.rows.with_columns(time=until))
    is_death, n_episodes = pl.col("ended_as") == "died", pl.col("n_episodes")
    times = timed.add_up(
        ["time"],
        n_events=n_episodes.filter("is_event"),
        n_deaths=n_episodes.filter(is_death),
        n_censored=n_episodes.filter(~pl.col("is_event") & ~is_death),
    )
    curve = aalen_johansen(times, by=_BY, level=plan.estimation.confidence_level)
    names = {"not_recovered": "still", "not_recovered_lo": "still_lo", "not_recovered_hi": "still_hi"}
    medians = median_times(curve.select(*_BY, "time", *(pl.col(old).alias(new) for old, new in names.items())), by=_BY)
    rows = at_horizons(groups.join(medians, on=_BY, how="left"), curve, plan)
    return in_days(rows, plan, estimator=plan.estimation.duration.competing_estimator, is_death_competing=True)


def estimate_by_bounds(incident: Incident, groups: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.duration` without its run: Turnbull's rows, under the default rule, without restricted means."""
    own = groups.filter(pl.col("rule") == plan.estimation.default_rule)
    upper = pl.col("gap_before_hours") + pl.col("inside_hours") + pl.col("gap_after_hours")
    bounded = incident.rows.join(own.select(_BY), on=_BY, how="semi").with_columns(
        least=pl.col("inside_hours"), most=pl.when("is_event").then(upper)
    )
    counted = Incident(incident.groups, incident.wholes, bounded).add_up(_AT, n_episodes=pl.col("n_episodes"))
    numbers = counted.select(pl.col("group").unique().sort()).with_row_index("place")
    place = counted.join(numbers, on=_BY, how="left", maintain_order="left")["place"]
    hours = [counted[name].cast(pl.Float64).fill_null(np.inf).to_numpy() for name in _AT]
    weights = counted["n_episodes"].cast(pl.Float64).to_numpy()
    least, most = hours[0], np.maximum(hours[1], hours[0] + 1)  # two tests of one hour lie an hour apart
    low, high = turnbull_medians(Bounds(least, most, weights, place.to_numpy().astype(np.int64), len(numbers)))
    is_reached = np.isfinite(high)
    made = {"median": (low + high) / 2, "median_lo": low, "median_hi": high}
    found = {name: pl.Series(np.where(is_reached, value, np.nan)).fill_nan(None) for name, value in made.items()}
    rows = own.join(numbers.select("group", **found), on=_BY, how="left")
    horizons = plan.estimation.duration.horizons_days
    rows = pl.concat(rows.with_columns(tau_days=pl.lit(float(days))) for days in horizons)
    return in_days(rows, plan, estimator=plan.estimation.duration.bounds_estimator)
