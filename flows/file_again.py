"""One file on a night of release: its refused rows are judged again, the rows that were accepted stay as staged.

All is written to a folder that the commit puts in the place of the earlier one. What passes has a staged file of its
own there; what still fails keeps what it said.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from flows.errors import SourceError
from flows.lab_rows import Laboratory
from flows.reading import Night
from flows.refused import (
    REFUSED,
    Part,
    Reading,
    hash_map,
    judged_by,
    own_again,
    raw_again,
    refused_beside,
    table_of,
    write_reading,
)
from flows.set_aside import KnownInput
from flows.sources.mapped import recognise_mapped
from flows.sources.opening import Opened
from flows.sources.protocol import Feed, Kind, SourceFile, literal
from flows.staging import NOTHING, Arrival, Staged, judge_rows
from flows.touched import parquet
from transforms.model.sources import SourceMap

GIVE_AGAIN = "Give the file again with this map: nadir run EXTRACT --source MAP.yaml."


@dataclass(frozen=True)
class Candidate:
    """A file with rows that may be judged otherwise now, the map to judge them by, and how many need only be weighed.

    `reading` and `source_map` are None when nothing was kept of what was refused.
    """

    known: KnownInput
    reading: Reading | None
    source_map: SourceMap | None
    n_weighable: int


class FileAgain:
    """The file while it is judged; then it is handed in, or left as it was."""

    def __init__(self, night: Night, candidate: Candidate, rules: tuple[str, ...]) -> None:
        self.night = night
        self.candidate = candidate
        self.rules = rules
        self.input_id = candidate.known.received.input_id
        self.before = night.context.workspace.staged(self.input_id)
        self.after = night.context.staged_again(self.input_id)
        self.judged: dict[str, tuple[Part, Staged]] = {}
        self.n_passed = 0

    def judge(self) -> int:
        """Judge the refused rows that were kept; how many of them are refused no more."""
        reading, source_map = self.candidate.reading, self.candidate.source_map
        if reading is None or source_map is None:
            return 0
        for part in reading.parts:
            if not refused_beside(self.before / part.file).exists():
                continue
            n_chosen = self._count(self._chosen(part))
            if n_chosen:
                staged = self._judge_part(part, reading, source_map)
                self.n_passed += n_chosen - staged.n_quarantined
        return self.n_passed

    def leave(self) -> None:
        """Take back what was written: the file stays as it was."""
        shutil.rmtree(self.after, ignore_errors=True)

    def hand_in(self) -> None:
        """Put the file among tonight's, with all that it holds."""
        night, known = self.night, self.candidate.known
        self.after.mkdir(parents=True, exist_ok=True)
        entries = [*self._keep_staged(), *(replace(staged, n_received=0) for _, staged in self.judged.values())]
        tables = {entry.table for entry in entries}
        night.staged += entries
        night.ledger += [line for line in known.ledger if line.table_name not in tables]
        self._write_reading()
        dates = self.candidate.source_map.dates if self.candidate.source_map else known.received.dates
        night.inputs[self.input_id] = replace(known.received, map_hash=self._hash(), dates=dates)

    def _hash(self) -> str:
        """No map has it, so that the file is read as a whole when it comes again."""
        source_map = self.candidate.source_map
        parts = [self.candidate.known.received.map_hash, hash_map(source_map) if source_map else "", *self.rules]
        return hashlib.sha256("|".join([*parts, judged_by(self.night.context.definitions)]).encode()).hexdigest()[:16]

    def _write_reading(self) -> None:
        reading, source_map = self.candidate.reading, self.candidate.source_map
        if reading is None or source_map is None:
            return
        definitions = self.night.context.definitions
        now = replace(
            reading,
            judged_by="" if self.rules else judged_by(definitions),  # rows of other rules are still to be judged
            source_map=source_map,
            is_shipped=source_map in definitions.source_maps,
            parts=(*reading.parts, *(part for part, _ in self.judged.values())),
        )
        write_reading(self.after, now)

    def _chosen(self, part: Part) -> str:
        """SQL of the refused rows to judge again. A row that was kept as its file has it is judged as a whole."""
        kept = parquet([refused_beside(self.before / part.file)])
        rows = f"SELECT * FROM {kept} WHERE sent IS NOT NULL"
        if not self.rules:
            return rows
        named = f"rule IN ({', '.join(literal(rule) for rule in self.rules)})"
        if part.sends_own:
            return f"{rows} AND row_number IN (SELECT row_number FROM {kept} WHERE {named})"
        return f"{rows} AND {named}"

    def _judge_part(self, part: Part, reading: Reading, source_map: SourceMap) -> Staged:
        rows, known = self._chosen(part), self.candidate.known.received
        if part.sends_own:
            feed, relation, kinds = _own_feed(part, rows, reading, source_map)
        else:
            feed = Feed(part.table, "kept", "SELECT * FROM {kept}", decimal=part.decimal, is_wide=part.is_wide)
            relation, kinds = f"({raw_again(part.table, rows, source_map)})", part.kinds
        n_rows = self._count(f"SELECT DISTINCT row_number FROM ({rows})")
        arrival = Arrival(
            feed, known.input_id, known.source_id, known.name, Opened(relation, n_rows), {feed.role: relation}
        )
        laboratory = Laboratory(self.night.context.definitions, source_map)
        target = self.after / self._next_name(part)
        work = self.night.context.work
        staged = judge_rows(self.night.connection, arrival, laboratory, target, work)
        now = replace(part, file=target.name, decimal=feed.decimal, is_wide=feed.is_wide, kinds=kinds)
        self.judged[part.file] = (now, staged)
        return staged

    def _next_name(self, part: Part) -> str:
        short = part.table.split(".")[1]
        taken = {path.name for folder in (self.before, self.after) for path in folder.glob("*.parquet")}
        names = (f"{short}.{place}.parquet" for place in range(2, len(taken) + 3))
        return next(name for name in names if name not in taken)

    def _keep_staged(self) -> Iterator[Staged]:
        """The rows that were accepted, as they were staged, with those that stay refused."""
        received = {line.table_name: line.n_received for line in self.candidate.known.ledger}
        for path in sorted(self.before.glob("*.parquet")):
            if path.name.startswith(REFUSED):
                continue
            table, target = table_of(path), self.after / path.name
            if path.name in self.judged and self._part(path).sends_own and self._part(path).is_wide:
                self._split(path, target)
            else:
                _link(path, target)
            refused = self._keep_refused(path)
            yield Staged(
                feed=Feed(table, "kept", "", is_wide=self._is_wide(table)),
                input_id=self.input_id,
                path=target,
                refused=refused,
                n_received=received.pop(table, 0),
                n_accepted=self._count(f"SELECT 1 FROM {parquet([target])}"),
                n_quarantined=self._count(f"SELECT 1 FROM {parquet([refused])}"),
                stood_before=True,
            )

    def _split(self, path: Path, target: Path) -> None:
        """Of a row that is judged as a whole, what was accepted of it goes."""
        part = self._part(path)
        judged = f"SELECT DISTINCT row_number FROM ({self._chosen(part)})"
        removed = self.night.context.work / f"removed_{self.input_id}_{path.name}"
        for how, file in (("SEMI", removed), ("ANTI", target)):
            self._copy(f"SELECT * FROM {parquet([path])} {how} JOIN ({judged}) j USING (row_number)", file)
        self.night.judged_again.setdefault(part.table, []).append(removed)

    def _keep_refused(self, path: Path) -> Path:
        kept, target = refused_beside(path), refused_beside(self.after / path.name)
        if kept.exists() and path.name not in self.judged:
            _link(kept, target)
            return target
        if kept.exists():
            chosen = f"SELECT row_number, column_number FROM ({self._chosen(self._part(path))})"
            rest = f"SELECT * FROM {parquet([kept])} ANTI JOIN ({chosen}) c USING (row_number, column_number)"
            if self._count(rest):
                self._copy(rest, target)
                return target
        empty = self.night.context.work / "nothing_refused.parquet"
        if not empty.exists():
            self._copy(NOTHING, empty)
        return empty

    def _part(self, path: Path) -> Part:
        reading = self.candidate.reading
        return next(part for part in (reading.parts if reading else ()) if part.file == path.name)

    def _is_wide(self, table: str) -> bool:
        """Results of a wide row are numbered from 1, all other rows have 0."""
        if table != "canonical.lab":
            return False
        files = [path for path in self.before.glob("*.parquet") if table_of(path) == table]
        return any(self._count(f"SELECT 1 FROM {parquet([path])} WHERE column_number > 0 LIMIT 1") for path in files)

    def _count(self, rows: str) -> int:
        return int(self.night.connection.execute(f"SELECT count(*) FROM ({rows})").fetchall()[0][0])

    def _copy(self, rows: str, target: Path) -> None:
        self.night.connection.execute(
            f"COPY ({rows}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)"
        ).fetchall()


def _own_feed(part: Part, rows: str, reading: Reading, source_map: SourceMap) -> tuple[Feed, str, Mapping[str, Kind]]:
    """What the map as it is now feeds of the columns of a file, and the relation of them."""
    file = SourceFile(Path(reading.name), "parquet", reading.types, shown=reading.name)
    recognised = recognise_mapped((file,), source_map)
    feeds = recognised.feeds if recognised else ()
    of_table = [feed for feed in feeds if feed.table == part.table]
    if (
        recognised is None
        or {feed.table for feed in feeds} != {e.table for e in reading.parts}
        or len(of_table) <= part.place
    ):
        raise SourceError(
            f"The source map {source_map.id} reads a file as other tables than it was read as.", repair=GIVE_AGAIN
        )
    feed = of_table[part.place]
    needed = recognised.needed[feed.role]
    lacking = [
        name
        for name, kind in needed.items()
        if part.kinds.get(name) not in {kind, *(("text",) if kind == "time" else ())}
    ]
    if lacking:
        raise SourceError(
            f"The source map {source_map.id} reads columns of which nothing was kept.",
            details=lacking,
            repair=GIVE_AGAIN,
        )
    return feed, own_again(rows, part.kinds, needed, source_map), needed


def _link(path: Path, target: Path) -> None:
    """The same file under a second name; a copy where a disk has no such names."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
