"""A standard format keeps identifiers in known places: counted, never kept, and worth a warning or a refusal."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.door import judge_door, load_door
from flows.errors import IdentifiersFound
from flows.handover import Received
from flows.settings import Settings
from tests.conftest import SHARED
from tests.sources.conftest import Hospital, shipped

CANARY = "Quetzalcoatl"
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"family": CANARY, "given": [CANARY]}],
    "telecom": [{"system": "phone", "value": CANARY}],
    "address": [{"line": [CANARY], "postalCode": CANARY}],
    "identifier": [{"value": CANARY}],
    "contact": [{"name": {"family": CANARY}}],
    "photo": [{"title": CANARY}],
    "text": {"status": "generated", "div": f"<div>{CANARY}</div>"},
    "gender": "female",
    "birthDate": "1961-03-12",
}
RESULT: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2024-03-01T08:00:00Z",
    "valueQuantity": {"value": 2.1, "system": "http://unitsofmeasure.org", "code": "10*3/uL"},
    "note": [{"text": CANARY}],
}
PERSON = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime,person_source_value"
MEASUREMENT = "measurement_id,person_id,measurement_concept_id,measurement_date,value_as_number,unit_source_value"


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def places(received: Received) -> dict[str, tuple[str, str, int, int]]:
    return {
        entry.column: (entry.identifier_class, entry.disposition, entry.n_rows, entry.n_given)
        for entry in received.identifiers
        if entry.evidence == "known_place"
    }


def write_fhir(hospital: Hospital) -> Path:
    people = [PATIENT, {"resourceType": "Patient", "id": "p2", "birthDate": "1970"}]
    lines = [json.dumps(one) for one in (*people, RESULT, {**RESULT, "note": []})]
    return hospital.write("bulk.ndjson", "\n".join(lines) + "\n")


def write_omop(hospital: Hospital) -> Path:
    uuid = "1007c05b-8d20-8fe6-6790-44622f8316df"
    hospital.write("person.csv", f"{PERSON}\n1,8507,1961,3,12,1961-03-12 00:00:00,{CANARY}\n2,8532,1970,,,,{uuid}\n")
    hospital.write("note.csv", f"note_id,person_id,note_text\n1,1,seen by {CANARY}\n2,2,\n")
    return hospital.write("measurement.csv", f"{MEASUREMENT}\n1,1,3013650,2024-03-01,2.1,10*3/uL\n").parent


def test_places_of_fhir_are_counted_by_resource_and_class(hospital: Hospital) -> None:
    found = places(hospital.receive(write_fhir(hospital)))
    assert found["Patient.name"] == ("name", "not_read", 1, 2)
    assert found["Patient.telecom"][2:] == (1, 2)
    assert found["Patient.photo"][2:] == (1, 2)
    assert found["Patient.birthDate"] == ("date_of_birth", "generalised", 1, 2)
    assert found["*.text"][2:] == (1, 4)
    assert found["*.note"][2:] == (1, 4)
    assert "RelatedPerson.name" not in found


def test_nothing_of_a_known_place_is_written_anywhere(hospital: Hospital) -> None:
    for write in (write_fhir, write_omop):
        hospital.receive(write(hospital))
        for path in hospital.workspace.root.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                if path.suffix == ".parquet":
                    content = str(duckdb.sql(f"FROM '{path}'").fetchall()).encode()
                assert CANARY.encode() not in content, path.name
                assert b"1961-03-12" not in content, path.name


def test_places_of_omop_are_counted_in_tables_that_are_not_read_as_well(hospital: Hospital) -> None:
    found = places(hospital.receive(write_omop(hospital)))
    assert found["birth_datetime"] == ("date_of_birth", "not_read", 1, 1)
    assert found["day_of_birth"][2:] == (1, 1)
    assert found["note_text"] == ("free_text", "not_read", 1, 1)
    assert found["person_source_value"][2:] == (1, 2)


def test_the_verdict_warns_with_class_and_count(hospital: Hospital) -> None:
    validated = hospital.spend(write_fhir(hospital))
    check = next(check for check in validated.checks if check.check_id == "identifiers_in_known_places")
    assert (check.severity, check.status) == ("warn", "failed")
    assert "Patient.name: name, 1 cells" in check.detail
    assert check.repair
    assert validated.verdict == "warn"


def test_an_export_whose_identifiers_are_decided_about_is_no_warning(hospital: Hospital) -> None:
    assert {result.status for result in judge_door(())} == {"not_applicable"}
    labs = "person_id,collected_at,test_code,value,unit\n" + "\n".join(
        f"p{n},2024-03-0{n},751-8,2.{n},10*3/uL" for n in range(1, 9)
    )
    received = hospital.receive_text(labs)
    assert {result.status for result in judge_door(received.identifiers)} == {"passed"}


def test_the_setting_refuse_ends_with_twelve_and_stores_nothing(hospital: Hospital) -> None:
    hospital.settings = Settings(identifiers="refuse")
    for write in (write_fhir, write_omop):
        with pytest.raises(IdentifiersFound, match="identifiers: refuse") as caught:
            hospital.receive(write(hospital))
        assert CANARY not in str(caught.value)
    assert not list((hospital.workspace.root / "staged").rglob("*.parquet"))


def test_a_birth_date_of_sdtm_is_cut_to_its_year_where_the_file_is_opened(hospital: Hospital) -> None:
    hospital.write("dm.csv", "DOMAIN,USUBJID,RFSTDTC,SEX,BRTHDTC\nDM,s1,2024-03-01,F,1961-03-12\n")
    labs = "STUDYID,DOMAIN,USUBJID,LBSEQ,LBTESTCD,LBORRES,LBORRESU,LBDTC\nS,LB,s1,1,NEUT,2.1,10^9/L,2024-03-01\n"
    received = hospital.receive(hospital.write("lb.csv", labs).parent)
    assert places(received)["BRTHDTC"] == ("date_of_birth", "generalised", 1, 1)
    people = [str(path) for path in received.staged["canonical.person"]]
    assert (1961,) in duckdb.sql(f"SELECT birth_year FROM read_parquet({people})").fetchall()
    for path in hospital.context.work.rglob("*.parquet"):
        assert "1961-03-12" not in str(duckdb.sql(f"FROM '{path}'").fetchall())


def test_births_of_meds_are_counted(hospital: Hospital) -> None:
    events = "subject_id,time,code,numeric_value\n1,1961-03-12 00:00:00,MEDS_BIRTH,\n1,,GENDER//F,\n"
    events += "1,2024-03-01 08:00:00,LAB//751-8//K/uL,2.1\n"
    assert places(hospital.receive_text(events))["code"] == ("date_of_birth", "generalised", 1, 3)


def test_every_place_names_a_class_that_is_known() -> None:
    known = {entry.id for entry in shipped().identifiers.classes} | {"free_text"}
    named = {place.identifier_class for entry in shipped().source_maps for place in entry.known_identifiers}
    assert named <= known


def test_every_check_of_the_door_says_what_to_do() -> None:
    assert all(check.repair.endswith(".") and check.reason.endswith(".") for check in load_door().checks)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["mimic-iv-demo-2.2", "nhanes-2017-2018-xpt"])
def test_open_data_without_identifiers_gives_no_finding(hospital: Hospital, name: str) -> None:
    found = hospital.receive(SHARED / name).identifiers
    assert [entry for entry in found if entry.disposition not in {"allowed", "unjudged"}] == []


@pytest.mark.shared_data
def test_the_omop_sample_holds_dates_of_birth_and_nothing_else(hospital: Hospital) -> None:
    found = hospital.receive(SHARED / "omop-synthea27nj-5.4").identifiers
    held = {entry.column for entry in found if entry.disposition not in {"allowed", "unjudged"}}
    assert held == {"birth_datetime", "day_of_birth", "month_of_birth"}


@pytest.mark.shared_data
def test_the_fhir_samples_warn_with_names_and_birth_dates_of_everybody(hospital: Hospital) -> None:
    found = hospital.receive(*sorted((SHARED / "fhir-smart-samples").rglob("*.json.gz"))[:3]).identifiers
    for place in ("Patient.name", "Patient.birthDate", "Patient.identifier"):
        assert sum(entry.n_rows for entry in found if entry.column == place) == 3
    assert not any("Herman" in entry.file for entry in found)
