"""CLIF: people are found through their stays, only blood is counted, and only what ran is an administration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.errors import SourceError

TABLES = {
    "clif_patient.csv": (
        "patient_id,race_name,race_category,ethnicity_name,ethnicity_category,sex_name,sex_category,birth_date,death_dttm\n"
        "P1,x,White,x,Hispanic,x,Female,1950-01-01,\n"
        "P2,x,Asian,x,Non-Hispanic,x,Male,1960-01-01,2024-03-09 10:00:00+00:00\n"
    ),
    "clif_hospitalization.csv": (
        "patient_id,hospitalization_id,admission_dttm,discharge_dttm,age_at_admission,admission_type_category,"
        "discharge_category\n"
        "P1,H1,2024-03-01 07:00:00+00:00,2024-03-20 07:00:00+00:00,74,ed,home\n"
        "P1,H2,2024-05-01 07:00:00+00:00,2024-05-03 07:00:00+00:00,74,elective,home\n"
        "P2,H3,2024-03-02 07:00:00+00:00,2024-03-09 10:00:00+00:00,63,ed,expired\n"
    ),
    "clif_labs.csv": (
        "hospitalization_id,lab_order_dttm,lab_collect_dttm,lab_result_dttm,lab_order_category,lab_name,lab_category,"
        "lab_value,lab_value_numeric,reference_unit,lab_specimen_category,lab_loinc_code\n"
        "H1,,2024-03-05 06:00:00+00:00,2024-03-05 07:00:00+00:00,cbc,WBC,wbc,1.2,1.2,10^3/µL,plasma_blood,6690-2\n"
        "H1,,2024-03-05 06:00:00+00:00,2024-03-05 07:00:00+00:00,cbc,ANC,neutrophils_absolute,<0.1,,10^3/µL,,\n"
        "H1,,2024-03-05 06:00:00+00:00,2024-03-05 07:00:00+00:00,cbc,N,neutrophils_percent,8,8,%,blood/plasma/serum,\n"
        "H1,,2024-03-06 06:00:00+00:00,,bal_panel,BAL,neutrophils_absolute,90,90,cells/µL,bal,\n"
        "H1,,2024-03-06 06:00:00+00:00,,urine,WBC,wbc,9,9,cells/µL,urine,\n"
        "H3,,2024-03-03 06:00:00+00:00,,cbc,PLT,platelet_count,88,88,10^3/µL,plasma_blood,\n"
        "H9,,2024-03-03 06:00:00+00:00,,cbc,WBC,wbc,5,5,10^3/µL,plasma_blood,\n"
        "H3,,2024-03-03 06:00:00+00:00,,bmp,NA,sodium,140,140,mmol/L,plasma_blood,\n"
    ),
    "clif_medication_admin_intermittent.csv": (
        "hospitalization_id,med_order_id,admin_dttm,med_name,med_category,med_group,med_route_category,med_dose,"
        "med_dose_unit,mar_action_category\n"
        "H1,1,2024-03-02 08:00:00+00:00,BACTRIM DS,trimethoprim_sulfamethoxazole,x,enteral,1,tablet,given\n"
        "H1,1,2024-03-02 20:00:00+00:00,BACTRIM DS,trimethoprim_sulfamethoxazole,x,enteral,1,tablet,not_given\n"
    ),
    "clif_medication_admin_continuous.csv": (
        "hospitalization_id,med_order_id,admin_dttm,med_name,med_category,med_group,med_route_category,med_dose,"
        "med_dose_unit,mar_action_category\n"
        "H3,2,2024-03-02 08:00:00+00:00,NOREPI,norepinephrine,vasoactives,iv,5,mcg/min,start\n"
        "H3,2,2024-03-02 12:00:00+00:00,NOREPI,norepinephrine,vasoactives,iv,0,mcg/min,stop\n"
    ),
    "clif_hospital_diagnosis.csv": (
        "hospitalization_id,diagnosis_code,diagnosis_code_format,diagnosis_primary,poa_present\n"
        "H1,C92.00,ICD10CM,1,1\nH3,288.03,ICD-9-CM,0,1\n"
    ),
    "clif_vitals.csv": (
        "hospitalization_id,recorded_dttm,vital_name,vital_category,vital_value,meas_site_name\n"
        "H1,2024-03-05 08:00:00+00:00,TEMP,temp_c,38.6,oral\nH1,2024-03-05 08:00:00+00:00,HR,heart_rate,120,\n"
    ),
    "clif_adt.csv": "hospitalization_id,in_dttm,out_dttm,location_category\nH1,2024-03-01,2024-03-02,icu\n",
}


@pytest.fixture
def night(hospital: Any) -> Any:
    for name, content in TABLES.items():
        folder = hospital.write(name, content).parent
    return hospital.receive(folder)


def test_results_reach_their_person_through_the_stay(night: Any, accepted: Callable[..., Any]) -> None:
    found = accepted(night, "person_id, collected_at::VARCHAR, analyte, lower_bound::INTEGER, upper_bound::INTEGER")
    at = "2024-03-05 06:00:00"
    assert found == [
        ("P1", at, "anc_direct", 0, 100),
        ("P1", at, "neut_pct", 8, 8),
        ("P1", at, "wbc", 1200, 1200),
        ("P2", "2024-03-03 06:00:00", "platelets", 88000, 88000),
    ]


def test_other_fluids_are_no_blood_and_a_stay_of_nobody_is_set_aside(night: Any, set_aside: Callable[..., Any]) -> None:
    line = next(line for line in night.ledger if line.table_name == "canonical.lab")
    assert (line.n_received, line.n_accepted, line.n_irrelevant, line.n_quarantined) == (8, 4, 3, 1)
    assert set_aside(night)["person_missing"] == 1


def test_only_what_ran_is_an_administration(night: Any, accepted: Callable[..., Any]) -> None:
    found = accepted(night, "person_id, agent, evidence, dose", "canonical.exposure")
    assert found == [
        ("P1", "trimethoprim_sulfamethoxazole", "administered", 1.0),
        ("P2", "norepinephrine", "administered", 5.0),
    ]


def test_people_have_the_age_of_their_first_stay_and_no_birth_date(night: Any, accepted: Callable[..., Any]) -> None:
    columns = "person_id, sex, birth_year, age_years, age_at::DATE::VARCHAR, died_on::DATE::VARCHAR, race_ethnicity"
    assert accepted(night, columns, "canonical.person") == [
        ("P1", "female", None, 74, "2024-03-01", None, "White, Hispanic"),
        ("P2", "male", None, 63, "2024-03-02", "2024-03-09", "Asian"),
    ]


def test_stays_diagnoses_and_temperatures_are_read(night: Any, accepted: Callable[..., Any]) -> None:
    assert accepted(night, "person_id, setting", "canonical.encounter") == [
        ("P1", "inpatient"),
        ("P1", "inpatient"),
        ("P2", "inpatient"),
    ]
    assert accepted(night, "person_id, code, code_system, recorded_at::DATE::VARCHAR", "canonical.diagnosis") == [
        ("P1", "C9200", "icd10cm", "2024-03-01"),
        ("P2", "28803", "icd9cm", "2024-03-02"),
    ]
    assert accepted(night, "person_id, celsius::VARCHAR, site", "canonical.vital") == [("P1", "38.60", "oral")]


def test_parquet_with_zoned_times_gives_the_same_rows(
    hospital: Any, accepted: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "parquet"
    folder.mkdir()
    for name, content in TABLES.items():
        (tmp_path / name).write_text(content)
        rows = f"read_csv('{tmp_path / name}', header=true)"
        duckdb.sql(f"COPY (FROM {rows}) TO '{folder / Path(name).stem}.parquet' (FORMAT parquet)")
    night = hospital.receive(folder)
    found = accepted(night, "person_id, collected_at::VARCHAR, analyte")
    assert found[0] == ("P1", "2024-03-05 06:00:00", "anc_direct")
    assert len(found) == 4


def test_results_without_the_table_of_stays_are_refused(hospital: Any) -> None:
    with pytest.raises(SourceError, match="whose stay it is") as caught:
        hospital.receive(hospital.write("clif_labs.csv", TABLES["clif_labs.csv"]).parent)
    assert "hospitalization" in str(caught.value)
