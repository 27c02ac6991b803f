"""Says what an extract is by looking inside its files, and where its source map comes from.

The map is the one that was named, else `source.yaml` in the folder of the extract, else a shipped one whose columns
fit; one with a layout need only say in what it differs from the shipped map of that layout. Nothing recognised is an
error that says which columns came, unless they might be values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import yaml
from pydantic import ValidationError

from flows.errors import SourceError, WrongUse
from flows.sources import mapped
from flows.sources.decisions import refuse_wrong_decisions
from flows.sources.files import keep, list_files, look_at, point_out
from flows.sources.protocol import RAW, Adapter, Recognised, Recogniser, SourceFile
from flows.sources.registry import layout_of, load_layouts
from flows.sources.salvage import look_leniently
from transforms.load import Definitions
from transforms.model.showing import Showing
from transforms.model.sources import SourceMap
from transforms.showable import is_plain_header, name_or, word_or
from transforms.unknown_names import find_unknown_tests, find_unknown_units
from transforms.wrong_keys import Place, describe_errors, guess, point_at

MAP_FILE = "source.yaml"
MERGED = ("codes", "units", "unit_spellings", "values", "numbers")
HALF_COPIED = frozenset({".part", ".tmp", ".filepart", ".crdownload", ".partial"})
BESIDE_RAW = ("name", "comparator")  # of a result: joined to its code or value before it is a raw row
UNREAD = "not read"
SHOWN_HEADERS = 30


@dataclass(frozen=True)
class Contents:
    """What lies in one extract: its files that are tables, the others by name, and what is wrong with any of it.

    `suspects` are files that cannot be read as they should be, as far as they can be looked into all the same.
    """

    paths: tuple[Path, ...]
    chosen: SourceMap | None
    files: tuple[SourceFile, ...]
    unread: tuple[str, ...]
    problems: tuple[SourceError, ...] = ()
    suspects: tuple[SourceFile, ...] = ()

    @cached_property
    def places(self) -> Mapping[tuple[Path, str], int]:
        """The place of each table among all of them, from 1."""
        tables = enumerate((*self.files, *self.suspects), start=1)
        return {(table.path, table.member): place for place, table in reversed(list(tables))}

    def maps(self, definitions: Definitions) -> Sequence[SourceMap]:
        """The map that was chosen, or all that are shipped, in the order in which they are tried."""
        return [self.chosen] if self.chosen else _shipped(definitions)


@dataclass(frozen=True)
class Line:
    """What `nadir check` prints of one file: what it was recognised as, or that it was not read."""

    name: str
    adapter: str
    tables: tuple[str, ...]


def list_adapters() -> tuple[Adapter, ...]:
    """Every adapter, for `nadir sources`."""
    return tuple(layout.adapter for layout in load_layouts().values())


def describe(recognised: Sequence[Recognised]) -> tuple[Line, ...]:
    """What was recognised, one line a file, unread files last."""
    lines = [
        Line(file.name, entry.adapter, tuple(feed.table for feed in entry.feeds if feed.role == role) or ("lookup",))
        for entry in recognised
        for role, files in entry.files.items()
        for file in files
    ]
    unread = [Line(name, UNREAD, ()) for entry in recognised for name in entry.unread]
    return (*lines, *unread)


def recognise(
    extracts: Sequence[Path], source: str, definitions: Definitions, unpacked: Path
) -> tuple[Recognised, ...]:
    """One entry for each folder, and one for all files that were named; SourceError when something is no extract.

    Archives are unpacked below `unpacked`.
    """
    found = look_over(extracts, source, definitions, unpacked)
    for contents in found:
        if contents.problems:
            raise contents.problems[0]
    return tuple(recognise_contents(contents, definitions) for contents in found)


def look_over(extracts: Sequence[Path], source: str, definitions: Definitions, unpacked: Path) -> tuple[Contents, ...]:
    """What is in each folder, and in all files that were named; what is wrong with them is kept for later."""
    folders = [path for path in extracts if path.is_dir()]
    named = [path for path in extracts if not path.is_dir()]
    groups = [[folder] for folder in folders] + ([named] if named else [])
    return tuple(
        _look_over_group(group, source, definitions, unpacked / str(place)) for place, group in enumerate(groups)
    )


def recognise_contents(contents: Contents, definitions: Definitions) -> Recognised:
    """What an extract is, whatever is wrong with some files; SourceError when it is none or its map contradicts it."""
    for candidate in contents.maps(definitions):
        recognised = _recogniser(candidate)(contents.files, candidate)
        if recognised is not None:
            refuse_wrong_decisions(recognised, contents.files)
            unread, hints = (*recognised.unread, *contents.unread), (*recognised.hints, *_notes(recognised))
            return replace(recognised, unread=unread, hints=hints)
    raise _nothing_recognised(contents.paths, contents.files, contents.maps(definitions), definitions.showing)


def is_local(recognised: Recognised) -> bool:
    """Whether the extract is of a kind of which no standard says what is in it."""
    return any(adapter.name == recognised.adapter and adapter.is_local for adapter in list_adapters())


def _look_over_group(paths: Sequence[Path], source: str, definitions: Definitions, unpacked: Path) -> Contents:
    problems: list[SourceError] = []
    chosen: SourceMap | None = None
    with keep(problems):
        chosen = choose_map(paths, source, definitions)
    files: list[SourceFile] = []
    suspects: list[SourceFile] = []
    unread: list[str] = []
    for found in list_files(paths, unpacked, definitions.showing, problems):
        is_left = found.path.suffix in {".yaml", ".yml"} or is_half_copied(found.path)
        n_before = len(problems)
        tables: tuple[SourceFile, ...] = ()
        with keep(problems):
            tables = () if is_left else look_at(found, chosen, definitions.showing)
        files += tables
        unread += [] if tables else [found.shown]
        suspects += look_leniently(found) if len(problems) > n_before else ()
    pointed_out = tuple(map(point_out, problems))
    return Contents(tuple(paths), chosen, tuple(files), tuple(unread), pointed_out, tuple(suspects))


def _notes(recognised: Recognised) -> tuple[str, ...]:
    """What is to be said of the files that are read, each sentence once."""
    notes = (note for files in recognised.files.values() for file in files for note in file.notes)
    return tuple(dict.fromkeys(notes))


def _recogniser(source_map: SourceMap) -> Recogniser:
    layout = layout_of(source_map.layout)
    if layout is None:
        raise SourceError(
            f"The source map {source_map.id} names a layout that does not exist.", details=sorted(load_layouts())
        )
    return layout.recognise


def _shipped(definitions: Definitions) -> list[SourceMap]:
    return sorted(definitions.source_maps, key=lambda entry: (not entry.layout, entry.id))


def choose_map(paths: Sequence[Path], source: str, definitions: Definitions) -> SourceMap | None:
    """The source map that `source` names, or for `auto` the one in a folder of `paths`; None leaves it to the files."""
    if source == "auto":
        beside = [path / MAP_FILE for path in paths if (path / MAP_FILE).is_file()]
        return _read_own(beside[0], definitions) if beside else None
    shipped = {entry.id: entry for entry in definitions.source_maps}
    if source in shipped:
        return shipped[source]
    if Path(source).suffix not in {".yaml", ".yml"}:
        raise WrongUse(
            "--source names neither a known source nor a YAML file.", details=[*sorted(shipped), "FILE.yaml"]
        )
    return _read_own(Path(source), definitions)


def _read_own(path: Path, definitions: Definitions) -> SourceMap:
    given = read_map(path, definitions.showing)
    own = _complete(given, definitions)
    show = partial(_show_key, definitions.showing)
    if wrong := find_unknown_units(own, definitions):
        text = path.read_text(encoding="utf-8")
        raise SourceError(
            f"{path.name}: names a unit that is not known.",
            details=[point_at(path.name, text, place, show) for place, _ in wrong],
            repair=f"Units of counts and shares: {', '.join(wrong[0][1])}; all: `nadir definitions show units`.",
        )
    if unknown := find_unknown_tests(own, definitions):
        text = path.read_text(encoding="utf-8")
        raise SourceError(
            f"{path.name}: names a test that codelists/labs.csv does not have.",
            details=[f"{point_at(path.name, text, e.place, show)}.{guess(e.name, e.known)}" for e in unknown],
            repair="Write the LOINC code of a test in that list, or leave it out.",
        )
    if unread := list(_unread_columns(given)):
        text = path.read_text(encoding="utf-8")
        details = [
            f"{point_at(path.name, text, place, show)}: no column of {table}.{guess(str(place[-1]), columns)}"
            f" Columns: {', '.join(columns)}."
            for place, table, columns in unread
        ]
        raise SourceError(f"{path.name}: names columns that no table has.", details=details)
    return own


def _unread_columns(source_map: SourceMap) -> Iterator[tuple[Place, str, Sequence[str]]]:
    """Where a map names a column of ours that there is not: what it points to would not be read, and nobody told."""
    for number, table in enumerate(source_map.tables):
        columns = [*RAW[table.table], *(BESIDE_RAW if table.table == "lab" else ())]
        for key in ("columns", "clocks", "constants", "value_spellings"):
            for name in getattr(table, key):
                if name not in columns:
                    yield ("tables", number, key, name), table.table, columns


def _show_key(showing: Showing, key: str) -> str:
    return word_or(key, "?", showing)


def _complete(own: SourceMap, definitions: Definitions) -> SourceMap:
    """A map of a layout, with what the shipped map of that layout says and it does not."""
    shipped = next((entry for entry in definitions.source_maps if own.layout and entry.layout == own.layout), None)
    if shipped is None:
        return own
    said = {name: getattr(own, name) for name in own.model_fields_set}
    said |= {name: {**getattr(shipped, name), **getattr(own, name)} for name in MERGED}
    return shipped.model_copy(update=said)


def is_half_copied(path: Path) -> bool:
    """Whether the name is one that programs give a file while they copy it."""
    return path.suffix.casefold() in HALF_COPIED


def read_map(path: Path, showing: Showing) -> SourceMap:
    """A source map from a file; what is wrong in it is said by key, never by value."""
    if not path.is_file():
        raise WrongUse(f"{path}: there is no such source map.", repair="Check the path after --source.")
    try:
        text = path.read_text(encoding="utf-8")
        return SourceMap.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise SourceError(
            f"{path.name}: not a valid source map.",
            details=describe_errors(error, text, SourceMap, path.name, partial(_show_key, showing)),
            repair=f"Keys: {', '.join(SourceMap.model_fields)}.",
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):  # a date that is none, or brackets without end
        raise SourceError(f"{path.name}: not readable as YAML.", repair="Compare it with nadir sources.") from None


def _nothing_recognised(
    paths: Sequence[Path], files: Sequence[SourceFile], maps: Sequence[SourceMap], showing: Showing
) -> SourceError:
    names = ", ".join(name_or(path.name, f"file {place}", showing) for place, path in enumerate(paths, start=1))
    if not files:
        return SourceError(f"{names}: there is no table in it.", repair="Name a CSV or Parquet file, or its folder.")
    known = frozenset().union(*(mapped.known_headers(source_map) for source_map in maps))
    return SourceError(
        f"{names}: no file has the columns of a table.",
        details=[
            *(_came(file, known, showing) for file in files[:10]),
            *(_needs(each) for each in maps if each.tables),
        ],
        repair="Let `nadir map FILE --out source.yaml` propose a source map; read it, then add --source source.yaml.",
    )


def _needs(source_map: SourceMap) -> str:
    tables = (f"{table.table} ({', '.join(table.needs or table.columns)})" for table in source_map.tables)
    return f"{source_map.id} needs {', '.join(tables)}"


def _came(file: SourceFile, known: frozenset[str], showing: Showing) -> str:
    """The headers, if they are headers: at least one is known, and each shown one looks like a name, not a value."""
    if not known & {mapped.fold(header) for header in file.headers}:
        return f"{file.name}: {len(file.headers)} columns, none with a known name; is there a header line?"
    shown = [header for header in file.headers if is_plain_header(header, showing)][:SHOWN_HEADERS]
    return f"{file.name}: columns {', '.join(shown)} ({len(file.headers)} in all)"
