"""Everything up to the verdict on an extract, in a folder that is thrown away: recognised, kept, refused, answerable.

The first things to repair come last, most rows first, so that they stand above the prompt.
"""

import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from flows.errors import UserError
from flows.handover import Answer, LedgerLine, Request, RunContext, Validated
from flows.progress import Progress
from flows.refusal import list_identifiers
from flows.settings import Settings
from flows.sources.protocol import Recognised
from flows.sources.recognise import UNREAD, Line, describe, recognise
from flows.stages.derive import derive
from flows.stages.receive import receive
from flows.stages.validate import stop_message, validate, warm_up
from flows.workspace import Workspace
from transforms.load import load_definitions
from transforms.model.sources import Receiving

SHOWN_REPAIRS = 10
SHOWN_UNREAD = 6
SHOWN_LINES = 40


@dataclass(frozen=True)
class Repair:
    """Rows that one rule set aside, and what can be done about it."""

    table_name: str
    rule: str
    n_rows: int
    reason: str
    repair: str


@dataclass(frozen=True)
class Checked:
    """What a check found; no patient's value is in it."""

    recognised: tuple[Line, ...]
    hints: tuple[str, ...]
    validated: Validated
    answers: tuple[Answer, ...]
    repairs: tuple[Repair, ...]

    @property
    def verdict(self) -> str:
        """go, warn or stop."""
        return self.validated.verdict

    @property
    def stop(self) -> UserError:
        """The error that a run would end with."""
        return stop_message(self.validated)

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        received = self.validated.received
        return {
            "verdict": self.verdict,
            "dates": received.dates,
            "recognised": [asdict(line) for line in self.recognised],
            "inputs": [asdict(entry) for entry in received.inputs],
            "ledger": [asdict(line) for line in self.validated.ledger],
            "answerable": [asdict(answer) for answer in self.answers],
            "identifiers": [asdict(entry) for entry in received.identifiers],
            "checks": [asdict(check) for check in self.validated.checks],
            "repairs": [asdict(repair) for repair in self.repairs],
            "hints": list(self.hints),
        }

    def as_text(self) -> str:
        """For a terminal."""
        told = list_identifiers(self.validated.received.identifiers)
        parts = (self._recognised(), self._ledger(), self._answers(), told, self._checks(), self._repairs())
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

    def _checks(self) -> Iterator[str]:
        yield f"Verdict: {self.verdict}"
        for check in self.validated.checks:
            if check.status in {"failed", "error"} or check.n_failed:
                counts = f"{check.n_failed or 0:,} of {check.n_rows or 0:,} rows"
                yield f"  {check.severity} {check.check_id} ({check.status}): {counts}. {check.reason}"

    def _repairs(self) -> Iterator[str]:
        yield "First to repair" if self.repairs or self.hints else "Nothing to repair."
        for hint in self.hints:
            yield f"  {hint}"
        for entry in self.repairs[:SHOWN_REPAIRS]:
            rows = "1 row" if entry.n_rows == 1 else f"{entry.n_rows:,} rows"
            yield f"  {rows} of {entry.table_name} ({entry.rule}): {entry.reason}. {entry.repair}".rstrip()


def check_extract(extracts: tuple[Path, ...], source: str, settings: Settings) -> Checked:
    """Receive, validate and derive in a temporary workspace that is gone afterwards."""
    definitions = load_definitions(settings.definitions)
    paths = tuple(path.resolve() for path in extracts)
    with tempfile.TemporaryDirectory(prefix="nadir-check-") as folder, warm_up() as worker:
        run_id = f"check-{secrets.token_hex(3)}"
        workspace = Workspace(Path(folder)).create()
        context = RunContext(run_id, datetime.now(UTC), workspace, settings, definitions, Progress(is_quiet=True))
        context.work.mkdir(parents=True)
        received = receive(Request(paths, source), context)  # what identifies people comes before any other fault
        recognised = recognise(paths, source, definitions, context.work / "looked_at")
        validated = validate(received, context, worker)
        answers = derive(validated, context).answers if validated.verdict != "stop" else ()
        repairs = _find_repairs(validated, definitions.receiving)
    return Checked(describe(recognised), _hints(recognised), validated, answers, repairs)


def _hints(recognised: Sequence[Recognised]) -> tuple[str, ...]:
    return tuple(hint for entry in recognised for hint in entry.hints)


def _find_repairs(validated: Validated, receiving: Receiving) -> tuple[Repair, ...]:
    files = [str(validated.received.dropped), str(validated.set_aside)]
    with duckdb.connect(":memory:") as connection:
        counted = connection.execute(
            """SELECT table_name, rule, count(*), min(reason) FROM read_parquet(?) WHERE outcome = 'quarantined'
            GROUP BY table_name, rule ORDER BY count(*) DESC, table_name, rule""",
            [files],
        ).fetchall()
    known = {rule: entry.repair for rule, entry in receiving.rules.items()}
    return tuple(Repair(table, rule, n, reason, known.get(rule, "")) for table, rule, n, reason in counted)


def _sum(line: LedgerLine) -> str:
    parts = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
    return " + ".join(f"{part:,}" for part in parts)
