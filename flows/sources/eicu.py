"""eICU-CRD 2.0: every time is a number of minutes since admission to an intensive care unit.

One hospital stay can hold several unit stays, each with its own zero. All are put on the clock of the hospital
admission (offset less hospitaladmitoffset), and the person is the hospital stay: nothing tells the order of two
hospital stays of one patient, nor the time between them, so joining them would invent both. Which names mean what
stands in `definitions/source_maps/eicu.yaml`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from flows.errors import SourceError
from flows.parsing import RELATIVE_ANCHOR, one_of
from flows.said_twice import BAR
from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Layout,
    Moment,
    Recognised,
    SourceFile,
    assemble,
    computed_moment,
    files_of,
    literal,
    quote,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap

ADAPTER = Adapter(
    name="eicu",
    title="eICU-CRD 2.0 (offsets in minutes)",
    carries=(
        *("laboratory results", "people as hospital stays", "spans of observation", "stays", "diagnoses"),
        "orders, infusions and earlier use of drugs",
    ),
    cannot_carry=(
        *("calendar time", "the course of a patient over several hospital stays", "an age above 89"),
        *("temperatures", "the specimen and the status of a result"),
    ),
)
NEEDED: Mapping[str, Mapping[str, Kind]] = {
    "patient": {
        **dict.fromkeys(("patientunitstayid", "patienthealthsystemstayid", "gender", "age", "ethnicity"), "text"),
        "hospitaldischargestatus": "text",
        **dict.fromkeys(("hospitaladmitoffset", "hospitaldischargeoffset"), "time"),
    },
    "lab": {
        **dict.fromkeys(("patientunitstayid", "labname", "labresult", "labresulttext"), "text"),
        **dict.fromkeys(("labmeasurenamesystem", "labmeasurenameinterface"), "text"),
        **dict.fromkeys(("labresultoffset", "labresultrevisedoffset"), "time"),
    },
    "medication": {
        **dict.fromkeys(("patientunitstayid", "drugname", "routeadmin", "drugordercancelled"), "text"),
        **dict.fromkeys(("drugstartoffset", "drugstopoffset"), "time"),
    },
    "infusiondrug": {"patientunitstayid": "text", "drugname": "text", "infusionoffset": "time"},
    "admissiondrug": {
        **dict.fromkeys(("patientunitstayid", "drugname", "drugdosage", "drugunit"), "text"),
        "drugoffset": "time",
    },
    "diagnosis": {
        **dict.fromkeys(("patientunitstayid", "icd9code", "diagnosisstring"), "text"),
        "diagnosisoffset": "time",
    },
}
MARKS: Mapping[str, frozenset[str]] = {
    "patient": frozenset({"patientunitstayid", "patienthealthsystemstayid", "hospitaladmitoffset", "gender", "age"}),
    "lab": frozenset({"patientunitstayid", "labname", "labresult", "labresultoffset"}),
    "medication": frozenset({"medicationid", "patientunitstayid", "drugname", "drugstartoffset"}),
    "infusiondrug": frozenset({"infusiondrugid", *NEEDED["infusiondrug"]}),
    "admissiondrug": frozenset({"admissiondrugid", "patientunitstayid", "drugname", "drugoffset"}),
    "diagnosis": frozenset({"diagnosisid", "patientunitstayid", "diagnosisoffset", "diagnosisstring"}),
}
HINT = (
    "Each hospital stay counts as a person of its own, because nothing tells the order of two stays of one patient: "
    "counts of people are counts of hospital stays."
)


def recognise_eicu(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The tables by their columns; SourceError without the table that says when each unit stay began."""
    roles = files_of(files, MARKS)
    if not roles:
        return None
    if "patient" not in roles:
        raise SourceError(
            "These are tables of eICU, but the table patient is not among them.",
            details=[f"{role}: {file.name}" for role, found in roles.items() for file in found],
            repair="Put patient.csv beside them: without it no time can be placed.",
        )
    feeds = tuple(feed(source_map) for role, feeds in FEEDS.items() if role in roles for feed in feeds)
    hints = (HINT, *(() if "lab" in roles else ("There is no table lab, so there is no blood count.",)))
    return replace(assemble(ADAPTER, source_map, files, roles, NEEDED, feeds), hints=hints)


def _people(source_map: SourceMap) -> Feed:
    age, top = text_of("f", "age"), source_map.numbers["top_age"]
    is_dead = one_of(text_of("f", "hospitaldischargestatus"), source_map.values["died"])
    left = _since_admission("hospitaldischargeoffset", "f")
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "patienthealthsystemstayid"),
        "sex": text_of("f", "gender"),
        "age_years": f"CASE WHEN {age}[1] = '>' THEN {literal(str(top))} ELSE {age} END",
        "age_at": Moment(RELATIVE_ANCHOR),
        "race_ethnicity": text_of("f", "ethnicity"),
        "died_on": Moment(f"CASE WHEN {is_dead} THEN {left.value} END", f"({is_dead} AND {left.is_bad})"),
    }
    return Feed("canonical.person", "patient", raw_select("person", given, "{patient} f"))


def _spans(_source_map: SourceMap) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "patienthealthsystemstayid"),
        "started_on": Moment(RELATIVE_ANCHOR),
        "ended_on": _since_admission("hospitaldischargeoffset", "f"),
    }
    return Feed("canonical.observation", "patient", raw_select("observation", given, "{patient} f"))


def _stays(_source_map: SourceMap) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "patienthealthsystemstayid"),
        "setting": literal("inpatient"),
        "started_at": Moment(RELATIVE_ANCHOR),
        "ended_at": _since_admission("hospitaldischargeoffset", "f"),
    }
    return Feed("canonical.encounter", "patient", raw_select("encounter", given, "{patient} f"))


def _labs(_source_map: SourceMap) -> Feed:
    number, text = text_of("f", "labresult"), text_of("f", "labresulttext")
    interface, system = text_of("f", "labmeasurenameinterface"), text_of("f", "labmeasurenamesystem")
    return _feed(
        "lab",
        "lab",
        {
            "code": text_of("f", "labname"),
            "value": f"CASE WHEN {text}[1] IN ('<', '>') THEN {text} ELSE coalesce({number}, {text}) END",
            "unit": f"nullif(coalesce({interface}, '') || coalesce({literal(BAR)} || {system}, ''), '')",
            "collected_at": _since_admission("labresultoffset"),
            "resulted_at": _since_admission("labresultrevisedoffset"),
        },
    )


def _orders(source_map: SourceMap) -> Feed:
    is_cancelled = one_of(text_of("f", "drugordercancelled"), source_map.values["cancelled"])
    stopped = _since_admission("drugstopoffset")
    is_known = f"f.drugstopoffset <> {RELATIVE_ANCHOR}"
    return _feed(
        "exposure",
        "medication",
        {
            "agent": text_of("f", "drugname"),
            "route": text_of("f", "routeadmin"),
            "status": f"CASE WHEN {is_cancelled} THEN 'cancelled' END",
            "evidence": literal("ordered"),
            "started_at": _since_admission("drugstartoffset"),
            "ended_at": Moment(f"CASE WHEN {is_known} THEN {stopped.value} END", stopped.is_bad),
        },
    )


def _infusions(_source_map: SourceMap) -> Feed:
    at = _since_admission("infusionoffset")
    return _feed(
        "exposure",
        "infusiondrug",
        {
            "agent": text_of("f", "drugname"),
            "evidence": literal("administered"),
            "started_at": at,
            "ended_at": at,
        },
    )


def _earlier_drugs(_source_map: SourceMap) -> Feed:
    return _feed(
        "exposure",
        "admissiondrug",
        {
            "agent": text_of("f", "drugname"),
            "dose": text_of("f", "drugdosage"),
            "dose_unit": text_of("f", "drugunit"),
            "evidence": literal("reported"),
            "started_at": _since_admission("drugoffset"),
        },
    )


def _diagnoses(_source_map: SourceMap) -> Feed:
    codes = f"string_split(replace({text_of('f', 'icd9code')}, ' ', ''), ',')"
    first = f"list_filter({codes}, lambda c: regexp_full_match(c, {literal(ICD9_SHAPE)}))[1]"
    other = f"list_filter({codes}, lambda c: regexp_full_match(c, {literal(ICD10_SHAPE)}))[1]"
    return _feed(
        "diagnosis",
        "diagnosis",
        {
            "code": f"coalesce({first}, {other}, {text_of('f', 'diagnosisstring')})",
            "code_system": f"CASE WHEN {first} IS NOT NULL THEN 'icd9cm' WHEN {other} IS NOT NULL THEN 'icd10cm' "
            "ELSE 'other' END",
            "recorded_at": _since_admission("diagnosisoffset"),
        },
    )


ICD9_SHAPE = r"([0-9]{3}|V[0-9]{2}|E[0-9]{3})(\.[0-9]{1,2})?"
ICD10_SHAPE = r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?"
STAYS = (
    "(SELECT patientunitstayid::VARCHAR AS unit_stay, min(patienthealthsystemstayid::VARCHAR) AS hospital_stay, "
    "min(hospitaladmitoffset) AS hospitaladmitoffset, bool_or(hospitaladmitoffset__bad) AS hospitaladmitoffset__bad "
    "FROM {patient} GROUP BY 1)"
)


def _feed(table: str, role: str, given: Mapping[str, str | Moment]) -> Feed:
    """Rows of a table of unit stays, each with the hospital stay that it belongs to."""
    source = f"{{{role}}} f LEFT JOIN {STAYS} p ON f.patientunitstayid::VARCHAR = p.unit_stay"
    select = raw_select(table, {"person_id": "p.hospital_stay", **given}, source)
    return Feed(f"canonical.{table}", role, select, ("patient",))


def _since_admission(header: str, stay: str = "p") -> Moment:
    """The moment on the clock of the hospital admission, of a time since admission to the unit."""
    began = f"{stay}.hospitaladmitoffset"
    is_bad = f"coalesce(f.{quote(header + '__bad')} OR {stay}.hospitaladmitoffset__bad, false)"
    at, given = (
        f"(f.{quote(header)} - ({began} - {RELATIVE_ANCHOR}))",
        f"f.{quote(header)} IS NOT NULL AND {began} IS NOT NULL",
    )
    return computed_moment(at, given, is_bad)


FEEDS: Mapping[str, tuple[Callable[[SourceMap], Feed], ...]] = {
    "patient": (_people, _spans, _stays),
    "lab": (_labs,),
    "medication": (_orders,),
    "infusiondrug": (_infusions,),
    "admissiondrug": (_earlier_drugs,),
    "diagnosis": (_diagnoses,),
}


LAYOUT = Layout(ADAPTER, recognise_eicu, MARKS)
