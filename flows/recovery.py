"""What a killed run left behind is finished or cleared before the next one starts.

A night that was committed but not yet in the site is put there; any other unfinished attempt is marked failed and its
work folder removed. Called with the workspace held.
"""

import shutil

from flows.attempts import close_line
from flows.commit import install_files
from flows.history import UNFINISHED, list_runs
from flows.placing import place_night
from flows.site import check_aside
from flows.warehouse import open_warehouse
from flows.workspace import Workspace

KILLED = "The process ended before the run did."


def recover(workspace: Workspace, memory_limit: str) -> None:
    """Bring the workspace into the state of its last whole night."""
    unfinished = [run for run in list_runs(workspace, memory_limit) if run.state in UNFINISHED]
    for run in unfinished:
        aside = workspace.work(run.run_id) / "site"
        is_committed = run.state == "released"
        if is_committed and not (workspace.site / "runs" / run.run_id / "index.html").exists():
            check_aside(aside)
        if is_committed:
            install_files(workspace, run.run_id)
            place_night(workspace, run.run_id)
        with open_warehouse(workspace.warehouse, memory_limit=memory_limit) as connection:
            close_line(
                connection, run.run_id, "published" if is_committed else "failed", None if is_committed else KILLED
            )
    shutil.rmtree(workspace.root / "work", ignore_errors=True)
    shutil.rmtree(workspace.spill, ignore_errors=True)
