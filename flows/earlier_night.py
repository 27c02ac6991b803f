"""The night before, as a report compares with it: its released numbers as they were published, and what differs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from flows.code_version import code_version
from flows.handover import ReleasedNight, RunContext
from flows.warehouse import open_warehouse
from reports.facts import Earlier
from reports.methods import versions_of
from reports.rows import TABLES
from transforms.release import Released, reopen

Summary = Mapping[str, Any]
OLDER = {"standard": pl.lit("crude"), "is_weighted": pl.lit(value=False)}  # what a column says where it is not yet
PUBLISHED = "state IN ('released', 'published')"


def find_earlier(nights: Sequence[Summary], **wanted: Any) -> Summary | None:
    """The newest night that says these things of itself."""
    alike = [night for night in nights if all(night.get(key) == value for key, value in wanted.items())]
    return alike[-1] if alike else None


def read_earlier(
    night: ReleasedNight, context: RunContext, nights: Sequence[Summary]
) -> tuple[Earlier, Released] | None:
    """The last night of the same sources and channel, whatever its definitions; None before there is one."""
    received = night.estimated.derived.validated.received
    sources = sorted({entry.source_id for entry in received.inputs})
    summary = find_earlier(nights, sources=sources, channel=night.released.channel)
    path = context.workspace.warehouse
    if summary is None or not path.exists():
        return None
    with open_warehouse(path, memory_limit=context.settings.memory_limit, read_only=True) as connection:
        tables = _read_tables(connection, str(summary["run_id"]))
        known = _known_files(connection)
    n_new = sum(entry.input_id not in known for entry in received.inputs)
    tonight = {
        "definitions_hash": context.definitions.hash,
        "code_version": code_version(),
        "definition_versions": versions_of(context.definitions, night.released.channel),
    }
    earlier = tell_difference(summary, tonight, n_new)
    return earlier, reopen(tables, night.released.channel)


def tell_difference(before: Summary, now: Summary, n_new_files: int) -> Earlier:
    """What differs between what two nights say of themselves."""
    old, new = (night.get("definition_versions", {}) for night in (before, now))
    moved = sorted(name for name in {*old, *new} if old.get(name) != new.get(name)) if old and new else []
    return Earlier(
        run_id=str(before["run_id"]),
        started_at=str(before["started_at"]),
        n_new_files=n_new_files,
        is_other_definitions=before["definitions_hash"] != now["definitions_hash"],
        is_other_code=before.get("code_version") != now["code_version"],
        definitions=tuple((name, str(old.get(name, "")), str(new.get(name, ""))) for name in moved),
    )


def read_released(path: Path, run_id: str, channel: str, memory_limit: str) -> Released:
    """The numbers that a night has published."""
    with open_warehouse(path, memory_limit=memory_limit, read_only=True) as connection:
        return reopen(_read_tables(connection, run_id), channel)


def _read_tables(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, pl.DataFrame]:
    found = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'released'").fetchall()
    tables = {}
    for name in [name for name in TABLES if (name,) in found]:
        found_rows = connection.sql(f"SELECT * FROM released.{name} WHERE run_id = ?", params=[run_id])
        rows = pl.DataFrame(found_rows.to_arrow_table())
        if name == "prevalence":
            rows = rows.with_columns(
                (pl.col(column) if column in rows.columns else pl.lit(None)).fill_null(value).alias(column)
                for column, value in OLDER.items()
            )
        tables[f"released.{name}"] = rows
    return tables


def _known_files(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    rows = connection.execute(f"SELECT DISTINCT input_id FROM ops.input JOIN ops.run USING (run_id) WHERE {PUBLISHED}")
    return frozenset(str(input_id) for (input_id,) in rows.fetchall())
