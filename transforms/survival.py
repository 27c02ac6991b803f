"""Kaplan-Meier for every group at once, from counts of times: curve, Greenwood limits, median, restricted mean.

Limits are on the log-log scale. The median is the first time at which the curve is at or
below one half, its limits the first times at which the limits are; null where they never are. The restricted mean
ends at a horizon and is null where the curve neither reaches the horizon nor zero. A tie of event and censoring counts
the event first.
"""

from collections.abc import Sequence

import polars as pl
from scipy import special

_HALF = 0.5 + 1e-12  # a product of fractions that is one half may differ from it in the last bit


def kaplan_meier(rows: pl.DataFrame, *, by: Sequence[str], level: float) -> pl.DataFrame:
    """One row per group and time, sorted.

    `rows` has `by`, time (integer), n_events, n_censored. Adds n_at_risk (just before the time), still, still_lo,
    still_hi (after it). Both limits are 1 before any event; where the curve is 0 the lower is 0 and the upper null.
    """
    z = float(special.ndtri(0.5 + level / 2))
    steps = (
        rows.group_by([*by, "time"])
        .agg(pl.col("n_events").sum().cast(pl.Int64), pl.col("n_censored").sum().cast(pl.Int64))
        .sort([*by, "time"])
        .with_columns(leaving=pl.col("n_events") + pl.col("n_censored"))
        .with_columns(
            n_at_risk=pl.col("leaving").sum().over(by) - pl.col("leaving").cum_sum().over(by) + pl.col("leaving")
        )
    )
    at_risk, events = pl.col("n_at_risk"), pl.col("n_events")
    is_last = at_risk == events
    curve = steps.with_columns(
        still=(1 - events / at_risk).cum_prod().over(by),
        spread=pl.when(is_last).then(0.0).otherwise(events / (at_risk * (at_risk - events))).cum_sum().over(by),
    )
    log_still = pl.col("still").log()
    width = z * pl.col("spread").sqrt() / log_still
    is_inside = (pl.col("still") > 0) & (pl.col("still") < 1)
    at_an_end = pl.when(pl.col("still") == 1).then(1.0)
    return curve.with_columns(
        still_lo=pl.when(is_inside).then((log_still * (-width).exp()).exp()).otherwise(at_an_end.otherwise(0.0)),
        still_hi=pl.when(is_inside).then((log_still * width.exp()).exp()).otherwise(at_an_end),
    ).drop("leaving", "spread")


def median_times(curve: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    """median, median_lo, median_hi of each group of a `kaplan_meier` curve; null where not reached."""
    names = {"median": "still", "median_lo": "still_lo", "median_hi": "still_hi"}
    first_times = {name: pl.col("time").filter(pl.col(column) <= _HALF).min() for name, column in names.items()}
    return curve.group_by(by).agg(**first_times)


def restricted_means(curve: pl.DataFrame, *, by: Sequence[str], horizon: int) -> pl.DataFrame:
    """rmst of each group: the area under the curve up to `horizon`, in the units of time."""
    before = pl.col("still").shift(1).over(by).fill_null(1.0)
    since = pl.col("time").shift(1).over(by).fill_null(0)
    until = pl.min_horizontal("time", pl.lit(horizon))
    since = pl.min_horizontal(since, pl.lit(horizon))
    areas = curve.sort([*by, "time"]).with_columns(area=(before * (until - since)).cum_sum().over(by))
    last = areas.group_by(by, maintain_order=True).agg(
        pl.col("area").last(), pl.col("still").last(), pl.col("time").last()
    )
    is_known = (pl.col("time") >= horizon) | (pl.col("still") <= 0)
    return last.select(*by, rmst=pl.when(is_known).then("area"))
