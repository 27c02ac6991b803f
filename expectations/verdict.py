"""From counts to a verdict: error, not applicable, failed or passed for each check; go, warn or stop for the night.

A check that could not be computed is an error and stops the night, as does a failed check of severity `stop`. A
failed warning or one row set aside is worth a warning. An empty table never passes: its checks are not applicable.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from expectations.job import Count
from expectations.suite import Check

Status = Literal["error", "not_applicable", "failed", "passed"]
Verdict = Literal["go", "warn", "stop"]

WORST_FIRST: tuple[Status, ...] = ("error", "failed", "not_applicable", "passed")
MEANING: dict[Verdict, str] = {
    "go": "every check passed or did not apply",
    "warn": "published with what is listed below",
    "stop": "nothing was published",
}


class Judged(Protocol):
    """What a verdict needs of a checked check."""

    @property
    def check_id(self) -> str:
        """Its id."""

    @property
    def table_name(self) -> str:
        """The canonical table."""

    @property
    def severity(self) -> Literal["quarantine", "warn", "stop"]:
        """What a failure does."""

    @property
    def status(self) -> Status:
        """How it ended."""

    @property
    def reason(self) -> str:
        """What it protects, or what went wrong."""

    @property
    def detail(self) -> str:
        """What came out beyond the counts."""

    @property
    def n_rows(self) -> int | None:
        """Rows it concerned."""

    @property
    def n_failed(self) -> int | None:
        """Rows that failed."""


def status_of(check: Check, count: Count, dates: str) -> Status:
    """How `check` ended, given what was counted and what the dates of the extract mean."""
    if check.dates is not None and dates not in check.dates:
        return "not_applicable"
    if count.error is not None or count.n_rows is None or count.n_failed is None:
        return "error"
    if check.at_least is not None:
        return "passed" if count.n_rows >= check.at_least else "failed"
    if count.n_rows == 0:
        return "not_applicable"
    allowed = max(check.tolerance.rows, check.tolerance.share * count.n_rows)
    return "failed" if count.n_failed > allowed else "passed"


def verdict_of(checks: Iterable[Judged]) -> Verdict:
    """The worst that any check asks for; no check at all is no ground to go."""
    listed = list(checks)
    if not listed or any(c.status == "error" or (c.status == "failed" and c.severity == "stop") for c in listed):
        return "stop"
    is_worth_a_warning = any(
        (c.status == "failed" and c.severity == "warn") or (c.severity == "quarantine" and (c.n_failed or 0) > 0)
        for c in listed
    )
    return "warn" if is_worth_a_warning else "go"


def summary_lines(checks: Sequence[Judged]) -> tuple[str, ...]:
    """The verdict and everything that is not as it should be, worst first, one plain line each."""
    verdict = verdict_of(checks)
    counted = ", ".join(f"{sum(c.status == s for c in checks)} {_words(s)}" for s in reversed(WORST_FIRST))
    lines = [f"Verdict {verdict}: {MEANING[verdict]} ({counted})."]
    return (*lines, *(_line(check) for check in _by_weight(checks) if _is_worth_a_line(check)))


def summary_table(checks: Sequence[Judged]) -> str:
    """All checks as a Markdown table, worst first: what Prefect shows as an artifact."""
    head = ["| check | table | severity | status | rows | failed |", "|---|---|---|---|---:|---:|"]
    lines = [
        f"| {c.check_id} | {c.table_name} | {c.severity} | {_words(c.status)} | {_number(c.n_rows)} "
        f"| {_number(c.n_failed)} |"
        for c in _by_weight(checks)
    ]
    return "\n".join([*head, *lines])


def reasons_to_stop(checks: Sequence[Judged]) -> tuple[str, ...]:
    """One line for each check that stops the night."""
    grave = [c for c in checks if c.status == "error" or (c.status == "failed" and c.severity == "stop")]
    return tuple(_line(check) for check in grave)


def _by_weight(checks: Sequence[Judged]) -> list[Judged]:
    severities = ("stop", "quarantine", "warn")
    return sorted(checks, key=lambda c: (WORST_FIRST.index(c.status), severities.index(c.severity)))


def _is_worth_a_line(check: Judged) -> bool:
    return check.status in {"error", "failed"} or (check.severity == "quarantine" and (check.n_failed or 0) > 0)


def _line(check: Judged) -> str:
    what = f"{check.check_id} ({check.table_name}, {check.severity})"
    if check.status == "error":
        return f"{what}: not computed. {check.reason}"
    counts = check.detail or f"{_number(check.n_failed)} of {_number(check.n_rows)} rows"
    return f"{what}: {counts}. {check.reason}"


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _words(status: Status) -> str:
    return status.replace("_", " ")
