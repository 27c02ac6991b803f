"""A backup brings back the workspace as it was, says when it is not whole, and never loses what it replaces."""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flows.backup import back_up, restore
from flows.errors import SourceError, WrongUse
from flows.handover import Published
from flows.settings import Settings
from tests.faults.judging import broken_links, read_released, read_results


def test_a_damaged_warehouse_is_brought_back_and_what_was_there_is_kept(
    workspace_copy: Path, tmp_path: Path, published_night: tuple[Path, Published]
) -> None:
    settings = Settings(workspace=workspace_copy)
    kept = back_up(tmp_path / "safe", settings, keep=0)
    assert kept.path.stat().st_mode & 0o077 == 0
    (workspace_copy / "warehouse.duckdb").write_bytes(b"\xff" * 8192)
    restored = restore(kept.path, settings)
    assert read_results(workspace_copy) == read_results(published_night[0])
    assert read_released(workspace_copy) == read_released(published_night[0])
    assert broken_links(workspace_copy / "site") == []
    assert workspace_copy.stat().st_mode & 0o077 == 0
    assert restored.before is not None
    assert "is not known any more" in restored.as_text()
    assert (restored.before / "warehouse.duckdb").read_bytes() == b"\xff" * 8192


def test_what_reports_showed_since_the_backup_is_remembered(workspace_copy: Path, tmp_path: Path) -> None:
    """Else the next night tells by how few its counts differ from those of a report that readers have."""
    settings = Settings(workspace=workspace_copy)
    kept = back_up(tmp_path / "safe", settings, keep=0)
    with duckdb.connect(str(workspace_copy / "warehouse.duckdb")) as connection:
        connection.execute("INSERT INTO ops.shown_count VALUES ('internal', 'people|everyone|all|', 'tested', 7, 31)")
        told = connection.execute("FROM ops.shown_count ORDER BY ALL").fetchall()
    restored = restore(kept.path, settings)
    assert restored.is_told
    assert "not known any more" not in restored.as_text()
    with duckdb.connect(str(workspace_copy / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("FROM ops.shown_count ORDER BY ALL").fetchall() == told


def test_a_backup_that_was_changed_or_cut_short_is_refused_and_nothing_changes(
    workspace_copy: Path, tmp_path: Path
) -> None:
    settings = Settings(workspace=workspace_copy)
    path = back_up(tmp_path / "safe", settings, keep=0).path
    whole, warehouse = path.read_bytes(), (workspace_copy / "warehouse.duckdb").read_bytes()
    middle = len(whole) // 2
    for harmed in (whole[:middle], whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :], b""):
        path.write_bytes(harmed)
        with pytest.raises(SourceError, match="not a whole backup"):
            restore(path, settings)
        assert (workspace_copy / "warehouse.duckdb").read_bytes() == warehouse
    assert sorted(p.name for p in workspace_copy.parent.glob("*workspace*")) == ["workspace"]


def test_only_the_newest_backups_are_kept(workspace_copy: Path, tmp_path: Path) -> None:
    settings = Settings(workspace=workspace_copy)
    made = [back_up(tmp_path / "safe", settings, keep=2).path for _ in range(3)]
    assert sorted((tmp_path / "safe").iterdir()) == made[1:]


def test_a_backup_inside_the_workspace_is_refused(workspace_copy: Path) -> None:
    with pytest.raises(WrongUse, match="lost with it"):
        back_up(workspace_copy / "backups", Settings(workspace=workspace_copy), keep=0)


def test_a_file_in_the_place_of_the_folder_of_backups_is_told(workspace_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "safe").write_text("")
    with pytest.raises(WrongUse, match="there is a file"):
        back_up(tmp_path / "safe", Settings(workspace=workspace_copy), keep=0)


def test_backup_and_restore_are_commands(nadir: Callable[..., object], workspace_copy: Path, tmp_path: Path) -> None:
    made = nadir("backup", tmp_path / "safe", "--json", "--workspace", workspace_copy)
    path = json.loads(made.stdout)["path"]  # type: ignore[attr-defined]
    done = nadir("restore", path, "--workspace", tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined]
    assert read_results(tmp_path / "elsewhere") == read_results(workspace_copy)
