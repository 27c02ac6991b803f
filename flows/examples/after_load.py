"""The night begins when the hospital's own load has ended, and the load learns what came of it."""

from pathlib import Path

from prefect import flow

from flows.errors import ValidationStop
from flows.handover import Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings


def load(folder: Path) -> Path:
    """Your own load goes here, as a function or a task; this one only looks whether anything has been written."""
    if not any(folder.iterdir()):
        raise FileNotFoundError(folder)
    return folder


@flow(name="after load", persist_result=False)
def after_load(folder: Path, workspace: Path) -> str:
    """`go` or `warn` with a new report, or `stop`: then the last good report still stands."""
    extract = load(folder)
    try:
        return run_night(Request((extract,)), Settings(workspace=workspace), Progress()).verdict
    except ValidationStop:
        return "stop"
