"""MIMIC-IV extracts as hospitals cut them: a table split over several files, and folders without some of the tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.sources.protocol import SourceFile
from flows.sources.registry import load_layouts
from transforms.load import Definitions

LABS = (
    "labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,valuenum,valueuom,"
    "ref_range_lower,ref_range_upper,flag,priority,comments"
)
TABLES = {
    "d_labitems": "itemid,label,fluid,category\n51301,White Blood Cells,Blood,Hematology\n52075,ANC,Blood,Hematology\n",
    "patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n7,F,60,2150,2011 - 2013,\n",
    "admissions": "subject_id,hadm_id,admittime,dischtime,admission_type,race\n"
    "7,100,2150-01-01 12:00:00,2150-01-09 12:00:00,URGENT,WHITE\n",
    "diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version\n7,100,1,D701,10\n",
}


def _row(number: int, value: str, day: int, itemid: str = "52075") -> str:
    taken = f"2150-01-{day:02}"
    return f"{number},7,100,{number},{itemid},,{taken} 06:00:00,{taken} 07:00:00,{value},{value},K/uL,1.6,6.1,,,\n"


@pytest.fixture
def extract(hospital: Any) -> Callable[..., Path]:
    """Writes the named tables and each given part of labevents as a file."""

    def write(*parts: str, without: tuple[str, ...] = ()) -> Path:
        for name in TABLES.keys() - set(without):
            hospital.write(f"hosp/{name}.csv", TABLES[name])
        for number, rows in enumerate(parts):
            hospital.write(f"hosp/labevents_{number}.csv", f"{LABS}\n{rows}")
        return Path(hospital.folder / "extract")

    return write


def test_a_split_table_of_results_is_read_from_all_its_files(
    hospital: Any, extract: Callable[..., Path], accepted: Any, set_aside: Any
) -> None:
    first, second = _row(1, "0.4", 2) + _row(2, "0.9", 3), _row(3, "1.6", 4) + _row(2, "0.9", 3)
    night = hospital.receive(extract(first, second), source="mimic_iv")
    assert accepted(night, "value::INTEGER, specimen_id") == [(400, "1"), (900, "2"), (1600, "3")]
    assert set_aside(night) == {"same_as_another": 1}
    received = {entry.name: entry.rows for entry in night.inputs}
    assert (received["labevents_0.csv"], received["labevents_1.csv"]) == (2, 2)


def test_a_split_table_equals_the_whole_one(hospital: Any, extract: Callable[..., Path], accepted: Any) -> None:
    rows = [_row(number, f"{number}.5", number) for number in range(1, 9)]
    columns = "* EXCLUDE (input_id, row_number)"
    split = accepted(hospital.receive(extract("".join(rows[:3]), "".join(rows[3:])), source="mimic_iv"), columns)
    for file in (hospital.folder / "extract" / "hosp").glob("labevents_*"):
        file.unlink()
    assert accepted(hospital.receive(extract("".join(rows)), source="mimic_iv"), columns) == split


def test_without_the_list_of_items_the_items_still_say_what_is_blood(
    hospital: Any, extract: Callable[..., Path], accepted: Any
) -> None:
    night = hospital.receive(extract(_row(1, "0.4", 2) + _row(2, "3", 2, "51516"), without=("d_labitems",)))
    assert {entry.source_format for entry in night.inputs} == {"mimic_iv"}
    assert accepted(night, "analyte, value::INTEGER") == [("anc_direct", 400)]


@pytest.mark.parametrize("missing", ["patients", "admissions", "diagnoses_icd"])
def test_a_folder_without_one_table_gives_what_is_there(
    hospital: Any, extract: Callable[..., Path], accepted: Any, missing: str
) -> None:
    night = hospital.receive(extract(_row(1, "0.4", 2), without=(missing,)))
    assert accepted(night, "person_id, value::INTEGER") == [("7", 400)]
    assert ("canonical.diagnosis" in night.staged) == (missing == "patients")


def test_what_a_missing_table_costs_is_said(hospital: Any) -> None:
    file = SourceFile(Path("labevents.csv"), "delimited", dict.fromkeys(LABS.split(","), "VARCHAR"), ",")
    definitions: Definitions = hospital.definitions
    source_map = next(entry for entry in definitions.source_maps if entry.id == "mimic_iv")
    recognised = load_layouts()["mimic_iv"].recognise([file], source_map)
    assert recognised is not None
    assert [hint for hint in recognised.hints if "d_labitems" in hint]
    assert [hint for hint in recognised.hints if "age and sex" in hint]
    assert not [hint for hint in recognised.hints if "labevents" in hint]
