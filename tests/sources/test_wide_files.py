"""A file with one column per test: each filled cell is a result of its own, and the ledger still counts rows."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest
import yaml

from flows.errors import SourceError

WIDE = {
    "id": "clinic",
    "source_id": "clinic",
    "tables": [
        {
            "table": "lab",
            "columns": {"person_id": "pid", "collected_at": "visit"},
            "wide": {
                "WBC": {"code": "6690-2", "unit": "10*9/L"},
                "ANC": {"code": "751-8", "unit": "cells/uL"},
                "NEUT_PCT": {"code": "770-8", "unit": "%"},
            },
        },
        {
            "table": "person",
            "needs": ["person_id", "sex"],
            "columns": {"person_id": "pid", "sex": "sex"},
            "is_shared": True,
        },
    ],
}
SHEET = """pid,visit,sex,WBC,ANC,NEUT_PCT
P1,2024-03-01 08:00,f,3.5,1200,34
P1,2024-03-08 08:00,f,<0.1,,ND
P2,2024-03-01 08:00,m,4.1,abc,50
P3,2024-03-01 08:00,m,,,
P4,yesterday,m,4,1,5
"""
RESULTS = "person_id, collected_at::DATE::VARCHAR, analyte, value, lower_bound, upper_bound, row_number, column_number"


def night_of(hospital: Any, content: str, **changes: Any) -> Any:
    hospital.write("source.yaml", yaml.safe_dump({**WIDE, **changes}, sort_keys=False))
    return hospital.receive(hospital.write("sheet.csv", content).parent)


def lines(night: Any) -> dict[str, tuple[int, ...]]:
    return {
        line.table_name.split(".")[1]: (
            line.n_received,
            line.n_accepted,
            line.n_duplicate,
            line.n_superseded,
            line.n_quarantined,
            line.n_irrelevant,
        )
        for line in night.ledger
    }


def test_each_filled_cell_is_a_result_with_the_unit_of_its_column(hospital: Any, accepted: Callable[..., Any]) -> None:
    found = accepted(night_of(hospital, SHEET), RESULTS)
    assert sorted(found) == [
        ("P1", "2024-03-01", "anc_direct", 1200, 1200, 1200, 1, 2),
        ("P1", "2024-03-01", "neut_pct", 34, 34, 34, 1, 3),
        ("P1", "2024-03-01", "wbc", 3500, 3500, 3500, 1, 1),
        ("P1", "2024-03-08", "wbc", None, 0, 100, 2, 1),
        ("P2", "2024-03-01", "neut_pct", 50, 50, 50, 3, 3),
        ("P2", "2024-03-01", "wbc", 4100, 4100, 4100, 3, 1),
    ]


def test_the_ledger_counts_rows_and_a_row_is_accepted_when_one_of_its_cells_is(hospital: Any) -> None:
    night = night_of(hospital, SHEET)
    assert lines(night)["lab"] == (5, 3, 0, 0, 1, 1)
    assert lines(night)["person"] == (5, 4, 1, 0, 0, 0)


def test_a_bad_cell_is_set_aside_alone_and_by_its_column(hospital: Any) -> None:
    night = night_of(hospital, SHEET)
    dropped = duckdb.sql(
        f"SELECT row_number, column_number, rule FROM '{night.dropped}' WHERE table_name = 'canonical.lab' ORDER BY ALL"
    ).fetchall()
    assert dropped == [
        (3, 2, "value_not_a_number"),
        (5, 1, "date_invalid"),
        (5, 2, "date_invalid"),
        (5, 3, "date_invalid"),
    ]


def test_one_row_per_person_without_any_date_needs_no_date_column(hospital: Any, accepted: Callable[..., Any]) -> None:
    found = accepted(night_of(hospital, "pid,sex,ANC\nP1,f,0\nP2,m,900\n", dates="none"), RESULTS)
    assert [(row[0], row[1], row[3]) for row in sorted(found)] == [("P1", None, 0), ("P2", None, 900)]


def test_a_cell_may_have_its_own_unit_and_its_own_time(hospital: Any, accepted: Callable[..., Any]) -> None:
    tables = [
        {
            "table": "lab",
            "columns": {"person_id": "pid"},
            "wide": {
                "anc_1": {"code": "751-8", "unit_column": "anc_unit", "time_column": "day_1"},
                "anc_2": {"code": "751-8", "unit_column": "anc_unit", "time_column": "day_2"},
            },
        }
    ]
    sheet = "pid,anc_unit,day_1,anc_1,day_2,anc_2\nP1,10*9/L,2024-03-01,0.4,2024-03-09,1.6\n"
    found = accepted(night_of(hospital, sheet, tables=tables), "collected_at::DATE::VARCHAR, value")
    assert sorted(found) == [("2024-03-01", 400), ("2024-03-09", 1600)]


def test_the_same_visits_sent_again_beside_new_ones_are_duplicates(hospital: Any) -> None:
    first = night_of(hospital, SHEET)
    hospital.commit(first)
    again = hospital.receive(hospital.write("sheet.csv", SHEET + "P9,2024-03-02 08:00,f,5,2500,50\n", "extract").parent)
    assert lines(again)["lab"] == (6, 1, 2, 0, 2, 1)


@pytest.mark.parametrize("key", ["unit_column", "time_column"])
def test_a_map_that_names_a_column_which_is_not_there_is_refused(hospital: Any, key: str) -> None:
    table = {"table": "lab", "columns": {"person_id": "pid", "collected_at": "visit"}}
    wide = {"ANC": {"code": "751-8", "unit": "cells/uL", key: "nowhere"}}
    with pytest.raises(SourceError, match="names a column that the file does not have"):
        night_of(hospital, "pid,visit,ANC\nP1,2024-03-01,900\n", tables=[{**table, "wide": wide}])
