"""Removes a person: canonical, derived and staged rows, what quarantine says of them, and their part of every count.

A keyed hash stays, so that the person stays away when files come again. Reports that were published stay as they are:
they hold aggregates. Each step may be done twice, so a crash is mended by erasing again.
"""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from flows.attempts import begin_attempt, close_line
from flows.commit import install_files, replace_people
from flows.erasure import mark_of, read_salt, rewrite_without
from flows.errors import WrongUse
from flows.handover import Received, RunContext, Validated
from flows.history import last_published
from flows.lock import hold_workspace
from flows.population import TABLES
from flows.progress import Progress
from flows.recovery import recover
from flows.refused import table_of
from flows.settings import Settings
from flows.silence import silence_libraries
from flows.sources.protocol import literal
from flows.stages.derive import derive
from flows.stages.estimate import estimate
from flows.touched import parquet
from flows.warehouse import open_memory, open_warehouse
from flows.workspace import Workspace, make_private
from transforms.load import load_definitions
from transforms.schemas import schema_of

DERIVED = ("anc_candidate", "anc", "episode", "drug_block", "cohort_member", "cohort_entry", "cycle", "chronic")


@dataclass(frozen=True)
class Erased:
    """What was removed, in rows; never the person."""

    run_id: str
    source_id: str
    n_canonical: int
    n_derived: int
    n_staged: int
    n_quarantined: int

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return vars(self)

    def as_text(self) -> str:
        """For a terminal."""
        rows = (
            f"{self.n_canonical:,} canonical, {self.n_derived:,} derived, {self.n_staged:,} staged "
            f"and {self.n_quarantined:,} quarantined rows"
        )
        return (
            f"One person of {self.source_id} was erased: {rows}. All counts are without them.\n"
            "Reports published before stay: they hold aggregates. Extracts and backups are yours to clear.\n"
            "The person stays erased as long as erased.key stays in the workspace."
        )


@silence_libraries()
def erase_person(person_id: str, source_id: str, settings: Settings) -> Erased:
    """Erase one person; WrongUse when there is none, or one in several sources and no source is named."""
    workspace = Workspace(settings.workspace.resolve())
    workspace.need_warehouse()
    definitions = load_definitions(settings.definitions)
    with hold_workspace(workspace):
        recover(workspace, settings.memory_limit)
        started_at = datetime.now(UTC)
        run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        context = RunContext(run_id, started_at, workspace, settings, definitions, Progress(is_quiet=True))
        source_id = _find_source(context, person_id, source_id)
        make_private(context.work)
        try:
            return _erase(context, source_id, person_id)
        finally:
            shutil.rmtree(context.work, ignore_errors=True)


def _find_source(context: RunContext, person_id: str, source_id: str) -> str:
    with _open(context) as connection:
        queries = ["SELECT source_id, person_id FROM canonical.person"]
        queries += [f"SELECT source_id, person_id FROM {parquet([path])}" for path in _staged(context.workspace)]
        found = connection.execute(
            f"SELECT DISTINCT source_id FROM ({' UNION ALL '.join(queries)}) WHERE person_id = ? ORDER BY 1",
            [person_id],
        ).fetchall()
    sources = [name for (name,) in found]
    if not sources:
        raise WrongUse(
            "No person in this workspace has that key.", repair="Write it as the extract does; nothing was changed."
        )
    if source_id and source_id not in sources:
        raise WrongUse(f"No person of {source_id} has that key.", details=sources, repair="Name one of these sources.")
    if not source_id and len(sources) > 1:
        raise WrongUse("Several sources have that key.", details=sources, repair="Say which with --source-id.")
    return source_id or sources[0]


def _erase(context: RunContext, source_id: str, person_id: str) -> Erased:
    begin_attempt(context)
    person = context.work / "replaced.parquet"
    with open_memory(context.work / "spill", memory_limit=context.settings.memory_limit) as connection:
        who = f"SELECT {literal(source_id)} AS source_id, {literal(person_id)} AS person_id"
        connection.execute(f"COPY ({who}) TO {literal(str(person))} (FORMAT parquet)").fetchall()
        places = _find_places(connection, context, person)
        n_quarantined = _mark_erased(context, person, places)
        n_staged = sum(rewrite_without(connection, path, who) for path in _staged(context.workspace))
    n_canonical, n_derived = _count_rows(context, person)
    estimated = estimate(derive(_empty_night(context, person), context), context)
    with open_warehouse(context.workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
        connection.execute("BEGIN").fetchall()
        replace_people(connection, estimated)
        close_line(connection, context.run_id, "erased")
        connection.execute("COMMIT").fetchall()
    _write_anew(context)
    install_files(context.workspace, context.run_id)
    return Erased(context.run_id, source_id, n_canonical, n_derived, n_staged, n_quarantined)


def _find_places(connection: duckdb.DuckDBPyConnection, context: RunContext, person: Path) -> Path:
    """Where the person's rows lie in the files they came from."""
    parts = ["SELECT '' AS table_name, '' AS input_id, 0::BIGINT AS row_number, 0 AS column_number WHERE false"]
    for path in _staged(context.workspace):
        table = table_of(path)
        column = "column_number" if "column_number" in schema_of(table).column_names else "0"
        parts.append(
            f"SELECT {literal(table)}, input_id, row_number, {column} FROM {parquet([path])} "
            f"SEMI JOIN {parquet([person])} p USING (source_id, person_id)"
        )
    target = context.work / "places.parquet"
    connection.execute(f"COPY ({' UNION ALL '.join(parts)}) TO {literal(str(target))} (FORMAT parquet)").fetchall()
    return target


def _mark_erased(context: RunContext, person: Path, places: Path) -> int:
    mark = mark_of(read_salt(context.workspace))
    with _open(context) as connection:
        connection.execute("BEGIN").fetchall()
        connection.execute(
            f"""INSERT INTO ops.erased SELECT mark, ? FROM (SELECT {mark} AS mark FROM {parquet([person])})
            WHERE mark NOT IN (SELECT person_mark FROM ops.erased)""",
            [context.started_at.replace(tzinfo=None)],
        ).fetchall()
        gone = connection.execute(
            f"""DELETE FROM quarantine.row WHERE (table_name, input_id, row_number, column_number) IN
            (SELECT (table_name, input_id, row_number, column_number) FROM {parquet([places])})"""
        ).fetchall()
        connection.execute("COMMIT").fetchall()
    return int(gone[0][0])


def _count_rows(context: RunContext, person: Path) -> tuple[int, int]:
    with _open(context) as connection:
        counts = [
            sum(
                connection.execute(
                    f"SELECT count(*) FROM {name} SEMI JOIN {parquet([person])} p USING (source_id, person_id)"
                ).fetchall()[0][0]
                for name in names
            )
            for names in ([f"canonical.{n}" for n in TABLES], [f"derived.{n}" for n in DERIVED])
        ]
    return counts[0], counts[1]


def _empty_night(context: RunContext, person: Path) -> Validated:
    """A night that brings nothing, and on which nothing is left of the person."""
    last = last_published(context.workspace, context.settings.memory_limit)
    dates: Any = last.dates if last and last.dates else "real"
    nothing = context.work / "nothing.parquet"
    place = "'' AS table_name, '' AS input_id, 0::BIGINT AS row_number, 0 AS column_number"
    with open_memory(context.work / "spill", memory_limit=context.settings.memory_limit) as connection:
        connection.execute(
            f"COPY (SELECT {place}, '' AS outcome, '' AS rule, '' AS reason WHERE false) "
            f"TO {literal(str(nothing))} (FORMAT parquet)"
        ).fetchall()
    return Validated(Received((), {}, nothing, person, (), dates, ""), "go", (), nothing, ())


def _write_anew(context: RunContext) -> None:
    """Copy the warehouse into a new file: in the old one the deleted rows could still be read."""
    path = context.workspace.warehouse
    fresh = context.work / path.name
    with open_memory(context.work / "spill", memory_limit=context.settings.memory_limit) as connection:
        connection.execute(f"ATTACH {literal(str(path))} AS old").fetchall()
        connection.execute(f"ATTACH {literal(str(fresh))} AS new").fetchall()
        connection.execute("COPY FROM DATABASE old TO new").fetchall()
        connection.execute("DETACH old").fetchall()
        connection.execute("DETACH new").fetchall()
    make_private(fresh)
    fresh.replace(path)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)


def _staged(workspace: Workspace) -> Sequence[Path]:
    return sorted((workspace.root / "staged").glob("*/*.parquet"))


def _open(context: RunContext) -> Any:
    return open_warehouse(context.workspace.warehouse, memory_limit=context.settings.memory_limit)
