"""What an adapter gives: which files it recognised, and one SELECT of raw rows for each canonical table they feed.

A raw row has `row_number` and the columns of `RAW`. Text columns are trimmed text or null. A time column comes as
four: the time, whether a text was there that is no time (`__bad`), whether it is a date only (`__day`), and the text
that is no time, where it is known (`__sent`). A row of a wide file gives several raw results, told apart by
`column_number` from 1; everywhere else that is 0. `sent` is what is kept of a row that is refused.
Everything after that (units, bounds, keys, refusals) is the same for every format.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from transforms.model.sources import SourceMap

Kind = Literal["text", "time"]
FileKind = Literal["delimited", "parquet", "transport", "workbook", "database", "fhir"]

RAW: Mapping[str, Mapping[str, Kind]] = {
    "lab": {
        **dict.fromkeys(("person_id", "specimen_id", "code", "value", "unit", "status", "specimen"), "text"),
        **dict.fromkeys(("reference_low",), "text"),
        **dict.fromkeys(("collected_at", "resulted_at"), "time"),
    },
    "person": {
        **dict.fromkeys(("person_id", "sex", "birth_year", "age_years", "race_ethnicity", "duffy_null"), "text"),
        **dict.fromkeys(("weight", "stratum", "psu"), "text"),
        **dict.fromkeys(("age_at", "died_on"), "time"),
    },
    "observation": {"person_id": "text", "started_on": "time", "ended_on": "time"},
    "encounter": {"person_id": "text", "setting": "text", "started_at": "time", "ended_at": "time"},
    "exposure": {
        **dict.fromkeys(("person_id", "agent", "atc", "rxnorm", "route", "dose", "dose_unit"), "text"),
        **dict.fromkeys(("status", "evidence"), "text"),
        **dict.fromkeys(("started_at", "ended_at"), "time"),
    },
    "diagnosis": {"person_id": "text", "code": "text", "code_system": "text", "recorded_at": "time"},
    "vital": {"person_id": "text", "celsius": "text", "site": "text", "measured_at": "time"},
}


PARTS_OF_TIME = ("", "__bad", "__day", "__sent")


@dataclass(frozen=True)
class SourceFile:
    """One table by what is in it: its headers, their DuckDB types, and how it is written.

    A file can hold several: `member` is then the sheet of a workbook or the table of a database, and rows are numbered
    in each. `labels` are what a SAS transport file says of its columns. `shown` is the name a reader knows it by, when
    that is not the name of the file at `path`; `label` is the whole name, member and all, where the member's own may
    not be shown. `notes` are what a reader should know of how it was looked at. `rows_above` the header of a
    text are not read; `titles` of them are not empty. `generalised` is SQL of what is read in the place of a column
    that identifies (flows/sources/decisions.py).
    """

    path: Path
    kind: FileKind
    types: Mapping[str, str]
    delimiter: str = ""
    compression: Literal["none", "gzip", "zstd", "xz"] = "none"
    encoding: str = "utf-8"
    member: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    shown: str = ""
    label: str = ""
    notes: tuple[str, ...] = ()
    rows_above: int = 0
    titles: int = 0
    generalised: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.types)

    @property
    def name(self) -> str:
        """What messages, the ledger and `ops.input` call it."""
        name = self.shown or self.path.name
        return self.label or (f"{name}#{self.member}" if self.member else name)

    @property
    def own_name(self) -> str:
        """What it is called where it comes from; for comparing, never for showing."""
        return f"{self.path.name}#{self.member}" if self.member else self.path.name


@dataclass(frozen=True)
class Moment:
    """SQL of a time: its value, whether a text was there that is no time, whether it is a date only, that text."""

    value: str
    is_bad: str = "false"
    is_day: str = "false"
    sent: str = "NULL"


@dataclass(frozen=True)
class Feed:
    """Rows of each file of `role` on their way to `table`.

    `select` names relations as {role}: its own is the one file at hand, those of `lookups` are all files of that role.
    It gives one raw row for each row of the file for which `belongs` (SQL over the columns of the opened file) holds,
    or several, told apart by column_number, if `is_wide`. Rows that no feed of a file claims are counted as unused.
    If it `sends_own`, its `sent` holds the columns of the file; else a refused row is kept as a raw row.
    """

    table: str
    role: str
    select: str
    lookups: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    belongs: str = "true"
    is_wide: bool = False
    sends_own: bool = False


@dataclass(frozen=True)
class Recognised:
    """The files of one extract by role, what they feed, and the headers to read of each role, by kind.

    A needed header that one file of a role lacks is read as null. `hints` are sentences for the first things to repair.
    `meanings` are, by role, the canonical columns of the headers that a source map names.
    """

    adapter: str
    source_id: str
    source_map: SourceMap
    files: Mapping[str, tuple[SourceFile, ...]]
    needed: Mapping[str, Mapping[str, Kind]]
    feeds: tuple[Feed, ...]
    unread: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    meanings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapter:
    """What a format is called, what it carries and what it cannot carry. `is_local`: no standard says what is in it."""

    name: str
    title: str
    carries: tuple[str, ...]
    cannot_carry: tuple[str, ...]
    is_local: bool = False


class Recogniser(Protocol):
    """Answers with what it recognised, or None when the files are not of its kind."""

    def __call__(self, files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
        """Look at headers only; the first file of a kind wins."""


@dataclass(frozen=True)
class Layout:
    """A format: what it is called and carries, what recognises it, and the headers of the files that stand beside one.

    Ours and those of a site's packages are named alike (`flows/sources/registry.py`).
    """

    adapter: Adapter
    recognise: Recogniser
    marks: Mapping[str, frozenset[str]] = field(default_factory=dict)


def quote(name: str) -> str:
    """A column name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def pattern(path: Path) -> str:
    """A path as SQL for DuckDB's readers, which would take `labs[1].csv` for the name of `labs1.csv`."""
    return literal(re.sub(r"[\[*?]", r"[\g<0>]", str(path)))


def constant(text: str) -> str:
    """A text that is the same in every row, as SQL that is cheap to write to Parquet."""
    return f"{literal(text)}::ENUM ({literal(text)})"


def text_of(alias: str, header: str) -> str:
    """Trimmed text of a column, null when empty."""
    return f"nullif(trim({alias}.{quote(header)}::VARCHAR), '')"


def moment_of(alias: str, header: str) -> Moment:
    """The four parts of a time column."""
    return Moment(*(f"{alias}.{quote(header + suffix)}" for suffix in PARTS_OF_TIME))


def own_columns(alias: str, needed: Mapping[str, Kind]) -> str:
    """SQL of a struct of the needed columns of a file, each time with its four parts."""
    names = [name for header, kind in needed.items() for name in ([header] if kind == "text" else time_columns(header))]
    return "{" + ", ".join(f"{literal(name)}: {alias}.{quote(name)}" for name in names) + "}"


def time_columns(name: str) -> list[str]:
    """The names of the four parts of a time column."""
    return [name + suffix for suffix in PARTS_OF_TIME]


def computed_moment(value: str, given: str, is_bad: str = "false", is_day: str = "false") -> Moment:
    """A time that is computed where `given` holds; outside of the years 1000 to 9999 there is none, and that is bad.

    `value` stands in `try` wherever it is named: DuckDB takes out what stands elsewhere too, and then it fails.
    """
    at = f"try({value})"
    is_time = f"coalesce(isfinite({at}) AND year({at}) BETWEEN 1000 AND 9999, false)"
    return Moment(f"CASE WHEN {is_time} THEN {at} END", f"({is_bad} OR ({given}) AND NOT {is_time})", is_day)


def raw_select(
    table: str,
    given: Mapping[str, str | Moment],
    source: str,
    *,
    wanted: str = "true",
    where: str = "true",
    column_number: str = "0",
) -> str:
    """SELECT of every raw column of `table`; what is not given is null. `source` is the FROM part.

    `wanted` marks rows that the source map keeps; `where` says which rows of the file belong to this feed at all.
    """
    parts = ["row_number", f"({column_number})::INTEGER AS column_number"]
    parts.append(f"{given.get('sent', 'NULL')} AS sent")
    for name, kind in RAW[table].items():
        expression = given.get(name)
        if kind == "text":
            parts.append(f"{expression or 'NULL'}::VARCHAR AS {name}")
            continue
        moment = expression if isinstance(expression, Moment) else Moment("NULL")
        parts.append(f"{moment.value}::TIMESTAMP AS {name}")
        parts.append(f"{moment.is_bad} AS {name}__bad")
        parts.append(f"{moment.is_day} AS {name}__day")
        parts.append(f"{moment.sent}::VARCHAR AS {name}__sent")
    rows = f"SELECT {', '.join(parts)}, coalesce({wanted}, false) AS is_wanted FROM {source}"
    return rows if where == "true" else f"{rows} WHERE {where}"


def files_of(files: Sequence[SourceFile], marks: Mapping[str, frozenset[str]]) -> Mapping[str, tuple[SourceFile, ...]]:
    """The files that have all marked headers of a role, whatever their case; a role without a file is left out."""
    folded = [(file, {header.casefold() for header in file.headers}) for file in files]
    found = {role: tuple(file for file, headers in folded if mark <= headers) for role, mark in marks.items()}
    return {role: entries for role, entries in found.items() if entries}


def assemble(
    adapter: Adapter,
    source_map: SourceMap,
    files: Sequence[SourceFile],
    roles: Mapping[str, tuple[SourceFile, ...]],
    needed: Mapping[str, Mapping[str, Kind]],
    feeds: Sequence[Feed],
) -> Recognised:
    """What a layout recognised of `files`: the roles that its feeds read; all other files are listed as unread."""
    read = sorted({feed.role for feed in feeds} | {lookup for feed in feeds for lookup in feed.lookups})
    return Recognised(
        adapter=adapter.name,
        source_id=source_map.source_id or adapter.name,
        source_map=source_map,
        files={role: roles[role] for role in read},
        needed={role: needed[role] for role in read},
        feeds=tuple(feeds),
        unread=tuple(file.name for file in files if not any(file in roles[role] for role in read)),
    )
