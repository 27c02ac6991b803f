"""MIMIC-III in small: the columns of its documentation, and what it does differently from MIMIC-IV."""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

HEADERS = {
    "PATIENTS": "ROW_ID,SUBJECT_ID,GENDER,DOB,DOD,DOD_HOSP,DOD_SSN,EXPIRE_FLAG",
    "ADMISSIONS": "ROW_ID,SUBJECT_ID,HADM_ID,ADMITTIME,DISCHTIME,DEATHTIME,ADMISSION_TYPE,ADMISSION_LOCATION,"
    "DISCHARGE_LOCATION,INSURANCE,LANGUAGE,RELIGION,MARITAL_STATUS,ETHNICITY,EDREGTIME,EDOUTTIME,DIAGNOSIS,"
    "HOSPITAL_EXPIRE_FLAG,HAS_CHARTEVENTS_DATA",
    "LABEVENTS": "ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG",
    "D_LABITEMS": "ROW_ID,ITEMID,LABEL,FLUID,CATEGORY,LOINC_CODE",
    "DIAGNOSES_ICD": "ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE",
    "PRESCRIPTIONS": "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,STARTDATE,ENDDATE,DRUG_TYPE,DRUG,DRUG_NAME_POE,"
    "DRUG_NAME_GENERIC,FORMULARY_DRUG_CD,GSN,NDC,PROD_STRENGTH,DOSE_VAL_RX,DOSE_UNIT_RX,FORM_VAL_DISP,"
    "FORM_UNIT_DISP,ROUTE",
}
TABLES = {
    "PATIENTS": "1,7,F,2080-05-01 00:00:00,2150-02-01 00:00:00,,,1\n2,8,M,1849-03-10 00:00:00,,,,0\n",
    "ADMISSIONS": "1,7,100,2150-01-01 12:00:00,2150-01-09 12:00:00,,EMERGENCY,,,,,,,WHITE,,,,1,1\n"
    "2,8,101,2149-03-10 08:00:00,2149-03-12 08:00:00,,ELECTIVE,,,,,,,UNKNOWN,,,,0,1\n",
    "LABEVENTS": "1,7,100,51301,2150-01-02 06:00:00,0.1,0.1,K/uL,abnormal\n"
    "2,7,100,51256,2150-01-02 06:00:00,80,80,%,\n"
    "3,7,,51301,2149-12-01 06:00:00,<0.1,,K/uL,\n"
    "4,7,100,51516,2150-01-02 06:00:00,3,3,#/hpf,\n",
    "D_LABITEMS": "1,51301,White Blood Cells,Blood,Hematology,804-5\n2,51256,Neutrophils,Blood,Hematology,770-8\n"
    "3,51516,WBC,Urine,Hematology,5821-4\n",
    "DIAGNOSES_ICD": "1,7,100,1,28803\n",
    "PRESCRIPTIONS": "1,7,100,,2150-01-01 00:00:00,2150-01-03 00:00:00,MAIN,Cytarabine,,,,,,,200,mg,,,IV\n"
    "2,7,100,,2150-01-01 00:00:00,2150-01-03 00:00:00,BASE,D5W,,,,,,,1000,ml,,,IV\n",
}


@pytest.fixture
def extract(hospital: Any) -> Callable[..., Path]:
    def write(tables: Mapping[str, str] = TABLES, *, is_lower: bool = False) -> Path:
        for name, rows in tables.items():
            header = HEADERS[name].lower() if is_lower else HEADERS[name]
            hospital.write(f"{name}.csv.gz", gzip.compress(f"{header}\n{rows}".encode()))
        return Path(hospital.folder / "extract")

    return write


@pytest.mark.parametrize("is_lower", [False, True], ids=["upper_case", "lower_case_as_in_the_demo"])
def test_every_table_is_read(hospital: Any, extract: Callable[..., Path], accepted: Any, is_lower: bool) -> None:
    night = hospital.receive(extract(is_lower=is_lower), source="mimic_iii")
    assert night.dates == "shifted"
    assert accepted(night, "analyte, lower_bound::INTEGER, upper_bound::INTEGER, specimen_id") == [
        ("neut_pct", 80, 80, "2150-01-02 06:00:00"),
        ("wbc", 0, 100, "2149-12-01 06:00:00"),
        ("wbc", 100, 100, "2150-01-02 06:00:00"),
    ]
    assert accepted(night, "code, code_system, recorded_at::VARCHAR", "canonical.diagnosis") == [
        ("28803", "icd9cm", "2150-01-01 12:00:00")
    ]
    assert accepted(night, "agent, evidence, dose, started_at::DATE::VARCHAR", "canonical.exposure") == [
        ("cytarabine", "ordered", 200, "2150-01-01")
    ]
    assert accepted(night, "person_id, setting", "canonical.encounter") == [("7", "emergency"), ("8", "inpatient")]


def test_a_date_of_birth_three_centuries_ago_is_a_top_code(
    hospital: Any, extract: Callable[..., Path], accepted: Any
) -> None:
    night = hospital.receive(extract(), source="mimic_iii")
    columns = "person_id, birth_year, age_years, age_at::VARCHAR, died_on::VARCHAR, race_ethnicity"
    assert accepted(night, columns, "canonical.person") == [
        ("7", 2080, None, None, "2150-02-01", "WHITE"),
        ("8", None, 90, "2149-03-10", None, "UNKNOWN"),
    ]


def test_two_results_of_one_test_in_one_minute_are_set_aside_unless_equal(
    hospital: Any, extract: Callable[..., Path], accepted: Any, set_aside: Any
) -> None:
    row = "{n},7,100,51301,2150-01-02 06:00:00,{v},{v},K/uL,\n"
    twice = "".join(row.format(n=n, v=v) for n, v in enumerate(("3.1", "3.1"), 1))
    night = hospital.receive(extract({**TABLES, "LABEVENTS": twice}), source="mimic_iii")
    assert (accepted(night, "value"), set_aside(night)["same_as_another"]) == ([(3100,)], 1)
    differing = "".join(row.format(n=n, v=v) for n, v in enumerate(("3.1", "9.9"), 1))
    night = hospital.receive(extract({**TABLES, "LABEVENTS": differing}), source="mimic_iii")
    assert (accepted(night, "value"), set_aside(night)["conflicting_versions"]) == ([], 2)


def test_a_folder_without_some_of_the_tables_gives_what_is_there(
    hospital: Any, extract: Callable[..., Path], accepted: Any
) -> None:
    few = {name: TABLES[name] for name in ("LABEVENTS", "DIAGNOSES_ICD")}
    night = hospital.receive(extract(few), source="mimic_iii")
    assert accepted(night, "DISTINCT person_id") == [("7",)]
    assert "canonical.diagnosis" not in night.staged


def test_it_is_told_from_mimic_iv_without_being_asked(hospital: Any, extract: Callable[..., Path]) -> None:
    night = hospital.receive(extract())
    assert {entry.source_format for entry in night.inputs} == {"mimic_iii"}


def test_every_row_is_in_the_ledger_once(hospital: Any, extract: Callable[..., Path]) -> None:
    night = hospital.receive(extract(), source="mimic_iii")
    rows = {entry.name: entry.rows for entry in night.inputs}
    assert rows == {f"{name}.csv.gz": text.count("\n") for name, text in TABLES.items()}
    names = {entry.input_id: entry.name for entry in night.inputs}
    for line in night.ledger:
        ends = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
        assert sum(ends) == line.n_received == rows[names[line.input_id]]


def test_item_codes_that_both_releases_share_mean_the_same_fluid(
    hospital: Any, extract: Callable[..., Path], accepted: Any
) -> None:
    night = hospital.receive(extract(), source="mimic_iii")
    staged = ", ".join(f"'{path}'" for path in night.staged["canonical.lab"])
    assert duckdb.sql(f"SELECT DISTINCT specimen_type FROM read_parquet([{staged}])").fetchall() == [("blood",)]
    assert accepted(night, "count(*) FILTER (source_code = '51516')") == [(0,)]
