"""Delimited text as people send it: a title, a date and blank lines above the header, as in a workbook."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from flows.sources.files import Found, look_at
from flows.sources.protocol import SourceFile

HEADER = "person_id;collected_at;test_code;value;unit"
ROWS = "P1;2024-03-01 08:00;751-8;0.4;10*9/L\n\nP2;2024-03-01\nP3;2024-03-02 08:00;751-8;3.5;10*9/L\n"
Accepted = Callable[..., list[tuple[object, ...]]]


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("Export of the laboratory;;;;\n", 2),
        ("\ufeffExport of the laboratory, March\n", 2),
        ("\nExport of the laboratory\n\nfrom;2024-03-01\n\n", 6),
        ('"Export\nof the laboratory"\n;;;;\n', 4),
    ],
    ids=["padded", "comma_and_byte_order_mark", "blank_lines", "broken_title"],
)
def test_titles_above_the_header_are_left_out_and_said(
    hospital: Any, accepted: Accepted, above: str, line: int
) -> None:
    night = hospital.receive_text(above + HEADER + "\n" + ROWS)
    assert accepted(night, "person_id, value::INTEGER, row_number") == [("P1", 400, 1), ("P3", 3500, 3)]
    malformed = duckdb.sql(f"SELECT row_number, rule FROM '{night.dropped}'").fetchall()
    assert malformed == [(2, "row_malformed")]
    assert [(entry.n_received, entry.n_quarantined) for entry in night.ledger] == [(3, 1)]
    (file,) = look(hospital, above + HEADER + "\n" + ROWS)
    assert file.notes == (f"labs.csv: the header is line {line}; the lines above it were left out.",)


def test_a_first_row_that_names_some_columns_is_the_header(hospital: Any) -> None:
    (file,) = look(hospital, "person_id;collected_at;;;;\nP1;2024-03-01;751-8;0.4;10*9/L;x\n")
    assert file.headers == ("person_id", "collected_at", "column_3", "column_4", "column_5", "column_6")
    assert not file.notes


def look(hospital: Any, text: str) -> tuple[SourceFile, ...]:
    return look_at(
        Found(hospital.write("labs.csv", text), "labs.csv", is_named=True), None, hospital.definitions.showing
    )
