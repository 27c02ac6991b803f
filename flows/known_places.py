"""Counts, in files of a standard format, the cells of the columns where that format keeps identifiers.

They are counted in the file as it was sent and never read further; the files that no table is made of are among them.
"""

from collections.abc import Set as AbstractSet
from pathlib import Path

import duckdb

from flows.sources.as_sent import as_sent
from flows.sources.files import refuse_unreadable
from flows.sources.protocol import SourceFile, literal, quote
from transforms.identifiers import ColumnFinding
from transforms.model.sources import KnownPlace, SourceMap


def count_places(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, source_map: SourceMap, work: Path
) -> tuple[ColumnFinding, ...]:
    """One finding for each place that the file fills; SourceError when it cannot be read."""
    own = {header.casefold(): header for header in file.headers}
    places = [
        (own[place.column.casefold()], place) for place in source_map.known_identifiers if _is_in(place, own.keys())
    ]
    if not places:
        return ()
    headers = tuple(dict.fromkeys(header for header, _ in places))
    with refuse_unreadable(file.name), as_sent(connection, file, headers, source_map, work) as relation:
        counts = ", ".join(_counts(header, place) for header, place in places)
        row = connection.execute(f"SELECT {counts} FROM {relation}").fetchall()[0]
    counted = zip(places, row[::2], row[1::2], strict=True)
    return tuple(found_in(place, file.name, header, (n, of)) for (header, place), n, of in counted if n)


def found_in(place: KnownPlace, file: str, column: str, counts: tuple[int, int]) -> ColumnFinding:
    """What is said of a place that is filled."""
    return ColumnFinding(file, column, place.identifier_class, place.disposition, "known_place", *counts)


def _is_in(place: KnownPlace, folded: AbstractSet[str]) -> bool:
    return bool(place.column) and {place.column.casefold(), *(name.casefold() for name in place.beside)} <= folded


def _counts(header: str, place: KnownPlace) -> str:
    text = f"nullif(trim({quote(header)}::VARCHAR), '')"
    held = [f"{text} IS NOT NULL"]
    if place.begins:
        begins = " OR ".join(f"starts_with(lower({text}), {literal(word.lower())})" for word in place.begins)
        held.append(f"({begins})")
    if place.unless:
        held.append(f"NOT regexp_full_match({text}, {literal(place.unless)})")
    return f"count(*) FILTER ({' AND '.join(held)}), count({text})"
