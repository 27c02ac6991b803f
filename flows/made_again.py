"""An old result made again as of its night: the files known then, in their order, in a workspace of its own.

Nothing is guessed: the files are known by their content, definitions and code must be those of that night, and the
released numbers of both are compared.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from flows.checker import SteadyWorker, Worker
from flows.code_version import code_version
from flows.earlier_night import read_released
from flows.errors import SourceError, WrongUse
from flows.handover import Published, Request
from flows.history import RunLine, list_runs
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from flows.shown_names import show_name
from flows.sources.files import list_files
from flows.sources.protocol import literal
from flows.sources.recognise import MAP_FILE
from flows.warehouse import open_warehouse
from flows.workspace import Workspace, make_private
from transforms.load import Definitions, load_definitions

PUBLISHED = frozenset({"released", "published"})
LINKS = "given_again"
# Logs, metrics and backups are of real nights; where people are worked on changes no number.
HERE = {"log_file": None, "metrics_file": None, "backup_folder": None, "runner": "here"}


@dataclass(frozen=True)
class OldNight:
    """What a published run was given: content of its files by SHA-256 with their names, and what was declared."""

    run: RunLine
    files: Mapping[str, str]
    extract_date: date | None
    is_snapshot: bool


@dataclass(frozen=True)
class MadeAgain:
    """The run made again, and for each released table how many of its rows are in one of both only."""

    run_id: str
    published: Published
    n_nights: int
    n_rows: int
    differing: Mapping[str, int]

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return {
            "run_id": self.run_id,
            "made_again_as": self.published.run_id,
            "report": str(self.published.report),
            "nights": self.n_nights,
            "rows": self.n_rows,
            "is_same": not self.differing,
            "differing_rows": dict(self.differing),
        }

    def as_text(self) -> str:
        """For a terminal."""
        told = [f"{name}: {n_rows:,} rows are in one of both only" for name, n_rows in self.differing.items()]
        same = f"All {self.n_rows:,} released rows are those of {self.run_id}."
        return "\n".join([f"Nights made again: {self.n_nights}", *(told or [same]), f"report: {self.published.report}"])


def make_again(run_id: str, request: Request, settings: Settings, out: Path) -> MadeAgain:
    """Spend the nights until `run_id` once more, into the folder `out`, and compare.

    `request` has where the files lie now, and the source map if one was named. WrongUse for a run that was not
    published, other definitions or code, or a folder with something in it; SourceError for files that are not there.
    """
    workspace, again = Workspace(settings.workspace.resolve()), Workspace(out.resolve())
    if again.root.exists() and any(again.root.iterdir()):
        raise WrongUse(f"{out}: there is something in this folder.", repair="Name a new folder after --out.")
    definitions = load_definitions(settings.definitions)
    nights = _list_nights(run_id, workspace, settings.memory_limit)
    _refuse_other_rules(nights[-1].run, definitions)
    with TemporaryDirectory(dir=workspace.root) as unpacked:
        given = _find_files(request.extracts, nights, Path(unpacked), definitions)
    make_private(again.create().root)
    _remember_erased(workspace, again, settings.memory_limit)
    worker = SteadyWorker()
    try:
        spent = [_spend(night, request, given, again, settings, worker) for night in nights]
    finally:
        worker.end()
    shutil.rmtree(again.root / LINKS)
    pairs = (workspace, run_id), (again, spent[-1].run_id)
    old, new = (_read_numbers(place, name, settings) for place, name in pairs)
    return MadeAgain(run_id, spent[-1], len(nights), sum(map(len, old.values())), _compare(old, new))


def _list_nights(run_id: str, workspace: Workspace, memory_limit: str) -> Sequence[OldNight]:
    """The published runs until that one, oldest first."""
    published = [run for run in list_runs(workspace, memory_limit) if run.state in PUBLISHED]
    names = [run.run_id for run in published]
    if run_id not in names:
        raise WrongUse(
            f"There is no published run {show_name(run_id, 'of that name')} in this workspace.",
            details=names[-3:],
            repair="`nadir runs` lists all runs.",
        )
    with open_warehouse(workspace.warehouse, memory_limit=memory_limit, read_only=True) as connection:
        rows = connection.execute(
            "SELECT run_id, sha256, name, extract_date, is_snapshot FROM ops.input ORDER BY ALL"
        ).fetchall()
    nights = []
    for run in published[: names.index(run_id) + 1]:
        own = [row for row in rows if row[0] == run.run_id]
        dates, snapshots = {row[3] for row in own}, {bool(row[4]) for row in own}
        declared = dates.pop() if len(dates) == 1 else None
        nights.append(OldNight(run, {row[1]: row[2] for row in own}, declared, snapshots == {True}))
    return nights


def _refuse_other_rules(run: RunLine, definitions: Definitions) -> None:
    if run.definitions_hash != definitions.hash:
        raise WrongUse(
            f"{run.run_id} was counted by other definitions: {run.definitions_hash}, not {definitions.hash}.",
            repair="Name the folder of definitions of that night after --definitions.",
        )
    if run.code_version != code_version():
        raise WrongUse(
            f"{run.run_id} was counted by other code: {run.code_version}, not {code_version()}.",
            repair="Install the nadir of that night, in an environment of its own, and call this there.",
        )


def _find_files(
    extracts: Sequence[Path], nights: Sequence[OldNight], unpacked: Path, definitions: Definitions
) -> Mapping[Path, frozenset[str]]:
    """Each file below `extracts` with the SHA-256 of its content, or of each of its members if it is an archive."""
    paths = [path for given in extracts for path in (sorted(given.rglob("*")) if given.is_dir() else [given])]
    found: dict[Path, frozenset[str]] = {}
    for place, path in enumerate(path for path in paths if path.is_file()):
        parts = list_files([path], unpacked / str(place), definitions.showing)
        found[path] = frozenset(_hash(part.path) for part in parts)
        shutil.rmtree(unpacked / str(place), ignore_errors=True)
    there = frozenset().union(*found.values())
    missing = {sha: name for night in nights for sha, name in night.files.items() if sha not in there}
    if missing:
        raise SourceError(
            f"Of the files of these nights {len(missing):,} are not there, or are not what they were.",
            details=[f"{name}: SHA-256 {sha}" for sha, name in sorted(missing.items(), key=lambda pair: pair[::-1])],
            repair="Name every folder in which the files of all nights until this one lie.",
        )
    return found


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remember_erased(workspace: Workspace, again: Workspace, memory_limit: str) -> None:
    """Who was erased since stays erased."""
    if not workspace.salt.exists():
        return
    shutil.copy(workspace.salt, again.salt)
    with open_warehouse(again.warehouse, memory_limit=memory_limit) as connection:
        connection.execute(f"ATTACH {literal(str(workspace.warehouse))} AS earlier (READ_ONLY)")
        connection.execute("INSERT INTO ops.erased BY NAME SELECT * FROM earlier.ops.erased")


def _spend(
    night: OldNight,
    request: Request,
    given: Mapping[Path, frozenset[str]],
    again: Workspace,
    settings: Settings,
    worker: Worker,
) -> Published:
    """One night on links to the files that it had, in folders as they are given."""
    wanted = frozenset(night.files)
    chosen = [path for path, contents in given.items() if contents and contents <= wanted]
    extracts: list[Path] = []
    for place, extract in enumerate(request.extracts):
        if not extract.is_dir():
            extracts += [extract] if extract in chosen else []
            continue
        folder = again.root / LINKS / night.run.run_id / str(place)
        inside = [path for path in chosen if path.is_relative_to(extract)]
        for path in (*inside, *(extract / MAP_FILE for _ in inside[:1])):
            if path.is_file():
                link = folder / path.relative_to(extract)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
        extracts += [folder] if inside else []
    own = settings.model_copy(update={"workspace": again.root, **HERE})
    asked = Request(tuple(extracts), request.source, night.extract_date, night.is_snapshot, accepted=request.accepted)
    return run_night(asked, own, Progress(), worker)


def _read_numbers(workspace: Workspace, run_id: str, settings: Settings) -> Mapping[str, pl.DataFrame]:
    released = read_released(workspace.warehouse, run_id, settings.channel, settings.memory_limit)
    return {name: rows.drop("run_id", strict=False) for name, rows in released.tables.items()}


def _compare(old: Mapping[str, pl.DataFrame], new: Mapping[str, pl.DataFrame]) -> Mapping[str, int]:
    """Of each table that differs, how many rows are in one of both only."""
    found = {}
    for name in sorted(old.keys() | new.keys()):
        one, other = (tables.get(name, pl.DataFrame()) for tables in (old, new))
        if one.columns == other.columns:
            sides = (one, other), (other, one)
            n_apart = sum(len(a.join(b, on=a.columns, how="anti", nulls_equal=True)) for a, b in sides)
        else:
            n_apart = len(one) + len(other)
        if n_apart:
            found[name] = n_apart
    return found
