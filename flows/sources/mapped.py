"""Files with a header, long or wide, read through a source map: the header decides which tables a file feeds.

Of the tables whose needed columns a file has, it feeds the one that claims the most of its headers, and every table
that the map marks as shared; two that claim equally many are an error, because a guess would put doses among
diagnoses. A wide file has one column per test: each of its rows gives one raw result for each such column.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from typing import Literal

from flows.errors import SourceError
from flows.parsing import time_of_day
from flows.sources.protocol import (
    RAW,
    Adapter,
    Feed,
    Kind,
    Layout,
    Moment,
    Recognised,
    SourceFile,
    literal,
    moment_of,
    own_columns,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap, TableMap, WideColumn

ADAPTER = Adapter(
    name="long",
    title="Delimited text, Parquet or workbook with a source map: one row per record, or one column per test",
    carries=("laboratory results", "people", "observed spans", "stays", "drugs", "diagnoses", "temperatures"),
    cannot_carry=("codes that neither LOINC nor the source map explains",),
    is_local=True,
)
CELL = "cell"


def recognise_mapped(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The files that have the needed columns of a table of the map; None when none has."""
    alike: dict[tuple[object, ...], tuple[tuple[TableMap, ...], list[SourceFile]]] = {}
    unread: list[SourceFile] = []
    for file in files:
        tables = _tables_for(file, source_map)
        if tables:
            places = (source_map.tables.index(table) for table in tables)
            alike.setdefault((*places, *file.types.items()), (tables, []))[1].append(file)
        else:
            unread.append(file)
    if not alike:
        return None
    fed = {f"file_{place}": tables for place, (tables, _) in enumerate(alike.values())}
    used = {f"file_{place}": tuple(own) for place, (_, own) in enumerate(alike.values())}
    needed = {role: _needed(used[role][0], tables) for role, tables in fed.items()}
    return Recognised(
        adapter=ADAPTER.name,
        source_id=source_map.source_id or "local",
        source_map=source_map,
        files=used,
        needed=needed,
        feeds=tuple(
            _feed(role, used[role][0], table, source_map, needed[role])
            for role, tables in fed.items()
            for table in tables
        ),
        unread=tuple(file.name for file in unread),
        meanings={role: meanings_of(used[role][0], tables) for role, tables in fed.items()},
    )


def meanings_of(file: SourceFile, tables: Sequence[TableMap]) -> Mapping[str, str]:
    """The canonical column of each header of the file that these tables name; a column that is a test is a value."""
    meanings: dict[str, str] = {}
    for table in tables:
        meanings = {**{header: name for name, header in _found(file, table).items()}, **meanings}
        meanings = {**dict.fromkeys(_wide(file, table), "value"), **meanings}
        meanings = {**{header: name for name, header in _clocks(file, table).items()}, **meanings}
    return meanings


def known_headers(source_map: SourceMap) -> frozenset[str]:
    """Every header that the map knows, folded."""
    named = (part for table in source_map.tables for part in (table.columns, table.clocks))
    spellings = (word for part in named for words in part.values() for word in words)
    return frozenset(fold(word) for word in spellings)


def fold(header: str) -> str:
    """A header without case, blanks and marks between words."""
    return re.sub(r"[\s_.\-]+", "_", header.strip()).casefold()


def _tables_for(file: SourceFile, source_map: SourceMap) -> tuple[TableMap, ...]:
    """The one table that claims most of the headers, then those that may share the file with it."""
    fitting = [table for table in source_map.tables if _fits(file, table, source_map)]
    shared = [table for table in fitting if table.is_shared]
    own = [(len(_found(file, table)) + len(_wide(file, table)), table) for table in fitting if not table.is_shared]
    most = max((claimed for claimed, _ in own), default=0)
    best = [table for claimed, table in own if claimed == most]
    if len({table.table for table in best}) > 1:
        raise SourceError(
            f"{file.name}: the columns fit two tables equally well: {', '.join(t.table for t in best)}.",
            repair="Say which with files: in the source map, or mark one with is_shared: true if the file feeds both.",
        )
    return (*best[:1], *shared)


def _fits(file: SourceFile, table: TableMap, source_map: SourceMap) -> bool:
    if table.files and not any(fnmatch(name, table.files) for name in (file.name, file.own_name)):
        return False
    if table.wide and not _wide(file, table):
        return False
    found = _found(file, table)
    needs = table.needs or _always_needed(table)
    undated = {"collected_at"} if source_map.dates == "none" else set()
    return all(name in found or name in table.constants for name in needs if name not in undated)


def _always_needed(table: TableMap) -> tuple[str, ...]:
    has_own_times = bool(table.wide) and all(column.time_column for column in table.wide.values())
    spared = {"collected_at"} if has_own_times else set()
    return tuple(name for name in table.columns if name in RAW[table.table] and name not in spared)


def _found(file: SourceFile, table: TableMap) -> dict[str, str]:
    """The header of the file for each column of the table that has one; the first spelling of the map wins."""
    headers = _by_fold(file)
    found = {}
    for name, spellings in table.columns.items():
        header = next((headers[fold(s)] for s in spellings if fold(s) in headers), None)
        if header is not None:
            found[name] = header
    return found


def _clocks(file: SourceFile, table: TableMap) -> dict[str, str]:
    """The header of the time of day of each column that has one."""
    headers = _by_fold(file)
    found = {n: next((headers[fold(s)] for s in words if fold(s) in headers), "") for n, words in table.clocks.items()}
    return {name: header for name, header in found.items() if header}


def _at_time_of_day(moment: Moment, text: str) -> Moment:
    """A date with the time of day beside it; what is no time of day leaves it a date."""
    is_timed = f"({moment.is_day} AND {time_of_day(text)} IS NOT NULL)"
    value = f"CASE WHEN {is_timed} THEN {moment.value}::DATE + {time_of_day(text)} ELSE {moment.value} END"
    return replace(moment, value=value, is_day=f"({moment.is_day} AND NOT {is_timed})")


def _wide(file: SourceFile, table: TableMap) -> dict[str, tuple[int, WideColumn]]:
    """Columns of the file that are tests, each with its place in the map (from 1) and its meaning."""
    headers = _by_fold(file)
    places = {fold(name): (place, column) for place, (name, column) in enumerate(table.wide.items(), start=1)}
    return {headers[name]: places[name] for name in places if name in headers}


def _by_fold(file: SourceFile) -> dict[str, str]:
    return {fold(header): header for header in reversed(file.headers)}


def _needed(file: SourceFile, tables: Sequence[TableMap]) -> Mapping[str, Kind]:
    needed: dict[str, Kind] = {}
    for table in tables:
        kinds = RAW[table.table]
        for name, header in _found(file, table).items():
            if kinds.get(name) == "time" or header not in needed:
                needed[header] = kinds.get(name, "text")
        for header in _clocks(file, table).values():
            needed.setdefault(header, "text")
        for header, (_, column) in _wide(file, table).items():
            needed[header] = "text"
            if column.unit_column:
                needed[_header(file, column.unit_column)] = "text"
            if column.time_column:
                needed[_header(file, column.time_column)] = "time"
        for header in (*table.filters, *(header for rule in table.unit_rules for header in rule.where)):
            needed.setdefault(_header(file, header), "text")
    return needed


def _feed(role: str, file: SourceFile, table: TableMap, source_map: SourceMap, needed: Mapping[str, Kind]) -> Feed:
    found = _found(file, table)
    given: dict[str, str | Moment] = {name: literal(text) for name, text in table.constants.items()}
    for name, header in found.items():
        is_time = RAW[table.table].get(name) == "time"
        given[name] = moment_of("f", header) if is_time else _translated(text_of("f", header), name, table)
    for name, header in _clocks(file, table).items():
        if isinstance(moment := given.get(name), Moment):
            given[name] = _at_time_of_day(moment, text_of("f", header))
    comparator, value = given.pop("comparator", None), given.get("value")
    if isinstance(comparator, str) and isinstance(value, str):
        is_plain = f"{value} IS NULL OR {comparator} IN ('=', '') OR left({value}, 1) IN ('<', '>', '≤', '≥')"
        given["value"] = f"CASE WHEN {is_plain} THEN {value} ELSE concat({comparator}, {value}) END"
    wide = _wide(file, table)
    source, place = f"{{{role}}} f", "0"
    if wide:
        given |= _cell(given.get("collected_at"))
        source, place = f"(SELECT f.*, unnest([{_cells(file, wide)}]) AS {CELL} FROM {{{role}}} f) f", f"f.{CELL}.place"
    if table.unit_rules:
        given["unit"] = _ruled_unit(file, table, given)
    given["sent"] = own_columns("f", needed)
    select = raw_select(table.table, given, source, wanted=_wanted(file, table), column_number=place)
    numbers = [*wide, found.get("value", found.get("celsius", found.get("dose", "")))]
    is_text = any(file.types.get(number, "VARCHAR") == "VARCHAR" for number in numbers[:1])
    decimal: Literal[".", ","] = source_map.decimal if is_text else "."
    return Feed(f"canonical.{table.table}", role, select, decimal=decimal, is_wide=bool(wide), sends_own=True)


def _ruled_unit(file: SourceFile, table: TableMap, given: Mapping[str, str | Moment]) -> str:
    code, unit = given.get("code", "NULL"), given.get("unit", "NULL::VARCHAR")
    whens = []
    for rule in table.unit_rules:
        parts = [f"{code} = {literal(rule.code)}", f"coalesce({unit}, '') = {literal(rule.sent)}"]
        parts += [f"{text_of('f', _header(file, name))} = {literal(value)}" for name, value in rule.where.items()]
        whens.append(f"WHEN {' AND '.join(parts)} THEN {literal(rule.unit)}")
    return f"CASE {' '.join(whens)} ELSE {unit} END"


def _cells(file: SourceFile, wide: Mapping[str, tuple[int, WideColumn]]) -> str:
    """Structs of one row's results in the order of the map."""
    return ", ".join(
        f"{{'place': {place}, 'code': {literal(column.code)}, 'value': {text_of('f', header)}, "
        f"'unit': {_unit(file, column)}, 'specimen': nullif({literal(column.specimen)}, ''), "
        f"{_own_time(file, column)}}}"
        for header, (place, column) in sorted(wide.items(), key=lambda entry: entry[1][0])
    )


def _unit(file: SourceFile, column: WideColumn) -> str:
    if column.unit_column:
        return text_of("f", _header(file, column.unit_column))
    return literal(column.unit) if column.unit else "NULL::VARCHAR"


def _own_time(file: SourceFile, column: WideColumn) -> str:
    if not column.time_column:
        return "'is_timed': false, 'at': NULL::TIMESTAMP, 'is_bad': false, 'is_day': false"
    moment = moment_of("f", _header(file, column.time_column))
    return f"'is_timed': true, 'at': {moment.value}, 'is_bad': {moment.is_bad}, 'is_day': {moment.is_day}"


def _cell(common: str | Moment | None) -> dict[str, str | Moment]:
    """The raw columns that a cell gives; its own time where it has one, else that of the row."""
    row = common if isinstance(common, Moment) else Moment("NULL::TIMESTAMP")
    parts = {"at": row.value, "is_bad": row.is_bad, "is_day": row.is_day}
    own = [f"CASE WHEN f.{CELL}.is_timed THEN f.{CELL}.{name} ELSE {other} END" for name, other in parts.items()]
    texts: dict[str, str | Moment] = {name: f"f.{CELL}.{name}" for name in ("code", "value", "unit", "specimen")}
    return {**texts, "collected_at": Moment(*own)}


def _translated(text: str, name: str, table: TableMap) -> str:
    spellings = table.value_spellings.get(name, {})
    if not spellings:
        return text
    whens = " ".join(f"WHEN {literal(sent)} THEN {literal(meant)}" for sent, meant in spellings.items())
    return f"CASE {text} {whens} ELSE {text} END"


def _wanted(file: SourceFile, table: TableMap) -> str:
    parts = [
        f"{text_of('f', _header(file, header))} IN ({', '.join(literal(value) for value in values)})"
        for header, values in table.filters.items()
    ]
    return " AND ".join(parts) or "true"


def _header(file: SourceFile, name: str) -> str:
    for header in file.headers:
        if fold(header) == fold(name):
            return header
    raise SourceError(
        f"{file.name}: the source map names a column that the file does not have.",
        details=[name],
        repair="Correct filters, unit_column or time_column in the source map.",
    )


LAYOUT = Layout(ADAPTER, recognise_mapped)
