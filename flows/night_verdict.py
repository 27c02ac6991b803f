"""The verdict of one night for everyone who reads it: report, terminal, JSON and Prefect's pages say the same.

Checks worst first, rows set aside by rule and source, what to do about each, and how that moved over the last nights.
Counts and names of plain shape only, never a value.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from expectations.verdict import by_weight, set_aside_table, share_of, summary_lines, summary_table, why
from flows.handover import CheckResult, RunContext, Validated
from flows.refusals import count_refused
from flows.shown_names import show_sources
from flows.trend import N_NIGHTS, end_with, read_trend
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from reports.facts import CheckFact, CheckMark, RefusedFact, RefusedKey, Trend, TrendNight, Verdict
from reports.trends import check_series, is_told, refused_series, trend_words

SHOWN_REFUSED = 20  # lines of rows set aside in a terminal


@dataclass(frozen=True)
class NightVerdict:
    """What was checked, what failed, what was set aside, and how both moved; `trend` ends with the night itself."""

    verdict: Verdict
    checks: tuple[CheckFact, ...]
    refused: tuple[RefusedFact, ...]
    trend: Trend = field(default_factory=Trend)

    @property
    def why(self) -> str:
        """One sentence."""
        return why(self.checks, sum(fact.n_rows for fact in self.refused))

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return {
            "verdict": self.verdict,
            "why": self.why,
            "reasons": list(summary_lines(self.checks)[1:]),
            "checks": [asdict(check) for check in by_weight(self.checks)],
            "quarantined": [asdict(fact) for fact in self.refused],
            "trend": {
                "nights": [asdict(night) for night in self.trend.nights],
                "checks": {name: [mark and asdict(mark) for mark in m] for name, m in self.trend.checks.items()},
                "quarantined": [
                    {**asdict(key), "nights": [mark and asdict(mark) for mark in marks]}
                    for key, marks in self.trend.refused.items()
                ],
            },
        }

    def check_lines(self) -> Iterator[str]:
        """For a terminal: the verdict, and what is not as it should be, worst first."""
        head, *lines = summary_lines(self.checks)
        yield head
        yield f"  {self.why}"
        for line in lines:
            yield f"  {line}"
            if moved := self._moved(line.split(" ", 1)[0]):
                yield f"    {moved}"

    def refused_lines(self) -> Iterator[str]:
        """For a terminal: what was set aside by rule, source and file, and what to do."""
        if self.refused:
            yield "Set aside"
        for fact in self.refused[:SHOWN_REFUSED]:
            yield f"  {self._say(fact)}"
        if len(self.refused) > SHOWN_REFUSED:
            yield f"  and {len(self.refused) - SHOWN_REFUSED} more lines; --json has them all"

    def as_markdown(self) -> str:
        """For Prefect's pages."""
        head, *lines = summary_lines(self.checks)
        parts = [f"**{head}**", "", self.why, "", *(f"- {line}" for line in lines)]
        if self.refused:
            parts += ["", "### Rows set aside", "", set_aside_table(self.refused)]
        if moved := list(self._all_moved()):
            parts += ["", "### Last nights", "", *(f"- {line}" for line in moved)]
        return "\n".join([*parts, "", "### Checks", "", summary_table(self.checks)])

    def _moved(self, check_id: str) -> str:
        return trend_words(check_series(self.trend.checks.get(check_id, ())))

    def _all_moved(self) -> Iterator[str]:
        if not self.trend.has_earlier:
            return
        verdicts = Counter(night.verdict for night in self.trend.nights)
        counted = ", ".join(f"{name} {n}" for name, n in sorted(verdicts.items()))
        yield f"Verdicts of the last {len(self.trend.nights)} nights: {counted}."
        for check in by_weight(self.checks):
            series = check_series(self.trend.checks.get(check.check_id, ()))
            if any(point and is_told(point) for point in series):
                yield f"{check.check_id}. {trend_words(series)}"
        for key, refused in self.trend.refused.items():
            yield f"{key.source_id or 'earlier nights'}, {key.rule}. {trend_words(refused_series(refused))}"

    def _say(self, fact: RefusedFact) -> str:
        rows = "1 row" if fact.n_rows == 1 else f"{fact.n_rows:,} rows"
        share = share_of(fact.n_rows, fact.n_received)
        where = f"{fact.source_id + ' ' if fact.source_id else ''}{fact.input_name}"
        key = RefusedKey(fact.source_id, fact.table_name, fact.rule)
        moved = trend_words(refused_series(self.trend.refused.get(key, ())))
        counted = f"{rows}{f' ({share})' if share else ''} of {fact.table_name}"
        said = f"{counted}, {where}: {fact.rule}, {fact.reason.rstrip('.')}."
        return " ".join(part for part in (said, fact.repair, moved) if part)


def judge_night(validated: Validated, context: RunContext, history: Workspace | None = None) -> NightVerdict:
    """The verdict of tonight, with the nights before it in the workspace, or in the one given as `history`."""
    checks = tuple(show_check(check) for check in validated.checks)
    refused = count_refused(validated, context.definitions.receiving, context.settings.memory_limit)
    place, limit = history or context.workspace, context.settings.memory_limit
    inputs = validated.received.inputs
    sources = show_sources(entry.source_id for entry in inputs)
    trend = Trend()
    if place.warehouse.exists():
        with open_warehouse(place.warehouse, memory_limit=limit, read_only=True) as connection:
            trend = read_trend(connection, sources, context.started_at, N_NIGHTS - 1)
    of_input = {entry.input_id: sources[entry.source_id] for entry in inputs}
    received: Counter[tuple[str, str]] = Counter()
    for line in validated.ledger:
        if line.input_id in of_input:
            received[of_input[line.input_id], line.table_name] += line.n_received
    set_aside: Counter[RefusedKey] = Counter()
    for fact in refused:
        set_aside[RefusedKey(fact.source_id, fact.table_name, fact.rule)] += fact.n_rows
    night = TrendNight(context.run_id, context.started_at, validated.verdict)
    marks = {check.check_id: CheckMark(check.status, check.n_rows, check.n_failed) for check in checks}
    return NightVerdict(validated.verdict, checks, refused, end_with(trend, night, marks, set_aside, received))


def show_check(check: CheckResult) -> CheckFact:
    """A result as it is shown."""
    return CheckFact(
        check.check_id,
        check.reason,
        check.table_name,
        check.severity,
        check.status,
        check.n_rows,
        check.n_failed,
        check.title,
        check.detail,
        check.repair,
    )
