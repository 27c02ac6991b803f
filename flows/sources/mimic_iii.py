"""The hospital tables of MIMIC-III 1.4, CSV (packed or not) or Parquet, in upper or lower case, with their known traps.

A result has no specimen number, so results of one minute are one specimen; the date of birth of people above 89 lies
300 years before their first admission; all diagnosis codes are ICD-9. Which words mean what, and the numbers of the
top code, stand in `definitions/source_maps/mimic_iii.yaml`.
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
    name="mimic_iii",
    title="MIMIC-III 1.4 hospital tables",
    carries=("laboratory results", "people", "stays", "orders of drugs", "diagnoses"),
    cannot_carry=(
        *("calendar time", "spans of observation", "temperatures", "administrations of drugs"),
        *("the specimen, the status and the version of a result", "an age above 89"),
    ),
)
NEEDED: Mapping[str, Mapping[str, Kind]] = {
    "labevents": {
        **dict.fromkeys(("subject_id", "itemid", "value", "valuenum", "valueuom"), "text"),
        "charttime": "time",
    },
    "d_labitems": {"itemid": "text", "fluid": "text"},
    "patients": {"subject_id": "text", "gender": "text", "dob": "time", "dod": "time"},
    "admissions": {
        **dict.fromkeys(("subject_id", "hadm_id", "admission_type", "ethnicity"), "text"),
        **dict.fromkeys(("admittime", "dischtime"), "time"),
    },
    "diagnoses_icd": dict.fromkeys(("subject_id", "hadm_id", "icd9_code"), "text"),
    "prescriptions": {
        **dict.fromkeys(("subject_id", "drug_type", "drug", "dose_val_rx", "dose_unit_rx", "route"), "text"),
        **dict.fromkeys(("startdate", "enddate"), "time"),
    },
}
MARKS: Mapping[str, frozenset[str]] = {
    **{role: frozenset({"row_id", *columns}) for role, columns in NEEDED.items()},
    "d_labitems": frozenset({"row_id", "itemid", "label", "fluid", "category"}),
    "labevents": frozenset({"row_id", "flag", *NEEDED["labevents"]}),
}
Roles = Mapping[str, tuple[SourceFile, ...]]


def recognise_mimic_iii(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The tables by their columns, each of which has a row_id; None unless one of them feeds a table."""
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
    "labevents": "There is no LABEVENTS table, so there is no blood count.",
    "d_labitems": "There is no D_LABITEMS table: that a test is one of blood is known by its item alone.",
    "patients": "There is no PATIENTS table: age and sex are not known.",
    "admissions": "There is no ADMISSIONS table: diagnoses have no date and are not read.",
}


def _labs(roles: Roles, _source_map: SourceMap) -> Feed:
    value, number = text_of("f", "value"), text_of("f", "valuenum")
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "code": text_of("f", "itemid"),
        "value": f"CASE WHEN {value}[1] IN ('<', '>') THEN {value} ELSE coalesce({number}, {value}) END",
        "unit": text_of("f", "valueuom"),
        "collected_at": moment_of("f", "charttime"),
    }
    if "d_labitems" not in roles:
        return Feed("canonical.lab", "labevents", raw_select("lab", given, "{labevents} f"))
    items = "(SELECT itemid::VARCHAR AS itemid, min(fluid) AS fluid FROM {d_labitems} GROUP BY 1)"
    source = f"{{labevents}} f LEFT JOIN {items} i ON f.itemid::VARCHAR = i.itemid"
    return Feed(
        "canonical.lab", "labevents", raw_select("lab", {**given, "specimen": "i.fluid"}, source), ("d_labitems",)
    )


def _people(roles: Roles, source_map: SourceMap) -> Feed:
    numbers = source_map.numbers
    is_above = f"year(f.dob) < {numbers['first_year_of_birth']}"
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "sex": text_of("f", "gender"),
        "birth_year": f"CASE WHEN NOT {is_above} THEN year(f.dob) END",
        "age_years": f"CASE WHEN {is_above} THEN {numbers['top_age']} END",
        "age_at": Moment(f"CASE WHEN {is_above} THEN f.dob + to_years({numbers['top_code_years']}) END"),
        "died_on": moment_of("f", "dod"),
    }
    if "admissions" not in roles:
        return Feed("canonical.person", "patients", raw_select("person", given, "{patients} f"))
    last = (
        "(SELECT subject_id::VARCHAR AS subject_id, max_by(ethnicity, (admittime, hadm_id::VARCHAR)) AS ethnicity "
        "FROM {admissions} GROUP BY 1)"
    )
    given["race_ethnicity"] = text_of("a", "ethnicity")
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
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "code": text_of("f", "icd9_code"),
        "code_system": literal("icd9cm"),
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
        "started_at": moment_of("f", "startdate"),
        "ended_at": moment_of("f", "enddate"),
    }
    wanted = f"NOT {one_of(text_of('f', 'drug_type'), source_map.values['vehicles'])}"
    select = raw_select("exposure", given, "{prescriptions} f", wanted=wanted)
    return Feed("canonical.exposure", "prescriptions", select)


FEEDS: Mapping[str, Callable[[Roles, SourceMap], Feed]] = {
    "labevents": _labs,
    "patients": _people,
    "admissions": _stays,
    "diagnoses_icd": _diagnoses,
    "prescriptions": _orders,
}
