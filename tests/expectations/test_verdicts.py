"""How counts become a status, and statuses a verdict."""

from dataclasses import replace

import pytest

from expectations.job import Count
from expectations.suite import Check, Tolerance
from expectations.verdict import (
    reasons_to_stop,
    set_aside_table,
    status_of,
    summary_lines,
    summary_table,
    verdict_of,
    why,
)
from flows.handover import CheckResult
from reports.facts import RefusedFact


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


def test_one_sentence_says_what_the_verdict_rests_on() -> None:
    many = [replace(result("warn", "failed", 1), check_id=f"w{n}") for n in range(5)]
    said = why([result("stop", "failed", 1), *many, result("quarantine", "passed", 2)], 1200)
    assert said == (
        "1 stopping check failed (stop_failed); 5 warning checks failed (w0, w1, w2 and 2 more); "
        "1 check set rows aside (quarantine_passed); 1,200 rows were set aside in all."
    )
    assert why([result("warn", "passed")]) == "1 check passed and none failed."
    assert why([result("warn", "not_applicable", None)], 1) == "No check applied; 1 row was set aside in all."


def test_what_moved_and_what_to_do_are_in_the_line_and_the_table() -> None:
    moved = replace(result("stop", "failed"), detail="412 results; 43 % fewer", repair="Ask for the rest.")
    (line,) = reasons_to_stop([moved])
    assert line == "stop_failed (canonical.lab, stop): 412 results; 43 % fewer. Because. To do: Ask for the rest."
    assert "412 results; 43 % fewer | Ask for the rest." in summary_table([moved])


def test_rows_set_aside_are_listed_by_source_file_and_rule_and_no_text_breaks_the_table() -> None:
    rows = [RefusedFact("unit_unknown", "no | such\nunit", "canonical.lab", 3, "site_a", "labs.csv", 4_000_000, "Do.")]
    line = set_aside_table(rows).splitlines()[2]
    assert line == r"| site_a | labs.csv | canonical.lab | unit_unknown | 3 | <0.1 % | no \| such unit | Do. |"
