"""A month of nights that nobody starts by hand: a served schedule runs them, the hospital only changes what lies there.

`make month` prints each night with its kind and how it ended, and last whether canonical, derived and counts are those
of one load of everything. With --folder a month that was cut off by --minutes goes on where it was.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.errors import Busy
from flows.handover import Request
from flows.history import RunLine, list_runs
from flows.night import run_night
from flows.prefect_run import QUIET
from flows.progress import Progress
from flows.settings import Settings
from flows.workspace import Workspace
from tests.faults.judging import RESULTS, broken_links, read_results
from tests.month.nights import Night, make_month, rounds

ENDED = ("published", "unchanged", "stopped", "failed")
LONGEST_NIGHT_SECONDS = 600


@dataclass(frozen=True)
class Month:
    """Where a month is lived through."""

    folder: Path

    @property
    def landing(self) -> Path:
        """What the schedule reads: a link, which leads to what the hospital has sent last."""
        return self.folder / "landing"

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def record(self) -> Path:
        return self.folder / "ended.json"

    def ended(self) -> dict[str, str]:
        """How each night that is over has ended, by its number."""
        return dict(json.loads(self.record.read_text())) if self.record.exists() else {}

    def deliver(self, night: Night) -> None:
        """In one moment, so that no run sees half of it."""
        aside = self.folder / "landing.new"
        aside.symlink_to(night.folder)
        aside.replace(self.landing)

    def await_rest(self) -> int:
        """How many attempts there are, once none is under way."""
        while (runs := self.runs()) and runs[-1].state not in ENDED:
            time.sleep(0.2)
        return len(runs)

    def await_end(self, n_before: int) -> RunLine:
        """The first attempt that began after what was there, once it is over."""
        deadline = time.monotonic() + LONGEST_NIGHT_SECONDS
        while time.monotonic() < deadline:
            time.sleep(1)
            runs = self.runs()
            if len(runs) > n_before and runs[n_before].state in ENDED:
                return runs[n_before]
        raise TimeoutError("no night has ended; is the schedule alive?")

    def runs(self) -> list[RunLine]:
        """Every attempt; a run that is writing is waited for."""
        while True:
            try:
                return list(list_runs(Workspace(self.workspace), "1GB"))
            except Busy:
                time.sleep(0.5)


def live(month: Month, nights: list[Night], minutes: float) -> bool:
    """Live through the nights that are left, as far as the time goes; whether the month is over."""
    stop_at = time.monotonic() + 60 * minutes
    ended = month.ended()
    with served(month):
        for night in nights[len(ended) :]:
            if time.monotonic() > stop_at:
                return False
            n_before = month.await_rest()  # the next process takes seconds to begin, and a delivery none
            month.deliver(night)
            run = month.await_end(n_before)
            is_right = night.is_right(run.state, run.verdict)
            ended[str(night.number)] = run.state if is_right else f"{run.state} with verdict {run.verdict}"
            month.record.write_text(json.dumps(ended))
            links = broken_links(month.workspace / "site")
            mark = "as it must" if is_right and not links else f"NOT {night.end} {links}"
            print(f"{night.number:>3}  {night.kind:<18} {run.state:<10} {run.verdict or '-':<5} {mark}", flush=True)
    return True


@contextmanager
def served(month: Month) -> Iterator[None]:
    """The schedule in a process of its own, with a Prefect server that it starts."""
    own = {
        "NADIR_STEADY_SECONDS": "0",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_HOME": str(month.folder / "home"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.month.serving", str(month.landing), str(month.workspace)],
        env={**os.environ, **QUIET, **own},
        stdout=subprocess.DEVNULL,
        stderr=(month.folder / "schedule.log").open("a"),
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def judge(month: Month, nights: list[Night]) -> list[str]:
    """What is wrong with the whole month."""
    ended = month.ended()
    wrong = [f"night {night.number} ({night.kind}): {ended[str(night.number)]}" for night in nights
             if ended[str(night.number)] != night.end]  # fmt: skip
    parts = tuple(night.folder for night in nights if night.is_part)
    once = month.folder / "once"
    if not (once / "site" / "latest.html").exists():
        run_night(Request(parts), Settings(workspace=once), Progress(is_quiet=True))
    one, many = read_results(once), read_results(month.workspace)
    wrong += [f"{name} is not what one load of everything gives" for name in RESULTS if one[name] != many[name]]
    print(f"{sum(n for n, _ in one.values()):,} rows of {len(RESULTS)} tables compared with one load of everything")
    return wrong


def main() -> None:
    """From the command line."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--nights", type=int, default=30)
    asked.add_argument("--people", type=int, default=400)
    asked.add_argument("--minutes", type=float, default=600.0)
    asked.add_argument("--folder", type=Path, default=None)
    given = asked.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="nadir-month-"))
    folder.mkdir(exist_ok=True)
    month = Month(folder)
    nights = make_month(
        folder / "sent", list(rounds(given.nights)), people=given.people, first_days=200, days_a_night=4
    )
    if not live(month, nights, given.minutes):
        print(f"{len(month.ended())} of {len(nights)} nights are over; go on with --folder {folder}")
        return
    wrong = judge(month, nights)
    print("\n".join(wrong) or f"All {len(nights)} nights ended as they must, and together as one load of everything.")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
