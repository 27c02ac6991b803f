"""One value beyond what a number or a time can be sets its row aside or is none; the file around it is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from pyreadstat import write_xport

from flows.errors import SourceError
from transforms.errors import UserError

Accepted = Callable[..., list[tuple[object, ...]]]
HUGE = 1e300


def test_a_huge_number_among_people_of_nhanes_is_kept_as_its_text(
    hospital: Any, tmp_path: Path, accepted: Accepted
) -> None:
    counts = {"SEQN": [1.0, 2.0], "LBXWBCSI": [7.4, 1.1]}
    people = {"SEQN": [1.0, 2.0], "RIAGENDR": [1.0, 1.0], "RIDAGEYR": [80.0, HUGE]}
    for name, columns in (("CBC", counts), ("DEMO", people)):
        write_xport(pl.DataFrame(columns), tmp_path / f"{name}.xpt", file_format_version=8)
    night = hospital.receive(tmp_path / "CBC.xpt", tmp_path / "DEMO.xpt")
    assert accepted(night, "person_id, age_years", "canonical.person") == [("1", 80), ("2", None)]


@pytest.mark.parametrize(("column", "value"), [("AGE", "1e300"), ("RFSTDTC", "99999-01-01"), ("RFSTDTC", "infinity")])
def test_an_extreme_value_of_a_subject_is_no_age_and_no_date(
    hospital: Any, accepted: Accepted, column: str, value: str
) -> None:
    usual = {"DOMAIN": "DM", "SEX": "F", "AGE": "63", "AGEU": "YEARS", "RFSTDTC": "2014-01-02"}
    rows = [{"USUBJID": "S1", **usual}, {"USUBJID": "S2", **usual, column: value}]
    night = hospital.receive(hospital.write("dm.csv", pl.DataFrame(rows).write_csv()))
    assert ("S1", 63, "2014-01-02") in accepted(
        night, "person_id, age_years, age_at::DATE::VARCHAR", "canonical.person"
    )
    assert [line.n_received for line in night.ledger if line.table_name == "canonical.person"] == [2]


def test_a_study_day_beyond_the_calendar_is_set_aside(hospital: Any, set_aside: Callable[..., Any]) -> None:
    header = "USUBJID,DOMAIN,LBTESTCD,LBORRES,LBORRESU,LBDY\n"
    rows = "".join(f"S1,LB,NEUT,1.2,10^9/L,{day}\n" for day in ("1", "2147483647", "-2147483648", "9000000"))
    assert set_aside(hospital.receive(hospital.write("lb.csv", header + rows))) == {"date_invalid": 3}


def test_an_offset_beyond_the_calendar_is_set_aside(hospital: Any, set_aside: Callable[..., Any]) -> None:
    hospital.write(
        "patient.csv",
        "patientunitstayid,patienthealthsystemstayid,gender,age,ethnicity,hospitaladmitoffset,hospitaldischargeoffset,"
        "hospitaldischargestatus,uniquepid\n1,1,Female,52,x,0,10,Alive,p\n",
    )
    lab = "labid,patientunitstayid,labresultoffset,labtypeid,labname,labresult,labresulttext,labmeasurenamesystem\n"
    offsets = ("5", "9223372036854775807", "-99999999999999", "9999999999")
    rows = "".join(f"{n},1,{offset},3,WBC x 1000,0.4,0.4,K/mcL\n" for n, offset in enumerate(offsets))
    night = hospital.receive(hospital.write("lab.csv", lab + rows).parent)
    assert set_aside(night) == {"date_invalid": 3}


@pytest.mark.parametrize("year", ["2147483647", "-2147483648", "12000"])
def test_a_year_beyond_the_calendar_gives_no_year_of_birth(hospital: Any, accepted: Accepted, year: str) -> None:
    hospital.write("patients.csv", f"subject_id,gender,anchor_age,anchor_year,dod\n1,F,52,{year},\n2,F,52,2150,\n")
    labs = "labevent_id,subject_id,itemid,charttime,value,valuenum,valueuom\n1,2,51301,2150-01-02 06:00:00,1,1,K/uL\n"
    night = hospital.receive(hospital.write("labevents.csv", labs).parent, source="mimic_iv")
    assert ("2", 2098) in accepted(night, "person_id, birth_year", "canonical.person")


@pytest.mark.parametrize("sql", ["'5877642-06-25 (BC)'::DATE", "'infinity'::TIMESTAMPTZ", "'-infinity'::DATE"])
def test_a_typed_time_beyond_the_calendar_is_set_aside(
    hospital: Any, tmp_path: Path, set_aside: Callable[..., Any], sql: str
) -> None:
    path = tmp_path / "labs.parquet"
    rows = "SELECT 'P1' AS person_id, '751-8' AS test_code, '1' AS value, '10*9/L' AS unit, {} AS collected_at"
    typed = sql.rpartition("::")[2]
    other = rows.format(f"'2024-03-01'::{typed}")
    duckdb.sql(f"COPY ({rows.format(sql)} UNION ALL {other}) TO '{path}' (FORMAT parquet)")
    assert set_aside(hospital.receive(path)) == {"date_invalid": 1}


def test_a_time_beyond_the_calendar_in_a_column_of_no_interest_is_read_past(
    hospital: Any, tmp_path: Path, accepted: Accepted
) -> None:
    path = tmp_path / "labs.parquet"
    lab = "'P1' AS person_id, '751-8' AS test_code, '1' AS value, '10*9/L' AS unit"
    dates = "DATE '2024-03-01' AS collected_at, '5877642-06-25 (BC)'::DATE AS printed"
    duckdb.sql(f"COPY (SELECT {lab}, {dates}) TO '{path}' (FORMAT parquet)")
    assert len(accepted(hospital.receive(path))) == 1


@pytest.mark.parametrize("name", ["row_number", "file_row_number"])
def test_a_column_called_as_the_number_of_a_row_does_not_take_its_place(
    hospital: Any, tmp_path: Path, accepted: Accepted, name: str
) -> None:
    columns = {"person_id": "P1", "collected_at": "2024-03-01", "test_code": "751-8", "value": "1", "unit": "10*9/L"}
    path = tmp_path / "labs.parquet"
    pl.DataFrame([{**columns, name: "x"}]).write_parquet(path)
    if name == "row_number":
        assert accepted(hospital.receive(path), "person_id, row_number") == [("P1", 1)]
        return
    with pytest.raises(SourceError, match=name):
        hospital.receive(path)


def test_an_error_spells_out_what_a_terminal_would_obey() -> None:
    error = UserError("labs\x1b[31m.csv", details=["a\u202eb"], repair="\udcff")
    assert str(error) == "labs\\x1b[31m.csv\n  - a\\u202eb\n  \\udcff"
