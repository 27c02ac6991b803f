"""SDTM domains of a small study, as XPT and as CSV: units, partial dates, study days, doses and events."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyreadstat import write_xport

from flows.sources.protocol import SourceFile
from flows.sources.recognise import recognise
from flows.sources.registry import load_layouts
from transforms.load import load_definitions

Accepted = Callable[..., list[tuple[object, ...]]]
Row = Mapping[str, object]
WHO = "01-701-1015"
DM: Row = {
    "SUBJID": "1015",
    "RFSTDTC": "2014-01-02",
    "RFENDTC": "2014-06-01",
    "RFICDTC": "2013-12-26",
    "RFPENDTC": "2014-07-02T11:45",
    "DTHDTC": "",
    "BRTHDTC": "",
    "AGE": 63.0,
    "AGEU": "YEARS",
    "SEX": "F",
    "RACE": "WHITE",
    "ETHNIC": "HISPANIC OR LATINO",
    "ARMCD": "Xan_Hi",
}
LB: Row = {
    "LBTESTCD": "NEUT",
    "LBCAT": "HEMATOLOGY",
    "LBORRES": "1.2",
    "LBORRESU": "10^9/L",
    "LBORNRLO": "1.8",
    "LBSTRESC": "1.2",
    "LBSTRESN": 1.2,
    "LBSTRESU": "10^9/L",
    "LBDTC": "2014-01-09T09:20",
    "LBDY": 8.0,
}


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Path]:
    """A folder of domains in the transport format, each row filled up from the usual one of its domain."""

    def write(**domains: Sequence[Row]) -> Path:
        folder = tmp_path / "study"
        folder.mkdir()
        for domain, rows in domains.items():
            frame = pl.DataFrame([_filled(domain, row) for row in rows])
            write_xport(frame, folder / f"{domain}.xpt", table_name=domain.upper(), file_format_version=5)
        return folder

    return write


def _filled(domain: str, row: Row) -> Row:
    usual = {"lb": LB, "dm": DM}.get(domain, {})
    return {"STUDYID": "S1", "DOMAIN": domain.upper(), "USUBJID": WHO, **usual, **row}


def test_a_result_counts_in_the_unit_the_laboratory_wrote(
    hospital: Any, study: Callable[..., Path], accepted: Accepted
) -> None:
    night = hospital.receive(study(lb=[{"LBORRES": "1200", "LBORRESU": "cells/uL", "LBORNRLO": "1800"}]))
    columns = "person_id, collected_at, time_precision, analyte, value::INTEGER, reference_low::INTEGER, source_unit"
    assert accepted(night, columns) == [
        (WHO, datetime(2014, 1, 9, 9, 20), "minute", "anc_direct", 1200, 1800, "cells/uL")  # noqa: DTZ001
    ]


@pytest.mark.parametrize("lacking", [{"LBORRES": ""}, {"LBORRESU": ""}], ids=["no_value", "no_unit"])
def test_the_standard_result_stands_in_where_the_original_lacks_a_value_or_a_unit(
    hospital: Any, study: Callable[..., Path], accepted: Accepted, lacking: Row
) -> None:
    rows = [{"LBORRES": "999", **lacking, "LBSTRESC": "1.5", "LBSTRESN": 1.5, "LBSTNRLO": "2"}]
    night = hospital.receive(study(lb=rows))
    assert accepted(night, "value::INTEGER, reference_low::INTEGER") == [(1500, 2000)]


def test_a_comparator_of_the_original_stays(hospital: Any, study: Callable[..., Path], accepted: Accepted) -> None:
    night = hospital.receive(study(lb=[{"LBORRES": "<0.1", "LBSTRESC": "<0.1", "LBSTRESN": None}]))
    assert accepted(night, "comparator, upper_bound::INTEGER") == [("<", 100)]


def test_segments_bands_and_shares_are_told_apart(
    hospital: Any, study: Callable[..., Path], accepted: Accepted
) -> None:
    tests = ("NEUT", "NEUTSG", "NEUTB", "NEUTLE", "NEUTBLE", "WBC", "PLAT", "ANISO")
    rows = [{"LBTESTCD": test, "LBORRESU": "%" if test.endswith("LE") else "10^9/L"} for test in tests]
    night = hospital.receive(study(lb=rows))
    assert {analyte for (analyte,) in accepted(night, "analyte")} == {
        "anc_direct",
        "segs_abs",
        "bands_abs",
        "neut_pct",
        "bands_pct",
        "wbc",
        "platelets",
    }
    assert [(line.n_received, line.n_accepted, line.n_irrelevant) for line in night.ledger] == [(8, 7, 1)]


@pytest.mark.parametrize(
    ("test", "unit", "value"),
    [("NEUT", "GI/L", 1200), ("NEUT", "THOU/uL", 1200), ("NEUT", "10^6/L", 1), ("NEUTLE", "fraction of 1", 50)],
)
def test_the_units_that_studies_use_are_known(
    hospital: Any, study: Callable[..., Path], accepted: Accepted, test: str, unit: str, value: int
) -> None:
    sent = "0.5" if test == "NEUTLE" else "1.2"
    night = hospital.receive(study(lb=[{"LBTESTCD": test, "LBORRES": sent, "LBORRESU": unit}]))
    assert accepted(night, "floor(value)::INTEGER") == [(value,)]


def test_a_loinc_code_wins_over_the_test_code(hospital: Any, study: Callable[..., Path], accepted: Accepted) -> None:
    night = hospital.receive(study(lb=[{"LBLOINC": "751-8"}, {"LBLOINC": "", "LBDTC": "2014-01-10"}]))
    assert accepted(night, "source_code, method") == [("751-8", "auto"), ("NEUT", "unspecified")]


@pytest.mark.parametrize(
    "place", [{"LBSPEC": "URINE", "LBCAT": ""}, {"LBSPEC": "", "LBCAT": "URINALYSIS"}], ids=["specimen", "category"]
)
def test_white_cells_in_urine_are_no_blood_count(
    hospital: Any, study: Callable[..., Path], accepted: Accepted, place: Row
) -> None:
    rows = [{"LBTESTCD": "WBC", **place}, {"LBTESTCD": "WBC", "LBSPEC": "BLOOD", "LBCAT": "HEMATOLOGY"}]
    night = hospital.receive(study(lb=rows))
    assert accepted(night, "row_number") == [(2,)]
    assert [(line.n_quarantined, line.n_irrelevant) for line in night.ledger] == [(0, 1)]


def test_a_test_that_was_not_done_has_no_result(hospital: Any, study: Callable[..., Path], accepted: Accepted) -> None:
    not_done = {"LBSTAT": "NOT DONE", "LBORRES": "", "LBSTRESC": "", "LBSTRESN": None}
    night = hospital.receive(study(lb=[not_done, {"LBSTAT": "", "LBTESTCD": "WBC"}]))
    assert accepted(night, "analyte") == [("wbc",)]
    assert [(line.n_quarantined, line.n_irrelevant) for line in night.ledger] == [(0, 1)]


def test_results_of_one_specimen_belong_together(hospital: Any, study: Callable[..., Path], accepted: Accepted) -> None:
    night = hospital.receive(study(lb=[{"LBREFID": "A7"}, {"LBREFID": "A7", "LBTESTCD": "WBC"}]))
    assert accepted(night, "specimen_id, analyte") == [("A7", "anc_direct"), ("A7", "wbc")]


def test_a_month_is_no_date(
    hospital: Any, study: Callable[..., Path], accepted: Accepted, set_aside: Callable[[Any], dict[str, int]]
) -> None:
    night = hospital.receive(study(lb=[{"LBDTC": "2014-01"}, {"LBDTC": "2014-01-09"}, {"LBDTC": "2014-01-09T10"}]))
    assert accepted(night, "row_number, time_precision") == [(2, "day"), (3, "minute")]
    assert set_aside(night) == {"date_invalid": 1}


def test_study_days_stand_in_when_there_is_no_date_and_skip_day_zero(
    hospital: Any, accepted: Accepted, set_aside: Callable[[Any], dict[str, int]]
) -> None:
    rows = [f"{WHO},NEUT,1.2,10^9/L,{day}" for day in (-1, 1, 8, 0)]
    night = hospital.receive_text("\n".join(["USUBJID,LBTESTCD,LBORRES,LBORRESU,LBDY", *rows]) + "\n")
    first = "(collected_at::DATE - min(collected_at::DATE) OVER ())"
    assert night.dates == "relative"
    assert accepted(night, f"{first}, time_precision") == [(0, "day"), (1, "day"), (8, "day")]
    assert set_aside(night) == {"date_invalid": 1}


def test_people_are_observed_from_consent_to_the_end_of_participation(
    hospital: Any, study: Callable[..., Path], accepted: Accepted
) -> None:
    infant = {"USUBJID": "baby", "AGE": 30.0, "AGEU": "MONTHS", "DTHDTC": "2014-03-01", "RFPENDTC": "", "RFENDTC": ""}
    folder = study(dm=[{}, infant], lb=[{}])
    night = hospital.receive(folder)
    columns = "person_id, sex, age_years, age_at::DATE, died_on::DATE, race_ethnicity"
    assert accepted(night, columns, "canonical.person") == [
        (WHO, "female", 63, date(2014, 1, 2), None, "WHITE, HISPANIC OR LATINO"),
        ("baby", "female", 2, date(2014, 1, 2), date(2014, 3, 1), "WHITE, HISPANIC OR LATINO"),
    ]
    assert accepted(night, "person_id, started_on::DATE, ended_on::DATE", "canonical.observation") == [
        (WHO, date(2013, 12, 26), date(2014, 7, 2))
    ]


def test_a_partial_date_of_death_is_no_fault_of_the_person(
    hospital: Any, study: Callable[..., Path], accepted: Accepted
) -> None:
    night = hospital.receive(study(dm=[{"DTHDTC": "2014-03"}], lb=[{}]))
    assert accepted(night, "person_id, died_on", "canonical.person") == [(WHO, None)]


def test_a_dose_of_zero_and_a_placebo_are_no_dose(
    hospital: Any, study: Callable[..., Path], accepted: Accepted
) -> None:
    dose = {"EXTRT": "DOCETAXEL", "EXDOSE": 75.0, "EXDOSU": "mg/m2", "EXROUTE": "INTRAVENOUS", "EXSTDTC": "2014-01-02"}
    night = hospital.receive(
        study(lb=[{}], ex=[dose, {**dose, "EXDOSE": 0.0}, {**dose, "EXTRT": "PLACEBO"}, {**dose, "EXDOSE": 54.5}])
    )
    columns = "agent, dose, dose_unit, evidence, started_at::DATE"
    assert accepted(night, columns, "canonical.exposure") == [
        ("docetaxel", 54.5, "mg/m2", "administered", date(2014, 1, 2)),
        ("docetaxel", 75.0, "mg/m2", "administered", date(2014, 1, 2)),
    ]
    assert {(line.table_name, line.n_irrelevant) for line in night.ledger} == {
        ("canonical.lab", 0),
        ("canonical.exposure", 2),
    }


def test_medication_is_reported_under_its_coded_name_and_may_end_in_an_unknown_day(
    hospital: Any, study: Callable[..., Path], accepted: Accepted, set_aside: Callable[[Any], dict[str, int]]
) -> None:
    drug = {"CMTRT": "clozaril", "CMDECOD": "CLOZAPINE", "CMSTDTC": "2013-11-05", "CMENDTC": "2014-02", "CMOCCUR": "Y"}
    rows = [drug, {**drug, "CMDECOD": "", "CMENDTC": ""}, {**drug, "CMSTDTC": "2013"}, {**drug, "CMOCCUR": "N"}]
    night = hospital.receive(study(lb=[{}], cm=rows))
    assert accepted(night, "agent, evidence, ended_at", "canonical.exposure") == [
        ("clozapine", "reported", None),
        ("clozaril", "reported", None),
    ]
    assert set_aside(night) == {"date_missing": 1}


def test_many_medicines_with_an_unknown_start_do_not_stop_the_night(
    hospital: Any, study: Callable[..., Path], accepted: Accepted
) -> None:
    drugs = [{"CMTRT": f"drug {place}", "CMSTDTC": "2009" if place % 2 else "2013-11-05"} for place in range(60)]
    night = hospital.receive(study(lb=[{}], cm=drugs))
    assert len(accepted(night, "agent", "canonical.exposure")) == 30


def test_adverse_events_are_terms_of_another_system(
    hospital: Any, study: Callable[..., Path], accepted: Accepted
) -> None:
    event = {"AETERM": "low neutrophils", "AEDECOD": "NEUTROPENIA", "AEPTCD": 10029354.0, "AESTDTC": "2014-01-09"}
    night = hospital.receive(study(lb=[{}], ae=[event]))
    columns = "code, code_system, recorded_at::DATE"
    assert accepted(night, columns, "canonical.diagnosis") == [("10029354", "other", date(2014, 1, 9))]


@pytest.mark.parametrize(
    ("sent", "celsius"),
    [
        ({"VSORRES": "38.4", "VSORRESU": "C"}, 38.4),
        ({"VSORRES": "101.3", "VSORRESU": "F"}, 38.5),
        ({"VSORRES": "101.3", "VSORRESU": "F", "VSSTRESN": 38.5, "VSSTRESU": "C"}, 38.5),
    ],
    ids=["celsius", "fahrenheit", "standard"],
)
def test_a_temperature_is_in_celsius(
    hospital: Any, study: Callable[..., Path], accepted: Accepted, sent: Row, celsius: float
) -> None:
    usual = {"VSTESTCD": "TEMP", "VSLOC": "ORAL CAVITY", "VSDTC": "2014-01-09T09:20"}
    pulse = {"VSTESTCD": "PULSE", "VSORRES": "80", "VSORRESU": "beats/min"}
    night = hospital.receive(study(lb=[{}], vs=[{**usual, **sent}, {**usual, **sent, **pulse}]))
    assert accepted(night, "celsius::DOUBLE, site", "canonical.vital") == [(celsius, "oral cavity")]
    assert {(line.table_name, line.n_received) for line in night.ledger} >= {("canonical.vital", 1), ("unused", 1)}


def test_a_temperature_without_a_unit_is_not_guessed(
    hospital: Any, study: Callable[..., Path], set_aside: Callable[[Any], dict[str, int]]
) -> None:
    vital = {"VSTESTCD": "TEMP", "VSORRES": "98.6", "VSORRESU": "", "VSDTC": "2014-01-09"}
    assert set_aside(hospital.receive(study(lb=[{}], vs=[vital]))) == {"value_not_a_number": 1}


def test_the_same_study_as_csv_gives_the_same_rows(
    hospital: Any, make_hospital: Callable[[], Any], study: Callable[..., Path], accepted: Accepted
) -> None:
    domains: dict[str, Sequence[Row]] = {"dm": [{}], "lb": [{}, {"LBTESTCD": "WBC", "LBORRES": "4.0"}]}
    columns = "* EXCLUDE (input_id)"
    from_transport = hospital.receive(study(**domains))
    for domain, rows in domains.items():
        frame = pl.DataFrame([_filled(domain, row) for row in rows])
        hospital.write(f"{domain}.csv", frame.rename(str.lower).write_csv())
    from_text = make_hospital().receive(hospital.folder / "extract")
    for table in ("canonical.lab", "canonical.person", "canonical.observation"):
        assert accepted(from_transport, columns, table) == accepted(from_text, columns, table)


def test_a_domain_split_into_two_files_is_read_whole(
    hospital: Any, study: Callable[..., Path], accepted: Accepted
) -> None:
    folder = study(lbhe=[{**LB, "DOMAIN": "LB"}], lbch=[{**LB, "DOMAIN": "LB", "LBTESTCD": "WBC"}])
    assert accepted(hospital.receive(folder), "analyte") == [("anc_direct",), ("wbc",)]


def test_what_is_not_sdtm_is_not_taken_for_it() -> None:
    source_map = next(entry for entry in load_definitions().source_maps if entry.id == "cdisc")
    analysis = SourceFile(Path("adsl.csv"), "delimited", dict.fromkeys(("USUBJID", "AGE", "SEX", "TRT01P"), "VARCHAR"))
    local = SourceFile(Path("labs.csv"), "delimited", dict.fromkeys(("usubjid", "test_code", "value"), "VARCHAR"))
    assert load_layouts()["cdisc"].recognise([analysis, local], source_map) is None


def test_a_study_without_demographics_says_so(study: Callable[..., Path], tmp_path: Path) -> None:
    (extract,) = recognise([study(lb=[{}])], "auto", load_definitions(), tmp_path / "unpacked")
    assert extract.hints == ("There is no DM, so nobody has an age, a sex or a span of observation.",)
