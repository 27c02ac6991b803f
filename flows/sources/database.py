"""A DuckDB file is a folder of tables: each is read, never written, in the order in which its rows lie.

Rows are numbered by their place in that order. Views are left out, because they may read other files. A file that
another program holds open, or has not written to its end, is waited for: what stands in the journal beside it is not
in its content hash, so it would be read once and never again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from flows.errors import SourceError, TryAgainLater
from flows.parsing import read_times
from flows.sources.decisions import generalised
from flows.sources.files import refuse_unreadable
from flows.sources.opening import Opened
from flows.sources.protocol import Kind, SourceFile, literal, quote
from transforms.model.sources import SourceMap

MAGIC = b"DUCK"
MAGIC_AT = 8
JOURNAL = ".wal"
USUAL_SCHEMA = "main"
ATTACHED = "extract_database"


def is_database(head: bytes, _path: Path) -> bool:
    """Whether the first bytes are those of a DuckDB file."""
    return head[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC


def look_at_database(path: Path, shown: str) -> tuple[SourceFile, ...]:
    """One file for each table, sorted; a table outside the schema main is called schema.table."""
    with duckdb.connect() as connection:
        _attach(connection, path, shown)
        columns = _list_columns(connection)
    tables: dict[str, dict[str, str]] = {}
    for schema, table, column, kind in columns:
        tables.setdefault(_member(schema, table), {})[column] = kind
    return tuple(SourceFile(path, "database", types, member=name, shown=shown) for name, types in tables.items())


def open_database(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Opened:
    """Write the needed columns of a table to `target` as Parquet, with the number of each row."""
    columns: dict[str, Kind] = {**needed, "row_number": "text"}
    types = {**file.types, "row_number": "BIGINT"}
    with reading_database(connection, file) as table, refuse_unreadable(file.name):
        own = ", ".join(map(quote, needed))
        numbered = f"(SELECT {own}, row_number() OVER (ORDER BY rowid) AS row_number FROM {table})"
        rows = read_times(generalised(numbered, file, needed), columns, types, source_map)
        copied = connection.execute(
            f"COPY ({rows}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)"
        ).fetchall()
    return Opened(f"read_parquet({literal(str(target))})", int(copied[0][0]))


@contextmanager
def reading_database(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> Iterator[str]:
    """The table as SQL, while the file is attached."""
    _attach(connection, file.path, file.name)
    try:
        with refuse_unreadable(file.name):
            place = _find_table(connection, file)
        yield place
    finally:
        connection.execute(f"DETACH {ATTACHED}").fetchall()


def _list_columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str]]:
    return connection.execute(
        "SELECT c.schema_name, c.table_name, c.column_name, c.data_type FROM duckdb_columns() c "
        "JOIN duckdb_tables() t USING (database_name, schema_name, table_name) "
        f"WHERE c.database_name = {literal(ATTACHED)} AND NOT c.internal ORDER BY 1, 2, c.column_index"
    ).fetchall()


def _member(schema: str, table: str) -> str:
    return table if schema == USUAL_SCHEMA else f"{schema}.{table}"


def _find_table(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> str:
    """The table as SQL; its name and that of its schema may hold a point themselves."""
    found = [names[:2] for names in _list_columns(connection) if _member(*names[:2]) == file.member]
    if not found:
        raise SourceError(f"{file.name}: the table has gone.", repair="Copy the file again and run again.")
    return ".".join(quote(name) for name in (ATTACHED, *found[0]))


def _attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    if path.with_name(path.name + JOURNAL).exists():
        raise TryAgainLater(
            f"{name}: some of it is still in the journal beside it ({JOURNAL}).",
            repair="Close the program that writes it, or run CHECKPOINT in it, then run again.",
        )
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {ATTACHED} (READ_ONLY)").fetchall()
    except duckdb.Error as error:
        if "could not set lock" in str(error).lower():
            raise TryAgainLater(
                f"{name}: another program has the file open.", repair="Close it there, then run again."
            ) from None
        raise SourceError(
            f"{name}: cannot be opened as a DuckDB file.",
            repair="Copy it again after the program that wrote it has ended, or export its tables as Parquet.",
        ) from None
