"""What a report may say of a night beside its released numbers: files, rows, checks, dates; counts only."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from flows.code_version import code_version
from flows.handover import Derived, ReleasedNight, RunContext, Validated
from reports.facts import AnswerFact, CheckFact, InputFact, LedgerFact, NightFacts, RefusedFact


def gather_facts(night: ReleasedNight, context: RunContext, previous: Mapping[str, Any] | None) -> NightFacts:
    """The facts of this night; `previous` is what the last published night said of itself."""
    derived = night.estimated.derived
    validated = derived.validated
    received = validated.received
    first, last = _data_span(derived.frames["observation"], received.dates)
    return NightFacts(
        run_id=context.run_id,
        result_id=received.result_id,
        started_at=context.started_at,
        verdict=validated.verdict,
        channel=night.released.channel,
        dates=received.dates,
        definitions_hash=context.definitions.hash,
        code_version=code_version(),
        data_from=first,
        data_through=last,
        inputs=tuple(
            InputFact(e.name, e.bytes, e.rows, e.sha256, e.source_format, e.source_id) for e in received.inputs
        ),
        ledger=_ledger(validated),
        refused=_refused(validated),
        checks=tuple(
            CheckFact(c.check_id, c.reason, c.table_name, c.severity, c.status, c.n_rows, c.n_failed)
            for c in validated.checks
        ),
        answers=_answers(derived),
        previous_run_id=str(previous["run_id"]) if previous else "",
        previous_key_numbers=previous["key_values"] if previous else {},
        stage_seconds={stage.stage: round(stage.seconds, 1) for stage in context.progress.stages},
    )


def _ledger(validated: Validated) -> tuple[LedgerFact, ...]:
    names = {entry.input_id: entry.name for entry in validated.received.inputs}
    lines = [
        LedgerFact(
            names[line.input_id],
            line.table_name,
            line.n_received,
            line.n_accepted,
            line.n_duplicate,
            line.n_superseded,
            line.n_quarantined,
            line.n_irrelevant,
        )
        for line in validated.ledger
    ]
    return tuple(sorted(lines, key=lambda line: (line.table_name, line.input_name)))


def _refused(validated: Validated) -> tuple[RefusedFact, ...]:
    rows = (
        pl.concat(
            [pl.scan_parquet(path) for path in (validated.received.dropped, validated.set_aside)],
            how="vertical_relaxed",
        )
        .filter(pl.col("outcome") == "quarantined")
        .group_by("rule", "reason", "table_name")
        .agg(n_rows=pl.len())
        .sort("table_name", "rule", "reason")
        .collect()
    )
    return tuple(RefusedFact(**row) for row in rows.iter_rows(named=True))


def _answers(derived: Derived) -> tuple[AnswerFact, ...]:
    return tuple(AnswerFact(answer.question, answer.status, answer.reason) for answer in derived.answers)


def _data_span(observation: Path, dates: str) -> tuple[date | None, date | None]:
    if dates != "real":
        return None, None
    span = pl.scan_parquet(observation).select(pl.min("started_on"), pl.max("ended_on")).collect()
    first, last = span.row(0)
    return first, last
