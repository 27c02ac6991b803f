"""Parquet is read where it lies; times in text are parsed on the way, typed times are taken as they are."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from flows.parsing import read_times
from flows.sources.decisions import generalised
from flows.sources.files import refuse_unreadable
from flows.sources.opening import Opened
from flows.sources.protocol import Kind, SourceFile, pattern, quote
from transforms.model.sources import SourceMap


def open_parquet(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    _target: Path | None = None,
) -> Opened:
    """A relation over the file with the needed columns; nothing is copied."""
    source = f"read_parquet({pattern(file.path)}, file_row_number=true)"
    with refuse_unreadable(file.name):
        n_rows = connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]
    source = generalised(source, file, needed)
    floats = [name for name in needed if file.types[name] in {"DOUBLE", "FLOAT"}]
    exact = [_exact(name) if name in floats else quote(name) for name in needed]
    numbered = f"(SELECT {', '.join([*exact, 'file_row_number + 1 AS row_number'])} FROM {source})"
    columns: dict[str, Kind] = {**needed, "row_number": "text"}
    return Opened(f"({read_times(numbered, columns, file.types, source_map)})", n_rows)


def _exact(name: str) -> str:
    """The column as text; a whole number that a float holds loses its point, so that keys stay keys."""
    column = quote(name)
    is_whole = f"{column} = trunc({column}) AND abs({column}) < 1e15"
    return f"CASE WHEN {is_whole} THEN {column}::BIGINT::VARCHAR ELSE {column}::VARCHAR END AS {column}"
