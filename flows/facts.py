"""What a report may say of a night beside its released numbers: files, rows, checks, dates; counts only."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from importlib.metadata import version
from platform import python_version
from typing import Any

from flows.breaks import find_breaks
from flows.coarse_facts import coarsen
from flows.code_version import code_version
from flows.earlier_night import find_earlier
from flows.handover import Derived, ReceivedInput, ReleasedNight, RunContext, Validated
from flows.ledger import merge_lines
from flows.night_verdict import judge_night
from flows.refusal import condense
from flows.refusals import EARLIER
from reports.facts import AnswerFact, Earlier, IdentifierFact, InputFact, LedgerFact, NightFacts, WordsFact
from reports.methods import versions_of
from transforms.load import Definitions
from transforms.plugins import added_packages

ENGINES = ("polars", "duckdb", "plotly")


def gather_facts(
    night: ReleasedNight, context: RunContext, nights: Sequence[Mapping[str, Any]], earlier: Earlier | None = None
) -> NightFacts:
    """The facts of this night as a page tells them; `nights` is what each published night said, oldest first."""
    derived = night.estimated.derived
    validated = derived.validated
    received = validated.received
    sources = list_sources(received.inputs)
    first, last = derived.span if received.dates == "real" else (None, None)
    names = {entry.input_id: entry.name for entry in received.inputs}
    judged = judge_night(validated, context)
    channel = night.released.channel
    alike = [one for one in nights if (one.get("sources"), one.get("channel")) == (sources, channel)]
    tonight = tell_night(context, channel)
    previous = find_earlier(nights, sources=sources, channel=channel, definitions_hash=context.definitions.hash)
    facts = NightFacts(
        run_id=context.run_id,
        result_id=received.result_id,
        started_at=context.started_at,
        verdict=validated.verdict,
        channel=channel,
        earlier=earlier,
        dates=received.dates,
        definitions_hash=context.definitions.hash,
        code_version=code_version(),
        data_from=first,
        data_through=last,
        inputs=tuple(
            InputFact(names[e.input_id], e.bytes, e.rows, e.sha256, e.source_format, e.source_id)
            for e in received.inputs
        ),
        ledger=_ledger(validated, names),
        refused=judged.refused,
        checks=judged.checks,
        verdict_why=judged.why,
        breaks=find_breaks(derived.source_spans, (first, last), [*alike, tonight]),
        trend=judged.trend,
        answers=_answers(derived),
        identifiers=tuple(IdentifierFact(*astuple(entry)[:-1]) for entry in condense(received.identifiers)),
        identifier_classes=name_sought(context.definitions),
        words=tuple(WordsFact(*astuple(entry)) for entry in derived.words),
        n_earlier_runs=len(nights),
        previous_run_id=str(previous["run_id"]) if previous else "",
        previous_key_numbers=previous["key_values"] if previous else {},
        previous_periods=_periods(previous) if previous else {},
        versions={"python": python_version(), **{name: version(name) for name in ENGINES}, **added_packages()},
        stage_seconds={stage.stage: round(stage.seconds, 1) for stage in context.progress.stages},
    )
    return coarsen(facts, context.definitions.showing)


def tell_night(context: RunContext, channel: str) -> Mapping[str, Any]:
    """What tonight's definitions say of themselves, as its summary will."""
    return {
        "started_at": context.started_at.isoformat(),
        "definitions_hash": context.definitions.hash,
        "definition_versions": versions_of(context.definitions, channel),
        "code_version": code_version(),
        "run_id": context.run_id,
    }


def _periods(night: Mapping[str, Any]) -> dict[str, str]:
    """What each key number of an earlier night was of."""
    return {one["id"]: str(one.get("title", "")).removeprefix(f"{one['label']}, ") for one in night["key_numbers"]}


def list_sources(inputs: Sequence[ReceivedInput]) -> list[str]:
    """The sources of a night's files, sorted."""
    return sorted({entry.source_id for entry in inputs})


def _ledger(validated: Validated, names: Mapping[str, str]) -> tuple[LedgerFact, ...]:
    merged = merge_lines(
        line if line.input_id in names else replace(line, input_id=EARLIER) for line in validated.ledger
    )
    lines = [
        LedgerFact(
            names.get(line.input_id, EARLIER),
            line.table_name,
            line.n_received,
            line.n_accepted,
            line.n_duplicate,
            line.n_superseded,
            line.n_quarantined,
            line.n_irrelevant,
        )
        for line in merged
    ]
    return tuple(sorted(lines, key=lambda line: (line.table_name, line.input_name)))


def _answers(derived: Derived) -> tuple[AnswerFact, ...]:
    return tuple(AnswerFact(answer.question, answer.status, answer.reason) for answer in derived.answers)


def name_sought(definitions: Definitions) -> tuple[str, ...]:
    """The classes by which nobody may be known, in a fixed order."""
    return tuple(entry.id for entry in definitions.identifiers.classes if not entry.is_allowed)
