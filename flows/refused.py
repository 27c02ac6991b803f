"""Rows that a rule refused keep what they said, so that they can be judged again without their file.

They lie beside the staged rows of their file, in `refused_TABLE.parquet`: row_number, column_number, rule, source_id,
person_id, input_id, and `sent`, which is null where nothing could be kept. `reading.json` beside them says how the file
was read. `sent` holds allowed columns only: those that the source map names, as they were sent, or the raw row of a
layout that joins several files. Of a time, the text is kept where it is no time.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from flows.code_version import code_version
from flows.parsing import read_times
from flows.sources.protocol import RAW, Feed, Kind, literal, quote, time_columns
from transforms.load import Definitions
from transforms.model.sources import SourceMap

REFUSED = "refused_"
READING = "reading.json"


@dataclass(frozen=True)
class Part:
    """One feed of a file: `place` among those of its table, and the file that its staged rows lie in.

    `kinds` are the columns that were kept of its refused rows, where those are the columns of the file.
    """

    table: str
    file: str
    place: int
    decimal: Literal[".", ","]
    is_wide: bool
    sends_own: bool
    kinds: Mapping[str, Kind]


@dataclass(frozen=True)
class Reading:
    """How a file was read. `types` are its headers; `judged_by` names the definitions and the code."""

    name: str
    judged_by: str
    source_map: SourceMap
    is_shipped: bool
    types: Mapping[str, str]
    parts: tuple[Part, ...]


def hash_map(source_map: SourceMap) -> str:
    """A hash of what decides how rows are read; what is declared of the extract alone does not."""
    content = source_map.model_dump_json(exclude={"extract_date", "is_snapshot"})
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def judged_by(definitions: Definitions) -> str:
    """What rows are judged by beside the source map."""
    return f"{definitions.hash} {code_version()}"


def list_parts(fed: Sequence[tuple[Feed, str]], needed: Mapping[str, Kind]) -> tuple[Part, ...]:
    """The parts of a file: what each feed fed, and the name of the staged file."""
    parts: list[Part] = []
    for feed, name in fed:
        place = sum(part.table == feed.table for part in parts)
        kinds = needed if feed.sends_own else {}
        parts.append(Part(feed.table, name, place, feed.decimal, feed.is_wide, feed.sends_own, kinds))
    return tuple(parts)


def with_sent(raw: str, feed: Feed) -> str:
    """Raw rows with what is kept of them: as the adapter gives it, else the raw row, if all it was made of is known."""
    if feed.sends_own:
        return raw
    kinds = RAW[feed.table.split(".")[1]]
    columns = [column for name, kind in kinds.items() for column in ([name] if kind == "text" else time_columns(name))]
    times = [name for name, kind in kinds.items() if kind == "time"]
    is_lost = " OR ".join(f"({name}__bad AND {name}__sent IS NULL)" for name in times) or "false"
    whole = ", ".join(f"{literal(column)}: {column}" for column in (*columns, "is_wanted"))
    return f"SELECT * REPLACE (CASE WHEN NOT ({is_lost}) THEN {{{whole}}} END AS sent) FROM ({raw})"


def refused_beside(staged: Path) -> Path:
    """Where the refused rows of a staged file are kept, if it has any."""
    return staged.with_name(f"{REFUSED}{staged.name}")


def table_of(path: Path) -> str:
    """The canonical table that a staged file is of, or that its refused rows were meant for."""
    return f"canonical.{path.name.removeprefix(REFUSED).split('.')[0]}"


def write_reading(folder: Path, reading: Reading) -> None:
    """Write how a file was read beside its rows."""
    content = {**vars(reading), "source_map": reading.source_map.model_dump(mode="json")}
    content["parts"] = [vars(part) for part in reading.parts]
    aside = folder / f"{READING}.part"
    aside.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    aside.replace(folder / READING)


def read_reading(folder: Path) -> Reading | None:
    """How the file was read; None when an older nadir staged it, or nothing of it was refused."""
    try:
        content = json.loads((folder / READING).read_text(encoding="utf-8"))
        source_map = SourceMap.model_validate(content["source_map"])
        parts = tuple(Part(**part) for part in content["parts"])
    except (FileNotFoundError, ValidationError):
        return None
    return Reading(**{**content, "source_map": source_map, "parts": parts})


def raw_again(table: str, rows: str, source_map: SourceMap) -> str:
    """SELECT of raw rows that were kept as such; `rows` is SQL of refused rows. Times are tried once more."""
    kinds: dict[str, Kind] = {**RAW[table.split(".")[1]], "is_wanted": "text", "column_number": "text"}
    kept = f"(SELECT row_number, column_number, unnest(sent) FROM ({rows}))"
    return f"SELECT *, NULL AS sent FROM ({_columns_again(kept, kinds, kinds, source_map)})"


def own_again(rows: str, kept: Mapping[str, Kind], needed: Mapping[str, Kind], source_map: SourceMap) -> str:
    """A relation of the columns of a file, one row for each row of it; `rows` is SQL of refused rows."""
    whole = f"(SELECT row_number, unnest(any_value(sent)) FROM ({rows}) GROUP BY row_number)"
    return f"({_columns_again(whole, kept, needed, source_map)})"


def _columns_again(relation: str, kept: Mapping[str, Kind], needed: Mapping[str, Kind], source_map: SourceMap) -> str:
    """SELECT of row_number and the needed columns; a text that was no time may be one by the map as it is now."""
    new = {name: f"{name}__again" for name, kind in needed.items() if kind == "time"}
    texts = [
        f"{quote(name + '__sent' if kept[name] == 'time' else name)}::VARCHAR AS {quote(new[name])}" for name in new
    ]
    below = f"(SELECT *, {', '.join(texts)} FROM {relation})" if new else relation
    passed = [name for name, kind in needed.items() if kind == "text"]
    passed += [part for name in new if kept[name] == "time" for part in time_columns(name)]
    kinds: dict[str, Kind] = {"row_number": "text", **dict.fromkeys(passed, "text")}
    kinds |= dict.fromkeys(new.values(), "time")
    parsed = read_times(below, kinds, dict.fromkeys(kinds, "VARCHAR"), source_map)
    columns = ["row_number", *(quote(name) for name, kind in needed.items() if kind == "text")]
    for name, again in new.items():
        columns += _chosen(name, again, was_time=kept[name] == "time")
    return f"SELECT {', '.join(columns)} FROM ({parsed})"


def _chosen(name: str, again: str, *, was_time: bool) -> Sequence[str]:
    """The four parts of a time: as they were if it was one, else as its text is read now."""
    pairs = zip(time_columns(name), time_columns(again), strict=True)
    if not was_time:
        return [f"{quote(now)} AS {quote(was)}" for was, now in pairs]
    is_text = f"{quote(name + '__sent')} IS NOT NULL"
    return [f"CASE WHEN {is_text} THEN {quote(now)} ELSE {quote(was)} END AS {quote(was)}" for was, now in pairs]
