"""Who is in which cohort, from when to when: the observed days on which the cohort's criterion holds.

Every criterion gives spans of days cut to observation; all_of cuts them with one another, any_of joins them, none_of
takes them from the observed days. Age: with a year of birth the age of a day is its year less that year; else the age
known at a date is one more at each return of that date; an age without a date holds always. In an extract without
dates membership is for all time. Obeys `definitions/cohorts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.diagnoses import recognise_conditions
from transforms.drug_choice import is_meant
from transforms.model.cohorts import AgeBand, Cohort, Criterion, DiagnosisCriterion, ExposureCriterion
from transforms.spans import intersect_spans, merge_spans, subtract_spans, to_spans


def find_members(
    person: pl.LazyFrame,
    observation: pl.LazyFrame,
    recognised: pl.LazyFrame,
    diagnosis: pl.LazyFrame,
    conditions: pl.DataFrame,
    cohorts: Sequence[Cohort],
) -> pl.LazyFrame:
    """Spans of membership: person_index, cohort, started_on, ended_on; sorted, disjoint and never touching.

    `recognised` is what `recognise_drugs` gives, `conditions` what `read_conditions` gives.
    """
    observed, coded = (
        frame.collect().lazy() for frame in (to_spans(observation), recognise_conditions(diagnosis, conditions))
    )
    known = _Known(person, observed, recognised, diagnosis, coded)
    spans = [
        _spans_of(cohort.criterion, known).with_columns(cohort=pl.lit(cohort.id))
        for cohort in sorted(cohorts, key=lambda cohort: cohort.id)
    ]
    if not spans:
        spans = [known.observed.head(0).with_columns(cohort=pl.lit(""))]
    members = pl.concat(spans).select(
        "person_index",
        "cohort",
        pl.col("start_day").cast(pl.Date).alias("started_on"),
        pl.col("end_day").cast(pl.Date).alias("ended_on"),
    )
    return members.sort("person_index", "cohort", "started_on")


def find_members_without_dates(person: pl.LazyFrame, cohorts: Sequence[Cohort]) -> pl.LazyFrame:
    """Members of the cohorts that need no dates, each for all time: started_on and ended_on are null.

    Everybody in the extract is observed. Age is `age_years`, because a year of birth gives no age without a date.
    Cohorts by drug or diagnosis are left out: nobody can be placed in them, or outside them.
    """
    always = person.select("person_index", start_day=pl.lit(0, pl.Int32), end_day=pl.lit(0, pl.Int32))
    undated = person.with_columns(birth_year=pl.lit(None, pl.Int32), age_at=pl.lit(None, pl.Date))
    none = pl.LazyFrame(schema={"person_index": pl.UInt32})
    known = _Known(undated, always, none, none, none)
    kept = [cohort for cohort in sorted(cohorts, key=lambda cohort: cohort.id) if not _needs_dates(cohort.criterion)]
    spans = [_spans_of(cohort.criterion, known).with_columns(cohort=pl.lit(cohort.id)) for cohort in kept]
    never = pl.lit(None, pl.Date)
    found = pl.concat(spans or [always.head(0).with_columns(cohort=pl.lit(""))])
    return found.select("person_index", "cohort", started_on=never, ended_on=never).sort("person_index", "cohort")


def _needs_dates(criterion: Criterion) -> bool:
    parts = [*(criterion.all_of or ()), *(criterion.any_of or ()), *(criterion.none_of or ())]
    is_dated = criterion.diagnosis is not None or criterion.exposure is not None
    return is_dated or any(_needs_dates(part) for part in parts)


@dataclass(frozen=True)
class _Known:
    person: pl.LazyFrame
    observed: pl.LazyFrame
    recognised: pl.LazyFrame
    diagnosis: pl.LazyFrame
    coded: pl.LazyFrame


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
    spans = known.observed
    if criterion.age is not None:
        spans = _cut(_at_age(known.person, criterion.age), known)
    if criterion.diagnosis is not None:
        spans = _cut(_diagnosed(known, criterion.diagnosis), known)
    if criterion.exposure is not None:
        spans = _cut(_exposed(known.recognised, criterion.exposure), known)
    if criterion.sex is not None:
        spans = _always(known.person.filter(pl.col("sex") == criterion.sex), known)
    if criterion.duffy_null is not None:
        spans = _always(known.person.filter(pl.col("duffy_null") == criterion.duffy_null), known)
    if criterion.race_ethnicity is not None:
        spans = _always(known.person.filter(pl.col("race_ethnicity").is_in(criterion.race_ethnicity)), known)
    return spans


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
