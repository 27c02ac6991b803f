"""The folder people open: written aside, checked, renamed into place, so that a reader never meets half a page.

`site/runs/RUN_ID` is a whole night; `latest.html` is the newest report as one file; `index.html` lists all nights.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from flows.errors import TryAgainLater
from flows.workspace import Workspace

REPORT, MAILABLE, SUMMARY = "index.html", "latest.html", "run.json"


def write_aside(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write every file below `folder`, flushed to disk; the folder is not yet part of the site.

    All are handed to the disk before the first is waited for, so that it can write them at once.
    """
    paths = []
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        paths.append(path)
    for path in paths:
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def check_aside(folder: Path) -> None:
    """Refuse to publish a night whose pages are missing or empty."""
    for name in (REPORT, MAILABLE, SUMMARY):
        path = folder / name
        if not path.is_file() or path.stat().st_size == 0:
            raise TryAgainLater(f"The written report is not whole: {name} is missing or empty.", repair="Run again.")


def install_night(aside: Path, workspace: Workspace, run_id: str) -> Path:
    """Move a checked night into the site and make it the latest; the report's path. Safe to repeat."""
    target = workspace.site / "runs" / run_id
    target.parent.mkdir(parents=True, exist_ok=True)
    if aside.exists() and not target.exists():
        aside.rename(target)
        _flush_folder(target.parent)
    _replace(workspace.site / MAILABLE, (target / MAILABLE).read_bytes())
    (target / MAILABLE).unlink()
    return target / REPORT


def install_asset(workspace: Workspace, name: str, content: str) -> None:
    """Put a script that all reports share into the site, once."""
    path = workspace.site / "assets" / name
    if not path.exists():
        _replace(path, content.encode())


def install_catalogue(workspace: Workspace, page: str) -> Path:
    """Replace the list of all nights."""
    return install_page(workspace, "index.html", page)


def install_page(workspace: Workspace, name: str, page: str) -> Path:
    """Put a page into the site, in the place of one of the same name."""
    path = workspace.site / name
    _replace(path, page.encode())
    return path


def read_summaries(workspace: Workspace) -> list[Mapping[str, object]]:
    """What each published night says of itself, oldest first."""
    found = [json.loads(path.read_text()) for path in (workspace.site / "runs").glob(f"*/{SUMMARY}")]
    return sorted(found, key=lambda summary: (str(summary["started_at"]), str(summary["run_id"])))


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    write_aside(aside.parent, [(aside.name, content)])
    aside.replace(path)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Let a new name outlive a power cut: it is on the disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
