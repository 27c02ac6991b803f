"""Runs the examples of causes (a patient, the primary suspect) and of cohorts (a patient, the spans).

Days of a cause's example count from its first low value. Only what an example names is compared.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from transforms.attribution import Evidence, Judgement, attribute_causes
from transforms.codelists import read_conditions, read_drugs
from transforms.cohorts import Histories, find_members
from transforms.example_results import (
    ORIGIN,
    ExampleResult,
    Schema,
    frame_of,
    named_facts,
    read_examples,
    tell,
    tell_list,
)
from transforms.exposures import recognise_drugs
from transforms.load import Definitions
from transforms.model.cause_examples import CauseExample, PrimarySuspect, ScoreExample
from transforms.model.examples import CohortExample
from transforms.naranjo import score_naranjo

RULE = "example"

EXPOSURE: Schema = {
    "person_index": pl.UInt32,
    "agent": pl.String,
    "atc": pl.String,
    "rxnorm": pl.String,
    "started_at": pl.Datetime("us"),
    "ended_at": pl.Datetime("us"),
    "route": pl.String,
    "status": pl.String,
    "evidence": pl.String,
}
DIAGNOSIS: Schema = {
    "person_index": pl.UInt32,
    "code": pl.String,
    "code_system": pl.String,
    "recorded_at": pl.Datetime("us"),
}
ENCOUNTER: Schema = {
    "person_index": pl.UInt32,
    "started_at": pl.Datetime("us"),
    "ended_at": pl.Datetime("us"),
    "setting": pl.String,
}
TESTS: Schema = {
    "person_index": pl.UInt32,
    "day": pl.Date,
    "n_tests": pl.Int64,
    "lowest_cells_per_ul": pl.Int64,
}
OBSERVATION: Schema = {"person_index": pl.UInt32, "started_on": pl.Date, "ended_on": pl.Date}
ANC: Schema = {
    "person_index": pl.UInt32,
    "collected_at": pl.Datetime("us"),
    "lower_cells_per_ul": pl.Int64,
    "upper_cells_per_ul": pl.Int64,
}
RESULT: Schema = {
    "person_index": pl.UInt32,
    "analyte": pl.String,
    "collected_at": pl.Datetime("us"),
    "lower_bound": pl.Float64,
    "upper_bound": pl.Float64,
}
EPISODES: Schema = {
    "person_index": pl.UInt32,
    "rule": pl.String,
    "threshold_cells_per_ul": pl.Int64,
    "onset_after": pl.Datetime("us"),
    "first_low_at": pl.Datetime("us"),
    "last_low_at": pl.Datetime("us"),
    "recovery_by": pl.Datetime("us"),
    "ended_as": pl.String,
    "nadir_cells_per_ul": pl.Int64,
}
PERSON: Schema = {
    "person_index": pl.UInt32,
    "sex": pl.String,
    "birth_year": pl.Int32,
    "age_years": pl.Int32,
    "age_at": pl.Date,
    "duffy_null": pl.Boolean,
}


def check_patients(definitions: Definitions) -> list[ExampleResult]:
    """Every example of causes, scores and cohorts, in a fixed order."""
    return [*_check_causes(definitions), *_check_scores(definitions), *_check_cohorts(definitions)]


def attribute_patients(definitions: Definitions, patients: Sequence[CauseExample]) -> pl.DataFrame:
    """All candidates of every patient's first episode; `person_index` is the place in `patients`.

    Patients must agree on has_drugs and has_diagnoses, which belong to an extract.
    """
    diagnosis, exposure = frame_of(DIAGNOSIS, _diagnoses(patients)), frame_of(EXPOSURE, _exposures(patients))
    conditions = read_conditions(definitions)
    recognised = recognise_drugs(exposure, diagnosis, read_drugs(definitions), conditions, definitions.exposures)
    evidence = Evidence(
        recognised.collect().lazy(),
        diagnosis,
        frame_of(OBSERVATION, [(i, _at(p.observed_from_day), _at(_end(p))) for i, p in enumerate(patients)]),
        frame_of(ANC, [(i, _at(c.day), *[c.cells_per_ul] * 2) for i, p in enumerate(patients) for c in p.counts]),
        frame_of(
            RESULT, [(i, r.analyte, _at(r.day), *[r.value] * 2) for i, p in enumerate(patients) for r in p.results]
        ),
        frame_of(PERSON, [(i, None, None, p.age_years, ORIGIN.date(), None) for i, p in enumerate(patients)]),
        has_drugs=all(patient.has_drugs for patient in patients),
        has_diagnoses=all(patient.has_diagnoses for patient in patients),
    )
    judgement = Judgement(definitions.causes, conditions, definitions.naranjo)
    found = attribute_causes(frame_of(EPISODES, _episodes(patients)), evidence, judgement)
    return found.filter(pl.col("first_low_at") == ORIGIN).collect()


def find_patients(definitions: Definitions, patients: Sequence[CohortExample]) -> pl.DataFrame:
    """Memberships of every patient in every cohort; `person_index` is the place in `patients`."""
    places = list(enumerate(patients))
    doses = [
        (i, dose.agent, None, None, dose.given_on, dose.until, None, None, "administered")
        for i, patient in places
        for dose in patient.exposures
    ]
    codes = [(i, code.code, code.code_system, code.recorded_on) for i, patient in places for code in patient.diagnoses]
    people = [
        (i, p.person.sex, p.person.birth_year, p.person.age_years, p.person.age_at, p.person.duffy_null)
        for i, p in places
    ]
    diagnosis, conditions = frame_of(DIAGNOSIS, codes), read_conditions(definitions)
    exposure, drugs = frame_of(EXPOSURE, doses), read_drugs(definitions)
    recognised = recognise_drugs(exposure, diagnosis, drugs, conditions, definitions.exposures).collect().lazy()
    observed = frame_of(OBSERVATION, [(i, *span) for i, patient in places for span in patient.observed])
    person = frame_of(PERSON, people)
    stays = [(i, stay.started_on, stay.ended_on, stay.setting) for i, patient in places for stay in patient.stays]
    counts = [(i, c.tested_on, 1, c.cells_per_ul) for i, patient in places for c in patient.counts]
    encounter, tests = frame_of(ENCOUNTER, stays), frame_of(TESTS, counts).with_columns(pl.col("day").to_physical())
    known = Histories(person, observed, recognised, diagnosis, conditions, encounter, tests)
    return find_members(known, definitions.cohorts).collect()


def _check_causes(definitions: Definitions) -> Iterable[ExampleResult]:
    causes = definitions.causes
    listed = [(cause.id, one) for cause in causes for one in read_examples(CauseExample, "causes", cause)]
    told: dict[int, ExampleResult] = {}
    for has_drugs, has_diagnoses in sorted({(p.has_drugs, p.has_diagnoses) for _, p in listed}):
        alike = [n for n, (_, p) in enumerate(listed) if (p.has_drugs, p.has_diagnoses) == (has_drugs, has_diagnoses)]
        found = attribute_patients(definitions, [listed[number][1] for number in alike])
        for place, number in enumerate(alike):
            cause, patient = listed[number]
            expected, got = _compare(patient.expect, found.filter(pl.col("person_index") == place))
            told[number] = ExampleResult("causes", cause, patient.title, expected, got)
    return [told[number] for number in sorted(told)]


def _compare(expect: PrimarySuspect, candidates: pl.DataFrame) -> tuple[str, str]:
    """`listed` names another candidate by its agent."""
    primary = candidates.filter("is_primary").row(0, named=True)
    named = named_facts(expect, without=["listed"])
    got = {name: primary["cause_group" if name == "primary" else name] for name in named}
    if expect.listed is None:
        return tell(named), tell(got)
    listed = named_facts(expect.listed)
    other = candidates.filter(pl.col("agent") == expect.listed.agent).to_dicts()
    beside = tell({name: other[0][name] for name in listed}) if other else "no such candidate"
    return f"{tell(named)}; listed {tell(listed)}", f"{tell(got)}; listed {beside}"


def _check_scores(definitions: Definitions) -> Iterable[ExampleResult]:
    naranjo = definitions.naranjo
    for example in read_examples(ScoreExample, "causality", naranjo):
        facts = example.model_dump(exclude={"score", "band", "is_complete"})
        suspect = pl.LazyFrame([{**facts, "judged": "who_umc", "days_from_exposure": 1}])
        scored = score_naranjo(suspect, naranjo, is_complete=example.is_complete).collect().row(0, named=True)
        expected = {"score": example.score, "band": example.band}
        got = {"score": scored["naranjo_score"], "band": scored["naranjo_band"]}
        yield ExampleResult("causality", naranjo.id, tell(facts), tell(expected), tell(got))


def _check_cohorts(definitions: Definitions) -> Iterable[ExampleResult]:
    cohorts = definitions.cohorts
    listed = [(cohort.id, one) for cohort in cohorts for one in read_examples(CohortExample, "cohorts", cohort)]
    patients = [patient for _, patient in listed]
    found = find_patients(definitions, patients)
    for place, (cohort, patient) in enumerate(listed):
        own = found.filter((pl.col("person_index") == place) & (pl.col("cohort") == cohort))
        spans = tuple(zip(own["started_on"].to_list(), own["ended_on"].to_list(), strict=True))
        yield ExampleResult("cohorts", cohort, patient.title, _spans(patient.expect), _spans(spans))


def _exposures(patients: Sequence[CauseExample]) -> list[tuple[Any, ...]]:
    return [
        (i, d.agent, d.atc, None, _at(d.day), None if d.until is None else _at(d.until), d.route, d.status, d.evidence)
        for i, patient in enumerate(patients)
        for d in patient.exposures
    ]


def _diagnoses(patients: Sequence[CauseExample]) -> list[tuple[Any, ...]]:
    return [(i, c.code, c.code_system, _at(c.day)) for i, patient in enumerate(patients) for c in patient.diagnoses]


def _episodes(patients: Sequence[CauseExample]) -> list[tuple[Any, ...]]:
    return [row for i, patient in enumerate(patients) for row in _lows(i, patient)]


def _lows(person: int, patient: CauseExample) -> list[tuple[Any, ...]]:
    """The first episode and the further ones."""
    first = (patient.last_good_day, 0, patient.last_low_day, patient.recovery_day, patient.nadir_cells_per_ul)
    further = [(None, low.day, low.day, low.recovery_day, low.nadir_cells_per_ul) for low in patient.further_lows]
    ends = [patient.ended_as, *(low.ended_as for low in patient.further_lows)]
    return [
        (person, RULE, patient.threshold_cells_per_ul, *(None if day is None else _at(day) for day in days), end, nadir)
        for (*days, nadir), end in zip([first, *further], ends, strict=True)
    ]


def _end(patient: CauseExample) -> int:
    last = [code.day for code in patient.diagnoses] + [count.day for count in patient.counts]
    return max([0, patient.recovery_day or 0, *last])


def _at(day: int) -> datetime:
    return ORIGIN + timedelta(days=day)


def _spans(spans: Iterable[tuple[Any, Any]]) -> str:
    return tell_list(f"{start} to {end}" for start, end in spans)
