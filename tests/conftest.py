"""What many tests stand on: small simulated extracts, a published night, and an honest last line about skips."""

import contextlib
import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from flows.checker import SteadyWorker, Worker
from flows.cli import main
from flows.handover import Published, Request
from flows.night import run_night
from flows.progress import Progress
from flows.quiet_exit import quieten_exit
from flows.settings import Settings
from flows.simulation.hospital import SimulationRequest, simulate_hospital
from tests.counted_night import count_night
from tests.plain_checker import PlainChecker

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


def stay_on_one_core() -> None:
    """Each of several processes of a test run has a core of its own; one that is more than there are cores has any.

    Hand-overs between the threads of an engine are a seventh of what a night costs, and on one core they cost less.
    """
    number, cores = int(os.environ.get("PYTEST_XDIST_WORKER", "gw-1")[2:]), sorted(os.sched_getaffinity(0))
    if 0 <= number < len(cores):
        os.sched_setaffinity(0, {cores[number]})


if hasattr(os, "sched_setaffinity"):  # Linux
    stay_on_one_core()
quieten_exit()
gc.disable()  # of what is imported and collected nothing is garbage
# `make test` tries the same generated examples each time; else a rare one would fail somebody else's change.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile("fuzz", print_blob=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
os.environ.setdefault("NADIR_STEADY_SECONDS", "0")  # tests write their extracts a moment before they are read
# Nights of tests count four cohorts; `every_cohort` is asked for where the others matter.
os.environ["NADIR_DEFINITIONS"] = str(Path(__file__).parent / "short_shelf")


# Files that wait or take long are started first, so that at the end no core stands idle.
FIRST = (
    "test_prefect.py",
    "test_readme.py",
    "test_spoiled_extracts.py",
    "test_everyone.py",
    "test_sample.py",
    "test_other_ways_out.py",
    "test_held_night.py",
    "test_merge.py",
    "test_contributing.py",
    "test_month.py",
    "test_fhir_samples.py",
    "test_nights.py",
    "test_quarantine_release.py",
    "test_same_hospital_in_four_formats.py",
    "test_properties_of_nights.py",
    "test_release.py",
    "test_nights_and_checks.py",
    "test_nights_of_snapshots.py",
    "test_browser.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))
    no_browser = shutil.which("chromium") is None
    for item in items:
        if "shared_data" in item.keywords and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="the open extracts are not beside the project"))
        if "browser" in item.keywords and no_browser and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason="no chromium on this machine"))


def pytest_collection_finish() -> None:
    """What was collected stays to the end, and need not be looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.getoption("markexpr") == "not slow":
        terminalreporter.write_line("Slow tests were left out: make test-slow runs them.")
    skipped = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if report.longrepr}
    if any("no chromium" in reason for reason in skipped):
        terminalreporter.write_line("Browser tests were skipped: chromium is not installed.")


WITNESS = """
import os, sys
log = open(os.environ["NADIR_TEST_WITNESS"], "a", buffering=1)
log.write("watching\\n")
def see(event, details):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        log.write(event + "\\n")
    if event == "import" and details[0] in ("great_expectations", "posthog"):
        log.write(f"import {details[0]} analytics={os.environ.get('GX_ANALYTICS_ENABLED')}\\n")
sys.addaudithook(see)
"""


@pytest.fixture
def every_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nights count all shipped cohorts, as they do for a user."""
    monkeypatch.delenv("NADIR_DEFINITIONS")


@pytest.fixture(scope="session")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the checking process did that nobody asked for: one line an event."""
    return tmp_path_factory.mktemp("witness") / "events.txt"


@pytest.fixture(scope="session")
def warm_worker(witness: Path) -> Iterator[Worker]:
    """One checking process for every night that a test runs in this process."""
    (witness.parent / "sitecustomize.py").write_text(WITNESS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(witness.parent))
        patch.setenv("NADIR_TEST_WITNESS", str(witness))
        worker = SteadyWorker()
    yield worker
    worker.end()


def of_all_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the processes of a test run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def small_extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delimited extract of a few hundred simulated people: the first process makes it, each has a copy of its own."""
    made, folder = of_all_processes(tmp_path_factory) / "small", tmp_path_factory.mktemp("small") / "copied"
    with FileLock(made.with_suffix(".lock")):
        if not made.exists():
            out, truth = folder.with_name("made") / "extract", folder.with_name("made") / "truth.csv"
            simulate_hospital(
                SimulationRequest(people=400, days=400, format="delimited", out=out, seed=11, truth=truth)
            )
            out.parent.rename(made)
    shutil.copytree(made, folder)
    return folder / "extract"


@pytest.fixture(scope="session")
def run_directly() -> Callable[..., Published]:
    """Run a whole night in this process, without Prefect; `worker` is who counts what the checks find."""

    def run(workspace: Path, *extracts: Path, source: str = "auto", worker: Worker | None = None) -> Published:
        request, settings = Request(tuple(extracts), source), Settings(workspace=workspace)
        return run_night(request, settings, Progress(is_quiet=True), worker or PlainChecker())

    return run


@pytest.fixture(scope="session")
def count_directly() -> Callable[..., None]:
    """Run a night up to its counts: for tests that look into the warehouse alone."""

    def run(workspace: Path, *extracts: Path, source: str = "auto") -> None:
        count_night(Request(tuple(extracts), source), Settings(workspace=workspace))

    return run


@pytest.fixture(scope="session")
def published_night(
    tmp_path_factory: pytest.TempPathFactory,
    small_extract: Path,
    run_directly: Callable[..., Published],
    request: pytest.FixtureRequest,
) -> tuple[Path, Published]:
    """A workspace after one night on the small extract; tests must leave it as it is.

    The first process that needs it makes it, and each has a copy of its own.
    """
    of_all = of_all_processes(tmp_path_factory)
    made, told = of_all / "first_published", of_all / "first_published.json"
    with FileLock(of_all / "first_published.lock"):
        if not told.exists():
            first = run_directly(made, small_extract, worker=request.getfixturevalue("warm_worker"))
            told.write_text(json.dumps(asdict(first), default=str))
    workspace = tmp_path_factory.mktemp("published") / "workspace"
    shutil.copytree(made, workspace)
    known = json.loads(told.read_text())
    pages = {name: workspace / Path(known[name]).relative_to(made) for name in ("report", "catalogue")}
    return workspace, Published(**(known | pages))


Ended = subprocess.CompletedProcess[str]


@pytest.fixture
def nadir_process() -> Callable[..., Ended]:
    """Call the command as a user does: a process of its own."""

    def call(*arguments: str | Path, cwd: Path = ROOT, timeout: float = 300) -> Ended:
        command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)

    return call


@pytest.fixture
def nadir(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Call the command in this process, which counts what the checks find as well; the rest is the same."""
    for module in ("flows.checker", "flows.stages.validate"):
        monkeypatch.setattr(f"{module}.Worker", PlainChecker)

    def call(*arguments: str | Path, cwd: Path = ROOT) -> Ended:
        command, out, err = ["nadir", *map(str, arguments)], io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", command)
        before = signal.getsignal(signal.SIGTERM)
        try:
            with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, before)
        return subprocess.CompletedProcess(command, int(ended.value.code or 0), out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def workspace_copy(tmp_path: Path, published_night: tuple[Path, Published]) -> Iterator[Path]:
    """A published workspace that a test may change."""
    copy = tmp_path / "workspace"
    shutil.copytree(published_night[0], copy)
    yield copy
    shutil.rmtree(copy, ignore_errors=True)
