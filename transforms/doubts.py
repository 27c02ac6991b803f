"""What speaks against a candidate although it is in its window: the window depends on when the fall began, or the drug
was begun while the count was already falling.

The fall began after the last value that was not low and by the first that was; a candidate is judged at the second and
looked at once more at the first. A drug begun for an illness whose count was falling only travels with it. Both are
flags and change no rank. A drug begun when the count was low already is judged in `attribution`. Obeys `challenge` in
the causes.
"""

import polars as pl

from transforms.candidates import CANDIDATE
from transforms.model.causes import Challenge

_PERCENT = 100
_COURSE = ("person_index", "agent", "course_number")


def add_early(onsets: pl.DataFrame) -> pl.DataFrame:
    """Onsets, and each whose fall may have begun earlier once more, on the day of the last value that was not low.

    `onsets`: onset_id (from 0, in order), person_index, onset_day, early_day. The second kind is numbered on, as
    `split_early` reads it.
    """
    early = onsets.filter(pl.col("early_day") < pl.col("onset_day"))
    again = early.with_columns(pl.col("onset_id") + onsets.height, onset_day=pl.col("early_day"))
    return pl.concat([onsets, again])


def split_early(found: pl.LazyFrame, n_onsets: int) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Candidates of onsets, and those in their window if the fall began right after the last value that was not low.

    `found` are candidates of `add_early`. The second kind has CANDIDATE and evidence_number.
    """
    is_early = pl.col("onset_id") >= n_onsets
    early = found.filter(is_early & pl.col("is_in_window")).with_columns(pl.col("onset_id") - n_onsets)
    return found.filter(~is_early), early.select(*CANDIDATE, "evidence_number")


def tell_certain_windows(candidates: pl.LazyFrame, onsets: pl.LazyFrame, early: pl.LazyFrame) -> pl.LazyFrame:
    """Add is_window_certain: in or out of its window at both ends of the time in which the fall began.

    Null where its start was not seen.
    """
    days = onsets.select("onset_id", "onset_day", "early_day")
    found = early.select(CANDIDATE).with_columns(is_early=pl.lit(value=True))
    told = candidates.join(days, on="onset_id", how="left").join(found, on=list(CANDIDATE), how="left")
    is_same = pl.col("is_in_window") == pl.col("is_early").fill_null(value=False)
    is_certain = pl.when(pl.col("early_day").is_not_null()).then(is_same | (pl.col("early_day") >= pl.col("onset_day")))
    return told.with_columns(is_window_certain=is_certain).drop("onset_day", "early_day", "is_early")


def tell_reverse(
    candidates: pl.LazyFrame, onsets: pl.LazyFrame, doses: pl.LazyFrame, anc: pl.LazyFrame, rule: Challenge
) -> pl.LazyFrame:
    """Add began_while_falling: the last count by the start of the blamed course had fallen from one shortly before it.

    And count_at_start, that last count, and fall_to, what the nadir must reach to be a fall from the highest of them.
    `candidates` has onset_id, agent, course_number. Counts on the day of the start count as before it. Null without two
    such counts, and without one.
    """
    people = onsets.select("onset_id", "person_index")
    known = candidates.join(people, on="onset_id")
    own = doses.join(known, on=list(_COURSE), how="semi")
    starts = own.group_by(_COURSE).agg(course_day=pl.col("start_day").min())
    blamed = known.join(starts, on=list(_COURSE), how="inner")
    counts = anc.select(
        "person_index",
        "collected_at",
        "lower_cells_per_ul",
        "upper_cells_per_ul",
        count_day=pl.col("collected_at").dt.date().to_physical(),
    ).drop_nulls()
    courses = blamed.select(*_COURSE, "course_day").unique()
    before = courses.join(counts, on="person_index").filter(
        pl.col("count_day").is_between(pl.col("course_day") - rule.falling_within_days, pl.col("course_day"))
    )
    ordered = before.sort(*_COURSE, "collected_at", "lower_cells_per_ul")
    seen = ordered.group_by(_COURSE).agg(
        n_counts=pl.len(),
        last=pl.col("upper_cells_per_ul").last(),
        highest=pl.col("lower_cells_per_ul").max(),
    )
    left = pl.lit(_PERCENT - rule.falling_percent, pl.Int64)
    has_fallen = pl.col("last").cast(pl.Int64) * _PERCENT <= pl.col("highest").cast(pl.Int64) * left
    told = seen.select(
        *_COURSE,
        began_while_falling=pl.when(pl.col("n_counts") > 1).then(has_fallen),
        count_at_start=pl.col("last").cast(pl.Int64),
        fall_to=pl.col("highest").cast(pl.Int64) * (_PERCENT - rule.least_fall_percent) // _PERCENT,
    )
    joined = candidates.join(people, on="onset_id", how="left").join(told, on=list(_COURSE), how="left")
    return joined.drop("person_index")
