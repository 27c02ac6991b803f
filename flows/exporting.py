"""A published report as one file to send, whichever night it is of."""

import re
from pathlib import Path

from flows.errors import WrongUse
from flows.settings import Settings
from flows.shown_names import show_name
from flows.site import REPORT
from flows.workspace import Workspace
from reports.mailing import as_one_file

SHOWN_RUNS = 3  # named when a run is asked for that is not there
_BESIDE = re.compile(r'<script src="\.\./\.\./assets/([\w.-]+\.js)"></script>')


def find_published(run_id: str, workspace: Workspace) -> Path:
    """The folder of a published night; one that is not there is wrong use."""
    folders = {path.parent.name: path.parent for path in (workspace.site / "runs").glob(f"*/{REPORT}")}
    if run_id not in folders:
        raise WrongUse(
            f"There is no published run {show_name(run_id, 'of that name')} in this workspace.",
            details=sorted(folders)[-SHOWN_RUNS:],
            repair="`nadir runs` lists all runs; those that are published have a report, until the settings let it go.",
        )
    return folders[run_id]


def export_report(run_id: str, out: Path | None, settings: Settings) -> Path:
    """Write the report of a run as one file and give its path."""
    workspace = Workspace(settings.workspace.resolve())
    page = (find_published(run_id, workspace) / REPORT).read_text(encoding="utf-8")
    named = _BESIDE.search(page)
    script = workspace.site / "assets" / named[1] if named else None
    if script is None or not script.is_file():
        raise WrongUse(
            "The script that this report is drawn with is not in the site.",
            repair="Restore site/assets from a backup; the report can still be read in the site, without its figures.",
        )
    target = (out or Path(f"{run_id}.html")).resolve()
    if not target.parent.is_dir():
        raise WrongUse(f"{target.parent} is no folder.", repair="Name a file in a folder that is there after --out.")
    target.write_text(as_one_file(page, script.read_text(encoding="utf-8"), run_id), encoding="utf-8")
    return target
