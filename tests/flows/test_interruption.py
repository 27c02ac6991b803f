"""A night that is told to end, by Ctrl-C or by a service manager, ends as told and is not called a fault of nadir."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.history import list_runs
from flows.workspace import Workspace

ROOT = Path(__file__).parents[2]
# Derive asks an engine for minutes, and the process is told to end while it waits.
PROGRAM = """
import os, sys, threading
from pathlib import Path
import flows.night
from flows.cli import main
from flows.engines import lend_engine
from tests.plain_checker import PlainChecker

number, spill = int(sys.argv.pop(1)), Path(sys.argv.pop(1))

def ask_for_minutes(*_):
    with lend_engine("1GB", spill) as connection:
        threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        connection.execute("SELECT count(*) FROM range(200000000000) WHERE hash(range) % 7 = 3").fetchall()

flows.night.warm_up, flows.night.derive = PlainChecker, ask_for_minutes
main()
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_night_that_is_told_to_end_in_the_middle_of_a_query_ends_at_once_and_says_so(
    number: signal.Signals, code: int, tmp_path: Path, small_extract: Path
) -> None:
    workspace = tmp_path / "workspace"
    command = ["run", str(small_extract), "--direct", "--workspace", str(workspace)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(int(number)), str(tmp_path / "spill"), *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,  # an hour, if nothing interrupts the query
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    (ended,) = list_runs(Workspace(workspace), "1GB")
    assert (ended.state, ended.message) == ("failed", "The process was told to end before the run did.")
    assert not list((workspace / "work").iterdir())
