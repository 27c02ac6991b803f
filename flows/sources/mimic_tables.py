"""What the hospital tables of MIMIC-III and MIMIC-IV have in common: results with items, stays, diagnoses of stays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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
    moment_of,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap

Roles = Mapping[str, tuple[SourceFile, ...]]
FeedMaker = Callable[[Roles, SourceMap], Feed]
Given = dict[str, str | Moment]
MISSING = {
    "labevents": "There is no table labevents, so there is no blood count.",
    "d_labitems": "There is no table d_labitems: that a test is one of blood is known by its item alone.",
    "patients": "There is no table patients: age and sex are not known.",
    "admissions": "There is no table admissions: diagnoses have no date and are not read.",
}


@dataclass(frozen=True)
class Tables:
    """One release of MIMIC: the headers that mark each table, those that are read of it, and what it feeds."""

    adapter: Adapter
    marks: Mapping[str, frozenset[str]]
    needed: Mapping[str, Mapping[str, Kind]]
    feeds: Mapping[str, FeedMaker]


def recognise_tables(tables: Tables, files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The tables by their columns, with a hint for each that is missing; None unless one of them feeds a table."""
    roles = files_of(files, tables.marks)
    feeds = [
        feed(roles, source_map)
        for role, feed in tables.feeds.items()
        if role in roles and (role != "diagnoses_icd" or "admissions" in roles)
    ]
    if not feeds:
        return None
    found = assemble(tables.adapter, source_map, files, roles, tables.needed, feeds)
    return replace(found, hints=tuple(hint for role, hint in MISSING.items() if role not in roles))


def feed_labs(roles: Roles, more: Given) -> Feed:
    """Results; the number is `valuenum`, `value` only where it holds a comparator, the specimen that of the item."""
    value, number = text_of("f", "value"), text_of("f", "valuenum")
    given: Given = {
        "person_id": text_of("f", "subject_id"),
        "code": text_of("f", "itemid"),
        "value": f"CASE WHEN {value}[1] IN ('<', '>') THEN {value} ELSE coalesce({number}, {value}) END",
        "unit": text_of("f", "valueuom"),
        "collected_at": moment_of("f", "charttime"),
        **more,
    }
    if "d_labitems" not in roles:
        return Feed("canonical.lab", "labevents", raw_select("lab", given, "{labevents} f"))
    items = "(SELECT itemid::VARCHAR AS itemid, min(fluid) AS fluid FROM {d_labitems} GROUP BY 1)"
    source = f"{{labevents}} f LEFT JOIN {items} i ON f.itemid::VARCHAR = i.itemid"
    select = raw_select("lab", {**given, "specimen": "i.fluid"}, source)
    return Feed("canonical.lab", "labevents", select, ("d_labitems",))


def feed_stays(_roles: Roles, source_map: SourceMap) -> Feed:
    """Admissions; which types are emergencies stands in the source map."""
    is_emergency = one_of(text_of("f", "admission_type"), source_map.values["emergency"])
    given: Given = {
        "person_id": text_of("f", "subject_id"),
        "setting": f"CASE WHEN {is_emergency} THEN 'emergency' ELSE 'inpatient' END",
        "started_at": moment_of("f", "admittime"),
        "ended_at": moment_of("f", "dischtime"),
    }
    return Feed("canonical.encounter", "admissions", raw_select("encounter", given, "{admissions} f"))


def feed_diagnoses(code: str, code_system: str) -> Feed:
    """Diagnoses, dated by the admission of their stay; `code` and `code_system` are SQL."""
    given: Given = {
        "person_id": text_of("f", "subject_id"),
        "code": code,
        "code_system": code_system,
        "recorded_at": Moment("a.admittime", "a.bad"),
    }
    stays = (
        "(SELECT hadm_id::VARCHAR AS hadm_id, min(admittime) AS admittime, bool_or(admittime__bad) AS bad "
        "FROM {admissions} GROUP BY 1)"
    )
    source = f"{{diagnoses_icd}} f LEFT JOIN {stays} a ON f.hadm_id::VARCHAR = a.hadm_id"
    return Feed("canonical.diagnosis", "diagnoses_icd", raw_select("diagnosis", given, source), ("admissions",))
