"""MEDS (Medical Event Data Standard): Parquet shards of events, each a subject, a time, a code and perhaps a value.

One file feeds several tables: the beginning of a code says which. A test is the LOINC code in the event's own code, or
the only LOINC parent of it in codes.parquet, or a local number that the source map translates. Which beginnings mean
what stands in `definitions/source_maps/meds.yaml`.
"""

import re
from collections.abc import Callable, Mapping, Sequence

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
    quote,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap

ADAPTER = Adapter(
    name="meds",
    title="MEDS event shards with codes.parquet",
    carries=("laboratory results", "people", "stays", "drugs", "diagnoses"),
    cannot_carry=(
        "specimens (results of one time are taken as one specimen)",
        "whether dates are real or shifted",
        "spans of observation",
        "temperatures",
        "status of a result",
        "lower limits of reference ranges",
        "whether a coded drug was administered or ordered",
    ),
)
EVENTS, CODES = "events", "codes"
Roles = Mapping[str, tuple[SourceFile, ...]]
NEEDED: Mapping[str, Mapping[str, Kind]] = {
    EVENTS: {
        "subject_id": "text",
        "time": "time",
        "code": "text",
        "numeric_value": "text",
        "text_value": "text",
        "unit": "text",
        "hadm_id": "text",
    },
    CODES: {"code": "text", "description": "text", "parent_codes": "text"},
}
MARKS: Mapping[str, frozenset[str]] = {
    EVENTS: frozenset({"subject_id", "time", "code", "numeric_value"}),
    CODES: frozenset({"code", "description", "parent_codes"}),
}
END = "//"


def recognise_meds(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The shards and the table of codes; None without a shard."""
    roles = files_of(files, MARKS)
    if EVENTS not in roles:
        return None
    feeds = tuple(feed(roles, source_map) for feed in FEEDS)
    read = {EVENTS} | {lookup for feed in feeds for lookup in feed.lookups}
    return Recognised(
        adapter=ADAPTER.name,
        source_id=source_map.source_id or ADAPTER.name,
        source_map=source_map,
        files={role: roles[role] for role in sorted(read, reverse=True)},
        needed={role: NEEDED[role] for role in sorted(read)},
        feeds=feeds,
        unread=tuple(file.name for file in files if not any(file in roles[role] for role in read)),
        hints=("MEDS does not say whether dates are real; they are taken as shifted. A map with dates: real says so.",),
    )


def _labs(roles: Roles, source_map: SourceMap) -> Feed:
    number, told = text_of("f", "numeric_value"), text_of("f", "text_value")
    tail = _after("f.code", source_map.values["test"])
    own, unit = f"nullif(split_part({tail}, '{END}', 1), '')", f"nullif(split_part({tail}, '{END}', 2), '')"
    nothing = ", ".join(literal(word) for word in source_map.values["nothing"])
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "code": f"coalesce(CASE WHEN {own} NOT SIMILAR TO '[0-9]+-[0-9]' THEN c.loinc END, {own})",
        "value": f"CASE WHEN {told}[1] IN ('<', '>') THEN {told} ELSE coalesce({number}, {told}) END",
        "unit": f"CASE WHEN {unit} NOT IN ({nothing}) THEN {unit} ELSE {text_of('f', 'unit')} END",
        "collected_at": _time(),
    }
    belongs = _begins("code", source_map.values["test"])
    source, lookups = _with_codes(roles)
    return _feed("lab", given, source, belongs, lookups)


def _people(_roles: Roles, source_map: SourceMap) -> Feed:
    values = source_map.values
    births = f"max(year(time)) FILTER ({_is_one_of('code', values['birth'])})"
    deaths = f"max(time) FILTER ({_is_one_of('code', values['death'])})"
    races = f"max(nullif({_after('code', values['race'])}, '')) FILTER ({_begins('code', values['race'])})"
    facts = (
        f"(SELECT trim(subject_id::VARCHAR) AS person, {births} AS birth_year, {deaths} AS died_on, {races} AS race "
        "FROM {events} GROUP BY 1)"
    )
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "sex": f"nullif({_after('f.code', values['sex'])}, '')",
        "birth_year": "p.birth_year",
        "died_on": Moment("p.died_on"),
        "race_ethnicity": "p.race",
    }
    source = f"{{{EVENTS}}} f LEFT JOIN {facts} p ON {text_of('f', 'subject_id')} = p.person"
    return _feed("person", given, source, _begins("code", values["sex"]))


def _stays(_roles: Roles, source_map: SourceMap) -> Feed:
    values = source_map.values
    ends = (
        f"(SELECT subject_id::VARCHAR AS person, hadm_id::VARCHAR AS stay, max(time) AS ended_at FROM {{{EVENTS}}} "
        f"WHERE {_begins('code', values['discharge'])} AND hadm_id IS NOT NULL GROUP BY 1, 2)"
    )
    emergencies = " OR ".join(
        f"contains(lower({_after('f.code', values['admission'])}), {literal(word)})" for word in values["emergency"]
    )
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "setting": f"CASE WHEN {emergencies} THEN 'emergency' ELSE 'inpatient' END",
        "started_at": _time(),
        "ended_at": Moment("e.ended_at"),
    }
    source = f"{{{EVENTS}}} f LEFT JOIN {ends} e ON f.subject_id::VARCHAR = e.person AND f.hadm_id::VARCHAR = e.stay"
    return _feed("encounter", given, source, _begins("code", values["admission"]))


def _diagnoses(_roles: Roles, source_map: SourceMap) -> Feed:
    systems = {system: source_map.values[system] for system in ("icd10cm", "icd9cm") if system in source_map.values}
    every = [beginning for beginnings in systems.values() for beginning in beginnings]
    whens = " ".join(f"WHEN {_begins('f.code', words)} THEN {literal(system)}" for system, words in systems.items())
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "code": f"nullif({_after('f.code', every)}, '')",
        "code_system": f"CASE {whens} END",
        "recorded_at": _time(),
    }
    return _feed("diagnosis", given, f"{{{EVENTS}}} f", _begins("code", every))


def _coded_drugs(roles: Roles, source_map: SourceMap) -> Feed:
    values = source_map.values
    source, lookups = _with_codes(roles)
    rxnorm, atc = (f"nullif({_after('f.code', values[name])}, '')" for name in ("rxnorm", "atc"))
    both = [*values["rxnorm"], *values["atc"]]
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "agent": f"coalesce(c.description, nullif({_after('f.code', both)}, ''))",
        "rxnorm": f"CASE WHEN {_begins('f.code', values['rxnorm'])} THEN {rxnorm} END",
        "atc": f"CASE WHEN {_begins('f.code', values['atc'])} THEN {atc} END",
        "evidence": literal(values["evidence_of_codes"][0]),
        "started_at": _time(),
        "ended_at": _time(),
    }
    return _feed("exposure", given, source, _begins("code", both), lookups)


def _named_drugs(_roles: Roles, source_map: SourceMap) -> Feed:
    """Orders, whose code begins with that of a start, and administrations: a name, then what happened."""
    values = source_map.values
    is_order = _begins("f.code", values["order"])
    ordered, given_part = _after("f.code", values["order"]), _after("f.code", values["drug"])
    event = f"lower(split_part({given_part}, '{END}', 2))"
    acts = ", ".join(literal(word) for word in values["given"])
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "subject_id"),
        "agent": f"nullif(split_part(CASE WHEN {is_order} THEN {ordered} ELSE {given_part} END, '{END}', 1), '')",
        "evidence": f"CASE WHEN {is_order} THEN 'ordered' ELSE 'administered' END",
        "started_at": _time(),
        "ended_at": Moment(f"CASE WHEN NOT {is_order} THEN f.time END"),
    }
    belongs = f"{_begins('code', values['drug'])} AND NOT {_begins('code', values['not_a_drug'])}"
    return _feed("exposure", given, f"{{{EVENTS}}} f", belongs, wanted=f"({is_order} OR {event} IN ({acts}))")


FEEDS: Sequence[Callable[[Roles, SourceMap], Feed]] = (
    _labs,
    _people,
    _stays,
    _coded_drugs,
    _named_drugs,
    _diagnoses,
)


def _feed(
    table: str,
    given: Mapping[str, str | Moment],
    source: str,
    belongs: str,
    lookups: tuple[str, ...] = (),
    *,
    wanted: str = "true",
) -> Feed:
    where = re.sub(r"\bcode\b", "f.code", belongs)
    select = raw_select(table, given, source, where=where, wanted=wanted)
    return Feed(f"canonical.{table}", EVENTS, select, lookups, belongs=belongs)


def _with_codes(roles: Roles) -> tuple[str, tuple[str, ...]]:
    """FROM part: the events with the description and the only LOINC parent of their code."""
    if CODES not in roles:
        nothing = "(SELECT NULL::VARCHAR AS code, NULL::VARCHAR AS description, NULL::VARCHAR AS loinc WHERE false)"
        return f"{{{EVENTS}}} f LEFT JOIN {nothing} c ON false", ()
    parents = f"list_distinct(regexp_extract_all({quote('parent_codes')}::VARCHAR, 'LOINC/([0-9]+-[0-9])', 1))"
    known = (
        f"(SELECT code::VARCHAR AS code, any_value({text_of('m', 'description')}) AS description, "
        f"any_value(CASE WHEN len({parents}) = 1 THEN {parents}[1] END) AS loinc FROM {{{CODES}}} m GROUP BY 1)"
    )
    return f"{{{EVENTS}}} f LEFT JOIN {known} c ON f.code::VARCHAR = c.code", (CODES,)


def _time() -> Moment:
    return moment_of("f", "time")


def _begins(column: str, beginnings: Sequence[str]) -> str:
    """Whether a code begins with one of these, whatever its case."""
    tests = [f"starts_with(lower({column}::VARCHAR), {literal(word.lower())})" for word in beginnings]
    return f"({' OR '.join(tests)})" if tests else "false"


def _is_one_of(column: str, codes: Sequence[str]) -> str:
    return f"upper({column}::VARCHAR) IN ({', '.join(literal(code.upper()) for code in codes)})"


def _after(column: str, beginnings: Sequence[str]) -> str:
    """What follows the longest of these beginnings that the code has; empty if it has none."""
    longest = sorted(beginnings, key=lambda word: (-len(word), word))
    whens = [
        f"WHEN starts_with(lower({column}::VARCHAR), {literal(word.lower())}) "
        f"THEN substr({column}::VARCHAR, {len(word) + 1})"
        for word in longest
    ]
    return f"(CASE {' '.join(whens)} ELSE '' END)" if whens else "''"


LAYOUT = Layout(ADAPTER, recognise_meds, MARKS)
