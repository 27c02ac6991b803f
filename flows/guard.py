"""The guard at the door: who could be identified is looked for before anything is stored and before any other fault.

Every table of a local export is looked into, read or not; a column that identifies people and about which the source
map decides nothing refuses the extract. A standard format keeps identifiers in known places, which are counted and
never read, and refuse only if the settings say so; its columns that are read are looked into as well. Files that an
earlier night has loaded are not looked into again: what was found in them is told again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from flows.errors import SourceError
from flows.identifying import ScannedTable, scan_table
from flows.known_places import count_places, found_in
from flows.opened_files import Known
from flows.reading import Night, Reader
from flows.refusal import identifiers_found
from flows.sources.as_sent import as_far_as_readable, as_sent, types_of
from flows.sources.decisions import count_lost, decide, decide_finding, refuse_lost
from flows.sources.files import keep, refuse_unreadable
from flows.sources.mapped import fold, meanings_of
from flows.sources.protocol import SourceFile, quote
from flows.sources.recognise import Contents, is_local, recognise_contents
from flows.sources.salvage import is_tabular
from flows.sources.shown import show_file, show_header
from transforms.identifiers import ColumnFinding
from transforms.model.sources import SourceMap

PERSON = "person_id"
READ_TIME = "collected_at"


def guard_door(night: Night, found: Sequence[Contents]) -> list[Reader]:
    """What will be read of each extract, once nothing in it identifies people; else IdentifiersFound.

    A SourceError for any other reason comes after that.
    """
    door = _Door(night)
    readers: list[Reader] = []
    seen: set[str] = set()
    for contents in found:
        door.problems += contents.problems
        reader = None
        with keep(door.problems):
            reader = Reader(night, recognise_contents(contents, night.context.definitions), seen)
        if reader is None:
            door.look_into_unknown(contents)
            continue
        readers.append(reader)
        seen |= {known.input_id for files in reader.files.values() for known in files}
        look = door.look_into_local if is_local(reader.extract) else door.look_into_standard
        look(contents, reader)
    if door.refusing:
        raise identifiers_found(door.refusing, door.findings, door.problems)
    if door.problems:
        raise door.problems[0]
    night.identifiers += door.findings
    return readers


class _Door:
    """What has been found so far: all of it, what of it refuses the extract, and what else is wrong."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.classes = night.context.definitions.identifiers
        self.oldest_age_years = self.classes.oldest_age_years
        self.is_strict = night.context.settings.identifiers == "refuse"
        self.findings: list[ColumnFinding] = []
        self.refusing: list[ColumnFinding] = []
        self.problems: list[SourceError] = []

    def look_into_unknown(self, contents: Contents) -> None:
        """Every table of an extract that is none: what its columns may mean, the maps that were tried say."""
        tables = [table for entry in contents.maps(self.night.context.definitions) for table in entry.tables]
        source_map = contents.chosen or SourceMap(id="unknown")
        for file in (*contents.files, *contents.suspects):
            if is_tabular(file, contents.paths):
                self._scan_whole(_Look(contents, file, source_map, meanings_of(file, tables)))

    def look_into_local(self, contents: Contents, reader: Reader) -> None:
        """The tables that are read tonight; with them, those beside them that are not read."""
        extract = reader.extract
        for role, files in reader.files.items():
            for known in files:
                if self._is_told_again(reader, known):
                    continue
                meanings = _meanings(extract.meanings.get(role, {}), reader, known.file)
                self._scan_whole(_Look(contents, known.file, extract.source_map, meanings, known.input_id))
        if reader.stale:
            self._look_beside(contents, reader)

    def look_into_standard(self, contents: Contents, reader: Reader) -> None:
        """The places where the format keeps identifiers, in all files, and the columns that are read tonight."""
        told: set[str] = set()
        for role, files in reader.files.items():
            for known in files:
                if known.input_id in told or self._is_told_again(reader, known):
                    continue
                told.add(known.input_id)
                with keep(self.problems):
                    self._look_into_read(contents, reader, role, known)
                self._count_places(_Look(contents, known.file, reader.extract.source_map, {}, known.input_id))
        if reader.stale:
            for file in _beside(contents, reader):
                self._count_places(_Look(contents, file, reader.extract.source_map, {}))

    def _look_beside(self, contents: Contents, reader: Reader) -> None:
        persons = {fold(name) for meant in reader.extract.meanings.values() for name in meant if meant[name] == PERSON}
        for file in _beside(contents, reader):
            if is_tabular(file, contents.paths):
                meant = {header: PERSON for header in file.headers if fold(header) in persons}
                self._scan_whole(_Look(contents, file, reader.extract.source_map, meant))

    def _is_told_again(self, reader: Reader, known: Known) -> bool:
        if known.input_id in reader.stale or known.input_id not in self.night.history.loaded:
            return False
        before = self.night.history.identifiers.get(known.input_id, ())
        self.findings += before
        self.refusing += [entry for entry in before if self._refuses(entry, is_local_export=False)]
        return True

    def _scan_whole(self, look: "_Look") -> None:
        """All columns of a table as they were sent; of a text that is damaged, as much as can be read."""
        connection, file, work = self.night.connection, look.file, self.night.context.work
        is_readable = file not in look.contents.suspects
        if is_readable:
            n_before = len(self.problems)
            with (
                keep(self.problems),
                refuse_unreadable(file.name),
                as_sent(connection, file, file.headers, look.source_map, work) as relation,
            ):
                self._scan(look, relation)
                lost = count_lost(connection, decide(file, look.source_map, self.oldest_age_years), relation)
                with keep(self.problems):
                    refuse_lost(file.name, lost)
            is_readable = len(self.problems) == n_before
        if not is_readable and file.kind == "delimited" and not any(one.file == look.shown for one in self.findings):
            with as_far_as_readable(connection, file) as relation:
                self._scan(look, relation)

    def _scan(self, look: "_Look", relation: str) -> None:
        table = look.table(self.night.connection, relation)
        self._add(look, scan_table(self.night.connection, table, self.classes), is_local_export=True)

    def _look_into_read(self, contents: Contents, reader: Reader, role: str, known: Known) -> None:
        """The columns that are read of a file that holds rows of people, as they are read."""
        source_map, needed = reader.extract.source_map, reader.extract.needed[role]
        opened = reader.open(role, known)
        look = _Look(contents, known.file, source_map, {}, known.input_id)
        places = [found_in(place, known.file.name, place.element, (n, of)) for place, n, of in opened.known_places if n]
        self._add(look, places, is_local_export=False)
        own = {header.casefold() for header in known.file.headers}
        headers = [header for header in needed if header.casefold() in own]
        persons = [header for header in headers if header.casefold() in source_map.keys]
        if known.file.kind == "fhir" or not persons:
            return
        types = {header: "TIMESTAMP" if needed[header] == "time" else "VARCHAR" for header in headers}
        relation = f"(SELECT {', '.join(quote(header) for header in headers)} FROM {opened.relation})"
        mapped = {header: READ_TIME for header, kind in types.items() if kind == "TIMESTAMP"}
        mapped |= dict.fromkeys(persons, PERSON)
        table = ScannedTable(known.file.name, relation, types, mapped, persons[0])
        with refuse_unreadable(known.file.name):
            self._add(look, scan_table(self.night.connection, table, self.classes), is_local_export=False)

    def _count_places(self, look: "_Look") -> None:
        with keep(self.problems):
            found = count_places(self.night.connection, look.file, look.source_map, self.night.context.work)
            self._add(look, found, is_local_export=False)

    def _add(self, look: "_Look", found: Iterable[ColumnFinding], *, is_local_export: bool) -> None:
        """What was found, as the source map decides about it and by names that may be shown."""
        entries = list(found)
        decided = []
        for entry in entries:
            with keep(self.problems):
                decided.append(decide_finding(entry, look.source_map, self.classes))
        shown = [look.show(entry, entries) for entry in decided]
        self.findings += shown
        self.refusing += [entry for entry in shown if self._refuses(entry, is_local_export=is_local_export)]

    def _refuses(self, entry: ColumnFinding, *, is_local_export: bool) -> bool:
        if is_local_export:
            return entry.disposition == "found"
        return self.is_strict and (entry.disposition == "found" or entry.evidence == "known_place")


@dataclass(frozen=True)
class _Look:
    """A file that is looked into, with what its columns mean."""

    contents: Contents
    file: SourceFile
    source_map: SourceMap
    meanings: Mapping[str, str]
    input_id: str = ""

    @property
    def shown(self) -> str:
        """What the file may be called."""
        return show_file(self.file.name, self.contents.places[self.file.path, self.file.member])

    def table(self, connection: duckdb.DuckDBPyConnection, relation: str) -> ScannedTable:
        """For the detector."""
        types = types_of(connection, relation, self.file.headers)
        person = next((header for header, name in self.meanings.items() if name == PERSON), "")
        return ScannedTable(self.file.name, relation, types, self.meanings, person or None)

    def show(self, entry: ColumnFinding, others: Sequence[ColumnFinding]) -> ColumnFinding:
        """The finding by names that may be shown."""
        if entry.evidence == "known_place":
            return replace(entry, file=self.shown, column=entry.column.removesuffix("[]"), input_id=self.input_id)
        has_header_row = bool(self.meanings or self.source_map.keys) or any(
            other.evidence == "name" for other in others
        )
        column = show_header(self.file, entry.column, has_header_row=has_header_row)
        return replace(entry, file=self.shown, column=column, input_id=self.input_id)


def _beside(contents: Contents, reader: Reader) -> list[SourceFile]:
    """The tables that no role of the extract has."""
    read = {(file.path, file.member) for files in reader.extract.files.values() for file in files}
    return [file for file in contents.files if (file.path, file.member) not in read]


def _meanings(own: Mapping[str, str], reader: Reader, file: SourceFile) -> Mapping[str, str]:
    """The canonical columns of a file that is read; the keys of a layout are those of people."""
    keys = {header: PERSON for header in file.headers if header.casefold() in reader.extract.source_map.keys}
    return {**keys, **own}
