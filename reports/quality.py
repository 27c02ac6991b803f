"""What arrived, what was checked and what was set aside: rows of files and names of rules, never a person or a value.

Gravest first, so that who opens the section reads what to do before what is in order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.facts import CheckFact, NightFacts, RefusedFact, RefusedKey, Trend, WordsFact
from reports.trends import SYMBOLS, check_series, draw, refused_series, trend_table
from reports.wording import Wording, percent

STATUSES = ("error", "failed", "not_applicable", "passed")
SEVERITIES = ("stop", "quarantine", "warn")
PER_CENT = 100
SHOWN = 12  # lines of rows set aside before the rest is folded


def quality_tables(facts: NightFacts, words: Wording) -> Mapping[str, Any]:
    """What the verdict, the quarantine and the ledger show, by the names of their templates."""
    checks = sorted(facts.checks, key=_weight)
    counts = {status: sum(check.status == status for check in checks) for status in STATUSES}
    refused = [_refused(fact, facts.trend, words) for fact in sorted(facts.refused, key=_by_rows)]
    return {
        "check_counts": [(words.name("check_status", s), counts[s]) for s in reversed(STATUSES) if counts[s]],
        "failed_checks": [_check(c, facts.trend, words) for c in checks if c.status in {"error", "failed"}],
        "other_checks": [_check(c, facts.trend, words) for c in checks if c.status not in {"error", "failed"}],
        "refused": refused[:SHOWN],
        "refused_rest": refused[SHOWN:],
        "n_refused": sum(fact.n_rows for fact in facts.refused),
        "nights": [
            (night.verdict, SYMBOLS[night.verdict], words.name("verdict", night.verdict), night.started_at)
            for night in facts.trend.nights
        ],
        "moves": trend_table(facts.trend),
        "ledger": [
            (
                line.input_name,
                words.name("table_name", line.table_name),
                line.n_received,
                line.n_accepted,
                line.n_duplicate,
                line.n_superseded,
                line.n_quarantined,
                line.n_irrelevant,
            )
            for line in facts.ledger
        ],
        "known_words": [_words(fact, words) for fact in facts.words],
        "inputs": [(one.name, one.source_format, one.sha256, one.bytes, one.rows) for one in facts.inputs],
    }


def lost_table(lost: Sequence[tuple[str, int, int, int]], words: Wording) -> Mapping[str, Any]:
    """What of each released table is hidden and held, by the names of its template."""
    rows = [(name.replace("_", " "), n, hidden, percent(hidden / n), held) for name, n, hidden, held in lost]
    return {**words.glossary["lost"], "rows": rows}


def _weight(check: CheckFact) -> tuple[int, int, str, str]:
    return (STATUSES.index(check.status), SEVERITIES.index(check.severity), check.table_name, check.check_id)


def _by_rows(fact: RefusedFact) -> tuple[int, str, str, str, str]:
    return (-fact.n_rows, fact.rule, fact.table_name, fact.source_id, fact.input_name)


def _check(check: CheckFact, trend: Trend, words: Wording) -> dict[str, Any]:
    return {
        "id": check.check_id,
        "title": check.title or check.check_id.replace("_", " "),
        "table": words.name("table_name", check.table_name),
        "severity": words.name("check_severity", check.severity),
        "status": check.status,
        "status_words": words.name("check_status", check.status),
        "n_rows": check.n_rows,
        "n_failed": check.n_failed,
        "share": _share(check.n_failed, check.n_rows),
        "reason": check.reason,
        "detail": check.detail,
        "repair": check.repair,
        "trend": draw(check_series(trend.checks.get(check.check_id, ()))),
    }


def _refused(fact: RefusedFact, trend: Trend, words: Wording) -> dict[str, Any]:
    key = RefusedKey(fact.source_id, fact.table_name, fact.rule)
    return {
        "rule": fact.rule,
        "reason": fact.reason,
        "source": fact.source_id,
        "file": fact.input_name,
        "table": words.name("table_name", fact.table_name),
        "n_rows": fact.n_rows,
        "share": _share(fact.n_rows, fact.n_received),
        "n_received": fact.n_received,
        "repair": fact.repair,
        "trend": draw(refused_series(trend.refused.get(key, ()))),
    }


def _words(fact: WordsFact, words: Wording) -> tuple[str, int, int, str]:
    """Rows in whole per cent: a few of many are "under 1 %", so that no small number can be worked out."""
    unknown = fact.n_words - fact.n_known_words
    return (words.name("word_kind", fact.kind), fact.n_known_words, unknown, _rounded(fact.n_known_rows, fact.n_rows))


def _rounded(n: int, n_of: int) -> str:
    if n in (0, n_of):
        return "none" if n == 0 else "all"
    whole = round(PER_CENT * n / n_of)
    return {0: "under 1 %", PER_CENT: "over 99 %"}.get(whole, f"{whole} %")


def _share(n: int | None, n_of: int | None) -> str:
    return percent(n / n_of) if n is not None and n_of else ""
