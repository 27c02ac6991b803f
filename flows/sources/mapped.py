"""Files in long form, one row per record, read through a source map: a header decides which table a file feeds.

Of the tables whose needed columns a file has, it feeds the one that claims the most of its headers; two that claim
equally many are an error, because a guess would put doses among diagnoses.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Literal

from flows.errors import SourceError
from flows.sources.protocol import (
    RAW,
    Adapter,
    Feed,
    Kind,
    Moment,
    Recognised,
    SourceFile,
    literal,
    moment_of,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap, TableMap

ADAPTER = Adapter(
    name="long",
    title="Delimited text or Parquet, one row per record, with a source map",
    carries=("laboratory results", "people", "observed spans", "stays", "drugs", "diagnoses", "temperatures"),
    cannot_carry=("one column per analyte", "codes that neither LOINC nor the source map explains"),
)


def recognise_mapped(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The files that have the needed columns of a table of the map; None when none has."""
    found = {f"file_{place}": (file, _table_for(file, source_map)) for place, file in enumerate(files)}
    used = {role: (file, table) for role, (file, table) in found.items() if table is not None}
    if not used:
        return None
    return Recognised(
        adapter=ADAPTER.name,
        source_id=source_map.source_id or "local",
        source_map=source_map,
        files={role: (file,) for role, (file, _) in used.items()},
        needed={role: _needed(file, table) for role, (file, table) in used.items()},
        feeds=tuple(_feed(role, file, table, source_map.decimal) for role, (file, table) in used.items()),
        unread=tuple(file.name for file, table in found.values() if table is None),
    )


def known_headers(source_map: SourceMap) -> frozenset[str]:
    """Every header that the map knows, folded."""
    spellings = (word for table in source_map.tables for words in table.columns.values() for word in words)
    return frozenset(fold(word) for word in spellings)


def fold(header: str) -> str:
    """A header without case, blanks and marks between words."""
    return re.sub(r"[\s_.\-]+", "_", header.strip()).casefold()


def _table_for(file: SourceFile, source_map: SourceMap) -> TableMap | None:
    fitting = [(len(_found(file, table)), place) for place, table in enumerate(source_map.tables) if _fits(file, table)]
    if not fitting:
        return None
    most = max(claimed for claimed, _ in fitting)
    best = [source_map.tables[place] for claimed, place in fitting if claimed == most]
    if len({table.table for table in best}) > 1:
        raise SourceError(
            f"{file.name}: the columns fit two tables equally well: {', '.join(t.table for t in best)}.",
            repair="Say which with files: in the source map.",
        )
    return best[0]


def _fits(file: SourceFile, table: TableMap) -> bool:
    if table.files and not fnmatch(file.name, table.files):
        return False
    found = _found(file, table)
    return all(name in found or name in table.constants for name in table.needs or _always_needed(table))


def _always_needed(table: TableMap) -> tuple[str, ...]:
    return tuple(name for name in table.columns if name in RAW[table.table])


def _found(file: SourceFile, table: TableMap) -> dict[str, str]:
    """The header of the file for each column of the table that has one; the first spelling of the map wins."""
    headers = {fold(header): header for header in reversed(file.headers)}
    found = {}
    for name, spellings in table.columns.items():
        header = next((headers[fold(s)] for s in spellings if fold(s) in headers), None)
        if header is not None:
            found[name] = header
    return found


def _needed(file: SourceFile, table: TableMap) -> Mapping[str, Kind]:
    kinds = RAW[table.table]
    needed: dict[str, Kind] = {header: kinds.get(name, "text") for name, header in _found(file, table).items()}
    for header in table.filters:
        needed.setdefault(_header(file, header), "text")
    return needed


def _feed(role: str, file: SourceFile, table: TableMap, decimal: Literal[".", ","]) -> Feed:
    found = _found(file, table)
    given: dict[str, str | Moment] = {name: literal(text) for name, text in table.constants.items()}
    for name, header in found.items():
        is_time = RAW[table.table].get(name) == "time"
        given[name] = moment_of("f", header) if is_time else _translated(text_of("f", header), name, table)
    comparator, value = given.pop("comparator", None), given.get("value")
    if isinstance(comparator, str) and isinstance(value, str):
        given["value"] = f"CASE WHEN {comparator} IN ('=', '') THEN {value} ELSE concat({comparator}, {value}) END"
    select = raw_select(table.table, given, f"{{{role}}} f", wanted=_wanted(file, table))
    number = found.get("value", found.get("celsius", found.get("dose", "")))
    is_text = file.types.get(number, "VARCHAR") == "VARCHAR"
    return Feed(f"canonical.{table.table}", role, select, decimal=decimal if is_text else ".")


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
        f"{file.name}: the source map filters on a column that the file does not have.",
        repair="Correct filters in the source map.",
    )
