"""Every attempt leaves its line: begun, how far it came, how it ended, what it was given and what was set aside.

These lines are written in short transactions of their own, so that a night which stops or fails is still on record
while the tables of results stay as they were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from flows.code_version import code_version
from flows.handover import Answer, CheckResult, Received, ReceivedInput, RunContext, Validated
from flows.population import quoted
from flows.warehouse import open_known, open_warehouse
from transforms.identifiers import ColumnFinding
from transforms.schemas import schema_of

LINES_AT_ONCE = 1000


def begin_attempt(context: RunContext) -> None:
    """Write the line of this run, state `running`."""
    line = (
        context.run_id,
        context.started_at.replace(tzinfo=None),
        "running",
        context.definitions.hash,
        code_version(),
    )
    with open_warehouse(context.workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
        connection.execute(
            "INSERT INTO ops.run (run_id, started_at, state, definitions_hash, code_version) VALUES (?, ?, ?, ?, ?)",
            line,
        ).fetchall()


def enter_state(context: RunContext, state: str) -> None:
    """Write how far this run has come."""
    with open_known(context.workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
        connection.execute("UPDATE ops.run SET state = ? WHERE run_id = ?", [state, context.run_id]).fetchall()


def end_attempt(
    context: RunContext,
    state: str,
    *,
    night: Received | Validated | None = None,
    message: str | None = None,
    identifiers: Sequence[ColumnFinding] = (),
) -> None:
    """Close the line of a run that published nothing: `unchanged`, `stopped` or `failed`, with what is known of it.

    `identifiers` are those for which an extract was refused.
    """
    with open_known(context.workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
        connection.execute("BEGIN").fetchall()
        if night is not None:
            record_night(connection, context, night)
        _insert_identifiers(connection, context.run_id, identifiers)
        close_line(connection, context.run_id, state, message)
        connection.execute("COMMIT").fetchall()


def close_line(connection: duckdb.DuckDBPyConnection, run_id: str, state: str, message: str | None = None) -> None:
    """Set state, message and the time of the end."""
    connection.execute(
        "UPDATE ops.run SET state = ?, message = ?, finished_at = ? WHERE run_id = ?",
        [state, message, datetime.now(UTC).replace(tzinfo=None), run_id],
    ).fetchall()


def record_night(connection: duckdb.DuckDBPyConnection, context: RunContext, night: Received | Validated) -> None:
    """Write inputs, ledger, checks and quarantine of this run inside the caller's transaction."""
    received = night.received if isinstance(night, Validated) else night
    verdict = night.verdict if isinstance(night, Validated) else None
    connection.execute(
        "UPDATE ops.run SET result_id = ?, verdict = ?, dates = ? WHERE run_id = ?",
        [received.result_id, verdict, received.dates, context.run_id],
    ).fetchall()
    insert_lines(connection, "ops.input", [_input_line(context.run_id, entry) for entry in received.inputs])
    insert_lines(connection, "ops.row_ledger", [(context.run_id, *astuple(line)) for line in night.ledger])
    _insert_identifiers(connection, context.run_id, received.identifiers)
    if isinstance(night, Validated):
        insert_lines(connection, "ops.check", [_check_line(context.run_id, check) for check in night.checks])
        insert_lines(connection, "ops.profile", [(context.run_id, *astuple(fact)) for fact in night.profile])
    asides = [received.dropped] + ([night.set_aside] if isinstance(night, Validated) else [])
    _record_quarantine(connection, context.run_id, asides)


def record_answers(connection: duckdb.DuckDBPyConnection, run_id: str, answers: Iterable[Answer]) -> None:
    """Write what the extract can answer."""
    insert_lines(connection, "ops.answerable", [(run_id, *astuple(answer)) for answer in answers])


def _insert_identifiers(
    connection: duckdb.DuckDBPyConnection, run_id: str, identifiers: Sequence[ColumnFinding]
) -> None:
    """Findings, some at a time, because many small files make many of them."""
    lines = [(run_id, entry.input_id or None, *astuple(entry)[:-1]) for entry in identifiers]
    for first in range(0, len(lines), LINES_AT_ONCE):
        insert_lines(connection, "ops.identifier", lines[first : first + LINES_AT_ONCE])


def _input_line(run_id: str, entry: ReceivedInput) -> tuple[object, ...]:
    head = (entry.input_id, run_id, entry.source_id, entry.name)
    return (*head, *astuple(entry)[3:])


def _check_line(run_id: str, check: CheckResult) -> tuple[object, ...]:
    head = (run_id, check.check_id, check.table_name, check.severity, check.status)
    return (*head, check.n_rows, check.n_failed, check.reason, check.detail, check.title, check.repair)


def _record_quarantine(connection: duckdb.DuckDBPyConnection, run_id: str, asides: Sequence[Path]) -> None:
    files = ", ".join(f"'{quoted(path)}'" for path in asides)
    connection.execute(
        f"""INSERT INTO quarantine.row BY NAME
        SELECT ? AS run_id, input_id, row_number, column_number, table_name, rule, reason
        FROM read_parquet([{files}]) WHERE outcome = 'quarantined'""",
        [run_id],
    ).fetchall()


def insert_lines(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Write lines with all columns of a table, in their order; nothing when there are none."""
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name in schema_of(table).column_names)
    columns = [list(column) for column in zip(*rows, strict=True)]
    # A value for each cell would take ten times as long.
    values = ", ".join("unnest(?)" for _ in columns)
    connection.execute(f"INSERT INTO {table} ({names}) SELECT {values}", columns).fetchall()
