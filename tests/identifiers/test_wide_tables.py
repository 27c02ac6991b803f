"""A table of many columns is looked into by one query; what is found is what a query for each column finds."""

from collections.abc import Sequence

import duckdb
import pytest

from flows import identifier_cells
from flows.identifier_cells import CELLS, ScannedColumn, gather_cells, measure, take_sample
from transforms.load import load_definitions

SCANNING = load_definitions().identifiers.scanning
ROWS = """(SELECT * FROM (VALUES
    (' a', 'x', NULL, ''), ('a', 'y', NULL, ' '), ('b', 'x', '1961-03-12', 'c')
) v(first, "second "" one", third, fourth))"""


def test_many_columns_are_gathered_and_sampled_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = look()
    monkeypatch.setattr(identifier_cells, "MANY", 1)
    assert look() == one_by_one
    assert one_by_one[0][:2] == [(0, "a", 1), (0, "a", 1)]


def look() -> tuple[Sequence[object], ...]:
    with duckdb.connect() as connection:
        types = dict.fromkeys(("first", 'second " one', "third", "fourth"), "VARCHAR")
        columns: tuple[ScannedColumn, ...] = measure(connection, ROWS, types)
        gathered = gather_cells(connection, ROWS, columns, (), SCANNING)
        cells = connection.execute(f"SELECT * FROM {CELLS} ORDER BY ALL").fetchall()
        return cells, gathered, take_sample(connection, ROWS, gathered, SCANNING).rows()
