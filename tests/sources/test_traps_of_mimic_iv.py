"""Each trap of the MIMIC-IV layout as a hospital of one row: read right whatever else the tables hold."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

HEADERS = {
    "labevents": "labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,"
    "valuenum,valueuom,ref_range_lower,ref_range_upper,flag,priority,comments",
    "d_labitems": "itemid,label,fluid,category",
    "patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
    "admissions": "subject_id,hadm_id,admittime,dischtime,admission_type,race",
    "diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
    "prescriptions": "subject_id,hadm_id,starttime,stoptime,drug_type,drug,dose_val_rx,dose_unit_rx,route",
    "emar": "subject_id,hadm_id,emar_id,charttime,medication,event_txt",
}
ITEMS = """51301,White Blood Cells,Blood,Hematology
51256,Neutrophils,Blood,Hematology
52075,Absolute Neutrophil Count,Blood,Hematology
51218,Granulocyte Count,Blood,Hematology
51516,WBC,Urine,Hematology
51363,"Neutrophils, CSF",Cerebrospinal Fluid,Hematology
50872,Anti-Neutrophil Cytoplasmic Antibody,Blood,Chemistry
"""
DAY = "2180-05-06 07:00:00"


def lab(item: int, value: str, number: str = "", unit: str = "K/uL", **other: str) -> str:
    cells = {"hadm": "20", "specimen": "900", "stored": "2180-05-06 08:00:00", "low": "4.0", "comment": ""} | other
    return (
        f"1,10,{cells['hadm']},{cells['specimen']},{item},,{DAY},{cells['stored']},{value},{number},{unit},"
        f"{cells['low']},10.0,abnormal,ROUTINE,{cells['comment']}\n"
    )


@pytest.fixture
def night(hospital: Any) -> Callable[..., Any]:
    """Receives a hospital with the given rows, and with one ordinary row in each table that has none given."""

    def receive(**tables: str) -> Any:
        usual: Mapping[str, str] = {
            "labevents": lab(51301, "6.1", "6.1"),
            "d_labitems": ITEMS,
            "patients": "10,F,52,2180,2014 - 2016,\n",
            "admissions": "10,20,2180-05-05 10:00:00,2180-05-09 10:00:00,URGENT,WHITE\n",
        }
        for name, rows in {**usual, **tables}.items():
            folder = hospital.write(f"hosp/{name}.csv", f"{HEADERS[name]}\n{rows}").parent.parent
        return hospital.receive(folder)

    return receive


def test_years_far_in_the_future_are_shifted_dates_and_no_error(
    night: Callable[..., Any], accepted: Callable[..., Any]
) -> None:
    received = night()
    assert received.dates == "shifted"
    assert accepted(received, "year(collected_at)") == [(2180,)]


def test_a_scrubbed_value_is_read_from_its_number(night: Callable[..., Any], accepted: Callable[..., Any]) -> None:
    assert accepted(night(labevents=lab(51301, "___", "0.4")), "value") == [(400,)]


def test_a_differential_not_done_leaves_the_white_cells_as_the_only_row_and_quarantines_nothing(
    night: Callable[..., Any], accepted: Callable[..., Any], set_aside: Callable[..., Any]
) -> None:
    not_done = lab(51256, "", "", "%", comment='"ND . Not Done, WBC <=0.1."')
    received = night(labevents=lab(51301, "0.1", "0.1") + not_done + lab(52075, "", ""))
    assert accepted(received, "analyte, value") == [("wbc", 100)]
    assert set_aside(received) == {}


def test_two_specimens_of_one_minute_stay_two(night: Callable[..., Any], accepted: Callable[..., Any]) -> None:
    rows = lab(51301, "6.1", "6.1") + lab(51301, "6.3", "6.3", specimen="901")
    assert accepted(night(labevents=rows), "specimen_id, value") == [("900", 6100), ("901", 6300)]


def test_a_draw_outside_any_stay_is_kept(night: Callable[..., Any], accepted: Callable[..., Any]) -> None:
    assert len(accepted(night(labevents=lab(51301, "6.1", "6.1", hadm="")))) == 1


def test_white_cells_of_urine_and_neutrophils_of_csf_are_no_counts_and_anca_is_not_anc(
    night: Callable[..., Any], accepted: Callable[..., Any]
) -> None:
    rows = lab(51516, "2", "2", "#/hpf") + lab(51363, "80", "80", "%") + lab(50872, "1.2", "1.2", "units")
    received = night(labevents=rows + lab(52075, "0.0", "0"))
    assert accepted(received, "analyte, value") == [("anc_direct", 0)]
    (line,) = [line for line in received.ledger if line.table_name == "canonical.lab" and line.n_accepted]
    assert (line.n_received, line.n_irrelevant) == (4, 3)


def test_granulocytes_are_counted_per_microlitre_and_not_in_thousands(
    night: Callable[..., Any], accepted: Callable[..., Any]
) -> None:
    found = accepted(night(labevents=lab(51218, "887", "887", "#/uL")), "analyte, value")
    assert [value for _, value in found] == [887]
    assert found[0][0] != "anc_direct"


def test_the_reference_range_is_that_of_the_row_and_the_flag_decides_nothing(
    night: Callable[..., Any], accepted: Callable[..., Any]
) -> None:
    rows = lab(51301, "3.9", "3.9", low="4.0") + lab(51301, "3.9", "3.9", low="3.5", specimen="901")
    assert accepted(night(labevents=rows), "reference_low") == [(3500,), (4000,)]


def test_a_row_without_a_store_time_is_kept(night: Callable[..., Any], accepted: Callable[..., Any]) -> None:
    assert accepted(night(labevents=lab(51301, "6.1", "6.1", stored="")), "version_at") == [(None,)]


def test_age_is_of_the_anchor_year_and_the_top_code_gives_no_year_of_birth(
    night: Callable[..., Any], accepted: Callable[..., Any]
) -> None:
    received = night(patients="10,F,52,2180,2014 - 2016,\n11,M,91,2150,2014 - 2016,2151-01-02\n")
    found = accepted(received, "person_id, age_years, birth_year, year(age_at)", "canonical.person")
    assert found == [("10", 52, 2128, 2180), ("11", 91, None, 2150)]


def test_a_race_that_differs_between_stays_is_that_of_the_last_stay(
    night: Callable[..., Any], accepted: Callable[..., Any]
) -> None:
    stays = (
        "10,20,2180-05-05 10:00:00,2180-05-09 10:00:00,URGENT,WHITE\n"
        "10,21,2181-05-05 10:00:00,2181-05-09 10:00:00,URGENT,OTHER\n"
    )
    assert accepted(night(admissions=stays), "race_ethnicity", "canonical.person") == [("OTHER",)]


def test_a_drug_is_the_same_however_it_is_typed(night: Callable[..., Any], accepted: Callable[..., Any]) -> None:
    orders = "".join(
        f"10,20,2180-05-0{day} 08:00:00,2180-05-09 08:00:00,MAIN,{name},100,mg,PO\n"
        for day, name in ((5, "venetoclax"), (6, "Venetoclax"), (7, " VENETOCLAX "))
    )
    found = accepted(night(prescriptions=orders), "agent, evidence", "canonical.exposure")
    assert found == [("venetoclax", "ordered")] * 3


def test_an_order_that_stops_before_it_starts_is_quarantined(
    night: Callable[..., Any], set_aside: Callable[..., Any]
) -> None:
    order = "10,20,2180-05-06 08:00:00,2180-05-05 08:00:00,MAIN,cefepime,1,g,IV\n"
    assert set_aside(night(prescriptions=order)) == {"ends_before_start": 1}


@pytest.mark.parametrize("event", ["Not Given", "Flushed", "Hold Dose", "Administered in Other Location?"])
def test_only_a_dose_that_was_given_is_an_administration(
    night: Callable[..., Any], accepted: Callable[..., Any], event: str
) -> None:
    rows = f"10,20,10-1,{DAY},Cefepime,Administered\n10,20,10-2,{DAY},Vancomycin,{event}\n"
    assert accepted(night(emar=rows), "agent, evidence", "canonical.exposure") == [("cefepime", "administered")]


def test_one_code_of_two_icd_versions_is_two_diagnoses(night: Callable[..., Any], accepted: Callable[..., Any]) -> None:
    received = night(diagnoses_icd="10,20,1,2880,9\n10,20,2,D709,10\n10,20,3,D709,9\n")
    assert accepted(received, "code, code_system", "canonical.diagnosis") == [
        ("2880", "icd9cm"),
        ("D709", "icd10cm"),
        ("D709", "icd9cm"),
    ]


def test_results_split_over_two_files_are_read_as_one_table(hospital: Any, night: Callable[..., Any]) -> None:
    hospital.write("hosp/labevents_2.csv", f"{HEADERS['labevents']}\n{lab(51301, '1.1', '1.1', specimen='955')}")
    received = night()
    accepted = sum(line.n_accepted for line in received.ledger if line.table_name == "canonical.lab")
    assert accepted == 2
