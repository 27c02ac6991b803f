"""The one DuckDB file of a workspace: opened with fixed limits, created from the schemas, written by one process.

Every connection names its memory limit and spill folder and never looks for extensions. A file held by another
process is `Busy`, not a traceback.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from flows.errors import Busy, SourceError
from flows.workspace import SPILL, make_private, private_files
from transforms.schemas import Column, Table, load_tables

# "lock" alone is in "block", which is what DuckDB says of a damaged one.
LOCKED = "Could not set lock on file"
PATIENCE_SECONDS, LOOK_AGAIN_SECONDS = 10, 0.1


@contextmanager
def open_warehouse(path: Path, *, memory_limit: str, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse, closed at the end; tables exist afterwards unless `read_only`."""
    with private_files():
        connection = _connect(path, memory_limit, read_only)
        try:
            if not read_only:
                make_private(path)
                create_tables(connection)
            yield connection
        finally:
            connection.close()


@contextmanager
def open_known(path: Path, *, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a warehouse whose tables are known to be there, for one short line: half the cost."""
    with private_files():
        connection = _connect(path, memory_limit, read_only=False)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def open_memory(spill: Path, *, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection without a file, for reading and writing Parquet; it spills into `spill`."""
    spill.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(":memory:", config=_config(memory_limit, spill))
    try:
        _quieten(connection)
        yield connection
    finally:
        connection.close()


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create every schema and table that is not there yet, and add the columns that a table of an older nadir lacks."""
    tables = load_tables().values()
    if not _missing(connection, tables):
        return
    for schema in sorted({table.name.split(".")[0] for table in tables}):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}").fetchall()
    for table in tables:
        connection.execute(table.create_sql()).fetchall()
    for table, column in _missing(connection, tables):
        connection.execute(table.add_sql(column)).fetchall()


def _missing(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> list[tuple[Table, Column]]:
    """What is not there yet, in one question instead of one for each table."""
    found = connection.execute("SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns()").fetchall()
    known = set(found)
    return [(table, column) for table in tables for column in table.columns if (table.name, column.name) not in known]


def _connect(path: Path, memory_limit: str, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Waits a little for who has it open: somebody who looks at the history must not end a night."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection = duckdb.connect(
                str(path), read_only=read_only, config=_config(memory_limit, path.with_suffix(SPILL))
            )
        except duckdb.Error as error:
            if LOCKED not in str(error):
                raise SourceError(
                    f"{path.name} cannot be opened as a warehouse.",
                    repair="Restore it from a backup (nadir restore), or move it away to start anew.",
                ) from error
            if time.monotonic() > deadline:
                raise Busy(
                    f"{path.name} is open in another process.", repair="Wait until that run has ended, then try again."
                ) from error
            time.sleep(LOOK_AGAIN_SECONDS)
        else:
            _quieten(connection)
            return connection


def _config(memory_limit: str, spill: Path) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }


def _quieten(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET enable_progress_bar=false").fetchall()
    connection.execute("SET TimeZone='UTC'").fetchall()
