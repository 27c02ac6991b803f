"""What went with an episode of neutropenia: fever by each named definition, infections, sores of the mouth, and more.

A complication is suspected to belong to the episode because it comes in its time; that is all that is claimed. What
could not be seen is not absent: `find_looks` says of which episodes there are temperatures or codes at all. Obeys
`definitions/complications`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.diagnoses import recognise_conditions
from transforms.fevers import SIGN, find_fevers, read_temperatures
from transforms.model.complications import CodeGroup, Complication, LowCount

EPISODE = ("person_index", "rule", "threshold_cells_per_ul", "first_low_at")


@dataclass(frozen=True)
class Signs:
    """All that a complication can be seen in: canonical rows by person_index, and the counts of `choose_anc`."""

    vital: pl.LazyFrame
    diagnosis: pl.LazyFrame
    encounter: pl.LazyFrame
    anc: pl.LazyFrame
    conditions: pl.DataFrame
    has_diagnoses: bool = True


def find_complications(episodes: pl.LazyFrame, signs: Signs, complications: Sequence[Complication]) -> pl.LazyFrame:
    """One row per confirmed episode and complication that came with it, sorted: EPISODE, complication, kind, first_at.

    `episodes` has EPISODE, last_low_at, recovery_by, is_confirmed. `first_at` is the first sign; `days_from_first_low`
    counts whole days from the first low value.
    """
    spans = _spans(episodes).collect().lazy()
    people = spans.select("person_index").unique().collect().lazy()
    own = {name: getattr(signs, name).join(people, on="person_index", how="semi") for name in ("vital", "diagnosis")}
    temperatures = read_temperatures(own["vital"]).collect().lazy()
    listed = recognise_conditions(own["diagnosis"], signs.conditions).collect().lazy()
    coded = _Coded(listed, own["diagnosis"])
    counts = _counts_by_day(signs.anc, people, complications).collect().lazy()
    found = []
    for place, one in enumerate(sorted(complications, key=lambda each: each.id)):
        seen = [find_fevers(temperatures, one.temperatures)] if one.temperatures else []
        seen += [coded.find(one.codes)] if one.codes else []
        near = _during(_near_low(_day(pl.concat(seen)), one.low, counts, coded), one, signs.encounter)
        found.append(near.with_columns(place=pl.lit(place), from_day=one.from_day, days_after_end=one.days_after_end))
    return _of_episodes(spans, pl.concat(found), complications) if found else _none(spans)


def find_looks(episodes: pl.LazyFrame, signs: Signs, complications: Sequence[Complication]) -> pl.LazyFrame:
    """One row per confirmed episode and kind of evidence that there is of it, sorted: EPISODE, look.

    `temperatures`: at least one reading in the time in which a fever would have counted; `codes`: the extract has
    diagnoses.
    """
    spans = _spans(episodes).collect().lazy()
    timed = [one for one in complications if one.temperatures]
    first = min((one.from_day for one in timed), default=0)
    after = max((one.days_after_end for one in timed), default=0)
    readings = signs.vital.select("person_index", day=pl.col("measured_at").dt.date().to_physical()).unique()
    measured = (
        spans.join(readings, on="person_index")
        .filter(pl.col("day").is_between(pl.col("onset_day") + first, pl.col("end_day") + after))
        .select("number")
        .unique()
        .with_columns(look=pl.lit("temperatures"))
    )
    coded = spans.select("number", look=pl.lit("codes"))
    looks = pl.concat([measured, coded] if signs.has_diagnoses else [measured])
    return looks.sort("number", "look").join(spans, on="number", maintain_order="left").select(*EPISODE, "look")


@dataclass(frozen=True)
class _Coded:
    """Diagnoses as listed conditions, and as they came, for codes that a complication brings itself."""

    listed: pl.LazyFrame
    diagnosis: pl.LazyFrame

    def find(self, group: CodeGroup) -> pl.LazyFrame:
        """Times (SIGN) at which a code of the group was recorded."""
        named = {"cause_group": group.cause_groups, "subgroup": group.subgroups, "role": group.roles}
        conditions = [pl.col(column).is_in(names) for column, names in named.items() if names]
        conditions.append(~pl.col("subgroup").is_in(group.except_subgroups))
        is_listed = bool(group.cause_groups or group.subgroups)
        found = [self.listed.filter(pl.all_horizontal(conditions))] if is_listed else []
        if group.own_codes:
            own = pl.DataFrame([code.model_dump() for code in group.own_codes], infer_schema_length=None)
            blank = {"cause_group": pl.lit(""), "role": pl.lit(""), "code_pattern": pl.lit(None, pl.String)}
            found.append(recognise_conditions(self.diagnosis, own.with_columns(**blank)))
        return pl.concat([part.select("person_index", seen_at="recorded_at") for part in found]).unique()


def _spans(episodes: pl.LazyFrame) -> pl.LazyFrame:
    """Confirmed episodes by day, numbered in the order of EPISODE."""
    end = pl.coalesce("recovery_by", "last_low_at").dt.date().to_physical()
    onset = pl.col("first_low_at").dt.date().to_physical()
    confirmed = episodes.filter("is_confirmed").select(*EPISODE, onset_day=onset, end_day=end)
    return confirmed.sort(EPISODE).with_row_index("number")


def _day(signs: pl.LazyFrame) -> pl.LazyFrame:
    return signs.select(*SIGN).unique().with_columns(day=pl.col("seen_at").dt.date().to_physical())


def _counts_by_day(anc: pl.LazyFrame, people: pl.LazyFrame, complications: Sequence[Complication]) -> pl.LazyFrame:
    """person_index, near_day, upper_cells_per_ul of what is low enough for any complication, of some people."""
    limits = [one.low.below_cells_per_ul for one in complications if one.low and one.low.below_cells_per_ul is not None]
    low = anc.filter(pl.col("upper_cells_per_ul") < max(limits, default=0)).join(people, on="person_index", how="semi")
    day = pl.col("collected_at").dt.date().to_physical()
    return low.select("person_index", "upper_cells_per_ul", near_day=day)


def _near_low(signs: pl.LazyFrame, low: LowCount | None, counts: pl.LazyFrame, coded: _Coded) -> pl.LazyFrame:
    """Signs with a low count, or a code of one, near enough."""
    if low is None:
        return signs
    days = []
    if low.below_cells_per_ul is not None:
        certain = counts.filter(pl.col("upper_cells_per_ul") < low.below_cells_per_ul)
        days.append(certain.select("person_index", "near_day"))
    if low.codes is not None:
        days.append(_day(coded.find(low.codes)).select("person_index", near_day="day"))
    joined = signs.join(pl.concat(days).drop_nulls().unique(), on="person_index")
    away = pl.col("near_day") - pl.col("day")
    return joined.filter(away.is_between(-low.days_before, low.days_after)).select(*SIGN, "day").unique()


def _during(signs: pl.LazyFrame, complication: Complication, encounter: pl.LazyFrame) -> pl.LazyFrame:
    """Signs on a day of a stay in one of the settings; a stay without an end is its first day."""
    if not complication.settings:
        return signs
    stays = encounter.filter(pl.col("setting").is_in(complication.settings)).select(
        "person_index",
        start_day=pl.col("started_at").dt.date().to_physical(),
        leave_day=pl.coalesce("ended_at", "started_at").dt.date().to_physical(),
    )
    joined = signs.join(stays.unique(), on="person_index")
    return joined.filter(pl.col("day").is_between("start_day", "leave_day")).select(*SIGN, "day").unique()


def _of_episodes(spans: pl.LazyFrame, signs: pl.LazyFrame, complications: Sequence[Complication]) -> pl.LazyFrame:
    """The first sign of each complication in the time of each episode, sorted; `signs` by the place of its id."""
    named = sorted(complications, key=lambda each: each.id)
    ids, kinds = ({place: getattr(one, name) for place, one in enumerate(named)} for name in ("id", "kind"))
    first = pl.col("onset_day") + pl.col("from_day")
    last = pl.col("end_day") + pl.col("days_after_end")
    found = (
        spans.select("number", "person_index", "onset_day", "end_day")
        .join(signs, on="person_index")
        .filter(pl.col("day").is_between(first, last))
        .group_by("number", "place")
        .agg(first_at=pl.col("seen_at").min())
        .sort("number", "place")
    )
    days = pl.col("first_at").dt.date().to_physical() - pl.col("onset_day")
    return found.join(spans, on="number", maintain_order="left").select(
        *EPISODE,
        complication=pl.col("place").replace_strict(ids, return_dtype=pl.String),
        kind=pl.col("place").replace_strict(kinds, return_dtype=pl.String),
        first_at="first_at",
        days_from_first_low=days.cast(pl.Int32),
    )


def _none(spans: pl.LazyFrame) -> pl.LazyFrame:
    return spans.head(0).select(
        *EPISODE,
        complication=pl.lit(""),
        kind=pl.lit(""),
        first_at=pl.col("first_low_at"),
        days_from_first_low=pl.lit(0, pl.Int32),
    )
