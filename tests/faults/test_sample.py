"""One fault of each kind, small enough for every day; `make test-faults` has them all."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from flows.errors import SourceError, TryAgainLater, WrongUse, guard_values
from flows.handover import Published, Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from tests.faults.judging import broken_links, leftovers, read_results
from tests.faults.killing import Cut, spend, start_night
from tests.sources.conftest import PlainChecker


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk of its own at `folder`; the test is skipped, and says so, where none may be mounted."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted by this user")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_first_night_killed_in_its_transaction_or_right_after_it_ends_as_an_undisturbed_one(
    tmp_path: Path, small_extract: Path, published_night: tuple[Path, Published]
) -> None:
    """After the transaction the pages wait for the next start, which must also bring the script that they need."""
    workspace = tmp_path / "workspace"
    for place in ("flows.commit._append_estimates", "flows.placing.install_asset"):
        child = start_night(workspace, small_extract, Cut(place))
        child.join()
        assert child.exitcode == -signal.SIGKILL
        assert not (workspace / "site").exists()
    spend(workspace, small_extract)
    assert list((workspace / "site" / "runs").glob("*/index.html"))
    assert broken_links(workspace / "site") == []
    assert leftovers(workspace) == []
    assert read_results(workspace) == read_results(published_night[0])


def test_a_disk_that_is_full_is_told_as_such_and_leaves_nothing_half(tmp_path: Path, small_extract: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 12):
        with pytest.raises(TryAgainLater, match="no room left"):
            _run(disk / "workspace", small_extract)
        assert not (disk / "workspace" / "site" / "latest.html").exists()


def test_a_warehouse_whose_bytes_have_changed_says_so_and_names_the_way_back(
    workspace_copy: Path, small_extract: Path
) -> None:
    path = workspace_copy / "warehouse.duckdb"
    with path.open("r+b") as handle:
        for offset in range(16_384, path.stat().st_size - 4096, 65_536):
            handle.seek(offset)
            handle.write(b"\xa5" * 4096)
    site = {p: p.read_bytes() for p in (workspace_copy / "site").rglob("*.html")}
    with pytest.raises(SourceError, match="warehouse") as caught:
        _run(workspace_copy, small_extract)
    assert "backup" in caught.value.repair
    assert {p: p.read_bytes() for p in (workspace_copy / "site").rglob("*.html")} == site


def test_a_folder_that_may_not_be_written_is_no_mistake_of_ours() -> None:
    with pytest.raises(WrongUse, match="may not be read or written"), guard_values():
        raise PermissionError(13, "Permission denied", "/a/place")


def test_two_runs_at_once_end_in_one_night(tmp_path: Path, small_extract: Path) -> None:
    workspace = tmp_path / "workspace"
    both = [start_night(workspace, small_extract) for _ in range(2)]
    for child in both:
        child.join()
        assert child.exitcode == 0
    assert len(list((workspace / "site" / "runs").glob("*/index.html"))) == 1
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as warehouse:
        states = warehouse.execute("SELECT state FROM ops.run").fetchall()
    assert states.count(("published",)) == 1


def _run(workspace: Path, extract: Path) -> Published:
    settings = Settings(workspace=workspace)
    return run_night(Request((extract,)), settings, Progress(is_quiet=True), PlainChecker())
