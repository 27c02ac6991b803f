"""Everything up to the verdict on an extract, in a folder that is thrown away: recognised, kept, refused, answerable.

The first things to repair come last, most rows first, so that they stand above the prompt.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any

from flows.changes import Against
from flows.errors import UserError
from flows.handover import Answer, LedgerLine, Request, RunContext, Validated
from flows.night_verdict import NightVerdict, judge_night
from flows.progress import Progress
from flows.recognised_words import RecognisedWords, list_recognised
from flows.refusal import list_identifiers
from flows.scratch import scratch_folder
from flows.settings import Settings
from flows.silence import silence_libraries
from flows.sources.protocol import Recognised
from flows.sources.recognise import UNREAD, Line, describe, recognise
from flows.stages.derive import derive
from flows.stages.receive import receive
from flows.stages.validate import stop_message, validate, warm_up
from flows.workspace import Workspace, make_private
from reports.facts import RefusedFact
from transforms.load import load_definitions

SHOWN_REPAIRS = 10
SHOWN_UNREAD = 6
SHOWN_LINES = 40


@dataclass(frozen=True)
class Repair:
    """Rows that one rule set aside, and what can be done about it. `words`: what they say, with the rows of each."""

    table_name: str
    rule: str
    n_rows: int
    reason: str
    repair: str
    files: tuple[str, ...] = ()
    words: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """What a check found; no patient's value is in it."""

    recognised: tuple[Line, ...]
    hints: tuple[str, ...]
    validated: Validated
    answers: tuple[Answer, ...]
    judged: NightVerdict
    most_words: int
    recognition: RecognisedWords

    @property
    def verdict(self) -> str:
        """go, warn or stop."""
        return self.judged.verdict

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """Rows set aside by table and rule, most rows first."""
        found: dict[tuple[str, str], list[RefusedFact]] = {}
        for fact in self.judged.refused:
            found.setdefault((fact.table_name, fact.rule), []).append(fact)
        repairs = [
            Repair(
                *key,
                sum(fact.n_rows for fact in facts),
                facts[0].reason,
                facts[0].repair,
                tuple(fact.input_name for fact in facts),
                dict(list(_words(self.validated, *key).items())[: self.most_words]),
            )
            for key, facts in found.items()
        ]
        return tuple(sorted(repairs, key=lambda entry: (-entry.n_rows, entry.table_name, entry.rule)))

    @property
    def stop(self) -> UserError:
        """The error that a run would end with."""
        return stop_message(self.validated)

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        received = self.validated.received
        return {
            **self.judged.as_dict(),
            "dates": received.dates,
            "recognised": [asdict(line) for line in self.recognised],
            "inputs": [asdict(entry) for entry in received.inputs],
            "ledger": [asdict(line) for line in self.validated.ledger],
            "answerable": [asdict(answer) for answer in self.answers],
            "identifiers": [asdict(entry) for entry in received.identifiers],
            "repairs": [asdict(repair) for repair in self.repairs],
            "recognition": self.recognition.as_dict(),
            "hints": list(self.hints),
        }

    def as_text(self) -> str:
        """For a terminal."""
        told = list_identifiers(self.validated.received.identifiers)
        checks, repairs = self.judged.check_lines(), self._repairs()
        words = self.recognition.lines(self.most_words)  # `--json` has all that may be shown
        parts = (self._recognised(), self._ledger(), self._answers(), told, checks, words, repairs)
        return "\n".join(line for part in parts for line in part)

    def _recognised(self) -> Iterator[str]:
        yield f"Recognised (dates: {self.validated.received.dates})"
        rows = {entry.name: entry.rows for entry in self.validated.received.inputs}
        known = [line for line in self.recognised if line.adapter != UNREAD]
        if len(known) > SHOWN_LINES:
            adapters = Counter(line.adapter for line in known)
            known = []
            yield from (f"  {n:,} files: {adapter}" for adapter, n in sorted(adapters.items()))
        for line in known:
            tables = ", ".join(table.removeprefix("canonical.") for table in dict.fromkeys(line.tables))
            count = f", {rows[line.name]:,} rows" if line.name in rows else ""
            yield f"  {line.name}: {line.adapter}{' -> ' + tables if tables else ''}{count}"
        unread = [line.name for line in self.recognised if line.adapter == UNREAD]
        if unread:
            others = f" and {len(unread) - SHOWN_UNREAD} more" if len(unread) > SHOWN_UNREAD else ""
            yield f"  not read: {', '.join(unread[:SHOWN_UNREAD])}{others}"

    def _ledger(self) -> Iterator[str]:
        names = {entry.input_id: entry.name for entry in self.validated.received.inputs}
        yield "Ledger: received = accepted + duplicate + superseded + quarantined + irrelevant"
        ledger = sorted(self.validated.ledger, key=lambda line: (line.table_name, names[line.input_id]))
        if len(ledger) > SHOWN_LINES:
            for table, lines in groupby(ledger, key=lambda line: line.table_name):
                own = list(lines)
                total = reduce(LedgerLine.plus, own)
                yield f"  {table}, {len(own):,} files: {total.n_received:,} = {_sum(total)}"
            return
        for line in ledger:
            yield f"  {line.table_name}, {names[line.input_id]}: {line.n_received:,} = {_sum(line)}"

    def _answers(self) -> Iterator[str]:
        if self.answers:
            yield "Answerable"
        for answer in self.answers:
            yield f"  {answer.question}: {answer.status.replace('_', ' ')}. {answer.reason}"

    def _repairs(self) -> Iterator[str]:
        yield "First to repair" if self.repairs or self.hints else "Nothing to repair."
        for hint in self.hints:
            yield f"  {hint}"
        for entry in self.repairs[:SHOWN_REPAIRS]:
            rows = "1 row" if entry.n_rows == 1 else f"{entry.n_rows:,} rows"
            files = entry.files[0] if len(entry.files) == 1 else f"{len(entry.files)} files"
            what = f"{rows} of {entry.table_name} ({entry.rule}), {files}"
            yield f"  {what}: {entry.reason.rstrip('.')}. {entry.repair}".rstrip()
            yield from (f"    {word!r}: {n:,} rows" for word, n in entry.words.items())


@silence_libraries()
def check_extract(
    extracts: tuple[Path, ...], source: str, settings: Settings, compared_with: Path | None = None
) -> Checked:
    """Receive, validate and derive in a temporary workspace that is gone afterwards.

    `compared_with` is a workspace whose good nights the extract is held against and shown beside; it is only read.
    """
    history = Workspace(compared_with.resolve()) if compared_with else None
    definitions = load_definitions(settings.definitions)
    paths = tuple(path.resolve() for path in extracts)
    with scratch_folder("check") as folder, warm_up() as worker:
        run_id = f"check-{secrets.token_hex(3)}"
        workspace = Workspace(folder).create()
        context = RunContext(run_id, datetime.now(UTC), workspace, settings, definitions, Progress(is_quiet=True))
        make_private(context.work)
        request = Request(paths, source, lists_words=True)
        received = receive(request, context)  # what identifies people comes before any other fault
        recognised = recognise(paths, source, definitions, context.work / "looked_at")
        validated = validate(received, context, worker, Against(workspace=history))
        is_derived = validated.verdict != "stop"
        answers = derive(validated, context).answers if is_derived else ()
        words = list_recognised(context.work / "derived", definitions) if is_derived else RecognisedWords()
        judged = judge_night(validated, context, history)
    most_words = definitions.showing.most_words_listed
    return Checked(describe(recognised), _hints(recognised), validated, answers, judged, most_words, words)


def _hints(recognised: Sequence[Recognised]) -> tuple[str, ...]:
    return tuple(hint for entry in recognised for hint in entry.hints)


def _words(validated: Validated, table: str, rule: str) -> Mapping[str, int]:
    """The words of one rule over all files, most rows first."""
    total: Counter[str] = Counter()
    for word in validated.received.words:
        if (word.table, word.rule) == (table, rule):
            total[word.text] += word.n_rows
    return dict(sorted(total.items(), key=lambda entry: (-entry[1], entry[0])))


def _sum(line: LedgerLine) -> str:
    parts = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
    return " + ".join(f"{part:,}" for part in parts)
