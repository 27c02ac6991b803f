"""The verdict of a night reads the same as JSON, in a terminal and on Prefect's pages, and names no person."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.handover import CheckResult, LedgerLine, Received, ReceivedInput, RunContext, Validated
from flows.night_verdict import NightVerdict, judge_night
from flows.progress import Progress
from flows.settings import Settings
from flows.shown_names import show_name
from flows.workspace import Workspace
from transforms.load import load_definitions

LAB = "canonical.lab"
CHECKS = (
    CheckResult("lab_types", LAB, "stop", "passed", "Types.", 90, 0, title="Columns have their types"),
    CheckResult("lab_odd", LAB, "warn", "failed", "Odd.", 90, 9, repair="Look at them.", title="Few are odd"),
    CheckResult("lab_bad", LAB, "quarantine", "failed", "Bad.", 90, 2, repair="Correct them.", title="None is bad"),
)


def set_aside(path: Path, rows: list[tuple[str, int, int, str, str, str]]) -> Path:
    names = ("input_id", "row_number", "column_number", "outcome", "rule", "reason")
    lines = [{"table_name": LAB, **dict(zip(names, row, strict=True))} for row in rows]
    pl.DataFrame(lines).with_columns(pl.col("row_number").cast(pl.Int64)).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> NightVerdict:
    """A night of two files, one of them named after a person, and a row of an earlier night."""
    folder = tmp_path_factory.mktemp("verdict")
    inputs = tuple(
        ReceivedInput(key, "site_a", name, 1, "x", 100, "long")
        for key, name in (("one", "labs.csv"), ("two", "Anna Müller 1960.csv"))
    )
    unknown = ("quarantined", "unit_unknown", "no such unit")
    dropped = set_aside(
        folder / "dropped.parquet",
        [
            *[("one", n, 0, *unknown) for n in range(1, 6)],
            *[("two", 7, column, *unknown) for column in (1, 2)],
            ("one", 9, 0, "duplicate", "same_as_another", "twice"),
        ],
    )
    bad = ("quarantined", "lab_bad", "Bad.")
    aside = set_aside(folder / "set_aside.parquet", [("one", 20, 0, *bad), ("before", 3, 0, *bad)])
    ledger = (LedgerLine("one", LAB, 100, 93, 1, 0, 6), LedgerLine("two", LAB, 50, 49, 0, 0, 1))
    received = Received(inputs, {}, dropped, folder / "replaced.parquet", ledger, "real", "result")
    started, definitions = datetime(2026, 11, 1, 2, tzinfo=UTC), load_definitions()
    workspace, progress = Workspace(folder / "workspace"), Progress(is_quiet=True)
    context = RunContext("run", started, workspace, Settings(), definitions, progress)
    return judge_night(Validated(received, "warn", CHECKS, aside, ledger), context)


def test_json_has_each_check_with_its_counts_and_what_to_do_worst_first(judged: NightVerdict) -> None:
    shown: Any = judged.as_dict()
    assert [check["check_id"] for check in shown["checks"]] == ["lab_bad", "lab_odd", "lab_types"]
    odd = shown["checks"][1]
    assert {name: odd[name] for name in ("title", "status", "severity", "n_rows", "n_failed", "repair")} == {
        "title": "Few are odd",
        "status": "failed",
        "severity": "warn",
        "n_rows": 90,
        "n_failed": 9,
        "repair": "Look at them.",
    }
    assert [reason.split(" ", 1)[0] for reason in shown["reasons"]] == ["lab_bad", "lab_odd"]
    assert shown["why"].endswith("8 rows were set aside in all.")


def test_rows_set_aside_are_counted_by_source_file_and_rule(judged: NightVerdict) -> None:
    lines = [(f.source_id, f.input_name, f.rule, f.n_rows, f.n_received) for f in judged.refused]
    assert lines == [
        ("site_a", "labs.csv", "unit_unknown", 5, 100),
        ("", "rows of earlier nights", "lab_bad", 1, None),
        ("site_a", "labs.csv", "lab_bad", 1, 100),
        ("site_a", "file 2", "unit_unknown", 1, 50),
    ]
    assert {f.rule: f.repair for f in judged.refused}["lab_bad"] == "Correct them."
    assert "unit_spellings" in judged.refused[0].repair


def test_a_first_night_has_a_trend_of_itself_alone(judged: NightVerdict) -> None:
    trend: Any = judged.as_dict()["trend"]
    assert [night["run_id"] for night in trend["nights"]] == ["run"]
    assert trend["checks"]["lab_odd"] == [{"status": "failed", "n_rows": 90, "n_failed": 9}]
    assert {"source_id": "site_a", "table_name": LAB, "rule": "unit_unknown"}.items() <= trend["quarantined"][
        -1
    ].items()
    assert trend["quarantined"][-1]["nights"] == [{"n_rows": 6, "n_received": 150}]


def test_prefects_page_has_verdict_checks_and_rows_set_aside(judged: NightVerdict) -> None:
    page = judged.as_markdown()
    assert page.startswith("**Verdict warn: ")
    assert "| site_a | labs.csv | canonical.lab | unit_unknown | 5 | 5.0 % |" in page
    assert "| lab_odd | Few are odd | canonical.lab | warn | failed | 90 | 9 | 10.0 % |  | Look at them. |" in page
    assert "| lab_types |" in page


def test_a_name_of_a_person_in_the_name_of_a_file_is_shown_nowhere(judged: NightVerdict) -> None:
    said = [str(judged.as_dict()), judged.as_markdown(), *judged.check_lines(), *judged.refused_lines()]
    assert not [text for text in said if "Anna" in text or "1960" in text]


def test_a_sheet_and_a_member_of_an_archive_are_called_by_plain_names_alone() -> None:
    shown = ["Book.xlsx#Results", "all.zip/march/labs.csv", "file 3/labs.csv", "Book.xlsx#table 2"]
    hidden = ["Book.xlsx#J. Doe", "all.zip/J Doe.csv"]
    assert [show_name(name, "file 1") for name in (*shown, *hidden)] == [*shown, "file 1", "file 1"]
