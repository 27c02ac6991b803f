"""The words that nadir does not know and that may be shown, with the rows they stand in: what there is to repair.

A word is a unit, a status or the like, not a name or a value; which of them may be shown says `transforms/showable.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.sources.protocol import literal
from transforms.model.showing import Showing
from transforms.model.sources import Receiving
from transforms.showable import is_shared_word


@dataclass(frozen=True)
class UnknownWord:
    """A word of one rule of one table, in so many rows of one file."""

    table: str
    rule: str
    text: str
    n_rows: int

    def as_line(self) -> str:
        """For a list under an error or a repair."""
        return f"{self.text!r}: {self.n_rows:,} rows"


def list_words(
    connection: duckdb.DuckDBPyConnection, raw: str, table: str, refused: Path, receiving: Receiving, showing: Showing
) -> tuple[UnknownWord, ...]:
    """Words of the refused rows (Parquet) of `raw`, for each rule that shows one, most rows first."""
    found: list[UnknownWord] = []
    for rule in _broken_rules(connection, refused, receiving):
        place = f"FROM read_parquet({literal(str(refused))}) WHERE rule = {literal(rule)}"
        rows = f"({raw}) r SEMI JOIN ({place}) p USING (row_number, column_number)"
        words = count_words(connection, rows, receiving.rules[rule].shows, showing)
        found += [UnknownWord(table, rule, text, n_rows) for text, n_rows in words]
    return tuple(found)


def count_words(
    connection: duckdb.DuckDBPyConnection, rows: str, column: str, showing: Showing
) -> Sequence[tuple[str, int]]:
    """The words of a raw column that may be shown, with their rows, most first; `rows` is the FROM part."""
    counted = connection.execute(
        f"SELECT {column}, count(*), count(DISTINCT person_id) FROM (FROM {rows}) WHERE {column} IS NOT NULL "
        f"GROUP BY 1 HAVING count(DISTINCT person_id) >= {showing.least_people} ORDER BY 2 DESC, 1"
    ).fetchall()
    shown = [(text, n_rows) for text, n_rows, n_people in counted if is_shared_word(text, n_people, showing)]
    return shown[: showing.most_words_listed]


def _broken_rules(connection: duckdb.DuckDBPyConnection, refused: Path, receiving: Receiving) -> list[str]:
    found = connection.execute(f"SELECT DISTINCT rule FROM read_parquet({literal(str(refused))}) ORDER BY 1").fetchall()
    return [rule for (rule,) in found if receiving.rules[rule].shows]
