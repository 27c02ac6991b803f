"""Files of recognised extracts become staged Parquet, each file once: what was read before is not read again.

A file is known by its source and its content, and a table of a workbook or a database by its name in it as well.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from flows.earlier import History
from flows.handover import LedgerLine, ReceivedInput, Request, RunContext
from flows.lab_rows import Laboratory
from flows.opened_files import Group, Known, OpenedFiles
from flows.refused import Reading, hash_map, judged_by, list_parts, write_reading
from flows.snapshots import Sighting, declare, is_moved
from flows.sources.files import need_file, refuse_unreadable
from flows.sources.opening import Opened
from flows.sources.protocol import Feed, Recognised, SourceFile
from flows.staging import Arrival, Staged, count_unclaimed, has_rows, rows_of, stage_rows
from flows.staging_together import Member, stage_together
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
        """The files in which tonight's rows of a table are."""
        return list(rows_of(entry for entry in self.staged if entry.table == table))


def read_extract(reader: "Reader") -> None:
    """Stage what every feed gives for every file of its role; files in the warehouse already are only listed."""
    for feed in reader.extract.feeds:
        for files in reader.opened.gather(feed.role):
            reader.read(feed, files)
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
        self.loaded = night.history.loaded.keys() - self.moved
        self.fed: dict[str, list[str]] = {}
        self.unused: dict[tuple[str, str], int] = {}
        self.stale = {
            known.input_id
            for feed in extract.feeds
            for known in self.files[feed.role]
            if not self._is_loaded(feed, known)
        }
        oldest_age_years = night.context.definitions.identifiers.oldest_age_years
        self.opened = OpenedFiles(
            extract, self.files, self.stale, night.connection, night.context.work, oldest_age_years
        )

    def read(self, feed: Feed, files: Group) -> None:
        """Stage the rows of files for one table, unless an earlier night has them; several are open as one."""
        if files[0].input_id not in self.stale:
            return
        staged = self._read_together(feed, files) if len(files) > 1 else None
        if staged is None:
            for known in files:
                with refuse_unreadable(known.file.name):
                    self._add(self._read_alone(feed, known))
        else:
            self._add(staged)

    def _add(self, staged: Sequence[Staged]) -> None:
        self.night.staged += staged
        for entry in staged:
            self.fed.setdefault(entry.input_id, []).append(entry.table)

    def _read_alone(self, feed: Feed, known: Known) -> Sequence[Staged]:
        night, arrival = self.night, self._arrival(feed, known)
        if self.fed.get(known.input_id) and not has_rows(night.connection, arrival.own, feed.belongs):
            return ()
        return [stage_rows(night.connection, arrival, self.laboratory, self._target(feed, known), night.context.work)]

    def _read_together(self, feed: Feed, files: Group) -> Sequence[Staged] | None:
        night = self.night
        members = [
            Member(self._arrival(feed, known), self._target(feed, known), is_first=not self.fed.get(known.input_id))
            for known in files
        ]
        relation = self.opened.relation(feed.role, files)
        whole = replace(
            members[0].alone,
            input_id=f"{files[0].input_id}_{len(files)}_{self.extract.feeds.index(feed)}",
            own=Opened(relation, sum(member.alone.own.n_rows for member in members)),
            relations={**members[0].alone.relations, feed.role: relation},
            lists_words=False,
        )
        return stage_together(night.connection, whole, members, self.laboratory, night.context.work)

    def _arrival(self, feed: Feed, known: Known) -> Arrival:
        own = self.open(feed.role, known)
        return Arrival(
            feed=feed,
            input_id=known.input_id,
            source_id=self.extract.source_id,
            name=known.file.name,
            own=own,
            relations={**{role: self.opened.union(role) for role in feed.lookups}, feed.role: own.relation},
            malformed=() if self.fed.get(known.input_id) else own.malformed,
            lists_words=self.night.request.lists_words,
        )

    def _target(self, feed: Feed, known: Known) -> Path:
        short = feed.table.split(".")[1]
        part = self.fed.get(known.input_id, []).count(feed.table) + 1
        name = f"{short}.parquet" if part == 1 else f"{short}.{part}.parquet"
        return self.night.folder(known.input_id) / name

    def list_inputs(self) -> None:
        """Every file that was read or known; what no feed of a file claims is counted as irrelevant."""
        explained = {role: feed.table for feed in self.extract.feeds for role in feed.lookups}
        for role, files in self.files.items():
            for known in files:
                loaded = self.night.history.loaded.get(known.input_id, ())
                opened = self.opened.opened.get((role, known.input_id))
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
        refused = self.stale & {entry.input_id for entry in night.staged if entry.n_quarantined}
        fed: dict[str, list[tuple[Feed, str]]] = {}
        for entry in night.staged:
            fed.setdefault(entry.input_id, []).append((entry.feed, entry.path.name))
        for role, files in self.files.items():
            for known in files:
                if known.input_id not in refused:
                    continue
                reading = Reading(
                    known.file.name,
                    judged_by(night.context.definitions),
                    source_map,
                    is_shipped=source_map in night.context.definitions.source_maps,
                    types=known.file.types,
                    parts=list_parts(fed[known.input_id], self.extract.needed[role]),
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
        if (role, known.input_id) not in self.unused:
            self._count_unclaimed(role, self.opened.group_of(role, known))
        n_unused = self.unused[role, known.input_id]
        if n_unused:
            self.night.ledger.append(LedgerLine(known.input_id, UNUSED, n_unused, 0, n_irrelevant=n_unused))

    def _count_unclaimed(self, role: str, files: Group) -> None:
        claims = [feed.belongs for feed in self.extract.feeds if feed.role == role]
        with refuse_unreadable(files[0].file.name):
            relation = self.opened.relation(role, files)
            counts = count_unclaimed(self.night.connection, relation, claims)
        self.unused |= {(role, known.input_id): counts.get(place, 0) for place, known in enumerate(files)}

    def _is_loaded(self, feed: Feed, known: Known) -> bool:
        """Whether this file and all that explain it were read on an earlier night under the same rules."""
        needed = [known, *(entry for role in feed.lookups for entry in self.files[role])]
        maps = self.night.history.maps
        return all(entry.input_id in self.loaded and maps.get(entry.input_id) == self.map_hash for entry in needed)

    def _find_moved(self) -> frozenset[str]:
        """Files that are known, but are declared tonight to be of another day, or everything there was on it."""
        started_at = self.night.context.started_at.replace(tzinfo=None)
        inputs = {known.input_id for files in self.files.values() for known in files}
        sightings = (Sighting(input_id, self.extract.source_id, started_at, self.declared) for input_id in inputs)
        tonight = {sighting.input_id: (sighting,) for sighting in sightings}
        before = self.night.history.standings
        return frozenset(input_id for input_id in inputs & before.keys() if is_moved(input_id, before, tonight))

    def open(self, role: str, known: Known) -> Opened:
        """A file with the columns that are read of it; opened once."""
        return self.opened.open(role, known)


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
