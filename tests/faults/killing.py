"""Nights in forked children that are killed: at a call by name, or after some time. Imports are warm, engines are cold.

A child is forked from a server process that has only imported, because an engine's threads do not survive a fork.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flows.errors import UserError
from flows.handover import Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from tests.plain_checker import PlainChecker

# A child has as many threads as a hospital may, the suite around it has one: results may not depend on it.
THREADS = {"POLARS_MAX_THREADS": "4"}
START = multiprocessing.get_context("forkserver")
START.set_forkserver_preload(["tests.faults.killing", "flows.night", "flows.stages.publish"])

# Where a night can be cut: before or after each of these calls, in the order in which they are made.
STAGES = ("receive", "validate", "derive", "estimate", "release", "publish")
EDGES: Sequence[tuple[str, str]] = tuple(
    (place, when)
    for place in (
        "flows.night.begin_attempt",
        *(f"flows.night.{stage}" for stage in STAGES),
        "flows.stages.publish.write_pages",
        "flows.stages.publish.commit_night",
        "flows.commit.install_files",
        "flows.placing.install_asset",
        "flows.placing.install_night",
        "flows.placing.rebuild_catalogue",
        "flows.stages.publish.close_line",
        "flows.night.keep_house",
    )
    for when in ("before", "after")
)
IN_TRANSACTION: Sequence[tuple[str, str]] = tuple(
    (f"flows.commit.{name}", when)
    for name in ("merge_canonical", "_replace_derived", "_replace_counts", "_append_estimates", "record_night")
    for when in ("before", "after")
)


@dataclass(frozen=True)
class Cut:
    """A place at which the process ends, and when: `before` or `after` the call. An empty place is nowhere."""

    place: str = ""
    when: str = "before"

    def arm(self) -> None:
        """Put a wrapper that kills this process in the place of the call."""
        if not self.place:
            return
        module, name = self.place.rsplit(".", 1)
        owner = import_module(module)
        call: Callable[..., Any] = getattr(owner, name)

        def cut(*arguments: Any, **named: Any) -> None:
            if self.when == "after":
                call(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name, cut)


def spend(workspace: Path, extract: Path, **settings: Any) -> str:
    """A night in this process: the id of its run, or the name of the error that a user would see."""
    own = Settings(workspace=workspace, **settings)
    try:
        return run_night(Request((extract,)), own, Progress(is_quiet=True), PlainChecker()).run_id
    except UserError as error:
        return type(error).__name__


def zone_that_jumps(seconds: float) -> str:
    """A time zone whose clocks are put forward by an hour in some seconds from now."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    day = at.timetuple().tm_yday - 1  # from 0, and with a 29 February where there is one
    back = (day + 100) % 365
    return f"AAA0BBB,{day}/{at:%H:%M:%S},{back}/03:00:00"


def start_night(
    workspace: Path, extract: Path, cut: Cut | None = None, *, zone: str = "", **settings: Any
) -> BaseProcess:
    """A night in a child, in a time zone of its own if it is named."""
    child = START.Process(target=_live, args=(workspace, extract, cut or Cut(), zone, settings))
    with patch.dict(os.environ, THREADS):  # what the server process reads when the first child starts it
        child.start()
    return child


def kill_night(workspace: Path, extract: Path, *, seconds: float) -> bool:
    """A night that is killed after some time; whether it was still running then."""
    child = start_night(workspace, extract)
    child.join(seconds)
    was_running = child.is_alive()
    child.kill()
    child.join()
    return was_running


def _live(workspace: Path, extract: Path, cut: Cut, zone: str, settings: dict[str, Any]) -> None:
    cut.arm()
    if zone:
        os.environ["TZ"] = zone
        time.tzset()
    print(spend(workspace, extract, **settings), flush=True)
