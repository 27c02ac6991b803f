"""Other ways out of a process than a page: Prefect's database and logs, what a killed run leaves, what a look tells."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flows.checking import check_extract
from flows.mapping import propose_map
from flows.scratch import scratch_folder
from flows.settings import Settings
from tests.canary.faults import INSIDE, KINDS, break_stage
from tests.canary.planting import LAYOUTS, Planted, plant
from tests.canary.sandbox import Sandbox
from tests.canary.test_nothing_leaks import IS_WHOLE
from transforms.load import load_definitions

ROOT = Path(__file__).parents[2]
FAILURES = [*(f"{stage}:{kind}" for stage in INSIDE for kind in KINDS), ""] if IS_WHOLE else ["publish:panic"]


def _run(sandbox: Sandbox, *arguments: str | Path) -> int:
    """A process of its own, all of whose folders lie in the sandbox; what it says is kept."""
    own = {name: str(sandbox.root / folder) for name, folder in (("HOME", "home"), ("TMPDIR", "tmp"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.canary.nights", *map(str, arguments)],
        cwd=sandbox.root / "cwd",
        env={**os.environ, **own, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    sandbox.say("stdout.txt", done.stdout)
    sandbox.say("stderr.txt", done.stderr)
    return done.returncode


@pytest.mark.prefect
@pytest.mark.slow
def test_prefect_is_told_nothing_of_a_value(sandbox: Sandbox, small_planted: Planted) -> None:
    assert _run(sandbox, "prefect", sandbox.workspace, small_planted.folder, *FAILURES) == 0
    with sqlite3.connect(sandbox.workspace / ".prefect" / "prefect.db") as connection:
        states = [state for (state,) in connection.execute("SELECT state_type FROM flow_run ORDER BY created")]
        logged = connection.execute("SELECT count(*) FROM log WHERE message LIKE '%this is a mistake of ours%'")
        n_faults = logged.fetchall()[0][0]
    assert states == ["FAILED" if failure else "COMPLETED" for failure in FAILURES]
    assert n_faults > 0
    assert sandbox.look(small_planted).leaks == []


@pytest.mark.parametrize("stage", INSIDE if IS_WHOLE else ["receive"])
def test_a_run_that_is_killed_leaves_only_private_files_and_the_next_start_removes_them(
    stage: str, sandbox: Sandbox, small_planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.workspace.mkdir(mode=0o755)
    assert _run(sandbox, "kill", sandbox.workspace, small_planted.folder, stage) == -signal.SIGKILL
    work = sandbox.workspace / "work"
    assert list(work.iterdir())
    spill = sandbox.workspace / "warehouse.tmp"
    spill.mkdir(exist_ok=True)
    assert sandbox.look(small_planted, [f"{work.relative_to(sandbox.workspace.parent)}/"]).leaks == []
    assert _open_to_others(sandbox.workspace) == []
    break_stage(monkeypatch, "receive", "plain")
    sandbox.run(small_planted.folder)
    assert not list(work.iterdir())
    assert not spill.exists()
    assert sandbox.look(small_planted).leaks == []
    assert _open_to_others(sandbox.workspace) == []


def _open_to_others(workspace: Path) -> list[str]:
    """Files and folders with rows of people that others may look into; the site is for readers."""
    private = [workspace / name for name in ("staged", "warehouse.duckdb", "warehouse.duckdb.wal")]
    private += list((workspace / "work").glob("*"))
    return [path.name for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]


@pytest.mark.parametrize("layout", LAYOUTS if IS_WHOLE else ["names"])
def test_a_check_tells_nothing_of_a_value_and_leaves_nothing_behind(
    layout: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.checking.warm_up", lambda: sandbox.worker)
    planted = plant(layout, sandbox.root / "extract")
    checked = check_extract((planted.folder,), "auto", Settings())
    sandbox.say("check.txt", checked.as_text() + json.dumps(checked.as_dict(), default=str))
    assert sandbox.look(planted).leaks == []
    assert not list((sandbox.root / "tmp").iterdir())


@pytest.mark.parametrize("layout", ["long", "wide", "workbook", "eicu"] if IS_WHOLE else ["names"])
def test_a_proposed_map_tells_nothing_of_a_value(layout: str, sandbox: Sandbox) -> None:
    planted = plant(layout, sandbox.root / "extract")
    (planted.folder / "source.yaml").unlink(missing_ok=True)
    proposal = propose_map([planted.folder], load_definitions(), memory_limit="1GB")
    sandbox.say("map.txt", proposal.as_text(None) + json.dumps(proposal.as_dict(), default=str))
    assert sandbox.look(planted).leaks == []


def test_the_next_check_removes_the_folder_of_one_that_was_killed_and_no_other(sandbox: Sandbox) -> None:
    killed = sandbox.root / "tmp" / "nadir-check-killed"
    killed.mkdir()
    (killed / "held.lock").touch()
    (killed / "rows.parquet").write_text("rows of people")
    with scratch_folder("check") as first, scratch_folder("check") as second:
        assert not killed.exists()
        assert first.is_dir()
        assert second.is_dir()
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert not list((sandbox.root / "tmp").iterdir())
