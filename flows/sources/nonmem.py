"""Long tables of NONMEM, nlmixr2 and rxode2: one row per event, doses and observations in one file, relative time.

The file says neither what DV measures, nor its unit, nor which drug was given, so a source map must; without one the
file is refused. A dose row is an exposure and never a count. A dose that is repeated by ADDL and II is one exposure
from its first to its last time. What an event number means stands in `definitions/source_maps/nonmem.yaml`.
"""

from collections.abc import Mapping, Sequence

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
    computed_moment,
    files_of,
    literal,
    moment_of,
    quote,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap, TableMap

ADAPTER = Adapter(
    name="nonmem",
    title="NONMEM, nlmixr2 and rxode2 long tables, with a source map that says what DV and the doses are",
    carries=("laboratory results", "doses", "time since an anchor"),
    cannot_carry=(
        "calendar time",
        "people's sex and age",
        "diagnoses",
        "temperatures",
        "stays",
        "spans of observation",
        "status of a result",
        "what is measured, its unit, and which drug was given: a source map must say so",
    ),
    is_local=True,
)
EVENTS = "events"
NEEDED: Mapping[str, Kind] = {
    "id": "text",
    "time": "time",
    **dict.fromkeys(("dv", "amt", "evid", "mdv", "cens", "addl", "ii", "rate", "dur", "c"), "text"),
}
MARKS: Mapping[str, frozenset[str]] = {EVENTS: frozenset({"id", "time", "dv", "amt"})}
EXAMPLE = (
    "layout: nonmem",
    'codes: {"2": 26499-4}   # DV of the rows with this number is a neutrophil count',
    'units: {"2": 10*9/L}',
    "tables:",
    "  - {table: lab, columns: {code: DVID}}   # or constants: {code: 26499-4} when all of DV is one thing",
    "  - {table: exposure, columns: {}, constants: {agent: docetaxel, dose_unit: mg}}",
)


def recognise_nonmem(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The event tables; None without one, SourceError when the source map does not say what is in them."""
    roles = files_of(files, MARKS)
    if EVENTS not in roles:
        return None
    lab, exposure = (_table(source_map, table) for table in ("lab", "exposure"))
    if lab is None:
        raise _says_nothing(roles[EVENTS][0])
    columns = {_header(roles[EVENTS], header) for table in (lab, exposure) for header in _columns(table)}
    feeds = (_observations(lab, source_map), *((_doses(exposure, source_map),) if exposure else ()))
    return Recognised(
        adapter=ADAPTER.name,
        source_id=source_map.source_id or ADAPTER.name,
        source_map=source_map,
        files={EVENTS: roles[EVENTS]},
        needed={EVENTS: {**NEEDED, **dict.fromkeys(sorted(columns - set(NEEDED)), "text")}},
        feeds=feeds,
        unread=tuple(file.name for file in files if file not in roles[EVENTS]),
        hints=() if exposure else ("The source map names no drug, so doses are not read.",),
    )


def _observations(table: TableMap, source_map: SourceMap) -> Feed:
    value, censored = _number("dv"), text_of("f", "cens")
    given: dict[str, str | Moment] = {
        **_told(table),
        "person_id": text_of("f", "id"),
        "value": f"CASE {censored} WHEN '1' THEN concat('<', {value}) WHEN '-1' THEN concat('>', {value}) "
        f"ELSE {value} END",
        "collected_at": moment_of("f", "time"),
    }
    belongs = f"{_is_row()} AND {_is_observation(source_map)}"
    select = raw_select("lab", given, f"{{{EVENTS}}} f", where=belongs)
    return Feed("canonical.lab", EVENTS, select, belongs=belongs, decimal=source_map.decimal)


def _doses(table: TableMap, source_map: SourceMap) -> Feed:
    start = moment_of("f", "time")
    given: dict[str, str | Moment] = {
        "evidence": literal("administered"),
        **_told(table),
        "person_id": text_of("f", "id"),
        "dose": _number("amt"),
        "started_at": start,
        "ended_at": computed_moment(
            f"({start.value} + {_span(source_map)})", f"{start.value} IS NOT NULL", start.is_bad
        ),
    }
    belongs = f"{_is_row()} AND {_is_dose(source_map)}"
    select = raw_select("exposure", given, f"{{{EVENTS}}} f", where=belongs)
    return Feed("canonical.exposure", EVENTS, select, belongs=belongs, decimal=source_map.decimal)


def _told(table: TableMap) -> dict[str, str | Moment]:
    """What the source map says of the rows: constants, and columns with their spellings."""
    given: dict[str, str | Moment] = {name: literal(text) for name, text in table.constants.items()}
    for name, headers in table.columns.items():
        text = f"regexp_replace({text_of('f', headers[0])}, '\\.0+$', '')"
        spellings = table.value_spellings.get(name, {})
        whens = " ".join(f"WHEN {literal(sent)} THEN {literal(meant)}" for sent, meant in spellings.items())
        given[name] = f"CASE {text} {whens} ELSE {text} END" if whens else text
    return given


def _span(source_map: SourceMap) -> str:
    """SQL of the time from the first dose of a row to the end of its last."""
    number = {
        name: f"coalesce(try_cast({_number(name)} AS DOUBLE), 0)" for name in ("addl", "ii", "rate", "amt", "dur")
    }
    infusion = f"CASE WHEN {number['rate']} > 0 THEN {number['amt']} / {number['rate']} ELSE {number['dur']} END"
    return f"INTERVAL 1 {source_map.relative_unit[:-1]} * ({number['addl']} * {number['ii']} + {infusion})"


def _is_row() -> str:
    """A row that is no comment: an entry in column C leaves it out."""
    return f"coalesce(upper({_text('c')}), '.') NOT IN ('C', 'I', '#')"


def _is_observation(source_map: SourceMap) -> str:
    is_missing = f"coalesce(try_cast({_number('mdv')} AS DOUBLE), 0) = 1"
    kind = _event()
    listed = one_of(kind, source_map.values["observations"])
    return (
        f"CASE WHEN {kind} IS NULL THEN NOT {_has_amount()} AND NOT {is_missing} ELSE {listed} AND NOT {is_missing} END"
    )


def _is_dose(source_map: SourceMap) -> str:
    kind = _event()
    listed = one_of(kind, source_map.values["doses"])
    classic = f"coalesce(try_cast({kind} AS INTEGER) >= {source_map.numbers['classic_doses_from']}, false)"
    return f"CASE WHEN {kind} IS NULL THEN {_has_amount()} ELSE ({listed} OR {classic}) AND {_has_amount()} END"


def _event() -> str:
    return f"regexp_replace({_number('evid')}, '\\.0+$', '')"


def _has_amount() -> str:
    return f"coalesce(try_cast({_number('amt')} AS DOUBLE), 0) > 0"


def _text(header: str) -> str:
    """Without an alias, because `belongs` is asked of the opened file as well."""
    return f"nullif(trim({quote(header)}::VARCHAR), '')"


def _number(header: str) -> str:
    """The text of a number; a point alone stands for none."""
    return f"nullif({_text(header)}, '.')"


def _table(source_map: SourceMap, name: str) -> TableMap | None:
    found = [table for table in source_map.tables if table.table == name]
    says = {"lab": "code", "exposure": "agent"}[name]
    told = [table for table in found if says in table.columns or says in table.constants]
    return told[0] if told else None


def _columns(table: TableMap | None) -> list[str]:
    return [headers[0] for headers in table.columns.values()] if table else []


def _header(files: Sequence[SourceFile], name: str) -> str:
    own = {header.casefold() for file in files for header in file.headers}
    if name.casefold() not in own:
        raise SourceError(
            f"{files[0].name}: the source map names a column that the file does not have.",
            details=[name],
            repair="Correct columns in the source map.",
        )
    return name if name.casefold() not in NEEDED else name.casefold()


def _says_nothing(file: SourceFile) -> SourceError:
    return SourceError(
        f"{file.name}: nothing says what DV measures, in which unit, and which drug was given.",
        details=["Needed is a source map, for example:", *EXAMPLE],
        repair="Write it and give it with --source FILE.yaml.",
    )


LAYOUT = Layout(ADAPTER, recognise_nonmem)
