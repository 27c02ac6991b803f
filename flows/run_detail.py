"""One attempt in full, as the warehouse keeps it: files, verdict, checks, rows set aside, what to do, and the trend.

A night that was stopped has no page in the site; this is where to read why. Counts and names of plain shape only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import duckdb

from flows.errors import WrongUse
from flows.handover import LedgerLine, ReceivedInput
from flows.history import RunLine, list_runs
from flows.night_verdict import NightVerdict
from flows.refusals import count_by_rule, describe_refused, list_repairs
from flows.settings import Settings
from flows.shown_names import show_name, show_names
from flows.trend import read_trend
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from reports.facts import CheckFact, InputFact, Verdict
from reports.wording import plain
from transforms.load import load_definitions
from transforms.model.sources import Receiving

SHOWN_RUNS = 3  # named when a run is asked for that is not there
SHOWN_FILES = 40
IDENTIFIERS = "identifier"  # the table below ops, where a workspace has it


@dataclass(frozen=True)
class RunDetail:
    """What is on record of one attempt; `judged` is None when it never came to a verdict."""

    run: RunLine
    inputs: tuple[InputFact, ...]
    judged: NightVerdict | None
    identifiers: tuple[Mapping[str, object], ...] = ()

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return {
            "run": asdict(self.run),
            "inputs": [asdict(entry) for entry in self.inputs],
            **(self.judged.as_dict() if self.judged else {}),
            "identifiers": [dict(line) for line in self.identifiers],
        }

    def as_text(self) -> str:
        """For a terminal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        seconds = (self.run.finished_at - self.run.started_at).total_seconds() if self.run.finished_at else None
        took = "" if seconds is None else f", took {seconds:,.0f} s"
        yield f"Run {self.run.run_id}: {self.run.state}, began {self.run.started_at:%Y-%m-%d %H:%M} UTC{took}"
        if self.run.message:
            yield f"  {self.run.message}"
        if self.inputs:
            yield "Files"
        for entry in self.inputs[:SHOWN_FILES]:
            yield f"  {entry.source_id} {entry.name}: {entry.source_format}, {entry.rows:,} rows"
        if len(self.inputs) > SHOWN_FILES:
            yield f"  and {len(self.inputs) - SHOWN_FILES} more"
        if self.identifiers:
            yield "Identifiers"
        for line in self.identifiers:
            yield f"  {', '.join(f'{name} {plain(str(value))}' for name, value in line.items() if name != 'input_id')}"
        if self.judged is None:
            yield "It did not come to a verdict."
            return
        yield from self.judged.check_lines()
        yield from self.judged.refused_lines()


def show_run(run_id: str, settings: Settings) -> tuple[Mapping[str, Any], str]:
    """One attempt in full: for `--json`, and for a terminal."""
    receiving = load_definitions(settings.definitions).receiving
    detail = read_run(Workspace(settings.workspace.resolve()), run_id, receiving, settings.memory_limit)
    return detail.as_dict(), detail.as_text()


def read_run(workspace: Workspace, run_id: str, receiving: Receiving, memory_limit: str) -> RunDetail:
    """The attempt called `run_id`; one that is not there is wrong use."""
    runs = list_runs(workspace, memory_limit)
    run = next((line for line in runs if line.run_id == run_id), None)
    if run is None:
        newest = [f"{line.run_id} ({line.state})" for line in runs[-SHOWN_RUNS:]]
        raise WrongUse(
            f"There is no run {show_name(run_id, 'of that name')} in this workspace.",
            details=newest,
            repair="`nadir runs` lists them all.",
        )
    with open_warehouse(workspace.warehouse, memory_limit=memory_limit, read_only=True) as connection:
        inputs = [_input(line) for line in _read(connection, "input", run_id)]
        names = show_names(inputs)
        facts = tuple(
            InputFact(names[e.input_id], e.bytes, e.rows, e.sha256, e.source_format, e.source_id) for e in inputs
        )
        judged = _judged(connection, run, inputs, receiving) if run.verdict else None
        return RunDetail(run, facts, judged, _identifiers(connection, run_id))


def _judged(
    connection: duckdb.DuckDBPyConnection, run: RunLine, inputs: list[ReceivedInput], receiving: Receiving
) -> NightVerdict:
    checks = tuple(_check(line) for line in _read(connection, "check", run.run_id))
    ledger = [LedgerLine(**line) for line in _read(connection, "row_ledger", run.run_id)]
    counted = count_by_rule(connection, "quarantine.row WHERE run_id = ?", run.run_id)
    refused = describe_refused(counted, inputs, ledger, list_repairs(receiving, checks))
    trend = read_trend(connection, {entry.source_id for entry in inputs}, run.started_at)
    return NightVerdict(cast("Verdict", run.verdict), checks, refused, trend)


def _read(connection: duckdb.DuckDBPyConnection, table: str, run_id: str) -> list[dict[str, Any]]:
    """Lines of one table below ops in the order in which they were written, whichever columns it has."""
    found = connection.execute(f"SELECT * EXCLUDE (run_id) FROM ops.{table} WHERE run_id = ? ORDER BY rowid", [run_id])
    names = [str(column[0]) for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _input(line: Mapping[str, Any]) -> ReceivedInput:
    names = ("input_id", "source_id", "name", "bytes", "sha256", "rows", "source_format")
    return ReceivedInput(**{name: line[name] for name in names})


def _check(line: Mapping[str, Any]) -> CheckFact:
    """A line of `ops.check`; one that an older nadir wrote says less."""
    known = {field.name: line.get(field.name) for field in fields(CheckFact)}
    known |= {name: known[name] or "" for name in ("title", "detail", "repair")}
    return CheckFact(**cast("dict[str, Any]", known))


def _identifiers(connection: duckdb.DuckDBPyConnection, run_id: str) -> tuple[Mapping[str, object], ...]:
    """What was found that identifies, where the workspace keeps that; its names are those that may be shown."""
    is_there = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = ?"
    if not connection.execute(is_there, [IDENTIFIERS]).fetchall()[0][0]:
        return ()
    return tuple(_read(connection, IDENTIFIERS, run_id))
