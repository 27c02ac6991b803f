"""The one transaction of a night: canonical, derived, counts, estimates and releases change together or not at all.

Rows of touched people are replaced, all other people's stay. Estimates and releases are added under their run id.
Staged files that were written anew follow the transaction: a crash between the two is mended at the next start.
"""

import shutil
from pathlib import Path

import duckdb

from flows.attempts import close_line, record_answers, record_night
from flows.handover import Derived, Estimated, ReleasedNight, RunContext, Validated
from flows.part import DERIVED, OF_EPISODES
from flows.population import TABLES, quoted
from flows.shown_before import keep_shown
from flows.tonight import tonight_rows
from flows.warehouse import open_known
from flows.workspace import COUNTS, Workspace
from transforms.schemas import load_tables, schema_of

OF_PEOPLE = tuple(name for name in DERIVED if name not in OF_EPISODES)


def commit_night(night: ReleasedNight, context: RunContext) -> None:
    """Write everything of the night to the warehouse, state `released`; on any error nothing has changed."""
    derived = night.estimated.derived
    limit = context.settings.memory_limit
    with open_known(context.workspace.warehouse, memory_limit=limit) as connection:
        connection.execute("BEGIN").fetchall()
        try:
            replace_people(connection, night.estimated)
            _append_estimates(connection, night)
            keep_shown(connection, night)
            record_night(connection, context, derived.validated)
            record_answers(connection, context.run_id, derived.answers)
            close_line(connection, context.run_id, "released")
            connection.execute("COMMIT").fetchall()
        except BaseException:
            connection.execute("ROLLBACK").fetchall()
            raise
    install_files(context.workspace, context.run_id)


def replace_people(connection: duckdb.DuckDBPyConnection, estimated: Estimated) -> None:
    """Canonical and derived rows of the touched people, and every count, inside the caller's transaction."""
    derived = estimated.derived
    for name in TABLES:
        merge_canonical(connection, derived.validated, f"canonical.{name}")
    _replace_inferred_observation(connection, derived)
    _replace_derived(connection, derived)
    _replace_counts(connection, estimated)


def install_files(workspace: Workspace, run_id: str) -> None:
    """Put what a committed run has written into the place of the earlier: staged rows read again, and its counts."""
    for folder in sorted(workspace.work(run_id).glob("staged/*")):
        target = workspace.staged(folder.name)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    counts = workspace.work(run_id) / COUNTS
    if counts.exists():
        counts.replace(workspace.counts)


def merge_canonical(connection: duckdb.DuckDBPyConnection, night: Validated, table: str) -> None:
    """Replace the rows of the people whom tonight touches by what is kept of all that was received of them."""
    if _holds_rows(connection, table):
        gone = f"SELECT (source_id, person_id) FROM read_parquet('{quoted(night.received.replaced)}')"
        connection.execute(f"DELETE FROM {table} WHERE (source_id, person_id) IN ({gone})").fetchall()
    connection.execute(f"INSERT INTO {table} BY NAME {tonight_rows(night, table)}").fetchall()


def _replace_inferred_observation(connection: duckdb.DuckDBPyConnection, derived: Derived) -> None:
    _delete_touched(connection, derived, "canonical.observation", "is_inferred")
    connection.execute(
        f"""INSERT INTO canonical.observation BY NAME
        SELECT p.person_id, p.source_id, o.started_on, o.ended_on, true AS is_inferred,
               md5_number_lower(concat_ws('|', p.source_id, p.person_id, o.started_on)) AS record_key
        FROM read_parquet('{quoted(derived.frames["observation"])}') o
        JOIN read_parquet('{quoted(derived.people)}') p USING (person_index)
        WHERE o.is_inferred"""
    ).fetchall()


def _replace_derived(connection: duckdb.DuckDBPyConnection, derived: Derived) -> None:
    for name in (*OF_EPISODES, *OF_PEOPLE):
        _delete_touched(connection, derived, f"derived.{name}")
    for name in (*OF_PEOPLE, *OF_EPISODES):
        columns = ", ".join(f'"{column}"' for column in schema_of(f"derived.{name}").column_names)
        connection.execute(
            f"""INSERT INTO derived.{name} BY NAME SELECT {columns}
            FROM read_parquet('{quoted(derived.frames[name])}')
            JOIN read_parquet('{quoted(derived.people)}') p USING (person_index)"""
        ).fetchall()


def _delete_touched(
    connection: duckdb.DuckDBPyConnection, derived: Derived, table: str, condition: str = "true"
) -> None:
    """Delete what `table` holds of the touched people. Where nobody is left as they were, rows are not looked at."""
    if derived.standing is None:
        connection.execute(f"DELETE FROM {table} WHERE {condition}").fetchall()
        return
    people = f"read_parquet('{quoted(derived.people)}')"
    gone = f"{people} p WHERE t.source_id = p.source_id AND t.person_id = p.person_id"
    if table.removeprefix("derived.") in OF_EPISODES:  # their people are known by the episode alone
        gone = (
            f"(SELECT e.episode_id FROM derived.episode e JOIN {people} USING (source_id, person_id)) g "
            "WHERE t.episode_id = g.episode_id"
        )
    connection.execute(f"DELETE FROM {table} t USING {gone} AND {condition}").fetchall()


def _replace_counts(connection: duckdb.DuckDBPyConnection, estimated: Estimated) -> None:
    """All rows, or where earlier ones stand those that have moved; a fact may be null."""
    for name in [table for table in load_tables() if table.startswith("counts.")]:
        if name in estimated.gone:
            gone = f"read_parquet('{quoted(estimated.gone[name])}')"
            facts = [str(line[0]) for line in connection.execute(f"DESCRIBE FROM {gone}").fetchall()]
            same = " AND ".join(f't."{fact}" IS NOT DISTINCT FROM g."{fact}"' for fact in facts)
            connection.execute(f"DELETE FROM {name} t USING {gone} g WHERE {same}").fetchall()
        else:
            connection.execute(f"DELETE FROM {name}").fetchall()
        _insert_parquet(connection, name, estimated.tables[name])


def _append_estimates(connection: duckdb.DuckDBPyConnection, night: ReleasedNight) -> None:
    for name in [table for table in load_tables() if table.startswith("estimate.")]:
        _insert_parquet(connection, name, night.estimated.tables[name])
    for name, rows in sorted(night.released.tables.items()):
        if rows.is_empty():
            continue
        connection.register("rows_to_release", rows.to_arrow())
        connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM rows_to_release").fetchall()
        connection.unregister("rows_to_release")


def _insert_parquet(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM read_parquet('{quoted(path)}')").fetchall()


def _holds_rows(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1)").fetchall()[0][0])
