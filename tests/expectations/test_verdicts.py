"""How counts become a status, and statuses a verdict."""

import pytest

from expectations.job import Count
from expectations.suite import Check, Tolerance
from expectations.verdict import reasons_to_stop, status_of, summary_lines, summary_table, verdict_of
from flows.handover import CheckResult


def check(**changes: object) -> Check:
    given = {"id": "a", "title": "A", "severity": "warn", "reason": "Because.", "repair": "Repair it.", "rows": "true"}
    given |= {"owner": "tests", "table": "canonical.lab"}
    return Check.model_validate({**given, **changes})


def result(severity: str, status: str, n_failed: int | None = 0) -> CheckResult:
    return CheckResult(f"{severity}_{status}", "canonical.lab", severity, status, "Because.", 10, n_failed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "count", "status"),
    [
        ({}, Count("a", 10, 0), "passed"),
        ({}, Count("a", 10, 1), "failed"),
        ({}, Count("a", 0, 0), "not_applicable"),
        ({}, Count("a", error="Boom"), "error"),
        ({}, Count("a", 10, None), "error"),
        ({"tolerance": Tolerance(rows=2)}, Count("a", 10, 2), "passed"),
        ({"tolerance": Tolerance(rows=2)}, Count("a", 10, 3), "failed"),
        ({"tolerance": Tolerance(share=0.1)}, Count("a", 100, 10), "passed"),
        ({"tolerance": Tolerance(share=0.1)}, Count("a", 100, 11), "failed"),
        ({"rows": None, "at_least": 5}, Count("a", 5, 0), "passed"),
        ({"rows": None, "at_least": 5}, Count("a", 4, 0), "failed"),
        ({"rows": None, "at_least": 1}, Count("a", 0, 0), "failed"),
        ({"dates": ["relative"]}, Count("a", 10, 5), "not_applicable"),
        ({"dates": ["real"]}, Count("a", 10, 5), "failed"),
    ],
)
def test_a_status_follows_from_counts_and_tolerance(changes: dict[str, object], count: Count, status: str) -> None:
    assert status_of(check(**changes), count, "real") == status


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([("warn", "passed", 0)], "go"),
        ([("warn", "passed", 3)], "go"),
        ([("warn", "not_applicable", None)], "go"),
        ([("warn", "failed", 3)], "warn"),
        ([("quarantine", "failed", 1)], "warn"),
        ([("quarantine", "passed", 1)], "warn"),
        ([("quarantine", "passed", 0)], "go"),
        ([("stop", "passed", 2)], "go"),
        ([("stop", "failed", 1)], "stop"),
        ([("warn", "error", None)], "stop"),
        ([("quarantine", "error", None)], "stop"),
        ([("warn", "failed", 3), ("stop", "failed", 1), ("quarantine", "failed", 1)], "stop"),
        ([], "stop"),
    ],
)
def test_the_verdict_is_the_worst_that_any_check_asks_for(
    results: list[tuple[str, str, int | None]], verdict: str
) -> None:
    assert verdict_of([result(*given) for given in results]) == verdict


def test_the_summary_names_what_failed_worst_first_and_stays_silent_about_the_rest() -> None:
    checks = [result("warn", "passed"), result("warn", "failed", 3), result("stop", "error", None)]
    head, *lines = summary_lines(checks)
    assert head.startswith("Verdict stop")
    assert [line.split(" ")[0] for line in lines] == ["stop_error", "warn_failed"]
    assert "3 of 10" in lines[1]


def test_the_table_lists_every_check_once() -> None:
    checks = [result("warn", "passed"), result("warn", "failed", 1234), result("stop", "not_applicable", None)]
    table = summary_table(checks)
    assert len(table.splitlines()) == 2 + len(checks)
    assert "| 1,234 |" in table
    assert "not applicable" in table


def test_reasons_to_stop_leave_out_what_only_warns() -> None:
    checks = [result("warn", "failed", 3), result("stop", "failed", 1), result("warn", "error", None)]
    assert [line.split(" ")[0] for line in reasons_to_stop(checks)] == ["stop_failed", "warn_error"]
