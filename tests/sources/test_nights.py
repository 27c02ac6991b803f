"""Night after night: the same file adds nothing, a correction supersedes, a conflict stays out, order never matters."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import duckdb
import pytest

HEADER = "person_id,specimen_id,collected_at,resulted_at,test_code,value,unit,status\n"
PRELIMINARY = "P1,S1,2024-03-01 08:00,2024-03-01 09:00,751-8,0.9,10*9/L,preliminary\n"
FINAL = "P1,S1,2024-03-01 08:00,2024-03-01 10:00,751-8,0.8,10*9/L,final\n"
LATER = "P1,S1,2024-03-01 08:00,2024-03-01 11:00,751-8,0.7,10*9/L,final\n"
CORRECTED = "P1,S1,2024-03-01 08:00,2024-03-01 09:30,751-8,0.6,10*9/L,corrected\n"
UNDATED = "P1,S1,2024-03-01 08:00,,751-8,0.5,10*9/L,final\n"
WITHDRAWN = "P1,S1,2024-03-01 08:00,2024-03-01 12:00,751-8,,10*9/L,entered-in-error\n"
WITHDRAWN_EARLY = "P1,S1,2024-03-01 08:00,2024-03-01 09:15,751-8,0.9,10*9/L,entered in error\n"
WITHDRAWN_UNDATED = "P1,S1,2024-03-01 08:00,,751-8,,10*9/L,deleted\n"
WITHDRAWN_OTHER_NUMBER = "P1,S1,2024-03-01 08:00,,751-8,2.5,10*9/L,withdrawn\n"
CANCELLED = "P1,S1,2024-03-01 08:00,2024-03-01 12:00,751-8,,10*9/L,cancelled\n"
OTHER = "P2,S2,2024-03-01 08:00,,751-8,3.5,10*9/L,final\n"


def test_the_same_file_twice_adds_nothing(hospital: Any) -> None:
    first = hospital.receive_text(HEADER + FINAL + OTHER)
    hospital.commit(first)
    second = hospital.receive_text(HEADER + FINAL + OTHER, name="renamed.csv")
    assert second.is_unchanged
    assert not second.staged
    assert [(line.n_received, line.n_duplicate, line.n_accepted) for line in second.ledger] == [(2, 2, 0)]
    assert second.result_id == first.result_id


def test_new_definitions_read_the_same_file_again_and_replace_its_rows(hospital: Any) -> None:
    hospital.commit(hospital.receive_text(HEADER + FINAL + OTHER))
    before = hospital.canonical("lab", "person_id, value, row_number")
    hospital.definitions = replace(hospital.definitions, hash="another")
    again = hospital.receive_text(HEADER + FINAL + OTHER)
    assert not again.is_unchanged
    hospital.commit(again)
    assert hospital.canonical("lab", "person_id, value, row_number") == before
    assert [row[0] for row in hospital.canonical("person", "person_id")] == ["P1", "P2"]


@pytest.mark.parametrize("order", ["together", "apart", "apart_backwards"])
@pytest.mark.parametrize(
    ("rows", "kept", "outcomes"),
    [
        ([FINAL, FINAL], [800], {"n_duplicate": 1}),
        ([PRELIMINARY, FINAL], [800], {"n_superseded": 1}),
        ([FINAL, LATER], [700], {"n_superseded": 1}),
        ([LATER, CORRECTED], [600], {"n_superseded": 1}),
        ([FINAL, UNDATED], [], {"n_quarantined": 2}),
        ([FINAL, WITHDRAWN], [], {"n_quarantined": 1, "n_superseded": 1}),
        ([CORRECTED, WITHDRAWN], [], {"n_quarantined": 1, "n_superseded": 1}),
        ([WITHDRAWN_EARLY, FINAL], [800], {"n_superseded": 1}),
        ([FINAL, WITHDRAWN_UNDATED], [], {"n_quarantined": 2}),
        ([UNDATED, WITHDRAWN_OTHER_NUMBER], [500], {"n_quarantined": 1}),
        ([WITHDRAWN], [], {"n_quarantined": 1}),
        ([FINAL, CANCELLED], [800], {}),
    ],
    ids=[
        *("same_row", "final_after_preliminary", "later_result", "correction_beats_time", "nothing_orders_them"),
        *("withdrawn_later", "correction_withdrawn", "entered_anew", "withdrawn_at_no_time", "another_entry_withdrawn"),
        *("nothing_but_withdrawn", "a_cancelled_test_takes_nothing_back"),
    ],
)
def test_of_two_versions_the_better_is_kept(
    hospital: Any, rows: list[str], kept: list[int], outcomes: dict[str, int], order: str
) -> None:
    if order == "together":
        night = hospital.receive_text(HEADER + "".join(rows))
        hospital.commit(night)
        (line,) = night.ledger
        assert {name: getattr(line, name) for name in outcomes} == outcomes
    else:
        for row in rows if order == "apart" else reversed(rows):
            night = hospital.receive_text(HEADER + OTHER + row)
            hospital.commit(night)
    assert [row[0] for row in hospital.canonical("lab", "value") if row[0] != 3500] == kept


def test_a_conflict_of_earlier_nights_is_not_forgotten(hospital: Any) -> None:
    for rows in (FINAL, UNDATED, FINAL + OTHER):
        hospital.commit(hospital.receive_text(HEADER + rows))
    assert hospital.canonical("lab", "value") == [(3500,)]
    hospital.commit(hospital.receive_text(HEADER + CORRECTED))
    assert hospital.canonical("lab", "value") == [(600,), (3500,)]


def test_the_same_bytes_under_two_names_are_one_file(hospital: Any) -> None:
    folder = hospital.write("a.csv", HEADER + FINAL).parent
    hospital.write("b.csv", HEADER + FINAL)
    night = hospital.receive(folder)
    assert len(night.inputs) == 1
    assert night.ledger[0].n_accepted == 1


def test_one_row_in_two_files_is_accepted_once(hospital: Any, accepted: Callable[..., Any]) -> None:
    folder = hospital.write("a.csv", HEADER + FINAL + OTHER).parent
    hospital.write("b.csv", HEADER + FINAL)
    night = hospital.receive(folder)
    assert len(accepted(night)) == 2
    assert sum(line.n_duplicate for line in night.ledger) == 1


def test_a_person_table_that_comes_later_replaces_the_inferred_person(hospital: Any) -> None:
    hospital.commit(hospital.receive_text(HEADER + FINAL))
    assert hospital.canonical("person", "person_id, sex") == [("P1", None)]
    hospital.commit(hospital.receive_text("person_id,sex,birth_year\nP1,F,1960\n", name="persons.csv"))
    assert hospital.canonical("person", "person_id, sex, birth_year") == [("P1", "female", 1960)]


def test_results_do_not_make_a_known_person_anew(hospital: Any) -> None:
    hospital.commit(hospital.receive_text("person_id,sex,birth_year\nP1,F,1960\n", name="persons.csv"))
    hospital.commit(hospital.receive_text(HEADER + FINAL))
    assert hospital.canonical("person", "person_id, sex") == [("P1", "female")]


def test_a_death_that_becomes_known_supersedes(hospital: Any) -> None:
    hospital.commit(hospital.receive_text("person_id,sex,died_on\nP1,F,\n", name="persons.csv"))
    hospital.commit(hospital.receive_text("person_id,sex,died_on\nP1,F,2024-05-01\n", name="persons.csv"))
    assert [str(row[0]) for row in hospital.canonical("person", "died_on")] == ["2024-05-01"]


def test_two_sexes_for_one_person_stay_out_but_the_person_does_not(
    hospital: Any, accepted: Callable[..., Any], set_aside: Callable[..., Any]
) -> None:
    folder = hospital.write("persons.csv", "person_id,sex\nP1,F\nP1,M\n").parent
    hospital.write("labs.csv", HEADER + FINAL)
    night = hospital.receive(folder)
    assert set_aside(night) == {"conflicting_versions": 2}
    assert accepted(night, "person_id, sex", "canonical.person") == [("P1", None)]


def test_a_person_who_is_contradicted_on_a_later_night_keeps_a_row_without_facts(hospital: Any) -> None:
    folder = hospital.write("persons.csv", "person_id,sex\nP1,F\n").parent
    hospital.write("labs.csv", HEADER + FINAL)
    hospital.commit(hospital.receive(folder))
    hospital.commit(hospital.receive_text("person_id,sex\nP1,M\n", name="persons.csv"))
    assert hospital.canonical("person", "person_id, sex") == [("P1", None)]
    assert hospital.canonical("lab", "person_id") == [("P1",)]


def test_what_the_result_is_called_depends_on_content_alone(make_hospital: Callable[[], Any]) -> None:
    ids = set()
    for names in (("a.csv", "b.csv"), ("z.csv", "c.csv")):
        hospital = make_hospital()
        hospital.write(names[0], HEADER + FINAL)
        ids.add(hospital.receive(hospital.write(names[1], HEADER + OTHER).parent).result_id)
    assert len(ids) == 1


def test_the_key_of_a_record_is_the_same_in_every_version_of_the_engine() -> None:
    """Keys are kept in the warehouse: an engine that hashes differently needs a migration, not a surprise."""
    key = duckdb.sql("SELECT hash('local', 'P1', 'S1', TIMESTAMP '2024-03-01 08:00', '751-8', NULL)").fetchall()
    assert key == [(5514734087538998077,)]
