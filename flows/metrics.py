"""The newest run as a text file that Prometheus' node exporter collects: states, times, rows and costs of stages.

Written aside and renamed, so that a collector never reads half of it. Names and counts only.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from flows.handover import RunContext
from flows.warehouse import open_warehouse

ABOUT = {
    "nadir_runs": "attempts in this workspace by how they ended",
    "nadir_run_started_timestamp_seconds": "when the newest attempt began",
    "nadir_run_finished_timestamp_seconds": "when the newest attempt ended",
    "nadir_run_state": "1 for the state of the newest attempt and its verdict",
    "nadir_published_timestamp_seconds": "when the newest published night ended",
    "nadir_stage_seconds": "wall time of a stage of the newest attempt",
    "nadir_stage_rows": "rows that a stage of the newest attempt worked on",
    "nadir_stage_memory_bytes": "highest memory of the process at the end of a stage of the newest attempt",
    "nadir_stage_written_bytes": "bytes that the process wrote during a stage of the newest attempt",
    "nadir_rows": "rows of the newest attempt by table and outcome",
    "nadir_warehouse_bytes": "size of the warehouse file",
}
OUTCOMES = ("accepted", "duplicate", "superseded", "quarantined", "irrelevant")
MEGABYTE = 1 << 20
Sample = tuple[str, Mapping[str, str], float]


def write_metrics(context: RunContext) -> None:
    """Write the file that the settings name; none without one."""
    path = context.settings.metrics_file
    if path is None:
        return
    warehouse = context.workspace.warehouse
    with open_warehouse(warehouse, memory_limit=context.settings.memory_limit, read_only=True) as connection:
        samples = list(_read(connection, context.run_id))
    samples.append(("nadir_warehouse_bytes", {}, warehouse.stat().st_size))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text("".join(_say(samples)), encoding="utf-8")
    aside.replace(path)


def _read(connection: duckdb.DuckDBPyConnection, run_id: str) -> Iterator[Sample]:
    """Everything that is told, from the tables below ops."""
    for state, n in connection.execute("SELECT state, count(*) FROM ops.run GROUP BY ALL ORDER BY ALL").fetchall():
        yield "nadir_runs", {"state": state}, n
    state, verdict, started, finished = connection.execute(
        "SELECT state, coalesce(verdict, 'none'), started_at, finished_at FROM ops.run WHERE run_id = ?", [run_id]
    ).fetchall()[0]
    yield "nadir_run_state", {"state": state, "verdict": verdict}, 1
    yield "nadir_run_started_timestamp_seconds", {}, _seconds(started)
    if finished is not None:
        yield "nadir_run_finished_timestamp_seconds", {}, _seconds(finished)
    newest = connection.execute("SELECT max(finished_at) FROM ops.run WHERE state = 'published'").fetchall()[0][0]
    if newest is not None:
        yield "nadir_published_timestamp_seconds", {}, _seconds(newest)
    yield from _read_stages(connection, run_id)
    sums = ", ".join(f"sum(n_{outcome})" for outcome in OUTCOMES)
    for table, *counts in connection.execute(
        f"SELECT table_name, {sums} FROM ops.row_ledger WHERE run_id = ? GROUP BY ALL ORDER BY ALL", [run_id]
    ).fetchall():
        for outcome, n in zip(OUTCOMES, counts, strict=True):
            yield "nadir_rows", {"table": table, "outcome": outcome}, int(n)


def _read_stages(connection: duckdb.DuckDBPyConnection, run_id: str) -> Iterator[Sample]:
    columns = "stage, seconds, rows, peak_memory_mb, written_bytes"
    for stage, seconds, rows, memory, written in connection.execute(
        f"SELECT {columns} FROM ops.stage WHERE run_id = ? ORDER BY rowid", [run_id]
    ).fetchall():
        of_stage = {"stage": stage}
        yield "nadir_stage_seconds", of_stage, seconds
        if rows is not None:
            yield "nadir_stage_rows", of_stage, rows
        yield "nadir_stage_memory_bytes", of_stage, int(memory * MEGABYTE)
        if written is not None:
            yield "nadir_stage_written_bytes", of_stage, written


def _say(samples: list[Sample]) -> Iterator[str]:
    for name, about in ABOUT.items():
        own = [(labels, value) for sample, labels, value in samples if sample == name]
        if own:
            yield f"# HELP {name} {about}\n# TYPE {name} gauge\n"
        for labels, value in own:
            marked = ",".join(f'{label}="{text}"' for label, text in labels.items())
            yield f"{name}{{{marked}}} {value}\n" if marked else f"{name} {value}\n"


def _seconds(at: datetime) -> float:
    return at.replace(tzinfo=UTC).timestamp()


def metrics_of(path: Path) -> Mapping[str, float]:
    """What a file says: value by name and labels."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
