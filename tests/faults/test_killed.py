"""A night that is killed, wherever it is, leaves the last good site, and the next one ends as if nothing had happened.

`make test-faults` kills at every edge, at 200 random moments of a night and at 20 of the whole command (NADIR_FAULTS;
NADIR_FAULTS_FROM is the first, so that others can be tried, or all in pieces). A few cases of every kind of fault, in
`test_sample.py`, are in `make test`.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Undisturbed
from tests.faults.killing import EDGES, IN_TRANSACTION, Cut, kill_night, start_night

ROOT = Path(__file__).parents[2]
N_MOMENTS = int(os.environ.get("NADIR_FAULTS", "0"))
FIRST = int(os.environ.get("NADIR_FAULTS_FROM", "0"))
MOMENTS = range(FIRST, FIRST + N_MOMENTS)
COMMANDS = MOMENTS[: -(-N_MOMENTS // 10)]
LONGEST_COMMAND = 1.5  # times a night in a warm child, and some seconds of imports
IMPORTS_SECONDS = 8
pytestmark = pytest.mark.skipif(not N_MOMENTS, reason="all faults: make test-faults")


@pytest.mark.parametrize(("place", "when"), [*EDGES, *IN_TRANSACTION])
def test_a_night_killed_at_the_edge_of_a_step_changes_nothing_or_is_finished(
    disturbed: Callable[[], Path], undisturbed: Undisturbed, place: str, when: str
) -> None:
    workspace = disturbed()
    child = start_night(workspace, undisturbed.extract, Cut(place, when))
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert undisturbed.faults_of(workspace) == []
    shutil.rmtree(workspace)


@pytest.mark.parametrize("seed", MOMENTS)
def test_a_night_killed_at_any_moment_changes_nothing_or_is_finished(
    disturbed: Callable[[], Path], undisturbed: Undisturbed, seed: int
) -> None:
    workspace = disturbed()
    kill_night(workspace, undisturbed.extract, seconds=Random(seed).uniform(0, 1.3 * undisturbed.seconds + 1))  # noqa: S311 - no secret
    assert undisturbed.faults_of(workspace) == []
    shutil.rmtree(workspace)


@pytest.mark.parametrize("seed", COMMANDS)
def test_the_whole_command_killed_at_any_moment_changes_nothing_or_is_finished(
    disturbed: Callable[[], Path], undisturbed: Undisturbed, seed: int
) -> None:
    workspace = disturbed()
    command = [sys.executable, "-m", "flows.cli", "run", str(undisturbed.extract), "--direct"]
    process = subprocess.Popen([*command, "--workspace", str(workspace)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        process.wait(Random(seed).uniform(0, LONGEST_COMMAND * undisturbed.seconds + IMPORTS_SECONDS))  # noqa: S311 - no secret
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert undisturbed.faults_of(workspace) == []
    shutil.rmtree(workspace)
