"""The tables of CLIF (Common Longitudinal ICU data Format) 2.x and 3.0, CSV or Parquet: people, stays, labs, drugs.

Rows name a stay, so a person is found through the table of stays. The specimen of a lab row decides whether it is
blood; a medication row is an administration only if its action says that something ran. Which words mean what stands
in `definitions/source_maps/clif.yaml`.
"""

from collections.abc import Callable, Mapping, Sequence

from flows.errors import SourceError
from flows.parsing import one_of
from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Layout,
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
    name="clif",
    title="CLIF 2.x tables of intensive care",
    carries=("laboratory results", "people", "stays", "administrations of drugs", "diagnoses", "temperatures"),
    cannot_carry=(
        "time outside hospital stays",
        "counts between stays",
        "results of the bands of a manual differential",
        "status of a result",
        "the time of a diagnosis (that of its admission is taken)",
    ),
)
Roles = Mapping[str, tuple[SourceFile, ...]]
STAY: Mapping[str, Kind] = {
    "patient_id": "text",
    "hospitalization_id": "text",
    "admission_dttm": "time",
    "discharge_dttm": "time",
    "age_at_admission": "text",
}
NEEDED: Mapping[str, Mapping[str, Kind]] = {
    "hospitalization": STAY,
    "labs": {
        "hospitalization_id": "text",
        "lab_category": "text",
        "lab_value": "text",
        "lab_value_numeric": "text",
        "reference_unit": "text",
        "lab_specimen_category": "text",
        "lab_collect_dttm": "time",
        "lab_result_dttm": "time",
    },
    "patient": {
        "patient_id": "text",
        "sex_category": "text",
        "race_category": "text",
        "ethnicity_category": "text",
        "death_dttm": "time",
    },
    "medication": {
        "hospitalization_id": "text",
        "admin_dttm": "time",
        "med_name": "text",
        "med_category": "text",
        "med_route_category": "text",
        "med_dose": "text",
        "med_dose_unit": "text",
        "mar_action_category": "text",
    },
    "diagnosis": {"hospitalization_id": "text", "diagnosis_code": "text", "diagnosis_code_format": "text"},
    "vitals": {
        "hospitalization_id": "text",
        "recorded_dttm": "time",
        "vital_category": "text",
        "vital_value": "text",
        "meas_site_name": "text",
    },
}
MARKS: Mapping[str, frozenset[str]] = {
    "hospitalization": frozenset({"patient_id", "hospitalization_id", "admission_dttm", "discharge_dttm"}),
    "labs": frozenset({"hospitalization_id", "lab_collect_dttm", "lab_category", "lab_value"}),
    "patient": frozenset({"patient_id", "sex_category", "race_category"}),
    "medication": frozenset({"hospitalization_id", "admin_dttm", "med_category"}),
    "diagnosis": frozenset({"hospitalization_id", "diagnosis_code", "diagnosis_code_format"}),
    "vitals": frozenset({"hospitalization_id", "recorded_dttm", "vital_category", "vital_value"}),
}


def recognise_clif(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The tables by their columns; None without lab rows of this format, SourceError without the table of stays."""
    roles = files_of(files, MARKS)
    if "labs" not in roles:
        return None
    if "hospitalization" not in roles:
        raise SourceError(
            f"{roles['labs'][0].name}: CLIF results name a stay, and the table that says whose stay it is is missing.",
            details=[f"hospitalization needs {', '.join(sorted(MARKS['hospitalization']))}"],
            repair="Put the hospitalization table into the same folder.",
        )
    feeds = tuple(feed(roles, source_map) for role, feed in FEEDS.items() if role in roles)
    return assemble(ADAPTER, source_map, files, roles, NEEDED, feeds)


def _of_stay(role: str) -> str:
    """FROM part: the rows of a role with the person and the admission of their stay."""
    stays = (
        "(SELECT hospitalization_id::VARCHAR AS stay, any_value(patient_id::VARCHAR) AS patient_id, "
        "min(admission_dttm) AS admitted, bool_or(admission_dttm__bad) AS bad FROM {hospitalization} GROUP BY 1)"
    )
    return f"{{{role}}} f LEFT JOIN {stays} s ON trim(f.hospitalization_id::VARCHAR) = trim(s.stay)"


def _labs(_roles: Roles, source_map: SourceMap) -> Feed:
    value, number = text_of("f", "lab_value"), text_of("f", "lab_value_numeric")
    specimen = text_of("f", "lab_specimen_category")
    is_blood = one_of(specimen, source_map.values["blood"])
    is_other = one_of(specimen, source_map.values["not_blood"])
    given: dict[str, str | Moment] = {
        "person_id": text_of("s", "patient_id"),
        "code": text_of("f", "lab_category"),
        "value": f"CASE WHEN {value}[1] IN ('<', '>') THEN {value} ELSE coalesce({number}, {value}) END",
        "unit": text_of("f", "reference_unit"),
        "specimen": f"CASE WHEN {is_blood} THEN NULL WHEN {is_other} THEN 'fluid' ELSE {specimen} END",
        "collected_at": moment_of("f", "lab_collect_dttm"),
        "resulted_at": moment_of("f", "lab_result_dttm"),
    }
    return Feed("canonical.lab", "labs", raw_select("lab", given, _of_stay("labs")), ("hospitalization",))


def _people(_roles: Roles, source_map: SourceMap) -> Feed:
    race, ethnicity = text_of("f", "race_category"), text_of("f", "ethnicity_category")
    is_told = f"NOT {one_of(ethnicity, source_map.values['ethnicity_not_told'])}"
    first = (
        "(SELECT trim(patient_id::VARCHAR) AS person, min(admission_dttm) AS admitted, "
        "min_by(age_at_admission, (admission_dttm, hospitalization_id::VARCHAR)) AS age "
        "FROM {hospitalization} WHERE age_at_admission IS NOT NULL GROUP BY 1)"
    )
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "patient_id"),
        "sex": text_of("f", "sex_category"),
        "age_years": "a.age",
        "age_at": Moment("a.admitted"),
        "died_on": moment_of("f", "death_dttm"),
        "race_ethnicity": f"concat_ws(', ', {race}, CASE WHEN {is_told} THEN {ethnicity} END)",
    }
    source = f"{{patient}} f LEFT JOIN {first} a ON {text_of('f', 'patient_id')} = a.person"
    return Feed("canonical.person", "patient", raw_select("person", given, source), ("hospitalization",))


def _stays(_roles: Roles, _source_map: SourceMap) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "patient_id"),
        "setting": literal("inpatient"),
        "started_at": moment_of("f", "admission_dttm"),
        "ended_at": moment_of("f", "discharge_dttm"),
    }
    return Feed("canonical.encounter", "hospitalization", raw_select("encounter", given, "{hospitalization} f"))


def _administrations(_roles: Roles, source_map: SourceMap) -> Feed:
    action = text_of("f", "mar_action_category")
    given: dict[str, str | Moment] = {
        "person_id": text_of("s", "patient_id"),
        "agent": f"coalesce({text_of('f', 'med_category')}, {text_of('f', 'med_name')})",
        "route": text_of("f", "med_route_category"),
        "dose": text_of("f", "med_dose"),
        "dose_unit": text_of("f", "med_dose_unit"),
        "evidence": literal("administered"),
        "started_at": moment_of("f", "admin_dttm"),
        "ended_at": moment_of("f", "admin_dttm"),
    }
    wanted = f"({action} IS NULL OR {one_of(action, source_map.values['given'])})"
    select = raw_select("exposure", given, _of_stay("medication"), wanted=wanted)
    return Feed("canonical.exposure", "medication", select, ("hospitalization",))


def _diagnoses(_roles: Roles, _source_map: SourceMap) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("s", "patient_id"),
        "code": text_of("f", "diagnosis_code"),
        "code_system": text_of("f", "diagnosis_code_format"),
        "recorded_at": Moment("s.admitted", "coalesce(s.bad, false)"),
    }
    select = raw_select("diagnosis", given, _of_stay("diagnosis"))
    return Feed("canonical.diagnosis", "diagnosis", select, ("hospitalization",))


def _temperatures(_roles: Roles, source_map: SourceMap) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("s", "patient_id"),
        "celsius": text_of("f", "vital_value"),
        "site": text_of("f", "meas_site_name"),
        "measured_at": moment_of("f", "recorded_dttm"),
    }
    wanted = one_of(text_of("f", "vital_category"), source_map.values["temperature"])
    select = raw_select("vital", given, _of_stay("vitals"), wanted=wanted)
    return Feed("canonical.vital", "vitals", select, ("hospitalization",))


FEEDS: Mapping[str, Callable[[Roles, SourceMap], Feed]] = {
    "labs": _labs,
    "patient": _people,
    "hospitalization": _stays,
    "medication": _administrations,
    "diagnosis": _diagnoses,
    "vitals": _temperatures,
}


LAYOUT = Layout(ADAPTER, recognise_clif, MARKS)
