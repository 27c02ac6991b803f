"""What an adapter gives: which files it recognised, and one SELECT of raw rows for each canonical table they feed.

A raw row has `row_number` and the columns of `RAW`. Text columns are trimmed text or null. A time column comes as
three: the time, whether a text was there that is no time (`__bad`), and whether it is a date only (`__day`).
Everything after that (units, bounds, keys, refusals) is the same for every format.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from transforms.model.sources import SourceMap

Kind = Literal["text", "time"]

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


@dataclass(frozen=True)
class SourceFile:
    """One file by what is in it: its headers, their DuckDB types, and how its text is written."""

    path: Path
    kind: Literal["delimited", "parquet"]
    types: Mapping[str, str]
    delimiter: str = ""
    compression: Literal["none", "gzip", "zstd", "xz"] = "none"
    encoding: str = "utf-8"

    @property
    def headers(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.types)


@dataclass(frozen=True)
class Moment:
    """SQL of a time: its value, whether a text was there that is no time, whether it is a date only."""

    value: str
    is_bad: str = "false"
    is_day: str = "false"


@dataclass(frozen=True)
class Feed:
    """Rows of the file `role` on their way to `table`; `select` names relations as {role}.

    `lookups` are the other files that `select` reads. `select` gives exactly one row for each row of the file.
    """

    table: str
    role: str
    select: str
    lookups: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."


@dataclass(frozen=True)
class Recognised:
    """The files of one extract and what they feed. `needed` lists the headers to read of each file, by kind."""

    adapter: str
    source_id: str
    source_map: SourceMap
    files: Mapping[str, SourceFile]
    needed: Mapping[str, Mapping[str, Kind]]
    feeds: tuple[Feed, ...]
    unread: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Adapter:
    """What a format is called, what it carries and what it cannot carry."""

    name: str
    title: str
    carries: tuple[str, ...]
    cannot_carry: tuple[str, ...]


class Recogniser(Protocol):
    """Answers with what it recognised, or None when the files are not of its kind."""

    def __call__(self, files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
        """Look at headers only; the first file of a kind wins."""


def quote(name: str) -> str:
    """A column name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def constant(text: str) -> str:
    """A text that is the same in every row, as SQL that is cheap to write to Parquet."""
    return f"{literal(text)}::ENUM ({literal(text)})"


def text_of(alias: str, header: str) -> str:
    """Trimmed text of a column, null when empty."""
    return f"nullif(trim({alias}.{quote(header)}::VARCHAR), '')"


def moment_of(alias: str, header: str) -> Moment:
    """The three parts of a time column."""
    return Moment(*(f"{alias}.{quote(header + suffix)}" for suffix in ("", "__bad", "__day")))


def raw_select(table: str, given: Mapping[str, str | Moment], source: str, *, wanted: str = "true") -> str:
    """SELECT of every raw column of `table`; what is not given is null. `source` is the FROM part."""
    parts = ["row_number"]
    for name, kind in RAW[table].items():
        expression = given.get(name)
        if kind == "text":
            parts.append(f"{expression or 'NULL'}::VARCHAR AS {name}")
            continue
        moment = expression if isinstance(expression, Moment) else Moment("NULL")
        parts.append(f"{moment.value}::TIMESTAMP AS {name}")
        parts.append(f"{moment.is_bad} AS {name}__bad")
        parts.append(f"{moment.is_day} AS {name}__day")
    return f"SELECT {', '.join(parts)}, coalesce({wanted}, false) AS is_wanted FROM {source}"
