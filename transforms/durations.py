"""How long neutropenia lasts: bounds, and a naive Kaplan-Meier curve, from additive triples of bounds.

An episode is kept as (last value that is not low to first low, first low to last low, last low to first recovered) in
hours, each time cut to its hour. The naive curve takes first low to first recovered value of confirmed incident
episodes; without a recovery seen, and at death, it is censored at the last low value. It is called naive because both
ends lie between two tests (clinical.md sections 0 and 4). Horizon and names are `definitions/estimation`.
"""

import polars as pl

from transforms.frames import fit
from transforms.medians import median_of_counts
from transforms.model.estimation import Plan
from transforms.shares import ALL
from transforms.survival import kaplan_meier, median_times, restricted_means

HOURS_A_DAY = 24
_RECOVERED = ["recovered", "recovered_unconfirmed"]
_GROUP = ["cohort", "cause_group", "rule", "threshold_cells_per_ul"]
_TRIPLE = ["gap_before_hours", "inside_hours", "gap_after_hours", "test_gap_hours"]


def count_durations(cohort: str, episodes: pl.DataFrame) -> pl.DataFrame:
    """`counts.duration` of the confirmed episodes of one cohort.

    `episodes` has the columns of derived.episode and cause_group.
    """
    key = ["cause_group", "rule", "threshold_cells_per_ul", "is_incident", "ended_as", *_TRIPLE]
    triples = episodes.filter(pl.col("is_confirmed"))
    counted = triples.group_by(key).agg(n_episodes=pl.len()).with_columns(cohort=pl.lit(cohort))
    return fit(counted, "counts.duration")


def hour_columns() -> dict[str, pl.Expr]:
    """The triple of an episode and its mean gap between tests, in whole hours."""
    low, last = pl.col("first_low_at").dt.truncate("1h"), pl.col("last_low_at").dt.truncate("1h")
    before, after = pl.col("onset_after").dt.truncate("1h"), pl.col("recovery_by").dt.truncate("1h")
    n_gaps = pl.col("n_values") - 1 + pl.col("recovery_by").is_not_null().cast(pl.Int64)
    seen = (pl.coalesce(after, last) - low).dt.total_hours()
    return {
        "gap_before_hours": (low - before).dt.total_hours(),
        "inside_hours": (last - low).dt.total_hours(),
        "gap_after_hours": (after - last).dt.total_hours(),
        "test_gap_hours": pl.when(n_gaps > 0).then(seen // n_gaps),
    }


def estimate_durations(duration: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.duration` without its run: one row per group with at least one confirmed incident episode."""
    incident = _incident(duration)
    wanted = plan.estimation.duration
    curve = kaplan_meier(_times(incident), by=_GROUP, level=plan.estimation.confidence_level)
    numbers = incident.group_by(_GROUP).agg(
        n_episodes=pl.col("n_episodes").sum(),
        n_censored=pl.col("n_episodes").filter(~_is_event()).sum(),
        n_died=pl.col("n_episodes").filter(pl.col("ended_as") == "died").sum(),
        longest=pl.max_horizontal("inside_hours", "gap_after_hours").max(),
    )
    rows = numbers.join(median_times(curve, by=_GROUP), on=_GROUP, how="left")
    means = restricted_means(curve, by=_GROUP, horizon=wanted.horizon_days * HOURS_A_DAY)
    rows = rows.join(means, on=_GROUP, how="left")
    for name, value in _medians_of_bounds().items():
        medians = median_of_counts(
            incident.with_columns(value=value).filter(pl.col("value").is_not_null() | pl.lit(name != "median_gap")),
            by=_GROUP,
            value="value",
            count="n_episodes",
        )
        rows = rows.join(medians.rename({"median": f"{name}_hours"}), on=_GROUP, how="left")
    days = {"median_days": "median", "median_lo": "median_lo", "median_hi": "median_hi", "rmst_days": "rmst"}
    days |= {f"{name}_days": f"{name}_hours" for name in _medians_of_bounds()}
    is_retested = pl.col("longest") > 0
    return rows.with_columns(
        **{name: pl.when(is_retested).then(pl.col(hours) / HOURS_A_DAY) for name, hours in days.items()},
        status=pl.when(~is_retested)
        .then(pl.lit("not_estimable"))
        .when(pl.col("median").is_null())
        .then(pl.lit("not_reached"))
        .otherwise(pl.lit("estimated")),
        estimator=pl.lit(wanted.estimator),
        estimand=pl.lit(wanted.estimand),
        tau_days=pl.lit(float(wanted.horizon_days)),
    )


def estimate_duration_curves(duration: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.duration_curve` without its run: every whole day until nobody is left or the curve is long enough.

    A day holds what happened after the day before and up to it, and who is still open after it.
    """
    wanted = plan.estimation.duration
    times = _times(_incident(duration))
    curve = kaplan_meier(times, by=_GROUP, level=plan.estimation.confidence_level)
    by_day = (
        curve.with_columns(day=-(-pl.col("time") // HOURS_A_DAY))
        .group_by([*_GROUP, "day"], maintain_order=True)
        .agg(
            n_recovered=pl.col("n_events").sum(),
            n_censored=pl.col("n_censored").sum(),
            still_low=pl.col("still").last(),
            still_low_lo=pl.col("still_lo").last(),
            still_low_hi=pl.col("still_hi").last(),
        )
    )
    days = by_day.group_by(_GROUP).agg(
        total=(pl.col("n_recovered") + pl.col("n_censored")).sum(), last=pl.col("day").max()
    )
    last = pl.min_horizontal("last", pl.lit(wanted.curve_days))
    grid = days.with_columns(day=pl.int_ranges(0, last + 1)).explode("day").drop("last")
    limits = ["still_low", "still_low_lo", "still_low_hi"]
    filled = (
        grid.join(by_day, on=[*_GROUP, "day"], how="left")
        .sort([*_GROUP, "day"])
        .with_columns(pl.col("n_recovered", "n_censored").fill_null(0), pl.col(limits).forward_fill().over(_GROUP))
    )
    is_before = pl.col("still_low").is_null()
    filled = filled.with_columns(pl.when(is_before).then(1.0).otherwise(pl.col(limits)).name.keep())
    left = (pl.col("n_recovered") + pl.col("n_censored")).cum_sum().over(_GROUP)
    return filled.with_columns(
        n_at_risk=pl.col("total") - left,
        estimator=pl.lit(wanted.estimator),
    )


def _incident(duration: pl.DataFrame) -> pl.DataFrame:
    incident = duration.filter(pl.col("is_incident"))
    return pl.concat([incident, incident.with_columns(cause_group=pl.lit(ALL))])


def _is_event() -> pl.Expr:
    return pl.col("ended_as").is_in(_RECOVERED) & pl.col("gap_after_hours").is_not_null()


def _times(incident: pl.DataFrame) -> pl.DataFrame:
    is_event = _is_event()
    return incident.select(
        *_GROUP,
        time=pl.when(is_event).then(pl.col("inside_hours") + pl.col("gap_after_hours")).otherwise("inside_hours"),
        n_events=pl.when(is_event).then("n_episodes").otherwise(0),
        n_censored=pl.when(is_event).then(0).otherwise("n_episodes"),
    )


def _medians_of_bounds() -> dict[str, pl.Expr]:
    """Lower bound, upper bound (open when an end was not seen) and gap between tests, in hours."""
    upper = pl.col("gap_before_hours") + pl.col("inside_hours") + pl.col("gap_after_hours")
    return {
        "median_lower": pl.col("inside_hours"),
        "median_upper": pl.when(_is_event()).then(upper),
        "median_gap": pl.col("test_gap_hours"),
    }
