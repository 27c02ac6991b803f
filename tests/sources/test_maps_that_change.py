"""A file is read again when its source map changes, and what it said before that is gone."""

from collections.abc import Callable
from typing import Any

import duckdb
import yaml

from flows.warehouse import open_warehouse

MAP = {
    "id": "clinic",
    "source_id": "clinic",
    "codes": {"NEUT": "751-8", "LEUK": "6690-2"},
    "units": {"NEUT": "10*9/L"},
    "tables": [
        {
            "table": "lab",
            "needs": ["person_id", "collected_at", "code", "value"],
            "columns": {"person_id": "pid", "collected_at": "at", "code": "test", "value": "value", "unit": "unit"},
        }
    ],
}
LABS = """pid,at,test,value,unit
P1,2024-03-01 08:00,NEUT,0.9,
P1,2024-03-01 08:00,LEUK,3.1,
P2,2024-03-02 08:00,NEUT,2.2,
"""


def night_of(hospital: Any, **changes: Any) -> Any:
    hospital.write("source.yaml", yaml.safe_dump({**MAP, **changes}))
    return hospital.receive(hospital.write("labs.csv", LABS).parent)


def kept(hospital: Any) -> list[tuple[Any, ...]]:
    with open_warehouse(hospital.workspace.warehouse, memory_limit="1GB", read_only=True) as warehouse:
        return warehouse.execute("SELECT person_id, analyte, value::INTEGER FROM canonical.lab ORDER BY ALL").fetchall()


def test_a_unit_that_is_added_to_the_map_brings_in_the_rows_that_lacked_it(hospital: Any) -> None:
    hospital.commit(night_of(hospital))
    again = night_of(hospital, units={"NEUT": "10*9/L", "LEUK": "10*9/L"})
    assert not again.is_unchanged
    hospital.commit(again)
    assert kept(hospital) == [("P1", "anc_direct", 900), ("P1", "wbc", 3100), ("P2", "anc_direct", 2200)]


def test_a_unit_that_is_corrected_replaces_the_counts_that_it_made(hospital: Any) -> None:
    hospital.commit(night_of(hospital))
    hospital.commit(night_of(hospital, units={"NEUT": "cells/uL"}))
    assert kept(hospital) == [("P1", "anc_direct", 1), ("P2", "anc_direct", 2)]


def test_rows_that_a_filter_now_leaves_out_are_gone(hospital: Any, accepted: Callable[..., Any]) -> None:
    hospital.commit(night_of(hospital))
    tables = [{**MAP["tables"][0], "filters": {"pid": ["P1"]}}]  # type: ignore[index]
    again = night_of(hospital, tables=tables)
    touched = duckdb.sql(f"SELECT person_id FROM '{again.replaced}' ORDER BY 1").fetchall()
    assert touched == [("P2",)]
    hospital.commit(again)
    assert kept(hospital) == [("P1", "anc_direct", 900)]
    with open_warehouse(hospital.workspace.warehouse, memory_limit="1GB", read_only=True) as warehouse:
        assert warehouse.execute("SELECT person_id FROM canonical.person").fetchall() == [("P1",)]


def test_the_same_map_again_reads_nothing(hospital: Any) -> None:
    hospital.commit(night_of(hospital))
    assert night_of(hospital).is_unchanged


def test_shifted_dates_of_one_source_take_the_calendar_from_all_that_follow(hospital: Any) -> None:
    hospital.commit(night_of(hospital, dates="shifted"))
    other = {**MAP, "id": "other", "source_id": "other", "dates": "real"}
    hospital.write("source.yaml", yaml.safe_dump(other), "second")
    night = hospital.receive(hospital.write("labs.csv", LABS.replace("P", "Q"), "second").parent)
    assert night.dates == "shifted"


def test_a_map_that_now_says_real_gives_the_calendar_back(hospital: Any) -> None:
    hospital.commit(night_of(hospital, dates="shifted"))
    assert night_of(hospital, dates="real").dates == "real"
