"""What is told to the outside after a run, what is forgotten, and what never is."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flows.errors import SourceError
from flows.handover import Published, Request
from flows.metrics import metrics_of
from flows.night import run_night
from flows.progress import Progress
from flows.run_list import show_runs
from flows.settings import Settings
from tests.plain_checker import PlainChecker

Spend = Callable[..., Published]


@pytest.fixture
def spend(workspace_copy: Path, small_extract: Path) -> Spend:
    """A night on what is loaded already, by settings that differ."""

    def run(extract: Path = small_extract, **settings: object) -> Published:
        own = Settings(workspace=workspace_copy, **settings)  # type: ignore[arg-type]
        return run_night(Request((extract,)), own, Progress(is_quiet=True), PlainChecker())

    return run


def test_a_run_is_told_to_a_log_of_json_lines_and_to_prometheus(
    spend: Spend, workspace_copy: Path, tmp_path: Path, published_night: tuple[Path, Published]
) -> None:
    told = {"log_file": tmp_path / "log" / "nadir.jsonl", "metrics_file": tmp_path / "textfile" / "nadir.prom"}
    spend(**told)
    with pytest.raises(SourceError):
        spend(tmp_path / "nothing_here", **told)
    lines = [json.loads(line) for line in told["log_file"].read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "run began", "stage began", "stage ended", "run ended", "run began", "stage began", "run ended",
    ]  # fmt: skip
    assert lines[2]["stage"] == "receive"
    assert lines[2]["seconds"] > 0
    assert lines[2]["peak_memory_mb"] > 0
    assert lines[2]["written_bytes"] >= 0
    assert (lines[3]["state"], lines[6]["state"]) == ("unchanged", "failed")
    assert lines[0]["run_id"] != lines[6]["run_id"]

    metrics = metrics_of(told["metrics_file"])
    assert metrics['nadir_runs{state="published"}'] == 1
    assert metrics['nadir_run_state{state="failed",verdict="none"}'] == 1
    assert metrics["nadir_run_finished_timestamp_seconds"] > metrics["nadir_published_timestamp_seconds"]
    assert metrics["nadir_warehouse_bytes"] > 1_000_000
    assert list(tmp_path.glob("textfile/*")) == [told["metrics_file"]]


def test_a_full_disk_of_logs_does_not_undo_a_night(spend: Spend, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(OSError, match="a file"):
        (tmp_path / "a file" / "metrics").mkdir(parents=True)
    assert not spend(metrics_file=tmp_path / "a file" / "metrics" / "nadir.prom").is_new


def test_each_published_night_is_listed_with_its_rows_costs_and_trend(workspace_copy: Path) -> None:
    with duckdb.connect(str(workspace_copy / "warehouse.duckdb")) as warehouse:
        for n in (1, 2):
            for table in ("run", "stage", "row_ledger"):
                warehouse.execute(
                    f"INSERT INTO ops.{table} SELECT * REPLACE ('copy-{n}' AS run_id) FROM ops.{table} "
                    "WHERE run_id NOT LIKE 'copy%'"
                ).fetchall()
    listed, text = show_runs(Settings(workspace=workspace_copy))
    assert [run["run_id"] for run in listed["runs"]][-2:] == ["copy-1", "copy-2"]
    assert listed["runs"][0]["n_received"] > 1000
    assert listed["runs"][0]["seconds"] > 0
    assert "Trend of the last 3 published nights" in text
    assert "1.00 times" in text


def test_settings_say_what_is_backed_up_and_what_is_forgotten(
    spend: Spend, workspace_copy: Path, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    warehouse = workspace_copy / "warehouse.duckdb"
    with pytest.raises(SourceError):
        spend(tmp_path / "nothing_here")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("UPDATE ops.run SET started_at = started_at - INTERVAL 40 DAY").fetchall()
        connection.execute("INSERT INTO estimate.attrition SELECT * REPLACE ('gone' AS run_id) FROM estimate.attrition")
        n_before = connection.execute("SELECT count(*) FROM estimate.attrition").fetchall()[0][0]
    kept = {"keep_attempts_days": 30, "keep_estimates": 1, "backup_folder": backups, "keep_backups": 1}
    spend(**kept)
    spend(**kept)
    with duckdb.connect(str(warehouse)) as connection:
        states = connection.execute("SELECT state FROM ops.run ORDER BY started_at").fetchall()
        n_after = connection.execute("SELECT count(*) FROM estimate.attrition").fetchall()[0][0]
    assert states == [("published",), ("unchanged",), ("unchanged",)]
    assert n_before == 2 * n_after > 0
    assert len(list(backups.iterdir())) == 1


def test_somebody_who_looks_at_the_history_does_not_end_a_night(spend: Spend, workspace_copy: Path) -> None:
    program = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); time.sleep(1)"
    )
    command = [sys.executable, "-c", program, str(workspace_copy / "warehouse.duckdb")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        assert not spend().is_new
