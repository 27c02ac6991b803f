"""eICU in small: minutes since a unit admission become one clock for each hospital stay, and nothing more."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from flows.errors import SourceError

HEADERS = {
    "patient": "patientunitstayid,patienthealthsystemstayid,gender,age,ethnicity,hospitalid,wardid,apacheadmissiondx,"
    "admissionheight,hospitaladmittime24,hospitaladmitoffset,hospitaladmitsource,hospitaldischargeyear,"
    "hospitaldischargetime24,hospitaldischargeoffset,hospitaldischargelocation,hospitaldischargestatus,unittype,"
    "unitadmittime24,unitadmitsource,unitvisitnumber,unitstaytype,admissionweight,dischargeweight,"
    "unitdischargetime24,unitdischargeoffset,unitdischargelocation,unitdischargestatus,uniquepid",
    "lab": "labid,patientunitstayid,labresultoffset,labtypeid,labname,labresult,labresulttext,labmeasurenamesystem,"
    "labmeasurenameinterface,labresultrevisedoffset",
    "medication": "medicationid,patientunitstayid,drugorderoffset,drugstartoffset,drugivadmixture,drugordercancelled,"
    "drugname,drughiclseqno,dosage,routeadmin,frequency,loadingdose,prn,drugstopoffset,gtc",
    "infusiondrug": "infusiondrugid,patientunitstayid,infusionoffset,drugname,drugrate,infusionrate,drugamount,"
    "volumeoffluid,patientweight",
    "admissiondrug": "admissiondrugid,patientunitstayid,drugoffset,drugenteredoffset,drugnotetype,specialtytype,"
    "usertype,rxincluded,writtenineicu,drugname,drugdosage,drugunit,drugadmitfrequency,drughiclseqno",
    "diagnosis": "diagnosisid,patientunitstayid,activeupondischarge,diagnosisoffset,diagnosisstring,icd9code,"
    "diagnosispriority",
}
# One hospital stay (800) with two unit stays, as the documentation explains them, and another stay of the same patient.
PATIENTS = [
    {"patientunitstayid": "10", "hospitaladmitoffset": "-720", "hospitaldischargeoffset": "15280"},
    {"patientunitstayid": "2", "hospitaladmitoffset": "-5040", "hospitaldischargeoffset": "10960"},
    {
        "patientunitstayid": "3",
        "patienthealthsystemstayid": "801",
        "age": "> 89",
        "hospitaladmitoffset": "-60",
        "hospitaldischargeoffset": "1380",
        "hospitaldischargestatus": "Expired",
    },
]
PATIENT = {
    "patienthealthsystemstayid": "800",
    "gender": "Female",
    "age": "52",
    "ethnicity": "Caucasian",
    "hospitaldischargestatus": "Alive",
    "uniquepid": "002-33870",
}
RESULT = {
    "patientunitstayid": "10",
    "labresultoffset": "0",
    "labname": "WBC x 1000",
    "labresult": "0.4000",
    "labresulttext": "0.4",
    "labmeasurenamesystem": "K/mcL",
    "labmeasurenameinterface": "K/uL",
}
ORDER = {"patientunitstayid": "10", "drugstartoffset": "30", "drugordercancelled": "No", "drugname": "CEFEPIME HCL"}
Rows = list[Mapping[str, str]]


@pytest.fixture
def extract(hospital: Any) -> Callable[..., Path]:
    """Writes the given tables beside that of the patients; a column that a row does not name is empty."""

    def write(**tables: Rows) -> Path:
        for name, rows in {"patient": [{**PATIENT, **row} for row in PATIENTS], **tables}.items():
            columns = HEADERS[name].split(",")
            filled = [{f"{name}id": str(number), **row} for number, row in enumerate(rows, 1)]
            lines = [",".join(f'"{row.get(column, "")}"' for column in columns) for row in filled]
            hospital.write(f"{name}.csv", "\n".join([HEADERS[name], *lines]) + "\n")
        return Path(hospital.folder / "extract")

    return write


@pytest.fixture
def measure(hospital: Any, extract: Callable[..., Path]) -> Callable[..., Any]:
    """The night of results that differ from the usual one as given."""
    return lambda *changes: hospital.receive(extract(lab=[{**RESULT, **change} for change in changes]))


def test_times_of_two_unit_stays_are_on_the_clock_of_their_hospital_admission(measure: Any, accepted: Any) -> None:
    night = measure({}, {"patientunitstayid": "2"}, {"patientunitstayid": "3", "labresultoffset": "-90"})
    assert night.dates == "relative"
    minutes = "person_id, date_diff('minute', TIMESTAMP '2000-01-01', collected_at)"
    assert accepted(night, minutes) == [("800", 720), ("800", 5040), ("801", -30)]


def test_a_person_is_a_hospital_stay_and_no_gap_between_stays_is_made_up(
    hospital: Any, extract: Callable[..., Path], accepted: Any, set_aside: Any
) -> None:
    night = hospital.receive(extract())
    assert accepted(night, "person_id, sex, age_years, birth_year, died_on IS NOT NULL", "canonical.person") == [
        ("800", "female", 52, None, False),
        ("801", "female", 90, None, True),
    ]
    assert accepted(night, "person_id, date_diff('day', started_on, ended_on)", "canonical.observation") == [
        ("800", 11),
        ("801", 1),
    ]
    assert accepted(night, "person_id, setting, date_diff('minute', started_at, ended_at)", "canonical.encounter") == [
        ("800", "inpatient", 16000),
        ("801", "inpatient", 1440),
    ]
    assert set_aside(night) == {"same_as_another": 3}


def test_one_result_written_in_two_unit_stays_is_one_result(measure: Any, accepted: Any, set_aside: Any) -> None:
    night = measure({"labresultoffset": "4320"}, {"patientunitstayid": "2"})
    assert accepted(night, "value") == [(400,)]
    assert set_aside(night)["same_as_another"] >= 1


@pytest.mark.parametrize(
    ("name", "unit", "analyte", "value"),
    [
        ("WBC x 1000", "K/mcL", "wbc", 4000),
        ("-polys", "%", "neut_pct", 4),
        ("-bands", "%", "bands_pct", 4),
        ("platelets x 1000", "K/mcL", "platelets", 4000),
        ("Hgb", "g/dL", "hgb", 4),
    ],
)
def test_the_names_of_tests_are_codes(
    measure: Any, accepted: Any, name: str, unit: str, analyte: str, value: int
) -> None:
    change = {"labname": name, "labmeasurenamesystem": unit, "labmeasurenameinterface": unit}
    night = measure({**change, "labresult": "4", "labresulttext": "4"})
    assert accepted(night, "analyte, value::INTEGER, source_code") == [(analyte, value, name)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labresult": "", "labresulttext": "<0.1"}, ("<", 0, 100)),
        ({"labresult": "0.1", "labresulttext": "<0.1"}, ("<", 0, 100)),
        ({"labresult": "0.0", "labresulttext": "0.0"}, (None, 0, 0)),
        ({"labresult": "", "labresulttext": "see comment"}, None),
        ({"labmeasurenameinterface": ""}, (None, 400, 400)),
        ({"labmeasurenamesystem": ""}, (None, 400, 400)),
        ({"labmeasurenameinterface": "x10 3"}, (None, 400, 400)),
        ({"labmeasurenameinterface": "10^3"}, (None, 400, 400)),
        ({"labmeasurenameinterface": "/mm3"}, None),
        ({"labname": "sodium", "labmeasurenamesystem": "mmol/L"}, None),
    ],
    ids=[
        *("text_bound", "bound_beside_a_number", "zero", "no_result", "system_unit_only", "interface_unit_only"),
        *("unknown_interface_unit", "ambiguous_interface_unit", "units_that_disagree", "another_test"),
    ],
)
def test_a_result_is_a_number_with_its_comparator_and_one_unit(
    measure: Any, accepted: Any, change: Mapping[str, str], expected: tuple[Any, ...] | None
) -> None:
    assert accepted(measure(change), "comparator, lower_bound, upper_bound") == ([expected] if expected else [])


def test_a_revised_result_replaces_the_one_before(measure: Any, accepted: Any) -> None:
    night = measure({"labresultrevisedoffset": "50"}, {"labresult": "0.9", "labresultrevisedoffset": "90"})
    assert accepted(night, "value::INTEGER") == [(900,)]


def test_orders_infusions_and_earlier_drugs_differ_in_evidence(
    hospital: Any, extract: Callable[..., Path], accepted: Any, set_aside: Any
) -> None:
    folder = extract(
        medication=[
            {**ORDER, "drugstopoffset": "1470"},
            {**ORDER, "drugname": "FILGRASTIM", "drugstopoffset": "0"},
            {**ORDER, "drugordercancelled": "Yes", "drugname": "METHOTREXATE"},
        ],
        infusiondrug=[{"patientunitstayid": "10", "infusionoffset": "0", "drugname": "Heparin (units/hr)"}],
        admissiondrug=[{"patientunitstayid": "10", "drugoffset": "-2000", "drugname": "METHIMAZOLE"}],
    )
    night = hospital.receive(folder)
    minutes = "date_diff('minute', started_at, ended_at)"
    assert accepted(night, f"agent, evidence, {minutes}", "canonical.exposure") == [
        ("cefepime hcl", "ordered", 1440),
        ("filgrastim", "ordered", None),
        ("heparin (units/hr)", "administered", 0),
        ("methimazole", "reported", None),
    ]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("288.00, D70.9", ("28800", "icd9cm")),
        ("D70.9", ("D709", "icd10cm")),
        ("V58.11", ("V5811", "icd9cm")),
        ("", ("HEMATOLOGY|NEUTROPENIA", "other")),
    ],
)
def test_a_diagnosis_has_the_first_of_its_codes_that_is_icd_9(
    hospital: Any, extract: Callable[..., Path], accepted: Any, codes: str, expected: tuple[str, str]
) -> None:
    row = {"patientunitstayid": "10", "diagnosisoffset": "5", "diagnosisstring": "hematology|neutropenia"}
    night = hospital.receive(extract(diagnosis=[{**row, "icd9code": codes}]))
    assert accepted(night, "code, code_system", "canonical.diagnosis") == [expected]


def test_without_the_table_of_patients_nothing_is_placed(hospital: Any, extract: Callable[..., Path]) -> None:
    folder = extract(lab=[RESULT])
    (folder / "patient.csv").unlink()
    with pytest.raises(SourceError, match="the table patient is not among them") as refused:
        hospital.receive(folder)
    assert "patient.csv" in refused.value.repair


def test_a_result_of_an_unknown_unit_stay_is_listed(measure: Any, accepted: Any, set_aside: Any) -> None:
    night = measure({}, {"patientunitstayid": "99"})
    assert len(accepted(night)) == 1
    assert set_aside(night)["person_missing"] == 1
