"""Every column of a file as it was sent, as a relation that leaves nothing behind on the disk.

Text in another encoding is copied first, because DuckDB reads UTF-8 only, and the copy is gone at the end. Of a file
that is damaged, what can still be read is given.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from flows.sources.database import reading_database
from flows.sources.delimited import as_utf8, read_text
from flows.sources.files import salvage
from flows.sources.protocol import SourceFile, literal, quote
from flows.sources.transport import read_transport
from flows.sources.workbook import read_sheet
from transforms.model.sources import SourceMap

SENT = "rows_of_a_file"
SALVAGED_BYTES = 1 << 26
SKIPPED = "ignore_errors=true, null_padding=true, strict_mode=false"


@contextmanager
def as_sent(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    headers: Sequence[str],
    source_map: SourceMap,
    work: Path,
) -> Iterator[str]:
    """SQL of a relation with these columns of the file."""
    columns = ", ".join(quote(header) for header in headers)
    match file.kind:
        case "delimited":
            plain = as_utf8(file, work / "as_sent.txt")
            try:
                yield f"(SELECT {columns} FROM {read_text(file, plain, SKIPPED)})"
            finally:
                if plain != file.path:
                    plain.unlink(missing_ok=True)
        case "parquet":
            yield f"(SELECT {columns} FROM read_parquet({literal(str(file.path))}))"
        case "database":
            with reading_database(connection, file) as table:
                yield f"(SELECT {columns} FROM {table})"
        case "workbook":
            with _registered(connection, read_sheet(file, headers).drop("row_number")):
                yield SENT
        case "transport":
            with _registered(connection, pl.concat(read_transport(file, headers, source_map))):
                yield SENT
        case "fhir":
            raise ValueError("FHIR resources have no columns of their own")


@contextmanager
def as_far_as_readable(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> Iterator[str]:
    """SQL of a relation with all columns of a text that is damaged, as far as it unpacks."""
    text = salvage(file.path, SALVAGED_BYTES).decode(file.encoding, errors="replace")
    cells = pl.col("line").str.split(file.delimiter)
    columns = [
        cells.list.get(place, null_on_oob=True).str.strip_chars('" ').alias(header)
        for place, header in enumerate(file.headers)
    ]
    lines = pl.DataFrame({"line": text.splitlines()[1:]}, schema={"line": pl.String})
    with _registered(connection, lines.select(columns)):
        yield SENT


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> Iterator[None]:
    connection.register(SENT, rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
    try:
        yield
    finally:
        connection.unregister(SENT)
