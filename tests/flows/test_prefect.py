"""Prefect as its users know it, on one server of the installed package: deploy, trigger, fail, be told, run again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows.simulation.hospital import SimulationRequest, simulate_hospital
from tests.flows.ports import free_port

ROOT = Path(__file__).parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))
Call = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = pytest.mark.prefect

# A server looks for late runs, and a worker for new ones, more often than in a hospital, else the test would wait; and
# fewer runs of each schedule are made in advance.
HASTE = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "2",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
BUSY_TRIES = 60
IMPOSSIBLE = [f"P{n},S{n},2024-03-0{n} 08:00,751-8,{'900' if n > 6 else '2.5'},10*9/L" for n in range(1, 10)]


@dataclass
class Site:
    """A folder with `prefect.yaml`, a server that it is deployed on, and what the webhook was told."""

    folder: Path
    url: str
    environment: Mapping[str, str]
    told: list[str]

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the server answers, as its own pages ask it; again when its database is busy, as its own client does."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {"Content-Type": "application/json"})  # noqa: S310 - our own loopback address
        for _ in range(BUSY_TRIES):
            try:
                with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
                    return json.loads(reply.read())
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                time.sleep(0.5)
        raise AssertionError(f"{path}: the server stayed busy")

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """A command in the folder, in a group of its own."""
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, start_new_session=True, **streams
        )

    def call(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command in the folder, to its end."""
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )

    def trigger(self, name: str, parameters: Mapping[str, Any]) -> str:
        """What the button of the pages does; the id of the run."""
        deployment = self.ask(f"/deployments/name/{name}/{name}")
        run = self.ask(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": {"parameters": parameters}})
        return str(run["id"])

    def await_end(self, run_id: str) -> Mapping[str, Any]:
        """The run once it is over."""
        wait_until(lambda: self.state(run_id) in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
        return dict(self.ask(f"/flow_runs/{run_id}"))

    def state(self, run_id: str) -> str:
        return str(self.ask(f"/flow_runs/{run_id}")["state"]["type"])

    def runs(self, flow: str) -> Sequence[Mapping[str, Any]]:
        return list(self.ask("/flow_runs/filter", {"flows": {"name": {"any_": [flow]}}}))

    def artifacts(self, run_id: str) -> Mapping[str, str]:
        found = self.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run_id]}}})
        return {entry["key"]: entry["data"] for entry in found}

    def reports(self) -> list[Path]:
        return sorted((self.folder / "workspace" / "site" / "runs").glob("*/index.html"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Deployed as the README says, without a worker yet."""
    folder = tmp_path_factory.mktemp("a site")
    shutil.copy(ROOT / "prefect.yaml", folder)
    with ExitStack() as running:
        hook, told = running.enter_context(_webhook())
        port = free_port()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
            **HASTE,
            "PREFECT_HOME": str(folder / ".prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        }
        site = Site(folder, environment["PREFECT_API_URL"], environment, told)
        running.enter_context(_ending(site.start(PREFECT, "server", "start", "--port", str(port))))
        _simulate(folder / "extract")
        wait_until(lambda: _answers(site.url))
        made = site.call(PREFECT, "work-pool", "create", "nadir", "--type", "process")
        assert made.returncode == 0, made.stdout + made.stderr
        notifying = site.start(sys.executable, "-m", "flows.examples.notifying", hook)
        deployed = site.call(PREFECT, "--no-prompt", "deploy", "--all")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        assert notifying.wait() == 0
        yield site


@pytest.mark.slow
def test_a_late_night_is_told_and_one_that_broke_down_is_told_mended_and_run_again(site: Site) -> None:
    """No worker is there at first, then no file; both reach the webhook, and the same run ends with a report."""
    run_id = site.trigger("nightly", {"extracts": ["landing"], "workspace": "workspace"})
    wait_until(lambda: any("late" in text for text in site.told))
    with _ending(site.start(PREFECT, "worker", "start", "--pool", "nadir")):
        run = site.await_end(run_id)
        assert run["state"]["name"] == "Failed"
        assert run["name"].startswith("night of 20")
        assert sorted(run["tags"]) == ["nadir", "nightly"]
        assert run["state"]["message"].count("\n") == 0
        assert "landing" in run["state"]["message"]
        wait_until(lambda: any("broke down" in text and "landing" in text for text in site.told))

        (site.folder / "extract").rename(site.folder / "landing")
        done = site.call(PREFECT, "flow-run", "retry", run_id)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(lambda: site.state(run_id) == "COMPLETED")
        assert len(site.reports()) == 1
        artifacts = site.artifacts(run_id)
        assert "lab" in artifacts["verdict"]
        assert "key number" in artifacts["key-numbers"]
        assert site.reports()[0].parent.name in artifacts["report"]
        with _ending(_schedule(site)):
            _backfill(site)
            _release(site)
            wait_until(lambda: any(_came_by_itself(run) for run in site.runs("nightly")))


def _backfill(site: Site) -> None:
    """Two of three days are there; one of them cannot be published, and the other is what has been loaded already."""
    days = site.folder / "days"
    (days / "2024-03-01").mkdir(parents=True)
    header = "person_id,specimen_id,collected_at,test_code,value,unit"
    (days / "2024-03-01" / "labs.csv").write_text("\n".join([header, *IMPOSSIBLE, ""]))
    shutil.copytree(site.folder / "landing", days / "2024-03-03")
    asked = {"first": "2024-03-01", "last": "2024-03-03", "extracts": ["days/{date}"], "workspace": "workspace"}
    command = [PREFECT, "deployment", "run", "backfill/backfill", "--param", f"parameters={json.dumps(asked)}"]
    done = site.call(*command, "--watch", "--watch-timeout", "240")
    assert done.returncode == 1, done.stdout + done.stderr
    (run,) = site.runs("backfill")
    assert run["name"] == "data of 2024-03-01 to 2024-03-03"
    assert run["state"]["message"] == "1 of 2 days were not published: 2024-03-01 (stopped)."
    lines = site.artifacts(run["id"])["backfill"].splitlines()
    assert [line.split(" | ")[:2] for line in lines[2:]] == [["| 2024-03-01", "Stopped"], ["| 2024-03-03", "Completed"]]
    line = "The night is stopped by 1 check (lab_mostly_impossible); nothing was published."
    (stopped,) = [night for night in site.runs("nightly") if night["state"]["name"] == "Stopped"]
    assert (stopped["name"], stopped["state"]["message"]) == ("data of 2024-03-01", line)
    verdict = site.artifacts(stopped["id"])["verdict"]
    assert "Verdict stop" in verdict
    assert "| lab_neutrophils_impossible |" in verdict.split("Rows set aside")[1]
    wait_until(lambda: any("was stopped" in text and line in text for text in site.told))


def _release(site: Site) -> None:
    program = "from prefect.deployments import run_deployment; print(run_deployment('release/release').state.name)"
    done = site.call(sys.executable, "-c", program)
    assert done.stdout.strip().endswith("Completed"), done.stdout + done.stderr
    assert [run["name"] for run in site.runs("release")] == ["release for public"]
    assert (site.folder / "public" / "site" / "latest.html").is_file()
    assert len(site.reports()) <= 2


def _schedule(site: Site) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flows.cli", "schedule", "landing", "--cron", "* * * * *"]
    return site.start(*command, "--workspace", "workspace")


def _came_by_itself(run: Mapping[str, Any]) -> bool:
    return run["auto_scheduled"] and run["state"]["type"] == "COMPLETED"


@pytest.mark.parametrize(
    ("name", "parameters", "complaint"),
    [
        ("nightly", {"extracts": ["landing"], "no_such_key": 1}, "no_such_key"),
        ("backfill", {"first": "2024-01-01", "extracts": ["days/{date}"]}, "last"),
        ("release", {"channel": "everybody"}, "everybody"),
    ],
)
def test_parameters_are_described_and_wrong_ones_are_refused_before_a_run_begins(
    site: Site, name: str, parameters: Mapping[str, Any], complaint: str
) -> None:
    schema = site.ask(f"/deployments/name/{name}/{name}")["parameter_openapi_schema"]
    model = next(iter(schema["definitions"].values()))
    assert all(entry["title"] and entry["description"] for entry in model["properties"].values())
    with pytest.raises(urllib.error.HTTPError) as caught:
        site.trigger(name, parameters)
    assert caught.value.code in {409, 422}
    assert complaint in caught.value.read().decode()


def test_a_source_error_passes_through_prefect_with_its_own_exit_code_and_is_not_retried(site: Site) -> None:
    done = site.call(sys.executable, "-m", "flows.cli", "run", "nothing_here", "--workspace", "other")
    assert done.returncode == 11
    assert "nothing_here" in done.stderr
    assert "Traceback" not in done.stderr
    (run,) = [run for run in site.runs("nightly") if "nothing_here" in str(run["state"]["message"])]
    assert (run["state"]["name"], run["run_count"]) == ("Failed", 1)


@contextmanager
def _webhook() -> Iterator[tuple[str, list[str]]]:
    """An address that keeps what is posted to it."""
    told: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", told
    finally:
        server.shutdown()


@contextmanager
def _ending(process: "subprocess.Popen[str]") -> Iterator[None]:
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _simulate(folder: Path) -> None:
    simulate_hospital(SimulationRequest(people=120, days=200, format="delimited", out=folder, seed=1, truth=None))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as reply:  # noqa: S310
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_until(is_true: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)
