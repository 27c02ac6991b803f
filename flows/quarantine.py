"""What is set aside now: how many rows, by which rule, of which file, since when, can they go through, what to do.

Counts and names only. A file's name is shown if it is plain; of what a row says, nothing is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from expectations.suite import load_suites
from flows.errors import WrongUse
from flows.handover import ReceivedInput, Request, RunContext
from flows.progress import Progress
from flows.refused import READING, REFUSED, table_of
from flows.releasing import find_candidates
from flows.set_aside import list_refusals, open_set_aside
from flows.settings import Settings
from flows.shown_names import show_names
from flows.sources.protocol import literal
from flows.touched import parquet
from flows.workspace import Workspace
from transforms.load import Definitions, load_definitions

NOT_KEPT = "of which nothing was kept: give the file again, with the repair."
AT_A_CHECK = "It goes through when its check passes, or a later version of it comes; no command lets it past the check."


@dataclass(frozen=True)
class SetAside:
    """Rows of one file that one rule has set aside; `n_releasable` of them can be judged again without the file."""

    rule: str
    table_name: str
    source_id: str
    file: str
    n_rows: int
    since: str
    n_releasable: int
    reason: str
    repair: str


@dataclass(frozen=True)
class Quarantine:
    """All that is set aside as of the last published night."""

    entries: tuple[SetAside, ...]

    @property
    def n_rows(self) -> int:
        """How many rows."""
        return sum(entry.n_rows for entry in self.entries)

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return {"n_rows": self.n_rows, "quarantine": [asdict(entry) for entry in self.entries]}

    def as_text(self) -> str:
        """For a terminal."""
        return "\n".join(self._lines()) if self.entries else "Nothing is set aside."

    def _lines(self) -> Iterator[str]:
        for entry in self.entries:
            rows = "1 row" if entry.n_rows == 1 else f"{entry.n_rows:,} rows"
            yield f"{entry.rule}: {rows} of {entry.table_name}, {entry.source_id}, {entry.file}, since {entry.since}"
            yield f"  {entry.reason}. {entry.n_releasable:,} can be judged again without the file."
            yield from (f"  {text}" for text in [entry.repair] if text)
            if entry.n_releasable < entry.n_rows:
                yield f"  {entry.n_rows - entry.n_releasable:,} {NOT_KEPT}"


def list_quarantine(settings: Settings, rule: str | None = None, run: str | None = None) -> Quarantine:
    """The rows set aside now, most first; of one rule, or those that one run has recorded, whatever came of them."""
    workspace = Workspace(settings.workspace.resolve())
    workspace.need_warehouse()
    definitions = load_definitions(settings.definitions)
    repairs = _repairs(definitions)
    _refuse_unknown([rule] if rule else [], repairs)
    with open_set_aside(workspace, settings.memory_limit) as connection:
        _lay_kept(connection, workspace, list_refusals(definitions.receiving))
        if run is not None:
            _take_run(connection, run)
        entries = tuple(_read_entries(connection, repairs))
    return Quarantine(tuple(entry for entry in entries if rule in {None, entry.rule}))


def count_candidates(request: Request, settings: Settings) -> int:
    """How many files have set-aside rows that may be judged otherwise now; the workspace is only read."""
    workspace = Workspace(settings.workspace.resolve())
    workspace.need_warehouse()
    definitions = load_definitions(settings.definitions)
    _refuse_unknown(request.release or (), _repairs(definitions))
    context = RunContext("", datetime.now(UTC), workspace, settings, definitions, Progress(is_quiet=True))
    return len(find_candidates(request, context))


def _refuse_unknown(rules: Sequence[str], known: Mapping[str, str]) -> None:
    """A rule that no definition has is a slip of the pen."""
    if unknown := sorted(set(rules) - set(known)):
        raise WrongUse(
            f"There is no rule {', '.join(unknown)}.",
            repair="nadir quarantine list shows the rules that have set rows aside.",
        )


def _lay_kept(connection: duckdb.DuckDBPyConnection, workspace: Workspace, refusals: Sequence[str]) -> None:
    """Table `kept`: the places of rows set aside whose content is there, as it was sent or as it was staged."""
    connection.execute(
        "CREATE TEMP TABLE kept (table_name VARCHAR, input_id VARCHAR, row_number BIGINT, column_number INTEGER)"
    ).fetchall()
    inputs = connection.execute("SELECT DISTINCT input_id FROM aside ORDER BY 1").fetchall()
    for (input_id,) in inputs:
        folder = workspace.staged(input_id)
        for path in sorted(folder.glob(f"{REFUSED}*.parquet")) if (folder / READING).exists() else ():
            connection.execute(
                f"INSERT INTO kept SELECT {literal(table_of(path))}, {literal(input_id)}, row_number, column_number "
                f"FROM {parquet([path])} WHERE sent IS NOT NULL"
            ).fetchall()
        if folder.exists():
            connection.execute(
                "INSERT INTO kept SELECT table_name, input_id, row_number, column_number FROM aside "
                "WHERE input_id = ? AND NOT list_contains(?::VARCHAR[], rule)",
                [input_id, list(refusals)],
            ).fetchall()


def _take_run(connection: duckdb.DuckDBPyConnection, run: str) -> None:
    """Leave in `aside` what one run has recorded."""
    if not connection.execute("SELECT 1 FROM ops.run WHERE run_id = ?", [run]).fetchall():
        raise WrongUse(f"There is no run {run} in this workspace.", repair="nadir runs lists them.")
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE aside AS
        SELECT q.table_name, q.input_id, q.row_number, q.column_number, q.rule, q.reason, r.started_at AS since
        FROM quarantine.row q JOIN ops.run r USING (run_id) WHERE run_id = ?""",
        [run],
    ).fetchall()


def _read_entries(connection: duckdb.DuckDBPyConnection, repairs: Mapping[str, str]) -> Iterator[SetAside]:
    listed = connection.execute(
        """SELECT i.input_id, arg_min(i.source_id, r.started_at), arg_min(i.name, r.started_at), 0, '', 0, ''
        FROM ops.input i JOIN ops.run r USING (run_id) WHERE input_id IN (SELECT input_id FROM aside)
        GROUP BY i.input_id ORDER BY min(r.started_at), i.input_id"""
    ).fetchall()
    inputs = [ReceivedInput(*line) for line in listed]
    names, sources = show_names(inputs), {entry.input_id: entry.source_id for entry in inputs}
    counted = connection.execute(
        """SELECT rule, table_name, input_id, count(*), min(since), count(k.is_kept), min(reason)
        FROM aside LEFT JOIN (SELECT DISTINCT *, true AS is_kept FROM kept) k
            USING (table_name, input_id, row_number, column_number)
        GROUP BY rule, table_name, input_id ORDER BY count(*) DESC, rule, table_name, input_id"""
    ).fetchall()
    for rule, table, input_id, n_rows, since, n_kept, reason in counted:
        yield SetAside(
            rule,
            table,
            sources[input_id],
            names[input_id],
            n_rows,
            f"{since:%Y-%m-%d}",
            n_kept,
            reason,
            repairs.get(rule, ""),
        )


def _repairs(definitions: Definitions) -> Mapping[str, str]:
    """What to do about each rule of receiving and each check."""
    checks = {check.id: check.repair or AT_A_CHECK for suite in load_suites() for check in suite.checks}
    return {**checks, **{rule: entry.repair for rule, entry in definitions.receiving.rules.items()}}
