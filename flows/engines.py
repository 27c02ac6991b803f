"""DuckDB engines of this process: starting one takes longer than most questions, and a night asks thirty times.

An engine is lent to one caller at a time, who gets a connection of its own. It is lent again only if it was left as it
was found: no error, nothing stored, attached or spilled, and little in memory; otherwise it is closed.
"""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.interruption import interruptible

MOST_IDLE = 2
MOST_BYTES = 16 * 1024**2

LEFT = """SELECT
    (SELECT count(*) FROM duckdb_databases() WHERE NOT internal) - 1
    + (SELECT count(*) FROM duckdb_tables()) + (SELECT count(*) FROM duckdb_views() WHERE NOT internal)
    + (SELECT count(*) FROM duckdb_temporary_files()),
    (SELECT sum(memory_usage_bytes) FROM duckdb_memory())"""


@dataclass
class Engine:
    """A connection that no caller gets, and what the engine was told of limits, to tell it nothing twice."""

    connection: duckdb.DuckDBPyConnection
    limits: dict[str, str]


# A list is enough: its append and pop cannot be interrupted by another thread.
_IDLE: list[Engine] = []


@contextmanager
def lend_engine(memory_limit: str, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection without a file, to read and write others with; it spills into `spill`, and ends with the block."""
    engine = _take(memory_limit, spill)
    is_whole = False
    try:
        connection = engine.connection.cursor()
        try:
            connection.execute("SET enable_progress_bar=false").fetchall()
            connection.execute("SET TimeZone='UTC'").fetchall()
            with interruptible(connection):
                yield connection
        finally:
            connection.close()
        is_whole = _is_clean(engine) and not _has_spilled(spill)
    finally:
        if is_whole and len(_IDLE) < MOST_IDLE:
            _IDLE.append(engine)
        else:
            engine.connection.close()


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


def _take(memory_limit: str, spill: Path) -> Engine:
    """An idle engine with these limits, or a new one; one that has spilled cannot be told another folder."""
    limits = {"memory_limit": memory_limit, "temp_directory": str(spill)}
    while _IDLE:
        try:
            engine = _IDLE.pop()
        except IndexError:  # another thread was first
            break
        try:
            _limit(engine, limits)
        except duckdb.Error:
            engine.connection.close()
        else:
            return engine
    return _start(limits)


def _limit(engine: Engine, limits: dict[str, str]) -> None:
    for name, value in limits.items():
        if engine.limits[name] != value:
            engine.connection.execute(f"SET {name}='{value.replace(chr(39), chr(39) * 2)}'").fetchall()
    engine.connection.execute("SET preserve_insertion_order=false").fetchall()
    engine.limits = limits


def _start(limits: dict[str, str]) -> Engine:
    connection = duckdb.connect(
        ":memory:",
        config={
            **limits,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        },
    )
    connection.execute(f"PREPARE look AS {LEFT}").fetchall()  # looking costs a quarter where it is planned once
    return Engine(connection, limits)


def _is_clean(engine: Engine) -> bool:
    n_left, n_bytes = engine.connection.execute("EXECUTE look").fetchall()[0]
    return bool(n_left == 0 and n_bytes <= MOST_BYTES)


def _has_spilled(spill: Path) -> bool:
    """Whether anything lies in the folder: what an engine keeps there is gone only when it is closed."""
    return spill.is_dir() and any(spill.iterdir())


@atexit.register
def _close_idle() -> None:
    while _IDLE:
        _IDLE.pop().connection.close()
