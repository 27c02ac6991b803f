"""Opens any recognised file as a relation of the needed columns; a new kind of file is one line here.

A needed header that the file lacks is read as null, so that files of one role may differ in columns nobody must have.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from flows.errors import SourceError
from flows.sources.files import need_file
from flows.sources.protocol import FileKind, Kind, SourceFile, quote
from transforms.model.sources import KnownPlace, SourceMap

ROW_NUMBER, FILE_ROW_NUMBER = "row_number", "file_row_number"
TIME_SUFFIXES = ("__at", "__bad", "__day")


@dataclass(frozen=True)
class Opened:
    """A file ready to be read: SQL of a relation with `row_number`, its rows, and the rows that are no rows.

    `known_places` tells of the places where a format keeps identifiers how many are filled, and of how many, if opening
    the file has counted them.
    """

    relation: str
    n_rows: int
    malformed: tuple[int, ...] = ()
    known_places: tuple[tuple[KnownPlace, int, int], ...] = ()


Opener = Callable[[duckdb.DuckDBPyConnection, SourceFile, Mapping[str, Kind], SourceMap, Path], Opened]


def open_file(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Opened:
    """The file opened by its kind; what has to be copied first is copied to `target` as Parquet."""
    need_file(file.path, file.name)
    needs = find_needs(file, needed)
    return needs.complete(openers()[file.kind](connection, needs.file, needs.found, source_map, target))


@dataclass(frozen=True)
class Needs:
    """What is needed of a `file`, whose headers are spelled as the adapter does: what it has, and what it lacks."""

    file: SourceFile
    found: Mapping[str, Kind]
    lacking: Mapping[str, Kind]

    def complete(self, opened: Opened) -> Opened:
        """The file with what it lacks read as null."""
        return replace(opened, relation=self.complete_rows(opened.relation))

    def complete_rows(self, relation: str) -> str:
        """The same of SQL of its rows."""
        return _with_nulls(relation, self.lacking) if self.lacking else relation


def find_needs(file: SourceFile, needed: Mapping[str, Kind]) -> Needs:
    """Which of the needed columns a file has; SourceError when it has one that reading it would add."""
    own = {header.casefold() for header in file.headers}
    found = {header: kind for header, kind in needed.items() if header.casefold() in own}
    _refuse_taken(file, found)
    renamed = replace(
        file,
        types={_spelling(header, found): kind for header, kind in file.types.items()},
        generalised={_spelling(header, found): sql for header, sql in file.generalised.items()},
    )
    return Needs(renamed, found, {header: kind for header, kind in needed.items() if header not in found})


def _refuse_taken(file: SourceFile, found: Mapping[str, Kind]) -> None:
    """SourceError when a column is called as one that reading the file adds."""
    added = {header + suffix for header, kind in found.items() if kind == "time" for suffix in TIME_SUFFIXES}
    names = {header.casefold(): header for header in found}
    taken = [names[name] for name in names if name == ROW_NUMBER or name in {each.casefold() for each in added}]
    if file.kind == "parquet":
        taken += [header for header in file.headers if header.casefold() == FILE_ROW_NUMBER]
    if taken:
        raise SourceError(
            f"{file.name}: nadir needs the name of a column for itself.", details=sorted(taken), repair="Rename it."
        )


def openers() -> Mapping[FileKind, Opener]:
    """How each kind of file is opened; readers of rare kinds are imported here, because they are slow to import."""
    from flows.sources.database import open_database  # noqa: PLC0415
    from flows.sources.delimited import open_delimited  # noqa: PLC0415 - they use Opened
    from flows.sources.fhir_files import open_fhir  # noqa: PLC0415
    from flows.sources.parquet import open_parquet  # noqa: PLC0415
    from flows.sources.transport import open_transport  # noqa: PLC0415
    from flows.sources.workbook import open_workbook  # noqa: PLC0415

    return {
        "delimited": open_delimited,
        "parquet": open_parquet,
        "transport": open_transport,
        "workbook": open_workbook,
        "database": open_database,
        "fhir": open_fhir,
    }


def _spelling(header: str, found: Mapping[str, Kind]) -> str:
    """The header as the adapter writes it, so that types are found by it; DuckDB reads either."""
    return next((name for name in found if name.casefold() == header.casefold()), header)


def _with_nulls(relation: str, lacking: Mapping[str, Kind]) -> str:
    columns = []
    for header, kind in lacking.items():
        columns.append(f"NULL::{'VARCHAR' if kind == 'text' else 'TIMESTAMP'} AS {quote(header)}")
        if kind == "time":
            columns += [f"false AS {quote(header + suffix)}" for suffix in ("__bad", "__day")]
            columns.append(f"NULL::VARCHAR AS {quote(header + '__sent')}")
    return f"(SELECT *, {', '.join(columns)} FROM {relation})"
