"""FHIR R4 and STU3: one file or many, each holding resources of any type, and what each type feeds.

Observations are results, or temperatures if their code says so; the parts of a panel are results of their own. What
an order, a dispense, an administration and a statement prove of a drug is told apart by their type. A person is the
id of a Patient, however the reference is written. Systems, codes and words stand in
`definitions/source_maps/fhir.yaml`; how a resource is read stands in fhir_resources.
"""

from collections.abc import Mapping, Sequence

from flows.errors import SourceError
from flows.parsing import one_of
from flows.sources.fhir_files import NAMES_PEOPLE, TYPES
from flows.sources.fhir_resources import COLUMNS
from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Layout,
    Moment,
    Recognised,
    SourceFile,
    files_of,
    literal,
    moment_of,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap

ADAPTER = Adapter(
    name="fhir",
    title="FHIR R4 and STU3 (bundles, NDJSON bulk export, single resources)",
    carries=(
        *("laboratory results", "people", "stays and visits", "diagnoses", "temperatures"),
        "orders, dispenses, administrations and statements of drugs",
    ),
    cannot_carry=("spans of observation", "survey weights", "Duffy-null phenotype"),
)
ROLE, LOOKUP = "resources", "explained"
EXPLAINING = frozenset({"Medication", "Specimen"})
EXPLAINED: Mapping[str, Kind] = {
    name: COLUMNS[name] for name in ("resource_type", "resource_key", "agent", "rxnorm", "atc", "specimen")
}
EVIDENCE = {
    "MedicationAdministration": "administered",
    "MedicationDispense": "dispensed",
    "MedicationRequest": "ordered",
    "MedicationStatement": "reported",
}
WORDS = frozenset(
    {
        *("loinc", "ucum", "rxnorm", "atc", "icd10cm", "icd10gm", "icd10who", "icd9cm", "blood", "specimens"),
        *("specimen_endings", "temperature", "celsius", "fahrenheit", "oral", "axillary", "rectal", "tympanic"),
        *("refused", "refuted", "not_held", "not_ordered", "not_taken", "not_done", "time_zone"),
    }
)
Given = dict[str, str | Moment]


def recognise_fhir(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """All files with resources in them; None when there is none."""
    found = files_of(files, {ROLE: frozenset(COLUMNS)}).get(ROLE, ())
    if not found:
        return None
    if missing := sorted(WORDS - set(source_map.values)):
        raise SourceError(
            f"The source map {source_map.id} lacks words that reading FHIR needs.",
            details=[f"values: {', '.join(missing)}"],
            repair="Start from a copy of transforms/definitions/source_maps/fhir.yaml.",
        )
    read = {file.path for file in found}
    lookups = tuple(file for file in found if _types(file) and _types(file) <= EXPLAINING)
    explaining = frozenset[str]().union(*(_types(file) for file in lookups))
    return Recognised(
        adapter=ADAPTER.name,
        source_id=source_map.source_id or ADAPTER.name,
        source_map=source_map,
        files={ROLE: found, **({LOOKUP: lookups} if lookups else {})},
        needed={ROLE: COLUMNS, **({LOOKUP: EXPLAINED} if lookups else {})},
        feeds=_feeds(source_map, explaining),
        unread=tuple(file.name for file in files if file.path not in read),
        hints=_hints(found),
    )


def _hints(files: Sequence[SourceFile]) -> tuple[str, ...]:
    n_naming = sum(NAMES_PEOPLE in file.labels for file in files)
    hint = (
        f"{n_naming} of {len(files)} files hold names, addresses or contacts of people. They are never read; ask for "
        "an export without them."
    )
    return (hint,) if n_naming else ()


def _types(file: SourceFile) -> frozenset[str]:
    return frozenset(file.labels.get(TYPES, "").split())


def _feeds(source_map: SourceMap, explaining: frozenset[str]) -> tuple[Feed, ...]:
    return (
        _labs(source_map, "Specimen" in explaining, is_panel=False),
        _labs(source_map, "Specimen" in explaining, is_panel=True),
        _temperatures(source_map),
        _people(),
        _stays(source_map),
        _diagnoses(source_map),
        _drugs(source_map, "Medication" in explaining),
    )


def _labs(source_map: SourceMap, is_explained: bool, *, is_panel: bool) -> Feed:
    """Results; a panel gives its own result, if it has one, and then one for each of its parts.

    A report that contains its results, in place of referring to them, is such a panel.
    """
    rows = "{resources} f"
    if is_panel:
        rows = "(SELECT *, unnest(range(len(panel) + 1)) AS place FROM {resources} WHERE panel IS NOT NULL) f"
    told, status = text_of("f", "specimen"), text_of("f", "status")
    given: Given = {
        "person_id": text_of("f", "person_id"),
        "specimen_id": text_of("f", "specimen_key"),
        **{column: _part(column, is_panel=is_panel) for column in ("code", "value", "unit", "reference_low")},
        "status": f"coalesce(f.panel[f.place].status, {status})" if is_panel else status,
        "specimen": f"coalesce(e.specimen, {told})" if is_explained else told,
        "collected_at": moment_of("f", "started_at"),
        "resulted_at": moment_of("f", "resulted_at"),
    }
    kinds = "('Observation', 'DiagnosticReport')" if is_panel else "('Observation')"
    belongs = (
        f"resource_type IN {kinds} AND NOT {_is_temperature(source_map)} AND panel IS {'NOT ' if is_panel else ''}NULL"
    )
    source = f"{rows} {_explained('specimen', 'f.specimen_key')}" if is_explained else rows
    number = "place + 1" if is_panel else "0"
    select = raw_select("lab", given, source, wanted=PERSONAL, where=belongs, column_number=number)
    return Feed("canonical.lab", ROLE, select, (LOOKUP,) if is_explained else (), belongs=belongs, is_wide=is_panel)


def _part(column: str, *, is_panel: bool) -> str:
    own = text_of("f", column)
    return f"CASE WHEN f.place = 0 THEN {own} ELSE f.panel[f.place].{column} END" if is_panel else own


def _explained(columns: str, reference: str) -> str:
    """JOIN with what another file of the extract says of the Medication or Specimen that is referred to."""
    found = ", ".join(f"min({column}) AS {column}" for column in columns.split())
    others = (
        f"(SELECT resource_key AS explained_key, {found} FROM {{{LOOKUP}}} WHERE resource_key IS NOT NULL GROUP BY 1)"
    )
    return f"LEFT JOIN {others} e ON {reference} = e.explained_key"


def _is_temperature(source_map: SourceMap) -> str:
    return one_of("code", source_map.values["temperature"])


# A result or drug of a group, a device or a place is nobody's.
PERSONAL = "(f.subject_type IS NULL OR f.subject_type = 'Patient')"


def _temperatures(source_map: SourceMap) -> Feed:
    """Body temperatures; one in a unit that is none of a temperature keeps it, and is no number then."""
    words, numbers = source_map.values, source_map.numbers
    value, unit = text_of("f", "value"), text_of("f", "unit")
    degrees = f"try_cast({value} AS DECIMAL(12, 6))"
    scale = f"{numbers['celsius_degrees']} / {numbers['fahrenheit_degrees']}"
    converted = f"round(({degrees} - {numbers['fahrenheit_of_ice']}) * {scale}, 2)"
    sites = " ".join(
        f"WHEN {one_of(text_of('f', 'code'), words[site])} OR {one_of(text_of('f', 'site'), words[site])} "
        f"THEN {literal(site)}"
        for site in ("oral", "tympanic", "axillary", "rectal")
    )
    given: Given = {
        "person_id": text_of("f", "person_id"),
        "celsius": f"CASE WHEN {value} IS NULL OR {one_of(unit, words['celsius'])} THEN {value} "
        f"WHEN {one_of(unit, words['fahrenheit'])} AND {degrees} IS NOT NULL THEN {converted}::VARCHAR "
        f"ELSE concat_ws(' ', {value}, coalesce({unit}, '?')) END",
        "site": f"CASE {sites} END",
        "measured_at": moment_of("f", "started_at"),
    }
    belongs = f"resource_type = 'Observation' AND {_is_temperature(source_map)}"
    wanted = f"{PERSONAL} AND NOT {one_of(text_of('f', 'status'), words['refused'])}"
    return _feed("vital", given, wanted, belongs)


def _feed(table: str, given: Given, wanted: str, belongs: str) -> Feed:
    select = raw_select(table, given, "{resources} f", wanted=wanted, where=belongs)
    return Feed(f"canonical.{table}", ROLE, select, belongs=belongs)


def _people() -> Feed:
    given: Given = {
        **{column: text_of("f", column) for column in ("person_id", "sex", "birth_year")},
        "died_on": moment_of("f", "died_on"),
    }
    return _feed("person", given, "true", "resource_type = 'Patient'")


def _stays(source_map: SourceMap) -> Feed:
    given: Given = {
        **{column: text_of("f", column) for column in ("person_id", "setting")},
        **{column: moment_of("f", column) for column in ("started_at", "ended_at")},
    }
    wanted = f"{PERSONAL} AND NOT {one_of(text_of('f', 'status'), source_map.values['not_held'])}"
    return _feed("encounter", given, wanted, "resource_type = 'Encounter'")


def _diagnoses(source_map: SourceMap) -> Feed:
    given: Given = {
        "person_id": text_of("f", "person_id"),
        "code": text_of("f", "diagnosis_code"),
        "code_system": text_of("f", "diagnosis_system"),
        "recorded_at": moment_of("f", "started_at"),
    }
    wanted = f"{PERSONAL} AND NOT {one_of(text_of('f', 'verification'), source_map.values['refuted'])}"
    return _feed("diagnosis", given, wanted, "resource_type = 'Condition'")


def _drugs(source_map: SourceMap, is_explained: bool) -> Feed:
    """Exposures, whose type says what they prove; a drug described elsewhere in the extract is looked up there."""
    columns = ("person_id", "agent", "rxnorm", "atc", "route", "dose", "dose_unit", "status")
    proofs = " ".join(f"WHEN {literal(kind)} THEN {literal(evidence)}" for kind, evidence in EVIDENCE.items())
    given: Given = {
        **{column: text_of("f", column) for column in columns},
        "evidence": f"CASE f.resource_type {proofs} END",
        "started_at": moment_of("f", "started_at"),
        "ended_at": moment_of("f", "ended_at"),
    }
    source = "{resources} f"
    if is_explained:
        given |= {column: f"coalesce(e.{column}, {text_of('f', column)})" for column in ("agent", "rxnorm", "atc")}
        source = f"{source} {_explained('agent rxnorm atc', 'f.medication')}"
    belongs = f"resource_type IN ({', '.join(literal(kind) for kind in EVIDENCE)})"
    wanted = f"{PERSONAL} AND NOT {one_of(text_of('f', 'intent'), source_map.values['not_ordered'])}"
    select = raw_select("exposure", given, source, wanted=wanted, where=belongs)
    return Feed("canonical.exposure", ROLE, select, (LOOKUP,) if is_explained else (), belongs=belongs)


LAYOUT = Layout(ADAPTER, recognise_fhir)
