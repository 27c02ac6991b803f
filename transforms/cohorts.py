"""Who is in which cohort, from when to when: the observed days on which the cohort's criterion holds.

Every criterion gives spans of days cut to observation; all_of cuts them with one another, any_of joins them, none_of
takes them from the observed days; those of stays, tests and index events are in `cohort_events.py`. Age: with a year of
birth the age of a day is its year less that year; else the age known at a date is one more at each return of that date;
an age without a date holds always. In an extract without dates membership is for all time. Obeys `definitions/cohorts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.cohort_events import after_index, in_setting, with_low_values, with_tests
from transforms.diagnoses import recognise_conditions
from transforms.drug_choice import is_meant
from transforms.model.cohorts import AgeBand, Cohort, Criterion, DiagnosisCriterion, ExposureCriterion
from transforms.spans import intersect_spans, merge_spans, subtract_spans, to_spans


@dataclass(frozen=True)
class Histories:
    """What is known of people, by person_index: `recognised` is what `recognise_drugs` gives, `conditions` what
    `read_conditions` gives, `tests` the days with tests that `find_test_days` gives.
    """

    person: pl.LazyFrame
    observation: pl.LazyFrame
    recognised: pl.LazyFrame
    diagnosis: pl.LazyFrame
    conditions: pl.DataFrame
    encounter: pl.LazyFrame
    tests: pl.LazyFrame


def find_members(histories: Histories, cohorts: Sequence[Cohort]) -> pl.LazyFrame:
    """Spans of membership: person_index, cohort, started_on, ended_on; sorted, disjoint and never touching."""
    known = _read(histories)
    spans = [
        _spans_of(cohort.criterion, known).with_columns(cohort=pl.lit(cohort.id))
        for cohort in sorted(cohorts, key=lambda cohort: cohort.id)
    ]
    if not spans:
        spans = [known.observed.head(0).with_columns(cohort=pl.lit(""))]
    # Sorts as text does, and costs as much as a number.
    names = pl.Enum(sorted({"", *(cohort.id for cohort in cohorts)}))
    members = pl.concat(spans).select(
        "person_index",
        pl.col("cohort").cast(names),
        pl.col("start_day").cast(pl.Date).alias("started_on"),
        pl.col("end_day").cast(pl.Date).alias("ended_on"),
    )
    return members.sort("person_index", "cohort", "started_on").with_columns(pl.col("cohort").cast(pl.String))


def find_entries(histories: Histories, cohorts: Sequence[Cohort]) -> pl.LazyFrame:
    """Who is on the way into a cohort that asks for several things at once: person_index, cohort, n_parts.

    A row says that the first n_parts of its `all_of` hold on a same observed day; all of them are membership itself.
    """
    return _entries_of(_read(histories), [cohort for cohort in cohorts if cohort.criterion.all_of])


def find_members_without_dates(person: pl.LazyFrame, cohorts: Sequence[Cohort]) -> pl.LazyFrame:
    """Members of the cohorts that need no dates, each for all time: started_on and ended_on are null.

    Everybody in the extract is observed. Age is `age_years`, because a year of birth gives no age without a date.
    Cohorts by drug, diagnosis, stay, test or event are left out: nobody can be placed in them, or outside them.
    """
    known = _undated(person)
    kept = [cohort for cohort in sorted(cohorts, key=lambda cohort: cohort.id) if not cohort.needs_dates]
    spans = [_spans_of(cohort.criterion, known).with_columns(cohort=pl.lit(cohort.id)) for cohort in kept]
    never = pl.lit(None, pl.Date)
    found = pl.concat(spans or [known.observed.head(0).with_columns(cohort=pl.lit(""))])
    return found.select("person_index", "cohort", started_on=never, ended_on=never).sort("person_index", "cohort")


def find_entries_without_dates(person: pl.LazyFrame, cohorts: Sequence[Cohort]) -> pl.LazyFrame:
    """`find_entries` for the cohorts that need no dates."""
    return _entries_of(_undated(person), [each for each in cohorts if each.criterion.all_of and not each.needs_dates])


@dataclass(frozen=True)
class _Known:
    person: pl.LazyFrame
    observed: pl.LazyFrame
    recognised: pl.LazyFrame
    diagnosis: pl.LazyFrame
    coded: pl.LazyFrame
    encounter: pl.LazyFrame
    tests: pl.LazyFrame


def _read(histories: Histories) -> _Known:
    observed, coded = (
        frame.collect().lazy()
        for frame in (
            to_spans(histories.observation),
            recognise_conditions(histories.diagnosis, histories.conditions),
        )
    )
    return _Known(
        histories.person, observed, histories.recognised, histories.diagnosis, coded, histories.encounter,
        histories.tests,
    )  # fmt: skip


def _undated(person: pl.LazyFrame) -> _Known:
    always = person.select("person_index", start_day=pl.lit(0, pl.Int32), end_day=pl.lit(0, pl.Int32))
    undated = person.with_columns(birth_year=pl.lit(None, pl.Int32), age_at=pl.lit(None, pl.Date))
    none = pl.LazyFrame(schema={"person_index": pl.UInt32})
    return _Known(undated, always, none, none, none, none, none)


def _entries_of(known: _Known, cohorts: Sequence[Cohort]) -> pl.LazyFrame:
    rows = [known.observed.head(0).select("person_index", cohort=pl.lit(""), n_parts=pl.lit(0, pl.Int32))]
    for cohort in cohorts:
        spans = [_spans_of(part, known) for part in cohort.criterion.all_of or ()]
        for n_parts in range(1, len(spans)):
            people = intersect_spans(spans[:n_parts]).select("person_index").unique()
            rows.append(people.with_columns(cohort=pl.lit(cohort.id), n_parts=pl.lit(n_parts, pl.Int32)))
    return pl.concat(rows).sort("person_index", "cohort", "n_parts")


def _spans_of(criterion: Criterion, known: _Known) -> pl.LazyFrame:
    """Merged spans inside observation on which the criterion holds."""
    if criterion.all_of is not None:
        return intersect_spans([_spans_of(part, known) for part in criterion.all_of])
    if criterion.any_of is not None:
        return merge_spans([_spans_of(part, known) for part in criterion.any_of])
    if criterion.none_of is not None:
        return subtract_spans(known.observed, merge_spans([_spans_of(part, known) for part in criterion.none_of]))
    return _spans_of_fact(criterion, known)


def _spans_of_fact(criterion: Criterion, known: _Known) -> pl.LazyFrame:
    if criterion.observed is not None:
        return known.observed
    spans = _spans_of_event(criterion, known)
    return _always(_having(known.person, criterion), known) if spans is None else _cut(spans, known)


def _spans_of_event(criterion: Criterion, known: _Known) -> pl.LazyFrame | None:
    """Spans not yet cut to observation; None where the criterion is of people and not of days."""
    spans = None
    if criterion.age is not None:
        spans = _at_age(known.person, criterion.age)
    if criterion.diagnosis is not None:
        spans = _diagnosed(known, criterion.diagnosis)
    if criterion.exposure is not None:
        spans = _exposed(known.recognised, criterion.exposure)
    if criterion.setting is not None:
        spans = in_setting(known.encounter, criterion.setting)
    if criterion.testing is not None:
        spans = with_tests(known.tests, criterion.testing)
    if criterion.low is not None:
        spans = with_low_values(known.tests, criterion.low)
    if criterion.index is not None:
        spans = after_index(_spans_of(criterion.index.of, known), known.observed, criterion.index)
    return spans


def _having(person: pl.LazyFrame, criterion: Criterion) -> pl.LazyFrame:
    if criterion.sex is not None:
        return person.filter(pl.col("sex") == criterion.sex)
    if criterion.duffy_null is not None:
        return person.filter(pl.col("duffy_null") == criterion.duffy_null)
    return person.filter(pl.col("race_ethnicity").is_in(criterion.race_ethnicity or ()))


def _cut(spans: pl.LazyFrame, known: _Known) -> pl.LazyFrame:
    """Cut open or closed spans (null: no end) to the observed days."""
    other = spans.select("person_index", pl.col("start_day").alias("from_day"), pl.col("end_day").alias("to_day"))
    both = known.observed.join(other, on="person_index").select(
        "person_index",
        pl.max_horizontal("start_day", "from_day").alias("start_day"),
        pl.min_horizontal("end_day", "to_day").alias("end_day"),
    )
    return merge_spans([both])


def _always(persons: pl.LazyFrame, known: _Known) -> pl.LazyFrame:
    return known.observed.join(persons.select("person_index"), on="person_index", how="semi")


def _at_age(person: pl.LazyFrame, band: AgeBand) -> pl.LazyFrame:
    known = person.filter(pl.col("birth_year").is_not_null() | pl.col("age_years").is_not_null())
    youngest, after_oldest = band.at_least_years, None if band.at_most_years is None else band.at_most_years + 1
    is_in = pl.lit(value=True)
    if youngest is not None:
        is_in = is_in & (pl.col("age_years") >= youngest)
    if after_oldest is not None:
        is_in = is_in & (pl.col("age_years") < after_oldest)
    has_no_date = pl.col("birth_year").is_null() & pl.col("age_at").is_null()
    return known.filter(~has_no_date | is_in).select(
        "person_index", _day_of_age(youngest).alias("start_day"), (_day_of_age(after_oldest) - 1).alias("end_day")
    )


def _day_of_age(years: int | None) -> pl.Expr:
    """The first day at that age; null when there is no limit or no date."""
    if years is None:
        return pl.lit(None, pl.Int32)
    by_birth = pl.date(pl.col("birth_year") + years, 1, 1)
    later = pl.concat_str(years - pl.col("age_years"), pl.lit("y"))
    by_age = pl.col("age_at").dt.offset_by(later)
    return pl.coalesce(by_birth, by_age).to_physical()


def _diagnosed(known: _Known, criterion: DiagnosisCriterion) -> pl.LazyFrame:
    conditions = []
    if criterion.cause_groups:
        conditions.append(pl.col("cause_group").is_in(criterion.cause_groups))
    if criterion.subgroups:
        conditions.append(pl.col("subgroup").is_in(criterion.subgroups))
    if criterion.except_subgroups:
        conditions.append(~pl.col("subgroup").is_in(criterion.except_subgroups))
    found = []
    if criterion.cause_groups or criterion.subgroups:
        found.append(known.coded.filter(pl.all_horizontal(conditions)).select("person_index", "recorded_at"))
    for system, prefixes in sorted(criterion.prefixes.items()):
        begins = pl.any_horizontal([pl.col("code").str.starts_with(prefix) for prefix in prefixes])
        own = known.diagnosis.filter((pl.col("code_system") == system) & begins)
        found.append(own.select("person_index", "recorded_at"))
    day = pl.col("recorded_at").dt.date().to_physical()
    coded = pl.concat(found).select("person_index", day.alias("start_day"))
    if criterion.lasts_days is None:
        first = coded.group_by("person_index").agg(pl.col("start_day").min())
        return first.with_columns(pl.lit(None, pl.Int32).alias("end_day"))
    return coded.with_columns((pl.col("start_day") + criterion.lasts_days).alias("end_day"))


def _exposed(recognised: pl.LazyFrame, criterion: ExposureCriterion) -> pl.LazyFrame:
    doses = recognised.filter(is_meant(criterion)).select(
        "person_index",
        pl.col("started_at").dt.date().to_physical().alias("start_day"),
        (pl.col("ended_at").dt.date().to_physical() + criterion.at_risk_days).alias("end_day"),
    )
    return merge_spans([doses])
