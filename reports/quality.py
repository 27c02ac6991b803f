"""Tables of what arrived and what was checked: rows of files and names of rules, never a person or a value."""

from typing import Any

from reports.facts import CheckFact, NightFacts
from reports.wording import Wording

STATUSES = ("error", "failed", "not_applicable", "passed")


def quality_tables(facts: NightFacts, words: Wording) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the ledger, the quarantine, the checks (what failed first) and the files."""
    order = {status: place for place, status in enumerate(STATUSES)}
    checks = sorted(facts.checks, key=lambda check: (order.get(check.status, 0), check.table_name, check.check_id))
    counts = {status: sum(check.status == status for check in checks) for status in STATUSES}
    return {
        "check_counts": [(words.name("check_status", status), counts[status]) for status in reversed(STATUSES)],
        "ledger": [
            (
                line.input_name,
                line.table_name,
                line.n_received,
                line.n_accepted,
                line.n_duplicate,
                line.n_superseded,
                line.n_quarantined,
                line.n_irrelevant,
            )
            for line in facts.ledger
        ],
        "refused": [
            (row.rule, row.table_name, row.reason, row.n_rows)
            for row in sorted(facts.refused, key=lambda row: (-row.n_rows, row.rule, row.table_name))
        ],
        "failed_checks": [_check(check, words) for check in checks if check.status in {"error", "failed"}],
        "other_checks": [_check(check, words) for check in checks if check.status not in {"error", "failed"}],
        "inputs": [(one.name, one.source_format, one.sha256, one.bytes, one.rows) for one in facts.inputs],
    }


def _check(check: CheckFact, words: Wording) -> tuple[Any, ...]:
    return (
        check.check_id,
        check.reason,
        check.table_name,
        words.name("check_severity", check.severity),
        words.name("check_status", check.status),
        check.n_rows,
        check.n_failed,
    )
