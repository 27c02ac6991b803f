"""What is known of each episode: when it began and ended, within which bounds, how deep, how sure.

Onset lies after the last value that is not low and up to the first low; recovery after the last low and up to the
first recovered value. Where only days are known, both durations are widened by a day. A death before any recovery
competes with it, if it follows the last value before the rule would call it a gap.
"""

import math
from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from transforms.episode_flags import flag_treatments
from transforms.episode_states import LOW, ROW_BITS
from transforms.frames import settle
from transforms.model.episodes import Confirmation, EpisodeRule, Threshold
from transforms.treatments import Treatments

_MICROSECONDS_A_DAY = 24 * 60 * 60 * 10**6


def gather_facts(
    numbered: pl.DataFrame, proven: pl.DataFrame, rule: EpisodeRule, threshold: Threshold, treatments: Treatments
) -> pl.DataFrame:
    """One row per episode with the columns of derived.episode, less its id, rule, threshold, grade and depth.

    And the rows of `proven` that bound it: onset_row and recovery_row among them.
    """
    spans = _span_episodes(numbered, rule).join(
        _confirm(numbered, rule.confirmed_by, treatments.doses), on="episode", maintain_order="left"
    )
    timed = _point_at_values(spans, proven)
    ended = _name_ending(timed, rule, treatments.deaths)
    measured = ended.with_columns(
        is_confirmed=_is_confirmed(rule.confirmed_by),
        is_incident=(_days("onset_after", "first_low_at") <= rule.look_back_days).fill_null(False),
        certainty=pl.when(pl.col("n_undecided") > 0).then(pl.lit("partly_bounded")).otherwise(pl.lit("certain")),
        **_durations(threshold),
        duration_ruled_days=_ruled_duration(rule),
    )
    is_enough = (pl.col("n_lows") >= rule.minimum.low_values) & (pl.col("duration_lower_days") >= rule.minimum.days)
    return flag_treatments(measured.filter(is_enough), rule, treatments)


def _span_episodes(numbered: pl.DataFrame, rule: EpisodeRule) -> pl.DataFrame:
    """First and last rows, lowest value, and whether the next episode of the person begins after a gap."""
    is_low = pl.col("kind") == LOW
    ends = pl.col("ends")
    if rule.exit_days is not None:
        ends &= pl.col("at") - pl.col("past_low_at") <= timedelta(days=rule.exit_days)
    is_after_gap = pl.col("starts_after_gap").first()
    grouped = numbered.lazy().group_by("episode", maintain_order=True)
    spans = grouped.agg(
        pl.col("person_index").first(),
        pl.col("first_low_row").first(),
        starts_after_gap=is_after_gap,
        onset_row=pl.col("previous_row").first(),
        last_low_row=pl.when(is_low).then("row").max(),
        last_row=pl.col("row").max(),
        # The first recovery; the last bit keeps whether it is sure.
        recovery=pl.when(ends).then(pl.col("row").cast(pl.Int64) * 2 + pl.col("is_sure")).min(),
        lowest=pl.when("in_span").then("lowest").min(),
        n_values=pl.col("in_span").sum().cast(pl.Int64),
        n_lows=is_low.sum().cast(pl.Int64),
    )
    is_same = pl.col("person_index").shift(-1) == pl.col("person_index")
    return spans.with_columns(
        onset_row=pl.when(~pl.col("starts_after_gap")).then("onset_row"),
        recovery_row=(pl.col("recovery") // 2).cast(pl.UInt32),
        is_sure=pl.col("recovery") % 2 == 1,
        ends_in_gap=(is_same & pl.col("starts_after_gap").shift(-1)).fill_null(False),
        nadir_row=(pl.col("lowest") % 2**ROW_BITS).cast(pl.UInt32),
        nadir_cells_per_ul=pl.col("lowest") // 2**ROW_BITS,
    ).collect(engine="in-memory")


def _confirm(numbered: pl.DataFrame, confirmation: Confirmation, doses: pl.DataFrame) -> pl.DataFrame:
    """episode, is_repeated: enough lows on different days close together, or a low so many days after a dose."""
    lows = numbered.lazy().filter(pl.col("kind") == LOW).select("episode", "person_index", "day", "at")
    is_repeat = (pl.col("episode") == pl.col("episode").shift(1)) & (pl.col("day") == pl.col("day").shift(1))
    days = settle(lows.filter(~is_repeat.fill_null(False)))
    back = confirmation.values - 1
    is_enough = pl.lit(True)
    if back:
        is_enough = pl.col("episode") == pl.col("episode").shift(back)
        if confirmation.within_days is not None:
            is_enough &= pl.col("at") - pl.col("at").shift(back) <= timedelta(days=confirmation.within_days)
    found = days.lazy().with_columns(is_repeated=is_enough.fill_null(False))
    if confirmation.or_days_after_dose is not None:
        found = found.with_columns(is_repeated=pl.col("is_repeated") | _follows_dose(days, confirmation, doses))
    return settle(found.group_by("episode", maintain_order=True).agg(pl.col("is_repeated").any()))


def _follows_dose(days: pl.DataFrame, confirmation: Confirmation, doses: pl.DataFrame) -> pl.Series:
    soonest, latest = confirmation.or_days_after_dose or (0, 0)
    until = days.select("person_index", day=pl.col("day") - timedelta(days=soonest))
    given = doses.with_columns(given_on="day")
    last = until.join_asof(given, on="day", by="person_index", strategy="backward", check_sortedness=False)["given_on"]
    since = (days["day"] - last).dt.total_days()
    return (since <= latest).fill_null(False)


def _is_confirmed(confirmation: Confirmation) -> pl.Expr:
    limit = confirmation.or_below_cells_per_ul
    is_deep = pl.lit(False) if limit is None else pl.col("nadir_cells_per_ul") < limit
    return pl.col("is_repeated") | is_deep


def _point_at_values(spans: pl.DataFrame, proven: pl.DataFrame) -> pl.DataFrame:
    """Times, numbers and precision of the values that bound each episode."""
    columns = {"onset_row": "p", "first_low_row": "d1", "last_low_row": "dn", "recovery_row": "r", "last_row": "end"}
    nadir = pl.col("at").gather(spans["nadir_row"]).alias("nadir_at")
    found = proven.select(nadir, *(_take(spans[row], name) for row, name in columns.items()))
    pointed = spans.hstack(found)
    last, first = pl.coalesce("r_n_undecided", "dn_n_undecided"), pl.coalesce("p_n_undecided", "d1_n_undecided")
    return pointed.with_columns(n_undecided=last - first).rename(
        {"p_at": "onset_after", "d1_at": "first_low_at", "dn_at": "last_low_at", "r_at": "recovery_by"}
    )


def _take(rows: pl.Series, name: str) -> pl.Expr:
    """NAME_at, NAME_number, NAME_is_day and NAME_n_undecided of the values at these rows; null where there is none."""
    return pl.col("at", "number", "is_day", "n_undecided").gather(rows).name.prefix(f"{name}_")


def _name_ending(timed: pl.DataFrame, rule: EpisodeRule, deaths: pl.DataFrame) -> pl.DataFrame:
    found = timed.join(deaths, on="person_index", how="left", maintain_order="left")
    died = pl.col("died_on").is_not_null()
    limit = rule.gap_days or rule.exit_days
    if limit is not None:
        died &= pl.col("died_on") - pl.col("end_at").dt.date() <= timedelta(days=limit)
    is_seen, is_unseen = pl.col("recovery_by").is_not_null(), pl.col("ends_in_gap")
    if rule.exit_days is not None:
        is_unseen |= pl.col("end_at") - pl.col("last_low_at") > timedelta(days=rule.exit_days)
    ending = (
        pl.when(is_seen & pl.col("is_sure"))
        .then(pl.lit("recovered"))
        .when(is_seen)
        .then(pl.lit("recovered_unconfirmed"))
        .when(is_unseen)
        .then(pl.lit("censored_gap"))
        .when(died.fill_null(False))
        .then(pl.lit("died"))
        .otherwise(pl.lit("censored_end"))
    )
    return found.with_columns(ended_as=ending)


def _durations(threshold: Threshold) -> dict[str, pl.Expr]:
    """Bounds and the times between crossings of straight and of logarithmic lines, in days.

    Dates without times widen the bounds by a day.
    """
    low, least, most = (_days(*pair) for pair in _PAIRS)
    widens_low = (pl.col("d1_is_day") | pl.col("dn_is_day")).cast(pl.Int8)
    widens_most = (pl.col("p_is_day") | pl.col("r_is_day")).cast(pl.Int8)
    limit, known = float(threshold.low_cells_per_ul), ("p_number", "d1_number", "dn_number", "r_number")
    by_count = {name: pl.col(name).cast(pl.Float64) for name in known}
    # A logarithm of zero is no height to draw a line from.
    by_log = {name: pl.when(count > 0).then(count.log()) for name, count in by_count.items()}
    return {
        "duration_lower_days": pl.max_horizontal(low - widens_low, pl.lit(0.0)),
        "duration_upper_days": most + widens_most,
        "duration_interpolated_days": _between_crossings(by_count, limit, low, least),
        "duration_log_interpolated_days": _between_crossings(by_log, math.log(limit), low, least),
    }


def _between_crossings(heights: Mapping[str, pl.Expr], limit: float, low: pl.Expr, least: pl.Expr) -> pl.Expr:
    """Days between the lines' crossings of a height, from the last value before to the first low, and at the end."""
    p, d1, dn, r = heights.values()
    return low + (1 - (p - limit) / (p - d1)) * least + (limit - dn) / (r - dn) * _days("last_low_at", "recovery_by")


def _ruled_duration(rule: EpisodeRule) -> pl.Expr:
    """From the first low to the end as the rule dates it, days; null where it has not ended."""
    elapsed = _days("first_low_at", "recovery_by")
    if rule.exit_days is not None:
        by_clock = pl.when(pl.col("ended_as") == "censored_gap").then(_days("first_low_at", "last_low_at"))
        elapsed = pl.coalesce(elapsed, by_clock + rule.exit_days)
    if rule.length_unit_days is None:
        return elapsed
    return (elapsed / rule.length_unit_days + 0.5).floor() * rule.length_unit_days


_PAIRS = (("first_low_at", "last_low_at"), ("onset_after", "first_low_at"), ("onset_after", "recovery_by"))


def _days(earlier: str, later: str) -> pl.Expr:
    """Elapsed days; whole days come out exactly, whatever way the division is done."""
    elapsed = (pl.col(later) - pl.col(earlier)).dt.total_microseconds()
    return elapsed // _MICROSECONDS_A_DAY + (elapsed % _MICROSECONDS_A_DAY) / _MICROSECONDS_A_DAY
