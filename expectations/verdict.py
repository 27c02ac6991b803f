"""From counts to a verdict: error, not applicable, failed or passed for each check; go, warn or stop for the night.

A check that could not be computed is an error and stops the night, as does a failed check of severity `stop`. A
failed warning or one row set aside is worth a warning. An empty table never passes: its checks are not applicable.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, TypeVar

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
SHOWN = 3  # checks named in one sentence


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
    def title(self) -> str:
        """What is checked, in words."""

    @property
    def reason(self) -> str:
        """What it protects, or what went wrong."""

    @property
    def detail(self) -> str:
        """What came out beyond the counts, such as what moved."""

    @property
    def repair(self) -> str:
        """What to do when it fails."""

    @property
    def n_rows(self) -> int | None:
        """Rows it concerned."""

    @property
    def n_failed(self) -> int | None:
        """Rows that failed."""


AnyCheck = TypeVar("AnyCheck", bound=Judged)


class SetAside(Protocol):
    """Rows of one table of one file that one rule set aside."""

    @property
    def source_id(self) -> str:
        """Who sent the file."""

    @property
    def input_name(self) -> str:
        """What the file is called where it is shown."""

    @property
    def table_name(self) -> str:
        """The canonical table that the rows were meant for."""

    @property
    def rule(self) -> str:
        """The rule that refused them."""

    @property
    def reason(self) -> str:
        """What the rule says."""

    @property
    def repair(self) -> str:
        """What to do about it."""

    @property
    def n_rows(self) -> int:
        """How many rows."""

    @property
    def n_received(self) -> int | None:
        """How many rows of that file and table were received, where that is known."""


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
    if not listed or any(stops(check) for check in listed):
        return "stop"
    is_worth_a_warning = any((c.status == "failed" and c.severity == "warn") or _sets_rows_aside(c) for c in listed)
    return "warn" if is_worth_a_warning else "go"


def why(checks: Sequence[Judged], n_set_aside: int = 0) -> str:
    """One sentence: what the verdict rests on. `n_set_aside` are the rows that any rule set aside."""
    failed = [c for c in checks if c.status == "failed"]
    parts = [
        _named("", [c for c in checks if c.status == "error"], "could not be computed"),
        _named("stopping ", [c for c in failed if c.severity == "stop"], "failed"),
        _named("warning ", [c for c in failed if c.severity == "warn"], "failed"),
        _named("", [c for c in checks if _sets_rows_aside(c)], "set rows aside"),
    ]
    if not any(parts):
        n_passed = sum(c.status == "passed" for c in checks)
        parts.append(f"{_checks(n_passed)} passed and none failed" if n_passed else "no check applied")
    if n_set_aside:
        parts.append(f"{n_set_aside:,} row{' was' if n_set_aside == 1 else 's were'} set aside in all")
    text = "; ".join(part for part in parts if part)
    return f"{text[0].upper()}{text[1:]}."


def summary_lines(checks: Sequence[Judged]) -> tuple[str, ...]:
    """The verdict and everything that is not as it should be, worst first, one plain line each."""
    verdict = verdict_of(checks)
    counted = ", ".join(f"{sum(c.status == s for c in checks)} {_words(s)}" for s in reversed(WORST_FIRST))
    lines = [f"Verdict {verdict}: {MEANING[verdict]} ({counted})."]
    return (*lines, *(_line(check) for check in by_weight(checks) if is_worth_a_line(check)))


def summary_table(checks: Sequence[Judged]) -> str:
    """All checks as a Markdown table, worst first: what Prefect shows as an artifact."""
    rows = [
        (
            *(c.check_id, c.title, c.table_name, c.severity, _words(c.status)),
            *(_number(c.n_rows), _number(c.n_failed), share_of(c.n_failed, c.n_rows)),
            *(c.detail, c.repair if c.status in {"error", "failed"} else ""),
        )
        for c in by_weight(checks)
    ]
    return _markdown("check,what,table,severity,status,rows:,failed:,share:,what came out,what to do", rows)


def set_aside_table(lines: Sequence[SetAside]) -> str:
    """Rows set aside by source, file and rule as a Markdown table, in the order given."""
    rows = [
        (
            *(line.source_id, line.input_name, line.table_name, line.rule, _number(line.n_rows)),
            *(share_of(line.n_rows, line.n_received), line.reason, line.repair),
        )
        for line in lines
    ]
    return _markdown("source,file,table,rule,rows:,share:,reason,what to do", rows)


def reasons_to_stop(checks: Sequence[Judged]) -> tuple[str, ...]:
    """One line for each check that stops the night."""
    return tuple(_line(check) for check in checks if stops(check))


def stops(check: Judged) -> bool:
    """Whether this check alone stops the night."""
    return check.status == "error" or (check.status == "failed" and check.severity == "stop")


def by_weight(checks: Sequence[AnyCheck]) -> list[AnyCheck]:
    """What is gravest first; in each kind, by table and id as they came."""
    severities = ("stop", "quarantine", "warn")
    return sorted(checks, key=lambda c: (WORST_FIRST.index(c.status), severities.index(c.severity)))


def is_worth_a_line(check: Judged) -> bool:
    """Whether somebody should look at it: it failed, could not be computed, or set a row aside."""
    return check.status in {"error", "failed"} or _sets_rows_aside(check)


def share_of(n: int | None, n_of: int | None) -> str:
    """A share in percent; never 0 % when there is one, and nothing where there is no whole."""
    if n is None or not n_of:
        return ""
    text = f"{100 * n / n_of:.1f} %"
    return "<0.1 %" if n and text == "0.0 %" else text


def _line(check: Judged) -> str:
    what = f"{check.check_id} ({check.table_name}, {check.severity})"
    counts = check.detail or f"{_number(check.n_failed)} of {_number(check.n_rows)} rows"
    said = ["not computed" if check.status == "error" else counts, check.reason]
    said += [f"To do: {check.repair}"] if check.repair else []
    return f"{what}: {' '.join(part if part.endswith('.') else f'{part}.' for part in said)}"


def _sets_rows_aside(check: Judged) -> bool:
    return check.severity == "quarantine" and (check.n_failed or 0) > 0


def _named(kind: str, checks: Sequence[Judged], what: str) -> str:
    """`2 checks failed (one, two)`; empty without any."""
    if not checks:
        return ""
    return f"{_checks(len(checks), kind)} {what} ({name_some([check.check_id for check in checks])})"


def name_some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _checks(n: int, kind: str = "") -> str:
    return f"{n} {kind}check{'' if n == 1 else 's'}"


def _markdown(headings: str, rows: Sequence[Sequence[str]]) -> str:
    """A table; a heading that ends with a colon is one of numbers."""
    names = headings.split(",")
    lines = [[name.removesuffix(":") for name in names], ["---:" if name.endswith(":") else "---" for name in names]]
    lines += [[" ".join(cell.replace("|", "\\|").split()) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _words(status: Status) -> str:
    return status.replace("_", " ")
