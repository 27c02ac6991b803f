"""Nights in a process of their own, which a test starts: through Prefect, or one that is killed in the middle.

`python -m tests.canary.nights prefect WORKSPACE EXTRACT STAGE:KIND...` runs one flow for each failure (none for a
flow that succeeds); `... kill WORKSPACE EXTRACT STAGE` ends itself in that stage as an out-of-memory killer would.
"""

import os
import signal
import sys
from pathlib import Path

import pytest

from flows.checker import Worker
from flows.errors import UserError
from flows.handover import Request
from flows.night import run_night
from flows.prefect_run import configure_prefect
from flows.progress import Progress
from flows.settings import Settings
from tests.canary.faults import INSIDE, break_stage
from tests.plain_checker import PlainChecker


class Kept(Worker):
    """One checking process for all nights of this process."""

    def close(self) -> None:
        """At the end, with its input."""


def run_flows(workspace: Path, extract: Path, failures: list[str]) -> None:
    """A flow run for each of `failures`; a failure without a name is none."""
    configure_prefect(Settings(workspace=workspace), log_level="DEBUG")
    from flows.nightly import NightParameters, nightly  # noqa: PLC0415 - Prefect reads its settings when imported

    worker = Kept()
    parameters = NightParameters(extracts=[extract], workspace=workspace)
    for failure in failures:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flows.night.warm_up", lambda: worker)
            if failure:
                break_stage(patch, *failure.split(":"))
            try:
                print(nightly(parameters))
            except UserError as error:
                print(error, file=sys.stderr)


def run_killed(workspace: Path, extract: Path, stage: str) -> None:
    """A night that does not come to its end."""

    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(INSIDE[stage], die)
        worker = PlainChecker() if stage == "receive" else None  # killed before anything is asked of it
        run_night(Request((extract,)), Settings(workspace=workspace), Progress(), worker)


if __name__ == "__main__":
    where, what = Path(sys.argv[2]), Path(sys.argv[3])
    if sys.argv[1] == "prefect":
        run_flows(where, what, sys.argv[4:])
    else:
        run_killed(where, what, sys.argv[4])
