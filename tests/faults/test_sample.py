"""One fault of each kind, small enough for every day; `make test-faults` has them all."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flows.errors import SourceError, TryAgainLater, WrongUse, guard_values
from flows.handover import Published, Request
from flows.history import list_runs
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from flows.stages import receive as stages_receive
from flows.workspace import Workspace
from tests.faults.judging import broken_links, leftovers, read_results
from tests.faults.killing import EDGES, IN_TRANSACTION, Cut, spend, start_night, zone_that_jumps
from tests.plain_checker import PlainChecker

TOO_LITTLE = "42MB"  # for this night, which keeps to 60 MB without the disk and cannot be spent with 30


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


@pytest.mark.slow
def test_a_first_night_killed_twice_and_started_twice_ends_as_an_undisturbed_one(
    tmp_path: Path, small_extract: Path, published_night: tuple[Path, Published]
) -> None:
    """After the transaction the pages wait for the next start, which must also bring the script that they need."""
    workspace = tmp_path / "workspace"
    first = start_night(workspace, small_extract, Cut("flows.commit._append_estimates"))
    first.join()
    assert first.exitcode == -signal.SIGKILL
    assert [run.state for run in list_runs(Workspace(workspace), "1GB")] == ["estimated"]
    two_at_once = [start_night(workspace, small_extract, Cut("flows.placing.install_asset")) for _ in range(2)]
    for child in two_at_once:
        child.join()
    assert sorted(child.exitcode or 0 for child in two_at_once) == [-signal.SIGKILL, 0]
    assert not (workspace / "site").exists()
    spend(workspace, small_extract)
    assert len(list((workspace / "site" / "runs").glob("*/index.html"))) == 1
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


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_is_cut_short_while_it_is_read_is_read_another_time(
    workspace_copy: Path, small_extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    extract = tmp_path / "extract"
    shutil.copytree(small_extract, extract)
    labs = max(extract.glob("*.csv"), key=lambda path: path.stat().st_size)
    with labs.open("a") as handle:
        handle.write(labs.read_text().splitlines()[-1] + "\n")
    before, whole = read_results(workspace_copy), labs.read_bytes()
    read = stages_receive.read_extract

    def cut(reader: Any) -> None:
        if when == "after":
            read(reader)
        labs.write_bytes(whole[: len(whole) // 2])
        if when == "before":
            read(reader)

    monkeypatch.setattr(stages_receive, "read_extract", cut)
    with pytest.raises(TryAgainLater, match="changed while it was read"):
        _run(workspace_copy, extract)
    assert read_results(workspace_copy) == before
    assert broken_links(workspace_copy / "site") == []


@pytest.mark.slow
def test_a_clock_that_jumps_and_too_little_memory_change_nothing_because_the_disk_helps(
    tmp_path: Path, small_extract: Path, published_night: tuple[Path, Published]
) -> None:
    """The zone of this night puts its clocks forward by an hour a second after it has begun. What did not fit into
    memory was seen on the disk, and is gone afterwards."""
    workspace = tmp_path / "workspace"
    child = start_night(workspace, small_extract, zone=zone_that_jumps(1), memory_limit=TOO_LITTLE)
    spilled = set()
    while child.is_alive():
        spilled |= {path.name for path in _spilled(workspace)}
        child.join(0.005)
    assert child.exitcode == 0
    assert spilled
    assert _spilled(workspace) == []
    assert read_results(workspace) == read_results(published_night[0])
    (run,) = list_runs(Workspace(workspace), "1GB")
    assert run.finished_at is not None
    assert timedelta(0) < run.finished_at - run.started_at < timedelta(minutes=30)


def test_a_memory_limit_that_no_night_can_keep_is_told_as_such(tmp_path: Path, small_extract: Path) -> None:
    with pytest.raises(WrongUse, match="memory_limit"):
        run_night(
            Request((small_extract,)),
            Settings(workspace=tmp_path / "workspace", memory_limit="3MB"),
            Progress(is_quiet=True),
            PlainChecker(),
        )


def _spilled(workspace: Path) -> list[Path]:
    """What DuckDB has put aside on the disk of this workspace."""
    return [*workspace.glob("warehouse.tmp/*"), *workspace.glob("work/*/spill/*")]


@pytest.mark.parametrize("place", sorted({place for place, _ in (*EDGES, *IN_TRANSACTION)}))
def test_every_step_at_which_nights_are_killed_is_still_one(place: str) -> None:
    module, name = place.rsplit(".", 1)
    assert callable(getattr(import_module(module), name))


def test_a_folder_that_may_not_be_written_is_no_mistake_of_ours() -> None:
    with pytest.raises(WrongUse, match="may not be read or written"), guard_values():
        raise PermissionError(13, "Permission denied", "/a/place")


def _run(workspace: Path, extract: Path) -> Published:
    settings = Settings(workspace=workspace)
    return run_night(Request((extract,)), settings, Progress(is_quiet=True), PlainChecker())
