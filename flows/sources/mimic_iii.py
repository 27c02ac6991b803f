"""The hospital tables of MIMIC-III 1.4, CSV (packed or not) or Parquet, in upper or lower case, with their known traps.

A result has no specimen number, so results of one minute are one specimen; the date of birth of people above 89 lies
300 years before their first admission; all diagnosis codes are ICD-9. Which words mean what, and the numbers of the
top code, stand in `definitions/source_maps/mimic_iii.yaml`.
"""

from collections.abc import Mapping, Sequence

from flows.parsing import one_of
from flows.sources.mimic_tables import (
    FeedMaker,
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


def recognise_mimic_iii(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The tables by their columns, each of which has a row_id; None unless one of them feeds a table."""
    return recognise_tables(Tables(ADAPTER, MARKS, NEEDED, FEEDS), files, source_map)


def _labs(roles: Roles, _source_map: SourceMap) -> Feed:
    return feed_labs(roles, {})


def _people(roles: Roles, source_map: SourceMap) -> Feed:
    numbers = source_map.numbers
    is_above = f"year(f.dob) < {numbers['first_year_of_birth']}"
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "sex": text_of("f", "gender"),
        "birth_year": f"CASE WHEN NOT {is_above} THEN year(f.dob) END",
        "age_years": f"CASE WHEN {is_above} THEN {numbers['top_age']} END",
        "age_at": computed_moment(
            f"f.dob + to_years(CASE WHEN {is_above} THEN {numbers['top_code_years']} END)", "false"
        ),
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


def _diagnoses(_roles: Roles, _source_map: SourceMap) -> Feed:
    return feed_diagnoses(text_of("f", "icd9_code"), literal("icd9cm"))


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


FEEDS: Mapping[str, FeedMaker] = {
    "labevents": _labs,
    "patients": _people,
    "admissions": feed_stays,
    "diagnoses_icd": _diagnoses,
    "prescriptions": _orders,
}


LAYOUT = Layout(ADAPTER, recognise_mimic_iii)
