"""What follows an attempt, however it ended: its costs on record, the outside told, old things forgotten, a backup.

Nothing that a later night needs is ever forgotten: only attempts that published nothing, and estimates, of which the
released part is kept apart.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from datetime import timedelta

import duckdb

from flows.attempts import insert_lines
from flows.backup import write_backup
from flows.handover import RunContext
from flows.metrics import write_metrics
from flows.warehouse import open_known
from transforms.schemas import load_tables, schema_of

FORGOTTEN = ("failed", "stopped", "unchanged")


def keep_house(context: RunContext) -> None:
    """Record what each stage cost, forget what the settings do not keep, and tell the outside how the run ended."""
    settings = context.settings
    with open_known(context.workspace.warehouse, memory_limit=settings.memory_limit) as connection:
        lines = [(context.run_id, *astuple(stage)) for stage in context.progress.stages]
        insert_lines(connection, "ops.stage", lines)
        ended = connection.execute(
            "SELECT state, verdict, message FROM ops.run WHERE run_id = ?", [context.run_id]
        ).fetchall()[0]
        if settings.keep_attempts_days or settings.keep_estimates:
            with _together(connection):
                forget_attempts(connection, context)
                forget_estimates(connection, settings.keep_estimates)
    state, verdict, message = ended
    try:
        context.progress.journal.write("run ended", state=state, verdict=verdict, message=message)
        write_metrics(context)
    except OSError:  # who cannot be told must not undo a night, nor hide why it ended
        context.progress.note("The log or the metrics could not be written where the settings say.")


def back_up_night(context: RunContext) -> None:
    """Write a backup if the settings name a folder for it."""
    settings = context.settings
    if settings.backup_folder is not None:
        write_backup(context.workspace, settings.backup_folder, settings.memory_limit, keep=settings.keep_backups)


def forget_attempts(connection: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Attempts that published nothing and are older than the settings keep, from every table that has lines of runs."""
    days = context.settings.keep_attempts_days
    if not days:
        return
    before = context.started_at.replace(tzinfo=None) - timedelta(days=days)
    old = "SELECT run_id FROM ops.run WHERE state IN (SELECT unnest(?)) AND started_at < ?"
    for name in [*_tables_of_runs(), "ops.run"]:
        connection.execute(f"DELETE FROM {name} WHERE run_id IN ({old})", [list(FORGOTTEN), before]).fetchall()


def forget_estimates(connection: duckdb.DuckDBPyConnection, n_runs: int) -> None:
    """Estimates of all but the newest `n_runs` published runs; what was released of them stays."""
    if not n_runs:
        return
    kept = "SELECT run_id FROM ops.run WHERE state = 'published' ORDER BY started_at DESC, run_id DESC LIMIT ?"
    for name in [table for table in load_tables() if table.startswith("estimate.")]:
        connection.execute(f"DELETE FROM {name} WHERE run_id NOT IN ({kept})", [n_runs]).fetchall()


def _tables_of_runs() -> Sequence[str]:
    names = [name for name in load_tables() if name.split(".")[0] in {"ops", "quarantine"} and name != "ops.run"]
    return [name for name in names if "run_id" in schema_of(name).column_names]


@contextmanager
def _together(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("BEGIN").fetchall()
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK").fetchall()
        raise
    connection.execute("COMMIT").fetchall()
