"""The one DuckDB file of a workspace: opened with fixed limits, created from the schemas, written by one process.

Every connection names its memory limit and spill folder and never looks for extensions. A file held by another
process is `Busy`, not a traceback.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from flows.engines import attach, lend_engine
from flows.errors import Busy, SourceError
from flows.workspace import SPILL, make_private, private_files
from transforms.schemas import Column, Table, load_tables

# "lock" alone is in "block", which is what DuckDB says of a damaged one.
LOCKED = "Could not set lock on file"
PATIENCE_SECONDS, LOOK_AGAIN_SECONDS = 10, 0.1


@contextmanager
def open_warehouse(path: Path, *, memory_limit: str, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse, closed at the end; every table and column of this nadir is there.

    That of an older nadir is made so even by who only reads it, and would miss a column.
    """
    with ExitStack() as opened:
        connection = opened.enter_context(_open(path, memory_limit, read_only=read_only))
        if not read_only:
            make_private(path)
            create_tables(connection)
        elif _lacking(load_tables(), _find_columns(connection)):
            opened.close()
            with open_warehouse(path, memory_limit=memory_limit):
                pass
            connection = opened.enter_context(_open(path, memory_limit, read_only=True))
        yield connection


@contextmanager
def open_known(path: Path, *, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a warehouse whose tables are known to be there, as they are once a run has begun."""
    with _open(path, memory_limit, read_only=False) as connection:
        yield connection


@contextmanager
def open_memory(spill: Path, *, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection without a file, for reading and writing Parquet; it spills into `spill`."""
    spill.mkdir(parents=True, exist_ok=True)
    with lend_engine(memory_limit, spill) as connection:
        yield connection


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create every schema and table that is not there yet, and make those of an older nadir fit for what is written.

    Columns that they lack are added; what was always filled may be empty where it may be now, or is no column any more.
    """
    tables = load_tables()
    found = _find_columns(connection)
    if not _lacking(tables, found) and not _too_strict(tables, found):
        return
    connection.execute("BEGIN").fetchall()  # each change by itself would be written to the disk by itself
    for schema in sorted({name.split(".")[0] for name in tables}):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}").fetchall()
    for table in tables.values():
        connection.execute(table.create_sql()).fetchall()
    for table, column in _lacking(tables, _find_columns(connection)):
        connection.execute(table.add_sql(column)).fetchall()
    for name, column_name in _too_strict(tables, found):
        connection.execute(f'ALTER TABLE {name} ALTER COLUMN "{column_name}" DROP NOT NULL').fetchall()
    connection.execute("COMMIT").fetchall()


Found = Mapping[tuple[str, str], bool]  # whether the column of the table may be empty


def _find_columns(connection: duckdb.DuckDBPyConnection) -> Found:
    """Every column that is there, by one question instead of one for each table."""
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, column_name, is_nullable FROM duckdb_columns() WHERE NOT internal"
    ).fetchall()
    return {(table, column): is_nullable for table, column, is_nullable in rows}


def _lacking(tables: Mapping[str, Table], found: Found) -> list[tuple[Table, Column]]:
    return [
        (table, column)
        for table in tables.values()
        for column in table.columns
        if (table.name, column.name) not in found
    ]


def _too_strict(tables: Mapping[str, Table], found: Found) -> list[tuple[str, str]]:
    """Columns of known tables that may not be empty although nothing, or a null, is written to them now."""
    filled = {
        (table.name, column.name) for table in tables.values() for column in table.columns if not column.is_nullable
    }
    strict = (place for place, is_nullable in found.items() if not is_nullable and place[0] in tables)
    return sorted(place for place in strict if place not in filled)


@contextmanager
def _open(path: Path, memory_limit: str, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    with private_files(), lend_engine(memory_limit, path.with_suffix(SPILL)) as connection, ExitStack() as opened:
        _attach_patiently(opened, connection, path, read_only=read_only)
        yield connection


def _attach_patiently(opened: ExitStack, connection: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool) -> None:
    """Waits a little for who has it open: somebody who looks at the history must not end a night."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return opened.enter_context(attach(connection, path, read_only=read_only))
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
