"""Runs the examples of definitions through the real functions: patients who are in, and patients who are not.

Kinds: exposure rules and drug lists (a name, the drugs it is), condition lists (a code, its group), causes (a patient,
the primary suspect), cohorts (a patient, the spans). Days of a cause's example count from its first low value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

import polars as pl
from pydantic import ValidationError

from transforms.attribution import Evidence, attribute_causes
from transforms.codelists import read_conditions, read_drugs
from transforms.cohorts import find_members
from transforms.diagnoses import match_codes
from transforms.errors import DefinitionError
from transforms.exposures import KEY, match_exposures, recognise_drugs
from transforms.load import Definitions
from transforms.model.base import Definition, Part
from transforms.model.examples import CauseExample, CodeExample, CohortExample, NameExample

ORIGIN = datetime.combine(date(2020, 1, 1), time())
RULE, THRESHOLD = "example", 0
P = TypeVar("P", bound=Part)

EXPOSURE = {
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
DIAGNOSIS = {
    "person_index": pl.UInt32,
    "code": pl.String,
    "code_system": pl.String,
    "recorded_at": pl.Datetime("us"),
}
OBSERVATION = {"person_index": pl.UInt32, "started_on": pl.Date, "ended_on": pl.Date}
ANC = {"person_index": pl.UInt32, "collected_at": pl.Datetime("us"), "lower_cells_per_ul": pl.Int64}
EPISODES = {
    "person_index": pl.UInt32,
    "rule": pl.String,
    "threshold_cells_per_ul": pl.Int64,
    "first_low_at": pl.Datetime("us"),
    "recovery_by": pl.Datetime("us"),
}
PERSON = {
    "person_index": pl.UInt32,
    "sex": pl.String,
    "birth_year": pl.Int32,
    "age_years": pl.Int32,
    "age_at": pl.Date,
    "duffy_null": pl.Boolean,
}


@dataclass(frozen=True)
class ExampleResult:
    """One example of one definition: what was expected and what came."""

    kind: str
    definition: str
    example: str
    expected: str
    got: str

    @property
    def is_ok(self) -> bool:
        """Whether the definition does what its example says."""
        return self.expected == self.got


def check_examples(definitions: Definitions) -> list[ExampleResult]:
    """Every example of exposure rules, drug and condition lists, causes and cohorts, in a fixed order."""
    lists = [entry for name, entry in sorted(definitions.codelists.items())]
    drug_lists = [entry for entry in lists if entry.id.split("_")[0] == "drugs"]
    condition_lists = [entry for entry in lists if entry.id.split("_")[0] == "conditions"]
    return [
        *_check_names(definitions, "exposures", [definitions.exposures]),
        *_check_names(definitions, "codelists", drug_lists),
        *_check_codes(definitions, condition_lists),
        *_check_causes(definitions),
        *_check_cohorts(definitions),
    ]


def attribute_patients(definitions: Definitions, patients: Sequence[CauseExample]) -> pl.DataFrame:
    """All candidates of every patient's first episode; `person_index` is the place in `patients`.

    Patients must agree on has_drugs and has_diagnoses, which belong to an extract.
    """
    diagnosis, exposure = _frame(DIAGNOSIS, _diagnoses(patients)), _frame(EXPOSURE, _exposures(patients))
    conditions = read_conditions(definitions)
    recognised = recognise_drugs(exposure, diagnosis, read_drugs(definitions), conditions, definitions.exposures)
    evidence = Evidence(
        recognised.collect().lazy(),
        diagnosis,
        _frame(OBSERVATION, [(i, _at(p.observed_from_day), _at(_end(p))) for i, p in enumerate(patients)]),
        _frame(ANC, [(i, _at(count.day), count.cells_per_ul) for i, p in enumerate(patients) for count in p.counts]),
        has_drugs=all(patient.has_drugs for patient in patients),
        has_diagnoses=all(patient.has_diagnoses for patient in patients),
    )
    found = attribute_causes(_frame(EPISODES, _episodes(patients)), evidence, definitions.causes, conditions)
    return found.filter(pl.col("first_low_at") == ORIGIN).collect()


def _check_names(definitions: Definitions, kind: str, entries: Sequence[Definition]) -> Iterable[ExampleResult]:
    drugs = read_drugs(definitions)
    for entry in entries:
        examples = [_read(NameExample, entry, example) for example in entry.examples]
        keys = [{name: getattr(example, name) for name in KEY} for example in examples]
        sent = pl.LazyFrame(keys, schema=dict.fromkeys(KEY, pl.String))
        found = match_exposures(sent.unique(), drugs, definitions.exposures).sort(*KEY, "drug").collect()
        for key, example in zip(keys, examples, strict=True):
            got = found.filter([pl.col(name) == value for name, value in key.items()])["drug"].to_list()
            words = " ".join(value for value in key.values() if value)
            yield ExampleResult(kind, entry.id, words, _listed(sorted(example.expect)), _listed(got))


def _check_codes(definitions: Definitions, entries: Sequence[Definition]) -> Iterable[ExampleResult]:
    conditions = read_conditions(definitions)
    for entry in entries:
        examples = [_read(CodeExample, entry, example) for example in entry.examples]
        codes = pl.LazyFrame(
            [(example.code, example.code_system) for example in examples],
            schema={"code": pl.String, "code_system": pl.String},
            orient="row",
        )
        found = match_codes(codes.unique(), conditions).collect()
        groups = {(row["code"], row["code_system"]): row["cause_group"] for row in found.iter_rows(named=True)}
        for example in examples:
            key = (example.code, example.code_system)
            yield ExampleResult("codelists", entry.id, " ".join(key), str(example.expect), str(groups.get(key)))


def _check_causes(definitions: Definitions) -> Iterable[ExampleResult]:
    listed = [(cause.id, _read(CauseExample, cause, one)) for cause in definitions.causes for one in cause.examples]
    for has_drugs, has_diagnoses in sorted({(p.has_drugs, p.has_diagnoses) for _, p in listed}):
        alike = [one for one in listed if (one[1].has_drugs, one[1].has_diagnoses) == (has_drugs, has_diagnoses)]
        found = attribute_patients(definitions, [patient for _, patient in alike])
        for place, (cause, patient) in enumerate(alike):
            candidates = found.filter(pl.col("person_index") == place)
            expected, got = _compare(patient.expect, candidates)
            yield ExampleResult("causes", cause, patient.title, expected, got)


def _compare(expect: Mapping[str, Any], candidates: pl.DataFrame) -> tuple[str, str]:
    """Only what the example names is compared; `listed` names another candidate by its agent."""
    primary = candidates.filter("is_primary").row(0, named=True)
    named = {name: value for name, value in expect.items() if name != "listed"}
    got = {name: primary["cause_group" if name == "primary" else name] for name in named}
    if "listed" in expect:
        other = candidates.filter(pl.col("agent") == expect["listed"]["agent"]).to_dicts()
        named["listed"] = expect["listed"]
        got["listed"] = {name: other[0][name] for name in expect["listed"]} if other else "no such candidate"
    return str(named), str({name: int(value) if isinstance(value, float) else value for name, value in got.items()})


def _check_cohorts(definitions: Definitions) -> Iterable[ExampleResult]:
    listed = [
        (cohort.id, _read(CohortExample, cohort, one)) for cohort in definitions.cohorts for one in cohort.examples
    ]
    patients = [patient for _, patient in listed]
    found = find_patients(definitions, patients)
    for place, (cohort, patient) in enumerate(listed):
        own = found.filter((pl.col("person_index") == place) & (pl.col("cohort") == cohort))
        spans = tuple(zip(own["started_on"].to_list(), own["ended_on"].to_list(), strict=True))
        yield ExampleResult("cohorts", cohort, patient.title, _spans(patient.expect), _spans(spans))


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
    diagnosis, conditions = _frame(DIAGNOSIS, codes), read_conditions(definitions)
    exposure, drugs = _frame(EXPOSURE, doses), read_drugs(definitions)
    recognised = recognise_drugs(exposure, diagnosis, drugs, conditions, definitions.exposures).collect().lazy()
    observed = _frame(OBSERVATION, [(i, *span) for i, patient in places for span in patient.observed])
    person = _frame(PERSON, people)
    return find_members(person, observed, recognised, diagnosis, conditions, definitions.cohorts).collect()


def _read(kind: type[P], definition: Definition, example: Mapping[str, Any]) -> P:
    try:
        return kind.model_validate(example)
    except ValidationError as error:
        details = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise DefinitionError(
            f"An example of {definition.id!r} is not written as a {kind.__name__}.",
            details=details,
            repair=f"Keys: {', '.join(kind.model_fields)}.",
        ) from error


def _exposures(patients: Sequence[CauseExample]) -> list[tuple[Any, ...]]:
    return [
        (i, d.agent, d.atc, None, _at(d.day), None if d.until is None else _at(d.until), d.route, d.status, d.evidence)
        for i, patient in enumerate(patients)
        for d in patient.exposures
    ]


def _diagnoses(patients: Sequence[CauseExample]) -> list[tuple[Any, ...]]:
    return [(i, c.code, c.code_system, _at(c.day)) for i, patient in enumerate(patients) for c in patient.diagnoses]


def _episodes(patients: Sequence[CauseExample]) -> list[tuple[Any, ...]]:
    first = [(i, 0, patient.recovery_day) for i, patient in enumerate(patients)]
    further = [(i, low.day, low.recovery_day) for i, patient in enumerate(patients) for low in patient.further_lows]
    return [(i, RULE, THRESHOLD, _at(low), None if back is None else _at(back)) for i, low, back in first + further]


def _end(patient: CauseExample) -> int:
    last = [code.day for code in patient.diagnoses] + [count.day for count in patient.counts]
    return max([0, patient.recovery_day or 0, *last])


def _at(day: int) -> datetime:
    return ORIGIN + timedelta(days=day)


def _frame(schema: Mapping[str, Any], rows: Sequence[tuple[Any, ...]]) -> pl.LazyFrame:
    """Dates become datetimes, and datetimes dates, as the column wants."""
    columns: list[pl.Series] = []
    for place, (name, dtype) in enumerate(schema.items()):
        values = [row[place] for row in rows]
        columns.append(pl.Series(name, values, strict=False).cast(dtype) if values else pl.Series(name, [], dtype))
    return pl.LazyFrame(columns)


def _spans(spans: Iterable[tuple[Any, Any]]) -> str:
    return _listed(f"{start} to {end}" for start, end in spans)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
