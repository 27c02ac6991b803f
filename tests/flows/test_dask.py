"""A night whose parts are worked on elsewhere ends in the same bytes as on one machine, whatever a worker does."""

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flows.errors import TryAgainLater, WrongUse
from flows.handover import Published, Request
from flows.night import run_night
from flows.part import DERIVED, HANDED_OVER
from flows.progress import Progress
from flows.settings import Settings
from tests.counted_night import count_night
from tests.faults.judging import read_downloads, read_released, read_results
from tests.flows.ports import free_port

# Dask and Prefect are imported when a test here runs: every process of a test run imports every test.
pytestmark = pytest.mark.skipif(find_spec("prefect_dask") is None, reason="the extra nadir[dask] is not installed")

ROOT = Path(__file__).parents[2]
IS_WHOLE = bool(os.environ.get("NADIR_DASK"))
COMMANDS = re.findall(r"^(dask .*|nadir run .* --runner dask .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
PORT = "8786"  # of the README


def spread_in_this_process(crew, work, asked, how, before=""):  # type: ignore[no-untyped-def]
    """Parts travel as they do to workers; only that the work is not handed to a cluster."""
    from flows.dask_crew import Job, code_version

    jobs = [Job(crew._of(part).url, fetched, how, code_version(), before) for part, fetched in asked]
    return [work.fn(number, pickle.dumps(job)) for number, job in enumerate(jobs)]


def differences(one: Path, other: Path) -> list[str]:
    """Between whole nights."""
    same = {
        "tables": read_results(one) == read_results(other),
        "released tables": read_released(one) == read_released(other),
        "downloads": read_downloads(one) == read_downloads(other),
        "counts": _counts(one) == _counts(other),
    }
    return [name for name, is_same in same.items() if not is_same]


def _counts(workspace: Path) -> dict[str, bytes]:
    with ZipFile(workspace / "counts.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.endswith(".csv")}


@pytest.mark.slow
def test_parts_that_travel_through_another_file_system_end_in_the_same_bytes_and_leave_nothing_there(
    tmp_path: Path, small_extract: Path, published_night: tuple[Path, Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.dask_crew import DaskCrew, Place

    monkeypatch.setattr(DaskCrew, "_spread", spread_in_this_process)
    settings = Settings(
        workspace=tmp_path, runner="dask", dask_address="tcp://nowhere", parts=3, parts_folder="memory://parts"
    )
    seen = []
    send = Place.send
    monkeypatch.setattr(Place, "send", lambda *given: (seen.append(given[0].url), send(*given))[1])
    count_night(Request((small_extract,)), settings)
    assert len(seen) == 9  # three parts: given, derived, counts
    assert all(url.startswith("memory://parts/") for url in seen)
    assert MemoryFileSystem().find("/parts") == []
    assert read_results(tmp_path) == read_results(published_night[0])
    assert _counts(tmp_path) == _counts(published_night[0])


def test_a_worker_with_another_version_of_nadir_refuses_the_part() -> None:
    from flows.dask_crew import Job, derive_remotely

    job = Job("memory://parts", (("given", HANDED_OVER),), None, "0.1.0+of_another_day")
    with pytest.raises(WrongUse, match="another version of nadir"):
        derive_remotely.fn(1, pickle.dumps(job))


def test_a_scheduler_that_does_not_answer_is_something_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import dask_crew

    monkeypatch.setattr(dask_crew, "ANSWER_SECONDS", 0.5)
    with pytest.raises(TryAgainLater, match="does not answer"):
        dask_crew.count_workers(f"tcp://127.0.0.1:{free_port()}")


def test_without_an_address_and_without_prefect_the_runner_says_what_it_needs(
    nadir: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    done = nadir("run", "hospital", "--runner", "dask", "--direct", cwd=tmp_path)
    assert done.returncode == 2
    assert "Prefect" in done.stderr
    with pytest.raises(WrongUse, match="needs the address"):
        run_night(Request((tmp_path,)), Settings(workspace=tmp_path, runner="dask"), Progress(is_quiet=True))


@dataclass(frozen=True)
class Cluster:
    """A scheduler and two workers, as the README starts them."""

    address: str

    def kill_one_at_work(self, killed: list[str]) -> None:
        """Wait until a worker derives a part, then end its process with SIGKILL; Dask's nanny starts another."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            pids = client.run(os.getpid)
            deadline = time.monotonic() + 240
            while time.monotonic() < deadline and not killed:
                for worker, tasks in client.processing().items():
                    if any("derive" in str(task) for task in tasks):
                        os.kill(pids[worker], signal.SIGKILL)
                        killed.append(worker)
                        break
                time.sleep(0.02)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    from tests.flows.dask_cluster import start_cluster

    port = str(free_port())
    dask = [command.replace(PORT, port).split() for command in COMMANDS if command.startswith("dask")]
    assert len(dask) == 2
    own = str(Path(sys.executable).with_name("dask"))
    address = f"tcp://127.0.0.1:{port}"
    with start_cluster([[own, *words[1:]] for words in dask], address, 2, tmp_path):
        yield Cluster(address)


@pytest.mark.slow
@pytest.mark.prefect
@pytest.mark.skipif(not IS_WHOLE, reason="a cluster of processes: make dask")
def test_a_night_on_a_cluster_of_which_a_worker_is_killed_is_that_of_one_machine(
    tmp_path: Path, small_extract: Path, published_night: tuple[Path, Published], cluster: Cluster
) -> None:
    (command,) = [command for command in COMMANDS if command.startswith("nadir run")]
    words = command.replace(f"tcp://127.0.0.1:{PORT}", cluster.address).replace("hospital", str(small_extract)).split()
    workspace = tmp_path / "workspace"
    killed: list[str] = []
    killer = threading.Thread(target=cluster.kill_one_at_work, args=(killed,))
    killer.start()
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *words[1:], "--workspace", str(workspace)],
        cwd=ROOT,
        env={**os.environ, "NADIR_PARTS": "6"},
        capture_output=True,
        text=True,
        check=False,
    )
    killer.join()
    assert done.returncode == 0, done.stderr
    assert len(killed) == 1
    assert differences(workspace, published_night[0]) == []
    assert not list((workspace / "work").glob("*"))
    assert len(DERIVED) > 5
