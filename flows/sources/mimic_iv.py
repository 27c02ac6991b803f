"""The hospital tables of MIMIC-IV, CSV (packed or not) or Parquet, with its known traps.

The number of a result is `valuenum`; a test is blood by the fluid of its item; `hadm_id` may be empty; only emar rows
whose event says so are administrations; codes are read with their version. Which words mean what stands in
`definitions/source_maps/mimic_iv.yaml`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from flows.parsing import one_of
from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Moment,
    Recognised,
    SourceFile,
    assemble,
    files_of,
    literal,
    moment_of,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap

ADAPTER = Adapter(
    name="mimic_iv",
    title="MIMIC-IV hospital tables (hosp/)",
    carries=("laboratory results", "people", "stays", "orders and administrations of drugs", "diagnoses"),
    cannot_carry=("calendar time", "spans of observation", "temperatures", "status of a result"),
)
Roles = Mapping[str, tuple[SourceFile, ...]]
LAB: Mapping[str, Kind] = {
    "subject_id": "text",
    "specimen_id": "text",
    "itemid": "text",
    "charttime": "time",
    "storetime": "time",
    "value": "text",
    "valuenum": "text",
    "valueuom": "text",
    "ref_range_lower": "text",
}
NEEDED: Mapping[str, Mapping[str, Kind]] = {
    "labevents": LAB,
    "d_labitems": {"itemid": "text", "fluid": "text"},
    "patients": {"subject_id": "text", "gender": "text", "anchor_age": "text", "anchor_year": "text", "dod": "time"},
    "admissions": {
        "subject_id": "text",
        "hadm_id": "text",
        "admittime": "time",
        "dischtime": "time",
        "admission_type": "text",
        "race": "text",
    },
    "diagnoses_icd": {"subject_id": "text", "hadm_id": "text", "icd_code": "text", "icd_version": "text"},
    "prescriptions": {
        "subject_id": "text",
        "starttime": "time",
        "stoptime": "time",
        "drug_type": "text",
        "drug": "text",
        "dose_val_rx": "text",
        "dose_unit_rx": "text",
        "route": "text",
    },
    "emar": {"subject_id": "text", "charttime": "time", "medication": "text", "event_txt": "text"},
}
MARKS: Mapping[str, frozenset[str]] = {
    **{role: frozenset(columns) for role, columns in NEEDED.items()},
    "d_labitems": frozenset({"itemid", "label", "fluid", "category"}),
    "emar": frozenset({*NEEDED["emar"], "emar_id"}),
}


def recognise_mimic_iv(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The tables by their columns; None unless one of them feeds a table."""
    roles = files_of(files, MARKS)
    feeds = tuple(
        feed(roles, source_map)
        for role, feed in FEEDS.items()
        if role in roles and (role != "diagnoses_icd" or "admissions" in roles)
    )
    if not feeds:
        return None
    return replace(
        assemble(ADAPTER, source_map, files, roles, NEEDED, feeds),
        hints=tuple(hint for role, hint in HINTS.items() if role not in roles),
    )


HINTS = {
    "labevents": "There is no table labevents, so there is no blood count.",
    "d_labitems": "There is no table d_labitems: that a test is one of blood is known by its item alone.",
    "patients": "There is no table patients: age and sex are not known.",
    "admissions": "There is no table admissions: diagnoses have no date and are not read.",
}


def _labs(roles: Roles, _source_map: SourceMap) -> Feed:
    value, number = text_of("f", "value"), text_of("f", "valuenum")
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "specimen_id": text_of("f", "specimen_id"),
        "code": text_of("f", "itemid"),
        "value": f"CASE WHEN {value}[1] IN ('<', '>') THEN {value} ELSE coalesce({number}, {value}) END",
        "unit": text_of("f", "valueuom"),
        "reference_low": text_of("f", "ref_range_lower"),
        "collected_at": moment_of("f", "charttime"),
        "resulted_at": moment_of("f", "storetime"),
    }
    if "d_labitems" not in roles:
        return Feed("canonical.lab", "labevents", raw_select("lab", given, "{labevents} f"))
    given["specimen"] = "i.fluid"
    items = "(SELECT itemid::VARCHAR AS itemid, min(fluid) AS fluid FROM {d_labitems} GROUP BY 1)"
    source = f"{{labevents}} f LEFT JOIN {items} i ON f.itemid::VARCHAR = i.itemid"
    return Feed("canonical.lab", "labevents", raw_select("lab", given, source), ("d_labitems",))


def _people(roles: Roles, source_map: SourceMap) -> Feed:
    age, year = text_of("f", "anchor_age"), f"try_cast({text_of('f', 'anchor_year')} AS INTEGER)"
    month, day = source_map.numbers["anchor_month"], source_map.numbers["anchor_day"]
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "sex": text_of("f", "gender"),
        "age_years": age,
        "birth_year": f"CASE WHEN {age}::INTEGER < {source_map.numbers['top_age']} THEN {year} - {age}::INTEGER END",
        "age_at": Moment(f"make_timestamp({year}, {month}, {day}, 0, 0, 0)"),
        "died_on": moment_of("f", "dod"),
    }
    if "admissions" not in roles:
        return Feed("canonical.person", "patients", raw_select("person", given, "{patients} f"))
    last = (
        "(SELECT subject_id::VARCHAR AS subject_id, max_by(race, (admittime, hadm_id::VARCHAR)) AS race "
        "FROM {admissions} GROUP BY 1)"
    )
    given["race_ethnicity"] = text_of("a", "race")
    source = f"{{patients}} f LEFT JOIN {last} a ON f.subject_id::VARCHAR = a.subject_id"
    return Feed("canonical.person", "patients", raw_select("person", given, source), ("admissions",))


def _stays(_roles: Roles, source_map: SourceMap) -> Feed:
    is_emergency = one_of(text_of("f", "admission_type"), source_map.values["emergency"])
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "setting": f"CASE WHEN {is_emergency} THEN 'emergency' ELSE 'inpatient' END",
        "started_at": moment_of("f", "admittime"),
        "ended_at": moment_of("f", "dischtime"),
    }
    return Feed("canonical.encounter", "admissions", raw_select("encounter", given, "{admissions} f"))


def _diagnoses(_roles: Roles, _source_map: SourceMap) -> Feed:
    version = text_of("f", "icd_version")
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "code": text_of("f", "icd_code"),
        "code_system": f"CASE {version} WHEN '9' THEN 'icd9cm' WHEN '10' THEN 'icd10cm' END",
        "recorded_at": Moment("a.admittime", "a.bad"),
    }
    stays = (
        "(SELECT hadm_id::VARCHAR AS hadm_id, min(admittime) AS admittime, bool_or(admittime__bad) AS bad "
        "FROM {admissions} GROUP BY 1)"
    )
    source = f"{{diagnoses_icd}} f LEFT JOIN {stays} a ON f.hadm_id::VARCHAR = a.hadm_id"
    return Feed("canonical.diagnosis", "diagnoses_icd", raw_select("diagnosis", given, source), ("admissions",))


def _orders(_roles: Roles, source_map: SourceMap) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "agent": text_of("f", "drug"),
        "route": text_of("f", "route"),
        "dose": text_of("f", "dose_val_rx"),
        "dose_unit": text_of("f", "dose_unit_rx"),
        "evidence": literal("ordered"),
        "started_at": moment_of("f", "starttime"),
        "ended_at": moment_of("f", "stoptime"),
    }
    wanted = f"NOT {one_of(text_of('f', 'drug_type'), source_map.values['vehicles'])}"
    return Feed(
        "canonical.exposure", "prescriptions", raw_select("exposure", given, "{prescriptions} f", wanted=wanted)
    )


def _administrations(_roles: Roles, source_map: SourceMap) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "agent": text_of("f", "medication"),
        "evidence": literal("administered"),
        "started_at": moment_of("f", "charttime"),
        "ended_at": moment_of("f", "charttime"),
    }
    wanted = one_of(text_of("f", "event_txt"), source_map.values["given"])
    return Feed("canonical.exposure", "emar", raw_select("exposure", given, "{emar} f", wanted=wanted))


FEEDS: Mapping[str, Callable[[Roles, SourceMap], Feed]] = {
    "labevents": _labs,
    "patients": _people,
    "admissions": _stays,
    "diagnoses_icd": _diagnoses,
    "prescriptions": _orders,
    "emar": _administrations,
}
