"""What the warehouse knows of earlier runs; read only, and nothing when there is no warehouse yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.warehouse import open_warehouse
from flows.workspace import Workspace

# What a run goes through, in this order; one that is found there, with the workspace held, has been killed.
UNFINISHED = ("running", "received", "validated", "derived", "estimated", "released")
COLUMNS = "run_id, result_id, started_at, finished_at, state, verdict, definitions_hash, code_version, dates, message"


@dataclass(frozen=True)
class RunLine:
    """One line of `ops.run`."""

    run_id: str
    result_id: str | None
    started_at: datetime
    finished_at: datetime | None
    state: str
    verdict: str | None
    definitions_hash: str
    code_version: str
    dates: str | None
    message: str | None


def list_runs(workspace: Workspace, memory_limit: str) -> Sequence[RunLine]:
    """Every attempt, oldest first."""
    if not workspace.warehouse.exists():
        return ()
    with open_warehouse(workspace.warehouse, memory_limit=memory_limit, read_only=True) as connection:
        rows = connection.execute(f"SELECT {COLUMNS} FROM ops.run ORDER BY started_at, run_id").fetchall()
    return tuple(RunLine(*row) for row in rows)


def last_published(workspace: Workspace, memory_limit: str) -> RunLine | None:
    """The newest run whose rows are in the warehouse; None before the first."""
    done = [run for run in list_runs(workspace, memory_limit) if run.state in {"released", "published"}]
    return done[-1] if done else None
