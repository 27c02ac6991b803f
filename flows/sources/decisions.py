"""What a source map decides of columns that identify: dropped ones are never read, generalised ones lose their detail.

A date becomes its year and an age is topped, cell by cell, so that what happens to a column is the same on every
night whatever arrives. A cell that is neither a date nor an age becomes empty. The detail is taken away where the file
is opened, so that nothing which is written ever holds it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from flows.errors import SourceError
from flows.parsing import patterns_of
from flows.sources.mapped import fold
from flows.sources.protocol import Recognised, SourceFile, literal, quote
from flows.sources.shown import show_headers
from transforms.identifiers import ColumnFinding
from transforms.model.identifiers import Identifiers
from transforms.model.sources import Decision, KnownPlace, SourceMap

if TYPE_CHECKING:
    import pyarrow as pa

YEAR_IN_DATE = r"(?:^|[^0-9])([0-9]{4})(?:[^0-9]|$)"
AGE = r"[<>=≤≥ ]*([0-9]{1,3})(?:[.,][0-9]+)? *\+?"
ABOVE = ">"


def decision_of(header: str, source_map: SourceMap) -> Decision | None:
    """What the map says of a column; case and blanks make no difference."""
    folded = fold(header)
    return next((said for name, said in source_map.identifiers.items() if fold(name) == folded), None)


def decide(file: SourceFile, source_map: SourceMap, oldest_age_years: int) -> SourceFile:
    """The file with SQL of what is read in the place of each column that the map, or its format, generalises."""
    known = {place.column.casefold() for place in source_map.known_identifiers if _is_cut_to_years(place)}
    given = {
        header: generalise(header, kind, source_map, oldest_age_years)
        for header, kind in file.types.items()
        if decision_of(header, source_map) == "generalise" or header.casefold() in known
    }
    types = {header: "VARCHAR" if header in given else kind for header, kind in file.types.items()}
    return replace(file, types=types, generalised=given) if given else file


def _is_cut_to_years(place: KnownPlace) -> bool:
    return bool(place.column) and place.disposition == "generalised" and not place.begins


def generalise(header: str, kind: str, source_map: SourceMap, oldest_age_years: int) -> str:
    """SQL of a column's years or topped ages, as text; null for any other cell."""
    column = quote(header)
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return f"year({column})::VARCHAR"
    text = f"regexp_replace(trim({column}::VARCHAR), '\\.0+$', '')"
    formats = patterns_of(source_map)
    parsed = f"year(try_strptime({text}, [{', '.join(formats)}]))::VARCHAR" if formats else "NULL"
    number = f"try_cast(nullif(regexp_extract({text}, {literal(AGE)}, 1), '') AS INTEGER)"
    above = f"CASE WHEN {text}[1] = {literal(ABOVE)} THEN 1 ELSE 0 END"
    return (
        f"CASE WHEN regexp_full_match({text}, {literal(AGE)}) "
        f"THEN least({number} + {above}, {oldest_age_years})::VARCHAR "
        f"ELSE coalesce(nullif(regexp_extract({text}, {literal(YEAR_IN_DATE)}, 1), ''), {parsed}) END"
    )


def generalised(source: str, file: SourceFile, headers: Iterable[str]) -> str:
    """`source`, a relation with columns as sent, with those of `headers` that are generalised in their place."""
    wanted = {name.casefold() for name in headers}
    given = {header: sql for header, sql in file.generalised.items() if header.casefold() in wanted}
    if not given:
        return source
    return f"(SELECT * REPLACE ({', '.join(f'{sql} AS {quote(name)}' for name, sql in given.items())}) FROM {source})"


def generalise_rows(connection: duckdb.DuckDBPyConnection, rows: "pa.Table", file: SourceFile) -> "pa.Table":
    """Rows in memory, before they are written."""
    if not file.generalised:
        return rows
    connection.register("rows_as_sent", rows)
    try:
        relation = generalised("rows_as_sent", file, rows.column_names)
        return connection.sql(f"FROM {relation}").to_arrow_table()
    finally:
        connection.unregister("rows_as_sent")


def decide_finding(entry: ColumnFinding, source_map: SourceMap, classes: Identifiers) -> ColumnFinding:
    """What the map makes of a finding; SourceError when its kind cannot be generalised."""
    decision = decision_of(entry.column, source_map)
    if decision is None or entry.evidence == "known_place":
        return entry
    if decision == "drop":
        return replace(entry, disposition="dropped")
    if entry.disposition == "found" and not classes.can_generalise(entry.identifier_class):
        raise SourceError(
            f"{entry.file}: a column of the class {entry.identifier_class} cannot be generalised.",
            details=[f"identifiers: {entry.column}"],
            repair="Only dates of birth and ages can; write drop in the source map.",
        )
    return replace(entry, disposition="generalised")


def count_lost(connection: duckdb.DuckDBPyConnection, file: SourceFile, relation: str) -> Mapping[str, tuple[int, int]]:
    """Of each column that is generalised, how many cells become empty because they are no date and no age, of how many.

    `relation` has the columns as they were sent.
    """
    if not file.generalised:
        return {}
    given = {name: f"nullif(trim({quote(name)}::VARCHAR), '') IS NOT NULL" for name in file.generalised}
    counts = [
        f"count(*) FILTER ({given[name]} AND ({sql}) IS NULL), count(*) FILTER ({given[name]})"
        for name, sql in file.generalised.items()
    ]
    row = connection.execute(f"SELECT {', '.join(counts)} FROM {relation}").fetchall()[0]
    return {name: (row[2 * place], row[2 * place + 1]) for place, name in enumerate(file.generalised)}


def refuse_lost(name: str, lost: Mapping[str, tuple[int, int]]) -> None:
    """SourceError when nothing of a column can be generalised."""
    if empty := [header for header, (n, of) in lost.items() if n == of > 0]:
        raise SourceError(
            f"{name}: a column that is to be generalised holds neither dates nor ages.",
            details=[f"identifiers: {header}" for header in empty],
            repair="Add the way its dates are written to datetime_formats in the source map, or write drop.",
        )


def refuse_wrong_decisions(recognised: Recognised, files: Sequence[SourceFile]) -> None:
    """SourceError when a decision cannot be followed: about a column that is not there, or that is read whole."""
    source_map = recognised.source_map
    if not source_map.identifiers:
        return
    _refuse_unknown(recognised, files)
    for role, needed in recognised.needed.items():
        for header, kind in needed.items():
            decision = decision_of(header, source_map)
            if decision == "drop":
                raise _wrong(role, recognised, header, "is dropped, and the map reads it")
            if decision == "generalise" and kind == "time":
                raise _wrong(role, recognised, header, "is generalised, and the map reads it as a time")


def _refuse_unknown(recognised: Recognised, files: Sequence[SourceFile]) -> None:
    """A name that no file has is a mistake, unless the file that has it may have stayed away tonight."""
    source_map = recognised.source_map
    fed = {feed.table.removeprefix("canonical.") for feed in recognised.feeds}
    is_whole = all(table.table in fed for table in source_map.tables)
    known = {fold(header) for file in files for header in file.headers}
    lacking = [name for name in source_map.identifiers if fold(name) not in known]
    if lacking and is_whole:
        raise SourceError(
            f"The source map {source_map.id} decides about columns that no file has.",
            details=[f"identifiers: {name}" for name in lacking]
            + [f"columns of file {place}: {', '.join(show_headers(file))}" for place, file in enumerate(files, 1)],
            repair="Correct identifiers in the source map.",
        )


def _wrong(role: str, recognised: Recognised, header: str, said: str) -> SourceError:
    meanings: Mapping[str, str] = recognised.meanings.get(role, {})
    meant = f" as {meanings[header]}" if header in meanings else ""
    return SourceError(
        f"The source map {recognised.source_map.id} contradicts itself: a column {said}{meant}.",
        details=[f"identifiers: {header}"],
        repair="Take the column out of tables, or decide otherwise under identifiers.",
    )
