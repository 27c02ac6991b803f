"""The hospital tables of MIMIC-IV, CSV (packed or not) or Parquet, with its known traps.

The number of a result is `valuenum`; a test is blood by the fluid of its item; `hadm_id` may be empty; only emar rows
whose event says so are administrations; codes are read with their version. Which words mean what stands in
`definitions/source_maps/mimic_iv.yaml`.
"""

from collections.abc import Mapping, Sequence

from flows.parsing import one_of
from flows.sources.mimic_tables import (
    FeedMaker,
    Given,
    Roles,
    Tables,
    feed_diagnoses,
    feed_labs,
    feed_stays,
    recognise_tables,
)
from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Layout,
    Moment,
    Recognised,
    SourceFile,
    computed_moment,
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
    return recognise_tables(Tables(ADAPTER, MARKS, NEEDED, FEEDS), files, source_map)


def _labs(roles: Roles, _source_map: SourceMap) -> Feed:
    more: Given = {
        "specimen_id": text_of("f", "specimen_id"),
        "reference_low": text_of("f", "ref_range_lower"),
        "resulted_at": moment_of("f", "storetime"),
    }
    return feed_labs(roles, more)


def _people(roles: Roles, source_map: SourceMap) -> Feed:
    age, year = (f"try_cast({text_of('f', name)} AS INTEGER)" for name in ("anchor_age", "anchor_year"))
    month, day = source_map.numbers["anchor_month"], source_map.numbers["anchor_day"]
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "sex": text_of("f", "gender"),
        "age_years": age,
        "birth_year": f"try(CASE WHEN {age} < {source_map.numbers['top_age']} THEN {year} - {age} END)",
        "age_at": computed_moment(f"make_timestamp({year}, {month}, {day}, 0, 0, 0)", "false"),
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


def _diagnoses(_roles: Roles, _source_map: SourceMap) -> Feed:
    system = f"CASE {text_of('f', 'icd_version')} WHEN '9' THEN 'icd9cm' WHEN '10' THEN 'icd10cm' END"
    return feed_diagnoses(text_of("f", "icd_code"), system)


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


FEEDS: Mapping[str, FeedMaker] = {
    "labevents": _labs,
    "patients": _people,
    "admissions": feed_stays,
    "diagnoses_icd": _diagnoses,
    "prescriptions": _orders,
    "emar": _administrations,
}


LAYOUT = Layout(ADAPTER, recognise_mimic_iv, MARKS)
