"""A site's own checks tried on empty tables: a column that is not there is told before a night begins."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from expectations.rows import sheets_sql
from expectations.suite import Check, Suite, load_suites
from transforms.definition_files import read_mapping
from transforms.errors import DefinitionError
from transforms.schemas import load_tables, schema_of
from transforms.wrong_keys import point_at

# What a suite can look at beside canonical tables (flows/sidecar.py).
BESIDE = {
    "night": "started_on DATE, dates VARCHAR",
    "arrival": "table_name VARCHAR, rule VARCHAR, n_rows BIGINT, share DOUBLE",
    "known_person": "source_id VARCHAR, person_id VARCHAR, birth_year INTEGER, died_on DATE",
}


def refuse_wrong_checks(own: Sequence[Path]) -> None:
    """DefinitionError with file, line and the columns there are, when a check of `own` cannot be made."""
    suites = load_suites(own)
    if not own:
        return
    written = {str(check.get("id")): path for path in own for check in read_mapping(path)["checks"]}
    with duckdb.connect(":memory:") as connection:
        _lay_tables(connection)
        wrong = [line for suite in suites for line in _try_suite(connection, suite, written)]
    if wrong:
        raise DefinitionError("A check cannot be made on the tables that it looks at.", details=wrong)


def _lay_tables(connection: duckdb.DuckDBPyConnection) -> None:
    for name, columns in BESIDE.items():
        connection.execute(f"CREATE TABLE {name} ({columns})").fetchall()
    for table in load_tables().values():
        if table.name.startswith("canonical."):
            columns = ", ".join(f'"{column.name}" {column.type}' for column in table.columns)
            connection.execute(f"CREATE TABLE {table.name.removeprefix('canonical.')} ({columns})").fetchall()


def _try_suite(connection: duckdb.DuckDBPyConnection, suite: Suite, written: Mapping[str, Path]) -> Iterator[str]:
    """What is wrong with the checks of a suite that a site wrote; a shipped suite is looked at for those alone."""
    checks = [check for check in suite.checks if check.id in written]
    if not checks:
        return
    for view in suite.views:
        if said := _fails(connection, f"CREATE OR REPLACE VIEW {view.name} AS {view.sql}"):
            yield f"{written[checks[0].id].name}: view {view.name}: {said}"
            return
    for check in checks:
        alone = suite.model_copy(update={"checks": _with_named(suite, check)})
        said = next(filter(None, (_fails(connection, f"EXPLAIN {sql}") for sql in sheets_sql([alone]).values())), "")
        if said:
            yield _tell(check, written[check.id], said)


def _with_named(suite: Suite, check: Check) -> tuple[Check, ...]:
    """The check with those that it names."""
    return tuple(one for one in suite.checks if one is check or one.id in (check.any_of or ()))


def _fails(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    try:
        connection.execute(sql).fetchall()
    except duckdb.Error as error:
        return str(error).partition("\n")[0]
    return ""


def _tell(check: Check, path: Path, said: str) -> str:
    listed = read_mapping(path)["checks"]
    number = next(n for n, one in enumerate(listed) if one.get("id") == check.id)
    where = point_at(path.name, path.read_text(encoding="utf-8"), ("checks", number))
    columns = "" if check.view else f" {check.table} has {', '.join(schema_of(check.table).column_names)}."
    return f"{where}: {check.id}: {said}{columns}"
