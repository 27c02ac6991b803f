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
from flows.sources.delimited import as_utf8, read_text, refuse_line_ends
from flows.sources.protocol import SourceFile, literal, quote
from flows.sources.salvage import salvage
from flows.sources.transport import read_transport
from flows.sources.workbook import read_sheet
from transforms.model.sources import SourceMap

SENT = "rows_of_a_file"
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
SHARE_OF_MEMORY = 3  # a text takes about as much room in a table as in its file
PACKED = 10  # how many times its size a packed text may be
SALVAGED_BYTES = 1 << 23
SKIPPED = "ignore_errors=true"


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
                text = f"(SELECT {columns} FROM {read_text(file, plain, SKIPPED)})"
                with refuse_line_ends(file.name), _in_memory(connection, text, file) as rows:
                    yield rows
            finally:
                if plain != file.path:
                    plain.unlink(missing_ok=True)
        case "parquet":
            yield f"(SELECT {columns} FROM read_parquet({literal(str(file.path))}))"
        case "database":
            with reading_database(connection, file) as table:
                yield f"(SELECT {columns} FROM {table})"
        case "workbook":
            with _registered(connection, read_sheet(file, headers).drop("row_number")) as relation:
                yield relation
        case "transport":
            with _registered(connection, pl.concat(read_transport(file, headers, source_map))) as relation:
                yield relation
        case "fhir":
            raise ValueError("FHIR resources have no columns of their own")


@contextmanager
def _in_memory(connection: duckdb.DuckDBPyConnection, text: str, file: SourceFile) -> Iterator[str]:
    """The rows of a text as a table, so that it is parsed once; as the text itself if it might not fit and spill."""
    n_bytes = file.path.stat().st_size * (PACKED if file.compression != "none" else 1)
    limit = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    if n_bytes > _bytes(limit) // SHARE_OF_MEMORY:
        yield text
        return
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {SENT} AS FROM {text}").fetchall()
    try:
        yield SENT
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {SENT}").fetchall()


def _bytes(size: str) -> int:
    """The bytes of a size as DuckDB says it, such as 2.7 GiB."""
    number, unit = size.split(" ")
    return int(float(number) * 1024 ** UNITS.index(unit))


def types_of(connection: duckdb.DuckDBPyConnection, relation: str, headers: Sequence[str]) -> dict[str, str]:
    """The types that these columns have in a relation."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    own = {name: kind for name, kind, *_ in described}
    return {header: own[header] for header in headers}


@contextmanager
def as_far_as_readable(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> Iterator[str]:
    """SQL of a relation with all columns of a text that is damaged, as far as it unpacks."""
    text = salvage(file.path, SALVAGED_BYTES).decode(file.encoding, errors="replace")
    cells = pl.col("line").str.split(file.delimiter)
    columns = [
        cells.list.get(place, null_on_oob=True).str.strip_chars('" ').alias(header)
        for place, header in enumerate(file.headers)
    ]
    # Split as columns: a text that unpacks to line ends alone would be gigabytes of Python objects.
    lines = pl.DataFrame({"line": [text]}).select(pl.col("line").str.split("\n").explode().str.strip_chars_end("\r"))
    lines = lines.slice(1).filter(pl.col("line") != "")
    with _registered(connection, lines.select(columns)) as relation:
        yield relation


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> Iterator[str]:
    """Columns are handed over by their places, because Arrow takes no header that holds a NUL."""
    places = {header: f"c{place}" for place, header in enumerate(rows.columns)}
    named = ", ".join(f"{name} AS {quote(header)}" for header, name in places.items())
    connection.register(SENT, rows.rename(places).to_arrow(compat_level=pl.CompatLevel.oldest()))
    try:
        yield f"(SELECT {named} FROM {SENT})"
    finally:
        connection.unregister(SENT)
