"""A small DuckDB file of views over tonight's Parquet, for checks; they never hold the warehouse open.

It holds one view for each canonical table, `night` (one row: started_on, dates), `arrival` (rows that could have been
used by table_name and the rule of reading that refused them, null for what was taken in: n_rows, share of the table),
`known_person` (everybody in the warehouse or tonight, one row each: source_id, person_id, birth_year, died_on) and what
the suites define. What a suite wants stored is computed once, as Parquet beside the file.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from expectations.rows import failing_rows_sql, sheets_sql, targets
from expectations.suite import Suite
from flows.engines import attach, lend_engine
from flows.handover import Received, RunContext
from flows.tonight import tonight_rows
from flows.warehouse import open_warehouse
from transforms.schemas import load_tables

LIFE = "source_id, person_id, birth_year, died_on"


@dataclass(frozen=True)
class Sidecar:
    """The file, and which suites could not be laid over tonight's rows, with the kind of error."""

    path: Path
    broken: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where its stored facts lie."""
        return self.path.parent

    def whole(self, suites: Sequence[Suite]) -> list[Suite]:
        """Those that are not broken."""
        return [suite for suite in suites if suite.name not in self.broken]


@contextmanager
def build_sidecar(
    received: Received, suites: Sequence[Suite], context: RunContext, name: str = "validate"
) -> Iterator[Sidecar]:
    """Create the file, and remove it with all its facts at the end: they hold rows of people.

    A table that cannot be read as its schema breaks its suite, not the build.
    """
    folder = context.work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield _build(Sidecar(folder / "sidecar.duckdb", {}), received, suites, context)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_sidecar(sidecar: Sidecar, memory_limit: str, *, is_new: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the file; read-only unless it is being built."""
    with (
        lend_engine(memory_limit, sidecar.folder / "spill") as connection,
        attach(connection, sidecar.path, read_only=not is_new),
    ):
        yield connection


def write_failing_rows(
    connection: duckdb.DuckDBPyConnection, suite: Suite, rules: Mapping[str, int], folder: Path
) -> tuple[Path, ...]:
    """One scan of each view that broken rules are about, into Parquet with the columns of failing_rows_sql."""
    files: list[Path] = []
    for target in targets(suite):
        sql = failing_rows_sql(suite, target, rules)
        if sql is not None:
            files.append(folder / f"failing_{target}.parquet")
            _store(connection, sql, files[-1])
    return tuple(files)


def quoted(path: Path) -> str:
    """The path as a SQL text."""
    return "'" + str(path).replace("'", "''") + "'"


def _build(sidecar: Sidecar, received: Received, suites: Sequence[Suite], context: RunContext) -> Sidecar:
    known = _copy_known_persons(received, context, sidecar.folder)
    with open_sidecar(sidecar, context.settings.memory_limit, is_new=True) as connection:
        broken_tables = _lay_tables(connection, received, context)
        _lay_known_persons(connection, sidecar.folder, known)
        for suite in suites:
            kind = broken_tables.get(suite.table) or _lay_suite(connection, suite, sidecar.folder)
            if kind:
                sidecar.broken[suite.name] = kind
        if _lay_sheets(connection, sidecar.whole(suites)):
            broken = {s.name: kind for s in sidecar.whole(suites) if (kind := _lay_sheets(connection, [s]))}
            sidecar.broken.update(broken)
            _lay_sheets(connection, sidecar.whole(suites))
    return sidecar


def _copy_known_persons(received: Received, context: RunContext, folder: Path) -> Path | None:
    if not context.workspace.warehouse.exists():
        return None
    path = folder / "warehouse_person.parquet"
    limit = context.settings.memory_limit
    with open_warehouse(context.workspace.warehouse, memory_limit=limit, read_only=True) as connection:
        replaced = f"read_parquet({quoted(received.replaced)}) r USING (source_id, person_id)"
        _store(connection, f"SELECT {LIFE} FROM canonical.person ANTI JOIN {replaced}", path)
    return path


def _lay_tables(connection: duckdb.DuckDBPyConnection, received: Received, context: RunContext) -> dict[str, str]:
    started_on = context.started_at.date().isoformat()
    connection.execute(
        f"CREATE VIEW night AS SELECT DATE '{started_on}' AS started_on, '{received.dates}' AS dates"
    ).fetchall()
    connection.execute(f"CREATE VIEW arrival AS {_arrival_sql(received)}").fetchall()
    broken: dict[str, str] = {}
    for table in load_tables():
        if not table.startswith("canonical."):
            continue
        name = table.removeprefix("canonical.")
        try:
            connection.execute(f"CREATE VIEW {name} AS {tonight_rows(received, table)}").fetchall()
        except duckdb.Error as error:
            broken[table] = type(error).__name__
    return broken


def _arrival_sql(received: Received) -> str:
    taken_in: dict[str, int] = {}
    for line in received.ledger:
        taken_in[line.table_name] = taken_in.get(line.table_name, 0) + line.n_accepted
    rows = ", ".join(["('', 0)", *(f"('{table}', {n})" for table, n in taken_in.items())])
    return (
        "SELECT *, n_rows / sum(n_rows) OVER (PARTITION BY table_name) AS share FROM ("
        f"SELECT table_name, NULL AS rule, n_rows FROM (VALUES {rows}) taken_in (table_name, n_rows) UNION ALL "
        f"SELECT table_name, rule, count(*) FROM read_parquet({quoted(received.dropped)}) "
        "WHERE outcome = 'quarantined' GROUP BY ALL) WHERE n_rows > 0"
    )


def _lay_known_persons(connection: duckdb.DuckDBPyConnection, folder: Path, known: Path | None) -> None:
    path = folder / "known_person.parquet"
    earlier = f"UNION ALL BY NAME SELECT * FROM read_parquet({quoted(known)})" if known else ""
    life = "min(birth_year) AS birth_year, max(died_on) AS died_on"
    sql = f"SELECT source_id, person_id, {life} FROM (SELECT {LIFE} FROM person {earlier}) GROUP BY ALL"
    try:
        _store(connection, sql, path)
    except duckdb.Error:
        return  # the person table is unreadable, and says so itself; suites that need people break too
    connection.execute(f"CREATE VIEW known_person AS SELECT * FROM read_parquet({quoted(path)})").fetchall()


def _lay_suite(connection: duckdb.DuckDBPyConnection, suite: Suite, folder: Path) -> str | None:
    try:
        for view in suite.views:
            sql = view.sql
            if view.is_stored:
                path = folder / f"{view.name}.parquet"
                _store(connection, sql, path)
                sql = f"SELECT * FROM read_parquet({quoted(path)})"
            connection.execute(f"CREATE VIEW {view.name} AS {sql}").fetchall()
    except duckdb.Error as error:
        return type(error).__name__
    return None


def _lay_sheets(connection: duckdb.DuckDBPyConnection, suites: Sequence[Suite]) -> str | None:
    """The kind of error when a check of these suites names what is not there."""
    try:
        for sheet, sql in sheets_sql(suites).items():
            connection.execute(f"CREATE OR REPLACE VIEW {sheet} AS {sql}").fetchall()
    except duckdb.Error as error:
        return type(error).__name__
    return None


def _store(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    connection.execute(f"COPY ({sql}) TO {quoted(path)} (FORMAT parquet, COMPRESSION snappy)").fetchall()
