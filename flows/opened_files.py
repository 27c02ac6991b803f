"""The files of one extract as relations: each is opened once, and small ones that are read alike by one query."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.sources.decisions import decide
from flows.sources.opening import Opened, open_file
from flows.sources.protocol import Recognised, SourceFile
from flows.sources.together import gather_alike, open_together


@dataclass(frozen=True)
class Known:
    """A file of an extract with what identifies it."""

    file: SourceFile
    input_id: str
    sha256: str


Group = tuple[Known, ...]


class OpenedFiles:
    """`files` are those of each role, of which `stale` ones will be read; what else explains them is opened as well."""

    def __init__(
        self,
        extract: Recognised,
        files: Mapping[str, tuple[Known, ...]],
        stale: AbstractSet[str],
        connection: duckdb.DuckDBPyConnection,
        work: Path,
        oldest_age_years: int,
    ) -> None:
        self.extract = extract
        self.files = files
        self.connection = connection
        self.work = work
        self.oldest_age_years = oldest_age_years
        self.opened: dict[tuple[str, str], Opened] = {}
        self.relations: dict[tuple[str, str], str] = {}
        self.groups: dict[tuple[str, str], Group] = {}
        feeding = {feed.role for feed in extract.feeds}
        for role, known in files.items():
            wanted = [entry for entry in known if role not in feeding or entry.input_id in stale]
            for places in gather_alike([entry.file for entry in wanted]):
                group = tuple(wanted[place] for place in places)
                self.groups |= {(role, entry.input_id): group for entry in group}

    def open(self, role: str, known: Known) -> Opened:
        """A file with the columns that are read of it."""
        key = (role, known.input_id)
        if key not in self.opened:
            self._open_group(role, self.groups.get(key, (known,)))
        if key not in self.opened:
            target = self.work / f"read_{role}_{known.input_id}.parquet"
            needed, source_map = self.extract.needed[role], self.extract.source_map
            self.opened[key] = open_file(self.connection, self._decided(known), needed, source_map, target)
        return self.opened[key]

    def gather(self, role: str) -> Iterator[Group]:
        """The files of a role in their order, those that can be opened as one together."""
        for known in self.files[role]:
            if len(self.groups.get((role, known.input_id), ())) > 1:
                self.open(role, known)
            group = self.group_of(role, known)
            if group[0].input_id == known.input_id:
                yield group

    def group_of(self, role: str, known: Known) -> Group:
        """The files that are open as one with this file, or it alone."""
        group = self.groups.get((role, known.input_id), (known,))
        return group if (role, group[0].input_id) in self.relations else (known,)

    def relation(self, role: str, group: Group) -> str:
        """SQL of the rows of a group that `gather` gave; of several files they are numbered as in `together`."""
        return self.relations[role, group[0].input_id] if len(group) > 1 else self.open(role, group[0]).relation

    def union(self, role: str) -> str:
        """SQL of the rows of all files of a role, which may have the same numbers."""
        for known in self.files[role]:
            self.open(role, known)
        relations = [self.relation(role, group) for group in self.gather(role)]
        return (
            relations[0]
            if len(relations) == 1
            else "(" + " UNION ALL BY NAME ".join(f"FROM {r}" for r in relations) + ")"
        )

    def _open_group(self, role: str, group: Group) -> None:
        """Open files as one. If one of them is not as it should be it is left, and the others are opened without it."""
        self.groups |= {(role, entry.input_id): group for entry in group}
        if len(group) == 1:
            return
        target = self.work / f"read_{role}_{group[0].input_id}_{len(group)}.parquet"
        needed, source_map = self.extract.needed[role], self.extract.source_map
        files = [self._decided(entry) for entry in group]
        together = open_together(self.connection, files, needed, source_map, target)
        if together is None:
            target.unlink(missing_ok=True)
            self._open_group(role, group[: len(group) // 2])
            self._open_group(role, group[len(group) // 2 :])
            return
        self.relations[role, group[0].input_id] = together.relation
        for entry, alone in zip(group, together.alone, strict=True):
            self.opened[role, entry.input_id] = alone

    def _decided(self, known: Known) -> SourceFile:
        return decide(known.file, self.extract.source_map, self.oldest_age_years)
