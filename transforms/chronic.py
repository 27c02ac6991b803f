"""The chronic track: people whose low values go on over months without a confirmed recovery, beside all episodes.

A track is what `definitions/chronic` says, read by the machinery of episodes. It counts for a cohort when it overlaps a
stay. The share is of people who were tested often and long enough to be seen so.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import polars as pl

from transforms.episodes import find_episodes
from transforms.frames import empty, shape
from transforms.intervals import share_intervals
from transforms.model.episodes import EpisodeRule
from transforms.model.estimation import Plan
from transforms.person_time import Stays
from transforms.treatments import Treatments

CHRONIC_COLUMNS = (
    "person_index",
    "rule",
    "rule_version",
    "threshold_cells_per_ul",
    "first_low_at",
    "last_low_at",
    "recovery_by",
    "ended_as",
    "nadir_cells_per_ul",
    "nadir_at",
    "n_values",
    "span_days",
)
_RULE = ["rule", "threshold_cells_per_ul"]


def find_chronic(anc: pl.LazyFrame, rules: Sequence[EpisodeRule], treatments: Treatments) -> pl.LazyFrame:
    """Every track of every rule and threshold with CHRONIC_COLUMNS; others as `find_episodes` has them."""
    found = find_episodes(_of_long_lows(anc, rules), rules, treatments)
    return found.rename({"duration_lower_days": "span_days"}).select(CHRONIC_COLUMNS)


def count_chronic(stays: Stays, tracks: pl.DataFrame, assessable: pl.DataFrame) -> pl.DataFrame:
    """`counts.chronic` of cohorts. `tracks` is of `read_tracks`, `assessable` of `find_assessable`."""
    if assessable.is_empty():
        return empty("counts.chronic")
    seen = stays.of_members(assessable).group_by("cohort", *_RULE).agg(n_assessable=pl.len())
    inside = (
        stays.inside(tracks)
        .filter(pl.col("first") <= pl.col("stay_ended"), pl.col("last") >= pl.col("stay_started"))
        .group_by("cohort", *_RULE)
        .agg(
            n_people=pl.col("person_index").n_unique(),
            n_people_open=pl.col("person_index").filter(pl.col("is_open")).n_unique(),
        )
    )
    rows = seen.join(inside, on=["cohort", *_RULE], how="left")
    return shape(rows.with_columns(pl.col("n_people", "n_people_open").fill_null(0)), "counts.chronic")


def read_tracks(frames: Mapping[str, pl.LazyFrame]) -> pl.DataFrame:
    """person_index, rule, threshold, first and last day of each track (days since 1970), is_open (no recovery seen)."""
    if "chronic" not in frames:
        days = {"first": pl.Int32, "last": pl.Int32, "is_open": pl.Boolean}
        rule = {"rule": pl.String, "threshold_cells_per_ul": pl.Int64}
        return pl.DataFrame(schema={"person_index": pl.UInt32, **rule, **days})
    first, last = (pl.col(name).dt.date().cast(pl.Int32) for name in ("first_low_at", "last_low_at"))
    is_open = pl.col("recovery_by").is_null()
    return frames["chronic"].select("person_index", *_RULE, first=first, last=last, is_open=is_open).collect()


def find_assessable(test_days: pl.DataFrame, tracks: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """person_index, rule, threshold: people with as many test days, over as long, as the rule asks of lows.

    People on a track are among them, whatever their tests, at every threshold of its rule.
    """
    day = pl.col("day")
    tested = test_days.filter(pl.col("n_tests") > 0, day.is_not_null())
    spread = tested.group_by("person_index").agg(n_days=pl.len(), span=day.max() - day.min())
    parts = []
    for rule in plan.chronic if plan.has_dates else ():
        is_enough = (pl.col("n_days") >= rule.minimum.low_values) & (pl.col("span") >= rule.minimum.days)
        on_track = tracks.filter(pl.col("rule") == rule.id).select("person_index")
        people = pl.concat([spread.filter(is_enough).select("person_index"), on_track]).unique()
        limits = pl.DataFrame({"threshold_cells_per_ul": [each.low_cells_per_ul for each in rule.thresholds]})
        parts.append(people.with_columns(rule=pl.lit(rule.id)).join(limits, how="cross"))
    return pl.concat(parts) if parts else pl.DataFrame(schema={"person_index": pl.UInt32})


def estimate_chronic(chronic: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.chronic` without its run: shares of the assessable people."""
    rows = chronic.sort("cohort", *_RULE)
    method, level = plan.estimation.prevalence_interval, plan.estimation.confidence_level
    made = share_intervals(rows["n_people"].to_numpy(), rows["n_assessable"].to_numpy(), level=level, method=method)
    names = {"share": "chronic_share", "share_lo": "chronic_lo", "share_hi": "chronic_hi", "method": "chronic_method"}
    return rows.hstack(made.rename(names))


def _of_long_lows(anc: pl.LazyFrame, rules: Sequence[EpisodeRule]) -> pl.LazyFrame:
    """Counts of people whose lows are many and far enough apart for some rule; no other can have a track."""
    highest = max((threshold.highest_low for rule in rules for threshold in rule.thresholds), default=0)
    fewest = min((rule.minimum.low_values for rule in rules), default=1)
    shortest = timedelta(days=min((rule.minimum.days for rule in rules), default=0))
    lows = anc.filter(pl.col("upper_cells_per_ul") <= highest, pl.col("collected_at").is_not_null())
    spread = lows.group_by("person_index").agg(
        n_lows=pl.len(), span=pl.col("collected_at").max() - pl.col("collected_at").min()
    )
    people = spread.filter(pl.col("n_lows") >= fewest, pl.col("span") >= shortest)
    return anc.join(people, on="person_index", how="semi")
