"""Several small files on their way to one table at once: judged as if they were one, then divided by file again.

Tonight reads the rows of all as one file; each file has its own as well, because later nights ask for files. What is
true of a file alone (how many of its rows a rule may refuse, whether its codes are codes) is asked of each.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import polars as pl

from flows.errors import SourceError
from flows.lab_rows import Laboratory, are_foreign
from flows.refused import refused_beside
from flows.sources.files import refuse_unreadable
from flows.sources.protocol import literal
from flows.sources.together import PLACE_BITS, first_number, place_of, row_in_file
from flows.staging import Arrival, Shared, Staged, find_common, judge_rows, raw_rows, words_of
from flows.tonight import row_key
from flows.unknown_words import UnknownWord

STRIDE = 1 << PLACE_BITS


@dataclass(frozen=True)
class Member:
    """One of the files: its arrival as it would be alone, where its rows are staged, whether it fed nothing before."""

    alone: Arrival
    target: Path
    is_first: bool


def stage_together(
    connection: duckdb.DuckDBPyConnection, whole: Arrival, members: Sequence[Member], laboratory: Laboratory, work: Path
) -> list[Staged] | None:
    """What became of each file; None when one of them must be told of, and so has to be staged alone.

    A file that has nothing for this feed, and has fed another, is left out.
    """
    try:
        with refuse_unreadable(whole.name):
            received = _count_received(connection, whole, members)
            chosen = [place for place, member in enumerate(members) if member.is_first or received[place]]
            if not chosen:
                return []
            if whole.feed.table == "canonical.lab" and _is_any_foreign(connection, whole, laboratory):
                return None
        taken = work / f"together_{whole.input_id}_{members[chosen[0]].target.name}"
        judged = judge_rows(connection, replace(whole, malformed=_malformed(members)), laboratory, taken, work)
    except SourceError:
        return None
    return _Division(connection, judged, members, work).divide(chosen, received, laboratory)


def _count_received(
    connection: duckdb.DuckDBPyConnection, whole: Arrival, members: Sequence[Member]
) -> Mapping[int, int]:
    if whole.feed.belongs == "true":
        return {place: member.alone.own.n_rows for place, member in enumerate(members)}
    place = place_of("row_number")
    counted = connection.execute(
        f"SELECT {place}, count(*) FROM {whole.own.relation} WHERE {whole.feed.belongs} GROUP BY 1"
    ).fetchall()
    found = Counter(dict(counted))
    return {place: found[place] + len(member.alone.malformed) for place, member in enumerate(members)}


def _malformed(members: Sequence[Member]) -> tuple[int, ...]:
    return tuple(first_number(place) + row for place, member in enumerate(members) for row in member.alone.malformed)


def _is_any_foreign(connection: duckdb.DuckDBPyConnection, whole: Arrival, laboratory: Laboratory) -> bool:
    codes: dict[int, list[str]] = {}
    for place, code in connection.execute(
        f"SELECT DISTINCT {place_of('row_number')}, code FROM ({raw_rows(whole)}) WHERE is_wanted AND code <> ''"
    ).fetchall():
        codes.setdefault(place, []).append(code)
    return any(are_foreign(found, laboratory) for found in codes.values())


class _Division:
    """The rows of several files, which become those of each."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, judged: Staged, members: Sequence[Member], work: Path
    ) -> None:
        self.connection = connection
        self.judged = judged
        self.members = members
        self.inputs = [member.alone.input_id for member in members]
        self.shared = Shared(work / f"all_{judged.path.name}", work / f"all_refused_{judged.path.name}")
        self.accepted = self._read_accepted()
        self.n_accepted = Counter(dict(self.accepted.group_by("place").len().iter_rows()))
        self.refused = self._count_refused()

    def divide(self, chosen: Sequence[int], received: Mapping[int, int], laboratory: Laboratory) -> list[Staged] | None:
        """What became of the chosen files."""
        for place, rules in self.refused.items():
            if find_common(rules, self.n_accepted[place] + sum(rules.values()), laboratory.receiving):
                return None
        self._write_accepted(chosen)
        self._write_refused()
        for path in (self.judged.path, self.judged.refused):
            path.unlink()
        return [self._staged(place, received[place], laboratory) for place in chosen]

    def _read_accepted(self) -> pl.DataFrame:
        number, inputs = pl.col("row_number"), pl.Series(self.inputs, dtype=pl.String)
        rows = pl.read_parquet(self.judged.path)
        rows = rows.with_columns(number.floordiv(STRIDE).alias("place"), number.mod(STRIDE))
        rows = rows.with_columns(pl.lit(inputs).gather(pl.col("place")).alias("input_id"))
        return rows.sort("place", *row_key(self.judged.table)[1:])

    def _write_accepted(self, chosen: Sequence[int]) -> None:
        rows = self.accepted
        rows.drop("place").write_parquet(self.shared.rows, compression="snappy")
        own = rows.partition_by("place", include_key=False, as_dict=True)
        nothing = rows.clear().drop("place")
        for place in chosen:
            target = self.members[place].target
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_suffix(".part")
            own.get((place,), nothing).write_parquet(aside, compression="snappy")
            aside.replace(target)

    def _count_refused(self) -> Mapping[int, Mapping[str, int]]:
        """Rows by rule, for each place that has some."""
        found: dict[int, dict[str, int]] = {}
        for place, rule, n_rows in self.connection.execute(
            f"SELECT {place_of('row_number')}, rule, count(*) FROM {self._rows_refused} GROUP BY ALL"
        ).fetchall():
            found.setdefault(place, {})[rule] = n_rows
        return found

    @property
    def _rows_refused(self) -> str:
        return f"read_parquet({literal(str(self.judged.refused))})"

    def _write_refused(self) -> None:
        listed = ", ".join(literal(input_id) for input_id in self.inputs)
        own = f"{row_in_file('row_number')} AS row_number, [{listed}][{place_of('row_number')} + 1] AS input_id"
        self._copy(f"SELECT * REPLACE ({own}) FROM {self._rows_refused}", self.shared.refused)

    def _staged(self, place: int, n_received: int, laboratory: Laboratory) -> Staged:
        member, rules = self.members[place], self.refused.get(place, {})
        alone, refused, words = member.alone, self.shared.refused, tuple[UnknownWord, ...]()
        if rules:
            refused = refused_beside(member.target)
            own = f"input_id = {literal(alone.input_id)}"
            self._copy(f"SELECT * FROM read_parquet({literal(str(self.shared.refused))}) WHERE {own}", refused)
        if alone.lists_words and any(laboratory.receiving.rules[rule].shows for rule in rules):
            words = words_of(self.connection, alone, laboratory, refused)
        counts = (n_received, self.n_accepted[place], sum(rules.values()))
        return Staged(alone.feed, alone.input_id, member.target, refused, *counts, words=words, shared=self.shared)

    def _copy(self, rows: str, target: Path) -> None:
        self.connection.execute(
            f"COPY ({rows}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)"
        ).fetchall()
