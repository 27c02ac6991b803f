"""A night that is killed, wherever it is, leaves the last good site, and the next one ends as if nothing had happened.

`make test-faults` kills at every edge, at 200 moments spread over a night and 20 times through the whole command
(NADIR_FAULTS); a few cases of every kind of fault, in `test_sample.py`, are in `make test`.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Undisturbed
from tests.faults.killing import EDGES, IN_TRANSACTION, Cut, kill_night, start_night

ROOT = Path(__file__).parents[2]
MOMENTS = int(os.environ.get("NADIR_FAULTS", "0"))
pytestmark = pytest.mark.skipif(not MOMENTS, reason="all faults: make test-faults")


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


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_a_night_killed_at_any_moment_changes_nothing_or_is_finished(
    disturbed: Callable[[], Path], undisturbed: Undisturbed, seed: int
) -> None:
    workspace = disturbed()
    seconds = (0.5 + seed) / MOMENTS * (1.3 * undisturbed.seconds + 1)
    kill_night(workspace, undisturbed.extract, seconds=seconds)
    assert undisturbed.faults_of(workspace) == []
    shutil.rmtree(workspace)


@pytest.mark.parametrize("seed", range(20))
def test_the_whole_command_killed_at_any_moment_changes_nothing_or_is_finished(
    disturbed: Callable[[], Path], undisturbed: Undisturbed, seed: int
) -> None:
    workspace = disturbed()
    command = [sys.executable, "-m", "flows.cli", "run", str(undisturbed.extract), "--direct"]
    process = subprocess.Popen([*command, "--workspace", str(workspace)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        process.wait(0.5 + 0.9 * seed)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert undisturbed.faults_of(workspace) == []
    shutil.rmtree(workspace)
