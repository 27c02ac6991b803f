"""Rules that hold for some days after a treatment: each anchor is read as if it were a person with those days alone.

So nothing that finds episodes knows of anchors. What was low before the days of an anchor, and what comes after them,
takes no part; a death counts if it lies in them.
"""

from dataclasses import replace
from datetime import timedelta

import polars as pl

from transforms.episode_states import LOW
from transforms.model.episodes import Anchor, EpisodeRule
from transforms.treatments import Treatments

UNIT = "unit"


def find_anchors(doses: pl.DataFrame, anchor: Anchor) -> pl.DataFrame:
    """unit (UInt32), person_index, anchored_on, first_day, last_day (null: open) of every anchor, in order.

    `doses`: person_index, drug, day.
    """
    days = doses.filter(pl.col("drug").is_in(anchor.drugs)).select("person_index", "day").unique().sort(pl.all())
    since = (pl.col("day") - pl.col("day").shift(1)).over("person_index")
    anchors = days.filter(since.is_null() | (since > timedelta(days=anchor.new_after_days)))
    last = pl.lit(None, pl.Date)
    if anchor.to_days is not None:
        last = pl.col("day") + timedelta(days=anchor.to_days)
    before_next = pl.col("day").shift(-1).over("person_index") - timedelta(days=1)
    return anchors.select(
        "person_index",
        anchored_on="day",
        first_day=pl.col("day") + timedelta(days=anchor.from_days),
        last_day=pl.min_horizontal(last, before_next),
    ).with_row_index(UNIT)


def take_values(values: pl.DataFrame, anchors: pl.DataFrame) -> pl.DataFrame:
    """The values inside the days of an anchor, with its unit in the place of person_index; in the same order.

    `values`: person_index, day and more, by person and time.
    """
    spans = anchors.select("person_index", UNIT, "first_day", "last_day", day="anchored_on")
    found = values.join_asof(spans, on="day", by="person_index", strategy="backward", check_sortedness=False)
    is_inside = (pl.col("day") >= pl.col("first_day")) & (pl.col("day") <= pl.col("last_day")).fill_null(True)
    kept = found.filter(is_inside.fill_null(False)).with_columns(person_index=pl.col(UNIT))
    return kept.select(values.columns)


def take_treatments(treatments: Treatments, anchors: pl.DataFrame) -> Treatments:
    """The treatments of each anchor's person, by its unit, and a death that lies in its days."""
    dying = treatments.deaths.join(anchors, on="person_index").filter(
        pl.col("died_on") >= pl.col("anchored_on"), (pl.col("died_on") <= pl.col("last_day")).fill_null(True)
    )
    units = anchors.select("person_index", UNIT)

    def of_units(given: pl.DataFrame) -> pl.DataFrame:
        joined = given.join(units, on="person_index").with_columns(person_index=pl.col(UNIT))
        return joined.select(given.columns).sort(pl.all())

    return replace(
        treatments,
        deaths=dying.select("died_on", person_index=pl.col(UNIT)),
        doses=of_units(treatments.doses),
        gcsf=of_units(treatments.gcsf),
        raising=of_units(treatments.raising),
    )


def grade_episodes(
    episodes: pl.DataFrame, proven: pl.DataFrame, anchors: pl.DataFrame, rule: EpisodeRule, threshold: int
) -> pl.DataFrame:
    """Put person_index back in the place of the unit, and add anchored_on, grade and grade_possible (null: none).

    The grade is what the days from first to last low prove; possible is what the days between the counts that are not
    low could, cut to the days of the anchor.
    """
    above = proven.filter(pl.col("kind") != LOW).select("person_index").unique()
    never_above = ~pl.col("person_index").is_in(above["person_index"].implode())
    known = episodes.with_columns(is_never_above=never_above).join(
        anchors.rename({"person_index": "person"}), left_on="person_index", right_on=UNIT, how="left"
    )
    d1, dn = pl.col("first_low_at").dt.date(), pl.col("last_low_at").dt.date()
    begins = pl.max_horizontal(pl.col("onset_after").dt.date() + timedelta(days=1), "first_day")
    ends = pl.min_horizontal(pl.col("recovery_by").dt.date() - timedelta(days=1), "last_day", "died_on")
    sure = (dn - d1).dt.total_days() + 1
    likely = (pl.max_horizontal(ends, dn) - pl.min_horizontal(begins, d1)).dt.total_days() + 1
    longest = max((each.at_least_days for each in rule.grades), default=0)
    # With neither a recovery nor an end of the anchor's days, the days are open: they reach any grade.
    open_ended = pl.when(ends.is_not_null()).then(likely).otherwise(pl.max_horizontal(sure, pl.lit(longest)))
    return known.with_columns(
        grade=_grade(rule, threshold, sure),
        grade_possible=_grade(rule, threshold, open_ended),
        person_index="person",
    )


def _grade(rule: EpisodeRule, threshold: int, days: pl.Expr) -> pl.Expr:
    reached = [
        pl.when((days >= each.at_least_days) & (pl.col("is_never_above") | (not each.never_above))).then(each.grade)
        for each in rule.grades
        if each.threshold_cells_per_ul == threshold
    ]
    return pl.max_horizontal(reached) if reached else pl.lit(None, pl.Int32)
