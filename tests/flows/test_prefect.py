"""A real Prefect: the embedded server behind `nadir run`, and a served schedule that fires by itself and by hand."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.simulation.hospital import SimulationRequest, simulate_hospital

ROOT = Path(__file__).parents[2]
PREFECT = Path(sys.executable).with_name("prefect")
Nadir = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = [pytest.mark.prefect, pytest.mark.slow]


def _extract(folder: Path, seed: int) -> Path:
    simulate_hospital(SimulationRequest(people=120, days=200, format="delimited", out=folder, seed=seed, truth=None))
    return folder


def _states(workspace: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(workspace / ".prefect" / "prefect.db") as connection:
        return connection.execute("SELECT name, state_type FROM flow_run").fetchall()


def _artifacts(workspace: Path) -> dict[str, str]:
    with sqlite3.connect(workspace / ".prefect" / "prefect.db") as connection:
        return dict(connection.execute("SELECT key, data FROM artifact ORDER BY created").fetchall())


def _reports(workspace: Path) -> list[Path]:
    return sorted((workspace / "site" / "runs").glob("*/index.html"))


def test_a_run_goes_through_prefect_on_a_server_nobody_started(
    nadir: Nadir, small_extract: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "a workspace"
    done = nadir("run", small_extract, "--workspace", workspace)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(_reports(workspace)) == 1
    assert [state for _, state in _states(workspace)] == ["COMPLETED"]
    artifacts = _artifacts(workspace)
    assert "verdict" in artifacts
    assert "lab" in artifacts["verdict"]
    assert "key number" in artifacts["key-numbers"]
    assert "index.html" in artifacts["report"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A schedule that fires every minute: its workspace, and the address of its server."""
    folder = tmp_path_factory.mktemp("served")
    with _schedule(_extract(folder / "first", 1), folder / "workspace") as url:
        yield folder / "workspace", url


def test_a_schedule_runs_by_itself_and_from_prefects_own_command(served: tuple[Path, str], tmp_path: Path) -> None:
    workspace, url = served
    second = _extract(tmp_path / "second", 2)
    _wait(lambda: len(_reports(workspace)) == 1, 180)
    parameters = f'parameters={{"extracts": ["{second}"], "workspace": "{workspace}"}}'
    done = subprocess.run(
        [PREFECT, "deployment", "run", "nightly/nadir", "--param", parameters, "--watch", "--watch-timeout", "180"],
        env={**os.environ, "PREFECT_API_URL": url, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _wait(lambda: len(_reports(workspace)) == 2, 60)
    catalogue = (workspace / "site" / "index.html").read_text()
    for report in _reports(workspace):
        assert report.parent.name in catalogue


def test_a_source_error_passes_through_prefect_with_its_own_exit_code_and_is_not_retried(
    nadir: Nadir, served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, url = served
    monkeypatch.setenv("PREFECT_API_URL", url)
    started = time.monotonic()
    done = nadir("run", tmp_path / "nothing_here", "--workspace", tmp_path / "workspace")
    assert done.returncode == 11
    assert "nothing_here" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 90
    assert [message for message, _ in _failures(workspace) if "nothing_here" in message]


def test_a_stopped_night_ends_in_a_failed_state_with_one_line_and_its_verdict_beside_it(
    nadir: Nadir, served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, url = served
    monkeypatch.setenv("PREFECT_API_URL", url)
    extract = tmp_path / "labs.csv"
    rows = [f"P{n},S{n},2024-03-0{n} 08:00,751-8,{'900' if n > 6 else '2.5'},10*9/L" for n in range(1, 10)]
    extract.write_text("\n".join(["person_id,specimen_id,collected_at,test_code,value,unit", *rows, ""]))
    done = nadir("run", extract, "--workspace", tmp_path / "workspace")
    assert done.returncode == 13, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    line = "The night is stopped by 1 check (lab_mostly_impossible); nothing was published."
    (verdict,) = [verdict for message, verdict in _failures(workspace) if message == line]
    assert "Verdict stop" in verdict
    assert "| lab_neutrophils_impossible |" in verdict.split("Rows set aside")[1]


def _failures(workspace: Path) -> list[tuple[str, str]]:
    """The message of each failed flow run, and its verdict where it came to one."""
    with sqlite3.connect(workspace / ".prefect" / "prefect.db") as connection:
        return connection.execute(
            """SELECT s.message, a.data FROM flow_run r JOIN flow_run_state s ON s.id = r.state_id
            LEFT JOIN artifact a ON a.flow_run_id = r.id AND a.key = 'verdict' WHERE r.state_type = 'FAILED'"""
        ).fetchall()


@contextmanager
def _schedule(extract: Path, workspace: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "flows.cli", "schedule", str(extract), "--cron", "* * * * *"]
    process = subprocess.Popen(
        [*command, "--workspace", str(workspace), "--port", str(port)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while "second terminal" not in said and process.poll() is None:
            said += process.stdout.readline()
        said += process.stdout.readline()
        found = re.search(r"PREFECT_API_URL=(\S+)", said)
        assert found, said
        yield found.group(1)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(workspace / ".prefect" / "storage", ignore_errors=True)


def _wait(is_true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(1)
