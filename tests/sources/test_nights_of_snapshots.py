"""What a snapshot does not have is gone, what it changed wins a tie, and dates decide, never the order of nights."""

from datetime import date
from itertools import permutations
from typing import Any

import pytest

HEADER = "person_id,specimen_id,collected_at,test_code,value,unit,status\n"
ONE = "P1,S1,2024-03-01 08:00,751-8,0.8,10*9/L,final\n"
ONE_CHANGED = "P1,S1,2024-03-01 08:00,751-8,0.9,10*9/L,final\n"
TWO = "P1,S2,2024-03-08 08:00,751-8,1.8,10*9/L,final\n"
THREE = "P2,S3,2024-03-01 08:00,751-8,3.5,10*9/L,final\n"
FOUR = "P3,S4,2024-04-01 08:00,751-8,4.5,10*9/L,final\n"
MARCH, APRIL, MAY = date(2024, 3, 10), date(2024, 4, 10), date(2024, 5, 10)


def values(hospital: Any) -> dict[str, int]:
    return {str(specimen): int(value) for specimen, value in hospital.canonical("lab", "specimen_id, value")}


def people(hospital: Any) -> list[str]:
    return [person for (person,) in hospital.canonical("person", "person_id")]


def test_a_snapshot_removes_what_it_dropped_and_says_so_in_the_ledger(hospital: Any) -> None:
    hospital.spend_text(HEADER + ONE + TWO + THREE)
    night = hospital.spend_text(HEADER + ONE + FOUR, is_snapshot=True)
    assert values(hospital) == {"S1": 800, "S4": 4500}
    assert people(hospital) == ["P1", "P3"]
    lines = sorted((e.n_received, e.n_accepted, e.n_duplicate, e.n_superseded) for e in night.ledger)
    assert lines == [(2, 0, 0, 2), (2, 1, 1, 0)]


def test_a_row_that_a_snapshot_changed_silently_is_the_snapshots(hospital: Any) -> None:
    hospital.take_text(HEADER + ONE + THREE)
    hospital.take_text(HEADER + ONE_CHANGED + THREE, is_snapshot=True)
    assert values(hospital) == {"S1": 900, "S3": 3500}


def test_the_same_change_without_a_date_is_a_conflict(hospital: Any) -> None:
    hospital.take_text(HEADER + ONE + THREE)
    hospital.take_text(HEADER + ONE_CHANGED + THREE)
    assert values(hospital) == {"S3": 3500}


@pytest.mark.parametrize("order", list(permutations([(ONE, MARCH), (ONE_CHANGED, APRIL)])))
def test_the_later_extract_wins_a_tie_in_any_order(hospital: Any, order: Any) -> None:
    for row, day in order:
        hospital.take_text(HEADER + row, extract_date=day)
    assert values(hospital) == {"S1": 900}


def test_an_extract_without_a_date_contends_with_any(hospital: Any) -> None:
    hospital.take_text(HEADER + ONE, extract_date=MARCH)
    hospital.take_text(HEADER + ONE_CHANGED + FOUR)
    assert values(hospital) == {"S4": 4500}


EXTRACTS = {
    "march": (ONE + TWO + THREE, {"extract_date": MARCH}),
    "april": (ONE_CHANGED + FOUR, {"extract_date": APRIL, "is_snapshot": True}),
    "may": (TWO, {"extract_date": MAY}),
}


@pytest.mark.parametrize("order", list(permutations(EXTRACTS))[::2])
def test_dated_extracts_and_a_snapshot_end_the_same_in_any_order(hospital: Any, order: tuple[str, ...]) -> None:
    for name in order:
        text, declared = EXTRACTS[name]
        hospital.take_text(HEADER + text, **declared)
    assert values(hospital) == {"S1": 900, "S2": 1800, "S4": 4500}
    assert people(hospital) == ["P1", "P3"]


def test_dates_declared_in_source_maps_do_the_same_when_all_comes_at_once(hospital: Any) -> None:
    folders = []
    for name, (text, declared) in EXTRACTS.items():
        folder = hospital.write("labs.csv", HEADER + text, name).parent
        shipped = next(entry for entry in hospital.definitions.source_maps if entry.id == "long")
        written = shipped.model_copy(update=declared).model_dump_json()
        hospital.write("source.yaml", written, name)
        folders.append(folder)
    night = hospital.take(*folders)
    assert values(hospital) == {"S1": 900, "S2": 1800, "S4": 4500}
    assert people(hospital) == ["P1", "P3"]
    for line in night.ledger:
        ends = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
        assert sum(ends) == line.n_received


def test_the_same_snapshot_again_is_nothing_new(hospital: Any) -> None:
    path = hospital.write("labs.csv", HEADER + ONE + THREE)
    hospital.take(path, is_snapshot=True)
    assert hospital.receive(path, is_snapshot=True).is_unchanged


def test_the_same_snapshot_again_removes_what_came_between(hospital: Any) -> None:
    path = hospital.write("labs.csv", HEADER + ONE + THREE)
    hospital.take(path, is_snapshot=True)
    hospital.take_text(HEADER + FOUR)
    assert values(hospital) == {"S1": 800, "S3": 3500, "S4": 4500}
    hospital.take(path, is_snapshot=True)
    assert values(hospital) == {"S1": 800, "S3": 3500}


def test_a_late_extract_of_before_the_snapshot_brings_nothing_back(hospital: Any) -> None:
    hospital.take_text(HEADER + ONE, extract_date=APRIL, is_snapshot=True)
    night = hospital.take_text(HEADER + ONE + TWO, extract_date=MARCH)
    assert values(hospital) == {"S1": 800}
    (line,) = night.ledger
    assert (line.n_received, line.n_duplicate, line.n_superseded) == (2, 1, 1)


def test_a_snapshot_of_results_leaves_people_as_they_were_sent(hospital: Any) -> None:
    folder = hospital.write("persons.csv", "person_id,sex\nP1,F\nP2,M\nP3,F\n").parent
    hospital.write("labs.csv", HEADER + ONE + THREE)
    hospital.take(folder)
    hospital.take_text(HEADER + ONE, is_snapshot=True)
    assert hospital.canonical("person", "person_id, sex") == [("P1", "female"), ("P2", "male"), ("P3", "female")]
    assert values(hospital) == {"S1": 800}


def test_a_snapshot_settles_what_nothing_told_apart(hospital: Any) -> None:
    hospital.take_text(HEADER + ONE)
    hospital.take_text(HEADER + ONE_CHANGED)
    assert values(hospital) == {}
    hospital.take_text(HEADER + ONE, is_snapshot=True, name="snapshot.csv")
    assert values(hospital) == {"S1": 800}
