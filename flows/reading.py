"""Files of recognised extracts become staged Parquet, each file once: what was read before is not read again.

A file is known by its source and its content, and a table of a workbook or a database by its name in it as well.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from flows.earlier import History
from flows.handover import LedgerLine, ReceivedInput, Request, RunContext
from flows.lab_rows import Laboratory
from flows.refused import Reading, hash_map, judged_by, list_parts, write_reading
from flows.snapshots import Sighting, declare, is_moved
from flows.sources.decisions import decide
from flows.sources.files import need_file, refuse_unreadable
from flows.sources.opening import Opened, open_file
from flows.sources.protocol import Feed, Recognised, SourceFile
from flows.staging import Arrival, Staged, count_unclaimed, has_rows, stage_rows
from transforms.identifiers import ColumnFinding

UNUSED = "unused"


@dataclass
class Night:
    """What is known of tonight while it is received.

    `judged_again` has by table, on a night of release, the rows as they were staged that are staged anew.
    """

    context: RunContext
    connection: duckdb.DuckDBPyConnection
    history: History
    request: Request
    inputs: dict[str, ReceivedInput] = field(default_factory=dict)
    ledger: list[LedgerLine] = field(default_factory=list)
    staged: list[Staged] = field(default_factory=list)
    people: list[Path] = field(default_factory=list)
    judged_again: dict[str, list[Path]] = field(default_factory=dict)
    identifiers: list[ColumnFinding] = field(default_factory=list)

    @property
    def read_again(self) -> tuple[str, ...]:
        """Published files that other definitions or other code have read before."""
        return tuple(sorted({entry.input_id for entry in self.staged} & self.history.published))

    def folder(self, input_id: str) -> Path:
        """Where its rows are staged. What is read again waits with the run: a night that fails must not change it."""
        is_again = input_id in self.history.published
        return self.context.staged_again(input_id) if is_again else self.context.workspace.staged(input_id)

    def tonight(self, table: str) -> list[Path]:
        """Staged files of a table."""
        return [entry.path for entry in self.staged if entry.table == table]


@dataclass(frozen=True)
class Known:
    """A file of an extract with what identifies it."""

    file: SourceFile
    input_id: str
    sha256: str


def read_extract(reader: "Reader") -> None:
    """Stage what every feed gives for every file of its role; files in the warehouse already are only listed."""
    for feed in reader.extract.feeds:
        for known in reader.files[feed.role]:
            with refuse_unreadable(known.file.name):
                reader.read(feed, known)
    reader.list_inputs()
    reader.keep_readings()


class Reader:
    """One extract while it is read. `seen`: files that another extract of the night brings."""

    def __init__(self, night: Night, extract: Recognised, seen: set[str]) -> None:
        self.night = night
        self.extract = extract
        self.laboratory = Laboratory(night.context.definitions, extract.source_map)
        self.files = _identify_files(extract, seen)
        self.declared = declare(night.request, extract.source_map)
        self.map_hash = hash_map(extract.source_map)
        self.moved = self._find_moved()
        self.opened: dict[tuple[str, str], Opened] = {}
        self.stale = {
            known.input_id
            for feed in extract.feeds
            for known in self.files[feed.role]
            if not self._is_loaded(feed, known)
        }

    def read(self, feed: Feed, known: Known) -> None:
        """Stage the rows of one file for one table, unless an earlier night has them."""
        if known.input_id not in self.stale:
            return
        night, short = self.night, feed.table.split(".")[1]
        own = self.open(feed.role, known)
        before = [entry.table for entry in night.staged if entry.input_id == known.input_id]
        if before and not has_rows(night.connection, own, feed.belongs):
            return
        arrival = Arrival(
            feed=feed,
            input_id=known.input_id,
            source_id=self.extract.source_id,
            name=known.file.name,
            own=own,
            relations={**{role: self._union(role) for role in feed.lookups}, feed.role: own.relation},
            malformed=() if before else own.malformed,
            lists_words=night.request.lists_words,
        )
        part = before.count(feed.table) + 1
        name = f"{short}.parquet" if part == 1 else f"{short}.{part}.parquet"
        target = night.folder(known.input_id) / name
        night.staged.append(stage_rows(night.connection, arrival, self.laboratory, target, night.context.work))

    def list_inputs(self) -> None:
        """Every file that was read or known; what no feed of a file claims is counted as irrelevant."""
        explained = {role: feed.table for feed in self.extract.feeds for role in feed.lookups}
        for role, files in self.files.items():
            for known in files:
                loaded = self.night.history.loaded.get(known.input_id, ())
                opened = self.opened.get((role, known.input_id))
                rows = opened.n_rows if opened else max((line.n_received for line in loaded), default=0)
                if not self._list(known, rows):
                    continue
                if known.input_id in self.stale:
                    self._count_unused(role, known)
                else:
                    line = LedgerLine(known.input_id, explained.get(role, UNUSED), rows, 0, n_irrelevant=rows)
                    self.night.ledger += loaded or (line,)

    def keep_readings(self) -> None:
        """Beside the rows of a file that has refused ones, how it was read."""
        night, source_map = self.night, self.extract.source_map
        refused = {entry.input_id for entry in night.staged if entry.n_quarantined}
        for role, files in self.files.items():
            for known in files:
                if known.input_id not in self.stale & refused:
                    continue
                fed = [(entry.feed, entry.path.name) for entry in night.staged if entry.input_id == known.input_id]
                reading = Reading(
                    known.file.name,
                    judged_by(night.context.definitions),
                    source_map,
                    is_shipped=source_map in night.context.definitions.source_maps,
                    types=known.file.types,
                    parts=list_parts(fed, self.extract.needed[role]),
                )
                write_reading(night.folder(known.input_id), reading)

    def _list(self, known: Known, rows: int) -> bool:
        """Adds the input to tonight's; False when another role has it listed."""
        if known.input_id in self.night.inputs:
            return False
        with refuse_unreadable(known.file.name):
            n_bytes = known.file.path.stat().st_size
        self.night.inputs[known.input_id] = ReceivedInput(
            known.input_id,
            self.extract.source_id,
            known.file.name,
            n_bytes,
            known.sha256,
            rows,
            self.extract.adapter,
            self.declared.extract_date,
            self.declared.is_snapshot,
            self.map_hash,
            self.extract.source_map.dates,
        )
        return True

    def _count_unused(self, role: str, known: Known) -> None:
        claims = [feed.belongs for feed in self.extract.feeds if feed.role == role]
        with refuse_unreadable(known.file.name):
            n_unused = count_unclaimed(self.night.connection, self.open(role, known), claims)
        if n_unused:
            self.night.ledger.append(LedgerLine(known.input_id, UNUSED, n_unused, 0, n_irrelevant=n_unused))

    def _is_loaded(self, feed: Feed, known: Known) -> bool:
        """Whether this file and all that explain it were read on an earlier night under the same rules."""
        needed = [known, *(entry for role in feed.lookups for entry in self.files[role])]
        history = self.night.history
        loaded = history.loaded.keys() - self.moved
        return all(entry.input_id in loaded and history.maps.get(entry.input_id) == self.map_hash for entry in needed)

    def _find_moved(self) -> frozenset[str]:
        """Files that are known, but are declared tonight to be of another day, or everything there was on it."""
        started_at = self.night.context.started_at.replace(tzinfo=None)
        inputs = {known.input_id for files in self.files.values() for known in files}
        tonight = [Sighting(input_id, self.extract.source_id, started_at, self.declared) for input_id in inputs]
        before = self.night.history.standings
        return frozenset(input_id for input_id in inputs & before.keys() if is_moved(input_id, before, tonight))

    def _union(self, role: str) -> str:
        relations = [self.open(role, known).relation for known in self.files[role]]
        return (
            relations[0]
            if len(relations) == 1
            else "(" + " UNION ALL BY NAME ".join(f"FROM {r}" for r in relations) + ")"
        )

    def open(self, role: str, known: Known) -> Opened:
        """A file with the columns that are read of it; opened once."""
        key = (role, known.input_id)
        if key not in self.opened:
            target = self.night.context.work / f"read_{role}_{known.input_id}.parquet"
            needed, source_map = self.extract.needed[role], self.extract.source_map
            file = decide(known.file, source_map, self.night.context.definitions.identifiers.oldest_age_years)
            self.opened[key] = open_file(self.night.connection, file, needed, source_map, target)
        return self.opened[key]


def _identify_files(extract: Recognised, seen: set[str]) -> Mapping[str, tuple[Known, ...]]:
    """Files of each role; of files with the same content one, and none that another extract of the night brought."""
    hashes: dict[Path, str] = {}
    first: dict[str, Path] = {}
    found: dict[str, tuple[Known, ...]] = {}
    feeding = {feed.role for feed in extract.feeds}
    for role, files in extract.files.items():
        known = [_identify(file, extract.source_id, hashes) for file in files]
        if role in feeding:
            known = [entry for entry in known if entry.input_id not in seen and _is_first(entry, first)]
        found[role] = tuple(known)
    return found


def _is_first(known: Known, first: dict[str, Path]) -> bool:
    return first.setdefault(known.input_id, known.file.path) == known.file.path


def _identify(file: SourceFile, source_id: str, hashes: dict[Path, str]) -> Known:
    if file.path not in hashes:
        need_file(file.path, file.name)
        with refuse_unreadable(file.name), file.path.open("rb") as stream:
            hashes[file.path] = hashlib.file_digest(stream, "sha256").hexdigest()
    parts = [source_id, hashes[file.path], *([file.member] if file.member else [])]
    return Known(file, hashlib.sha256("|".join(parts).encode()).hexdigest()[:16], hashes[file.path])
