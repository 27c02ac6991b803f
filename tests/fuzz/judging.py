"""Reads one case as a night would and says what came of it; anything but a clear end is a failure with its reason."""

import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from unittest.mock import patch

import duckdb

from flows import opened_files
from flows.errors import Fault, UserError
from flows.handover import Received, Request, RunContext
from flows.mapping import propose_map
from flows.progress import Progress
from flows.settings import Settings
from flows.sources import recognise
from flows.stages import receive as stage
from flows.workspace import Workspace
from tests.fuzz.cases import Case
from tests.fuzz.counting import count_rows
from tests.fuzz.seeds import CANARIES
from tests.fuzz.surroundings import AROUND, CHANGES
from transforms.load import Definitions, load_definitions

WHEN = datetime(2026, 1, 1)  # noqa: DTZ001
MEMORY = "1GB"
# Damage to values alone: rows may be set aside for it, or stop the night by a rule, but the file can be read.
VALUES = frozenset(
    {"hard_cells", "hard_column", "json_wrong_type", "strange_parquet", "strange_database", "damage_numbers"}
)
CODES = frozenset({2, 11, 12, 20})


@dataclass(frozen=True)
class Verdict:
    """How a case ended. `failure` is empty when it ended as it may."""

    outcome: str
    failure: str = ""
    said: str = ""


@cache
def definitions() -> Definitions:
    """The shipped definitions, loaded once."""
    return load_definitions()


def judge(case: Case, folder: Path) -> Verdict:
    """Write the extract below `folder`, which must be empty, read it, and look at what is left."""
    extract = folder / "extract"
    paths = write_extract(case, extract)
    workspace = Workspace(folder / "workspace").create()
    before = _listing(extract)
    tempfile.tempdir = str(folder / "temporary")
    Path(tempfile.tempdir).mkdir()
    changed: list[str] = []
    received = None
    try:
        received = _read(case, paths, workspace, changed)
    except UserError as error:
        verdict = _judge_error(error)
        if case.damage in VALUES and not case.around and not verdict.failure and "read to its end" in verdict.said:
            verdict = Verdict(verdict.outcome, "one value makes a whole file unreadable", verdict.said)
        left = [] if case.way != "receive" else [str(path) for path in _rows_left(workspace)]
        if not verdict.failure and left:
            verdict = Verdict(verdict.outcome, f"left behind: {left[:3]}", verdict.said)
    except BaseException as error:  # noqa: BLE001 - a panic of a native library is one
        verdict = Verdict("crash", _where(error))
    else:
        verdict = Verdict("read", "" if received is None else _find_flaw(case, received, workspace))
    shutil.rmtree(workspace.work("run"), ignore_errors=True)
    is_taken_in = changed and received is not None and case.victim in {entry.name for entry in received.inputs}
    if is_taken_in and verdict.outcome == "read" and not case.victim.endswith(".zip"):
        verdict = Verdict("read", "a file that changed while it was read was taken in")
    if not case.change and _listing(extract) != before:
        verdict = Verdict(verdict.outcome, "the extract itself was changed")
    tempfile.tempdir = None
    if _listing(folder / "temporary"):
        verdict = Verdict(verdict.outcome, "a temporary folder was left")
    return verdict


def write_extract(case: Case, extract: Path) -> tuple[Path, ...]:
    """The files of the case, and the paths that a user would name."""
    extract.mkdir()
    for name, content in case.files.items():
        (extract / name).write_bytes(content)
    if case.around:
        AROUND[case.around](extract, Random(case.number))  # noqa: S311
    return tuple(extract / name for name in sorted(case.files)) if case.is_named else (extract,)


def _read(case: Case, paths: tuple[Path, ...], workspace: Workspace, changed: list[str]) -> Received | None:
    if case.way == "read_map":
        recognise.read_map(paths[0] / "source.yaml", definitions().showing)
        return None
    if case.way == "map":
        proposal = propose_map(paths, definitions(), memory_limit=MEMORY)
        recognise.SourceMap.model_validate(proposal.content) if not proposal.layout else None
        return None
    settings = Settings(steady_seconds=0, memory_limit=MEMORY)
    context = RunContext("run", WHEN, workspace, settings, definitions(), Progress(is_quiet=True))
    with _changing(case, paths[0] / case.victim, changed):
        return stage.receive(Request(paths), context)


@contextmanager
def _changing(case: Case, victim: Path, done: list[str]) -> Iterator[None]:
    """Change the victim at its moment: once it is listed, once it is recognised, once it is known by its content."""
    moments = {
        "listed": (recognise, "look_at"),
        "recognised": (stage, "read_extract"),
        "opened": (opened_files, "open_file"),
    }

    def changed_before(own: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if not done and victim.is_file():
                CHANGES[case.change](victim)
                done.append(case.change)
            return own(*arguments, **named)

        return call

    with ExitStack() as stack:
        if case.change:
            module, name = moments[case.moment]
            stack.enter_context(patch.object(module, name, changed_before(getattr(module, name))))
        yield


def _judge_error(error: UserError) -> Verdict:
    text, outcome = str(error), f"{type(error).__name__} {error.exit_code}"
    failure = ""
    if isinstance(error, Fault) or error.exit_code not in CODES:
        failure = "not an error of the user's"
    elif not error.what.strip() or not (error.repair or error.details):
        failure = "the error does not say how to repair it"
    elif shown := [canary for canary in CANARIES if canary in text.casefold()]:
        failure = f"the error shows a cell ({shown[0]})"
    elif len(text) > 20_000:
        failure = f"the error is {len(text)} characters long"
    elif not text.isprintable() and set(text) - {"\n"} - {c for c in text if c.isprintable()}:
        failure = "the error has characters that a terminal obeys"
    return Verdict(outcome, failure, text)


def _where(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/" not in frame.filename]
    ours = [frame for frame in frames if "site-packages" not in frame.filename and "/flows/" in frame.filename]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {place}: {str(error)[:300]}"


def _rows_left(workspace: Workspace) -> list[Path]:
    return [path for path in workspace.root.rglob("*") if path.is_file() and workspace.work("run") not in path.parents]


def _find_flaw(case: Case, received: Received, workspace: Workspace) -> str:
    """What does not add up in what was received, in words; empty if everything does."""
    for line in received.ledger:
        ends = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
        if sum(ends) != line.n_received or min(ends) < 0:
            return f"the ledger does not add up: {line.table_name} {line.n_received} {ends}"
    if case.change:
        return ""
    by_input: dict[str, int] = {}
    for line in received.ledger:
        by_input[line.input_id] = by_input.get(line.input_id, 0) + line.n_received
    for entry in received.inputs:
        if by_input.get(entry.input_id, 0) < entry.rows:
            return f"{entry.name}: {entry.rows} rows, of which the ledger has {by_input.get(entry.input_id, 0)}"
        expected = None if case.around else count_rows(entry.name, case.files.get(entry.name))
        if expected is not None and expected != entry.rows:
            return f"{entry.name}: {expected} rows were sent and {entry.rows} received"
    return _find_misplaced(received)


def _find_misplaced(received: Received) -> str:
    """Rows with a number that no row of their file has."""
    rows = {entry.input_id: entry.rows for entry in received.inputs}
    files = [str(path) for paths in received.staged.values() for path in paths if "inferred" not in path.name]
    with duckdb.connect() as connection:
        for path in [*files, str(received.dropped)]:
            found = connection.execute(
                "SELECT input_id, min(row_number), max(row_number) FROM read_parquet(?) GROUP BY 1", [path]
            ).fetchall()
            for input_id, lowest, highest in found:
                if lowest < 1 or highest > rows.get(input_id, 0):
                    return f"{Path(path).name}: rows {lowest} to {highest} of {rows.get(input_id)}"
            if found := _find_far_times(connection, path):
                return f"{Path(path).name}: times outside of the years 1000 to 9999 in {found}"
        if files:
            both = connection.execute(
                "SELECT count(*) FROM read_parquet(?) d WHERE rule = 'row_malformed' AND EXISTS "
                "(SELECT 1 FROM read_parquet(?, union_by_name=true) s "
                "WHERE s.input_id = d.input_id AND s.row_number = d.row_number)",
                [str(received.dropped), files],
            ).fetchall()[0][0]
            if both:
                return f"{both} rows are both malformed and read"
    return ""


def _find_far_times(connection: duckdb.DuckDBPyConnection, path: str) -> str:
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()
    for column in (name for name, kind, *_ in described if kind in {"TIMESTAMP", "DATE"}):
        far = f"SELECT count(*) FROM read_parquet(?) WHERE year({column}) NOT BETWEEN 1000 AND 9999 OR isinf({column})"
        if connection.execute(far, [path]).fetchall()[0][0]:
            return str(column)
    return ""


def _listing(folder: Path, pattern: str = "**/*") -> set[tuple[str, int]]:
    return {(str(path), path.lstat().st_size if path.is_file() else 0) for path in folder.glob(pattern)}
