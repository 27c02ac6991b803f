"""How checks moved over nights, and one attempt in full, on a made-up history of a hospital."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.errors import WrongUse
from flows.run_detail import show_run
from flows.run_list import show_runs
from flows.settings import Settings
from flows.trend import N_NIGHTS, read_trend
from flows.warehouse import open_warehouse
from reports.facts import CheckMark, RefusedKey, RefusedMark

LATE = datetime(2026, 12, 31, tzinfo=UTC)
LAB = "canonical.lab"


@dataclass(frozen=True)
class Night:
    """A night of one file with 100 rows; `rows` are (row number, column number) that one rule set aside."""

    number: int
    verdict: str | None = "warn"
    source: str = "site_a"
    name: str = "labs.csv"
    failed: int = 0
    rows: tuple[tuple[int, int], ...] = ()

    def lines(self) -> Iterator[tuple[str, dict[str, object]]]:
        """What the pipeline writes of it, by table."""
        run, file = f"night-{self.number:03d}", f"file-{self.number:03d}"
        began = datetime(2026, 1 + self.number // 28, 1 + self.number % 28, 2, tzinfo=UTC).replace(tzinfo=None)
        state = {"stop": "stopped", None: "unchanged"}.get(self.verdict, "published")
        times = {"started_at": began, "finished_at": began + timedelta(hours=1)}
        message = "The night is stopped by 1 check (volume); nothing was published." if self.verdict == "stop" else None
        ends = {"state": state, "verdict": self.verdict, "message": message}
        yield "ops.run", {"run_id": run, **times, **ends, "definitions_hash": "d", "code_version": "c"}
        sent = {"source_id": self.source, "name": self.name, "source_format": "long"}
        yield "ops.input", {"input_id": file, "run_id": run, **sent, "bytes": 1, "sha256": "x", "rows": 100}
        if self.verdict is None:
            return
        key = {"run_id": run, "table_name": LAB}
        counts = {"n_received": 100, "n_accepted": 90, "n_quarantined": 10}
        none = dict.fromkeys(("n_duplicate", "n_superseded", "n_irrelevant"), 0)
        yield "ops.row_ledger", {**key, "input_id": file, **counts, **none}
        status = "failed" if self.failed else "passed"
        words = {"reason": "Less came.", "detail": "half", "repair": "Ask."}
        check = {"check_id": "volume", "severity": "stop", "status": status, "n_rows": 100, "n_failed": self.failed}
        yield "ops.check", {**key, **check, **words}
        why = {"rule": "unit_unknown", "reason": "no such unit"}
        for row, column in self.rows:
            yield "quarantine.row", {**key, **why, "input_id": file, "row_number": row, "column_number": column}


def add_night(warehouse: duckdb.DuckDBPyConnection, number: int, **changes: Any) -> str:
    """Write a night; its run id."""
    for table, line in Night(number, **changes).lines():
        names, marks = ", ".join(line), ", ".join("?" for _ in line)
        warehouse.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(line.values())).fetchall()
    return f"night-{number:03d}"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def warehouse(workspace: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Held open until the test closes it."""
    workspace.mkdir()
    path = workspace / "warehouse.duckdb"
    with open_warehouse(path, memory_limit="1GB"):
        pass
    with duckdb.connect(str(path)) as connection:
        yield connection


def test_a_trend_has_a_mark_for_each_night_oldest_first(warehouse: duckdb.DuckDBPyConnection) -> None:
    add_night(warehouse, 1)
    add_night(warehouse, 2, verdict="stop", failed=60, rows=((1, 0), (2, 0)))
    add_night(warehouse, 3, verdict="go")
    trend = read_trend(warehouse, ["site_a"], LATE)
    assert [(night.run_id, night.verdict) for night in trend.nights] == [
        ("night-001", "warn"),
        ("night-002", "stop"),
        ("night-003", "go"),
    ]
    passed = CheckMark("passed", 100, 0)
    assert trend.checks == {"volume": (passed, CheckMark("failed", 100, 60), passed)}
    nothing = RefusedMark(0, 100)
    assert trend.refused == {RefusedKey("site_a", LAB, "unit_unknown"): (nothing, RefusedMark(2, 100), nothing)}


def test_nights_of_other_sources_without_a_verdict_or_later_are_left_out(warehouse: duckdb.DuckDBPyConnection) -> None:
    add_night(warehouse, 1)
    add_night(warehouse, 2, source="site_b")
    add_night(warehouse, 3, verdict=None)
    add_night(warehouse, 4)
    trend = read_trend(warehouse, ["site_a"], datetime(2026, 1, 4, 12, tzinfo=UTC))
    assert [night.run_id for night in trend.nights] == ["night-001"]


def test_only_the_last_nights_are_read(warehouse: duckdb.DuckDBPyConnection) -> None:
    for number in range(1, N_NIGHTS + 4):
        add_night(warehouse, number)
    trend = read_trend(warehouse, ["site_a"], LATE)
    assert [trend.nights[0].run_id, len(trend.nights), len(trend.checks["volume"])] == ["night-004", N_NIGHTS, N_NIGHTS]


def test_a_row_of_a_wide_file_counts_once_for_a_rule(warehouse: duckdb.DuckDBPyConnection) -> None:
    add_night(warehouse, 1, rows=((1, 1), (1, 2), (2, 1), (3, 0)))
    trend = read_trend(warehouse, ["site_a"], LATE)
    assert list(trend.refused.values()) == [(RefusedMark(3, 100),)]


def test_rows_of_a_file_of_an_earlier_night_have_no_source_of_tonight(warehouse: duckdb.DuckDBPyConnection) -> None:
    add_night(warehouse, 1)
    run = add_night(warehouse, 2)
    warehouse.execute(
        "INSERT INTO quarantine.row VALUES (?, 'file-001', 7, 0, ?, 'conflicting_versions', 'which?')", [run, LAB]
    ).fetchall()
    trend = read_trend(warehouse, ["site_a"], LATE)
    assert trend.refused == {RefusedKey("", LAB, "conflicting_versions"): (None, RefusedMark(1, None))}


def test_a_stopped_night_is_read_in_full_with_what_to_do_and_how_it_moved(
    warehouse: duckdb.DuckDBPyConnection, workspace: Path
) -> None:
    add_night(warehouse, 1)
    run = add_night(warehouse, 2, verdict="stop", name="Müller, Anna.csv", failed=60, rows=((1, 0), (2, 0)))
    warehouse.close()
    shown, text = show_run(run, Settings(workspace=workspace))
    assert text.splitlines()[:2] == [
        "Run night-002: stopped, began 2026-01-03 02:00 UTC, took 3,600 s",
        "  The night is stopped by 1 check (volume); nothing was published.",
    ]
    assert "volume (canonical.lab, stop): half. Less came. To do: Ask." in text
    assert "Last 2 nights: failed on 1" in text
    assert "2 rows (2.0 %) of canonical.lab, site_a file 1: unit_unknown, no such unit. Translate the spelling" in text
    assert "Anna" not in text + str(shown)
    assert shown["verdict"] == "stop"
    assert [line["source_id"] for line in shown["quarantined"]] == ["site_a"]
    assert [night["verdict"] for night in shown["trend"]["nights"]] == ["warn", "stop"]


def test_what_an_older_nadir_wrote_is_read_without_what_it_lacks(
    warehouse: duckdb.DuckDBPyConnection, workspace: Path
) -> None:
    run = add_night(warehouse, 1, failed=1)
    for column in ("title", "detail", "repair"):
        warehouse.execute(f"ALTER TABLE ops.check DROP COLUMN {column}").fetchall()
    warehouse.close()
    _, text = show_run(run, Settings(workspace=workspace))
    assert "volume (canonical.lab, stop): 1 of 100 rows. Less came." in text


def test_an_attempt_without_a_verdict_says_so(warehouse: duckdb.DuckDBPyConnection, workspace: Path) -> None:
    run = add_night(warehouse, 1, verdict=None)
    warehouse.close()
    shown, text = show_run(run, Settings(workspace=workspace))
    assert text.endswith("It did not come to a verdict.")
    assert "verdict" not in shown


def test_a_run_that_is_not_there_is_wrong_use_and_the_newest_are_named(
    warehouse: duckdb.DuckDBPyConnection, workspace: Path
) -> None:
    add_night(warehouse, 1)
    warehouse.close()
    with pytest.raises(WrongUse) as caught:
        show_run("night-009", Settings(workspace=workspace))
    assert "night-009" in str(caught.value)
    assert "night-001 (published)" in str(caught.value)
    assert show_runs(Settings(workspace=workspace))[1].startswith("night-001  published")
