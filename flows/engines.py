"""DuckDB engines of this process: starting one takes longer than most questions, and a night asks thirty times.

An engine is lent to one caller at a time, who gets a connection of its own. It is lent again only if it was left as it
was found: no error, nothing stored, attached or spilled, and little in memory; otherwise it is closed.
"""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

MOST_IDLE = 2
MOST_BYTES = 16 * 1024**2
# A list is enough: its append and pop cannot be interrupted by another thread.
_IDLE: list[duckdb.DuckDBPyConnection] = []

LEFT = """SELECT
    (SELECT count(*) FROM duckdb_databases() WHERE NOT internal) - 1
    + (SELECT count(*) FROM duckdb_tables()) + (SELECT count(*) FROM duckdb_views() WHERE NOT internal)
    + (SELECT count(*) FROM duckdb_temporary_files()),
    (SELECT sum(memory_usage_bytes) FROM duckdb_memory())"""


@contextmanager
def lend_engine(memory_limit: str, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection without a file, to read and write others with; it spills into `spill`, and ends with the block."""
    engine = _take(memory_limit, spill)
    is_whole = False
    try:
        connection = engine.cursor()
        try:
            connection.execute("SET enable_progress_bar=false").fetchall()
            connection.execute("SET TimeZone='UTC'").fetchall()
            yield connection
        finally:
            connection.close()
        is_whole = _is_clean(engine)
    finally:
        if is_whole and len(_IDLE) < MOST_IDLE:
            _IDLE.append(engine)
        else:
            engine.close()


@contextmanager
def attach(connection: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool) -> Iterator[None]:
    """Make the database file `path` the one that `connection` works on, until the end of the block."""
    name = f'"{path.stem}"'
    place = str(path).replace("'", "''")
    connection.execute(f"ATTACH '{place}' AS {name}{' (READ_ONLY)' if read_only else ''}").fetchall()
    connection.execute(f"USE {name}").fetchall()
    yield  # after an error the engine is closed, and the file with it
    connection.execute("USE memory").fetchall()
    connection.execute(f"DETACH {name}").fetchall()


def _take(memory_limit: str, spill: Path) -> duckdb.DuckDBPyConnection:
    """An idle engine with these limits, or a new one; one that has spilled cannot be told another folder."""
    while _IDLE:
        try:
            engine = _IDLE.pop()
        except IndexError:  # another thread was first
            break
        try:
            for name, value in (("memory_limit", memory_limit), ("temp_directory", str(spill))):
                engine.execute(f"SET {name}='{value.replace(chr(39), chr(39) * 2)}'").fetchall()
            engine.execute("SET preserve_insertion_order=false").fetchall()
        except duckdb.Error:
            engine.close()
        else:
            return engine
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        },
    )


def _is_clean(engine: duckdb.DuckDBPyConnection) -> bool:
    n_left, n_bytes = engine.execute(LEFT).fetchall()[0]
    return bool(n_left == 0 and n_bytes <= MOST_BYTES)


@atexit.register
def _close_idle() -> None:
    while _IDLE:
        _IDLE.pop().close()
