"""MEDS: one shard feeds six tables by the beginning of its codes, and codes.parquet says what a local code is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.sources.recognise import recognise
from transforms.load import load_definitions

Row = tuple[int, str | None, str, float | None, str | None, int | None]
FIRST: Sequence[Row] = (
    (1, None, "GENDER//F", None, None, None),
    (1, "1950-01-01", "MEDS_BIRTH", None, None, None),
    (1, None, "RACE//WHITE", None, None, None),
    (1, "2124-03-01 07:00:00", "HOSPITAL_ADMISSION//EW EMER.//UNK", None, None, 11),
    (1, "2124-03-02 06:00:00", "LAB//51301//K/uL", 1.5, None, 11),
    (1, "2124-03-02 06:00:00", "LAB//RESULT//51256//%", 20.0, "20", 11),
    (1, "2124-03-02 06:00:00", "LAB//SPECIMEN_COLLECTED//51301", None, None, 11),
    (1, "2124-03-02 06:00:00", "LAB//51516//#/hpf", 9.0, None, 11),
    (1, "2124-03-03 06:00:00", "LOINC/751-8//10*3/uL", None, "<0.1", None),
    (1, "2124-03-03 06:00:00", "LAB//HOSPITAL_NEUT//K/uL", 0.3, None, None),
    (1, "2124-03-01 09:00:00", "MEDICATION//START//Docetaxel", None, None, 11),
    (1, "2124-03-01 10:00:00", "MEDICATION//Docetaxel//Administered", None, None, 11),
    (1, "2124-03-01 12:00:00", "MEDICATION//Ondansetron//Not Given", None, None, 11),
    (1, "2124-03-01 12:00:00", "MEDICATION//STOP//Docetaxel", None, None, 11),
    (1, "2124-03-09 07:00:00", "HOSPITAL_DISCHARGE//HOME", None, None, 11),
    (1, "2124-03-09 07:00:00", "DIAGNOSIS//ICD//10//C509", None, None, 11),
)
SECOND: Sequence[Row] = (
    (2, None, "GENDER//M", None, None, None),
    (2, "1971-06-05", "MEDS_BIRTH", None, None, None),
    (2, "2119-02-02 08:00:00", "RxNorm/2626", None, None, None),
    (2, "2119-02-03 08:00:00", "ICD9CM/288.03", None, None, None),
    (2, "2119-02-03 08:00:00", "PROCEDURE//ICD//10//02HV33Z", None, None, None),
    (2, "2119-03-03 08:00:00", "MEDS_DEATH", None, None, None),
)
CODES = (
    ("LAB//HOSPITAL_NEUT//K/uL", "Neutrophils", ["LOINC/26499-4", "SNOMED/30630007"]),
    ("LAB//51301//K/uL", "White Blood Cells", ["LOINC/6690-2", "LOINC/26464-8"]),
    ("RxNorm/2626", "clozapine", []),
)


def write_shard(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t (subject_id BIGINT, time TIMESTAMP, code VARCHAR, numeric_value FLOAT, "
            "text_value VARCHAR, hadm_id BIGINT)"
        ).fetchall()
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)").fetchall()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / "meds"
    write_shard(root / "data" / "train" / "0.parquet", FIRST)
    write_shard(root / "data" / "held_out" / "0.parquet", SECOND)
    (root / "metadata").mkdir()
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE c (code VARCHAR, description VARCHAR, parent_codes VARCHAR[])").fetchall()
        connection.executemany("INSERT INTO c VALUES (?, ?, ?)", CODES)
        connection.execute(f"COPY c TO '{root / 'metadata' / 'codes.parquet'}' (FORMAT parquet)").fetchall()
        splits = "SELECT 1::BIGINT AS subject_id, 'train' AS split"
        connection.execute(
            f"COPY ({splits}) TO '{root / 'metadata' / 'subject_splits.parquet'}' (FORMAT parquet)"
        ).fetchall()
    (root / "metadata" / "dataset.json").write_text('{"dataset_name": "made up", "meds_version": "0.4.0"}')
    return root


@pytest.fixture
def night(hospital: Any, dataset: Path) -> Any:
    return hospital.receive(dataset)


def test_tests_are_read_by_loinc_by_parent_and_by_item_number(night: Any, accepted: Callable[..., Any]) -> None:
    found = accepted(
        night, "collected_at::DATE::VARCHAR, source_code, analyte, lower_bound::INTEGER, upper_bound::INTEGER"
    )
    assert found == [
        ("2124-03-02", "51256", "neut_pct", 20, 20),
        ("2124-03-02", "51301", "wbc", 1500, 1500),
        ("2124-03-03", "26499-4", "anc_direct", 300, 300),
        ("2124-03-03", "751-8", "anc_direct", 0, 100),
    ]


def test_people_come_from_static_rows_with_the_year_of_birth_only(night: Any, accepted: Callable[..., Any]) -> None:
    columns = "person_id, sex, birth_year, died_on::DATE::VARCHAR, race_ethnicity"
    assert accepted(night, columns, "canonical.person") == [
        ("1", "female", 1950, None, "WHITE"),
        ("2", "male", 1971, "2119-03-03", None),
    ]


def test_orders_administrations_and_codes_of_drugs_keep_their_evidence(
    night: Any, accepted: Callable[..., Any]
) -> None:
    assert accepted(night, "person_id, agent, rxnorm, evidence", "canonical.exposure") == [
        ("1", "docetaxel", None, "administered"),
        ("1", "docetaxel", None, "ordered"),
        ("2", "clozapine", "2626", "reported"),
    ]


def test_stays_and_diagnoses_are_read(night: Any, accepted: Callable[..., Any]) -> None:
    span = "setting, started_at::DATE::VARCHAR, ended_at::DATE::VARCHAR"
    assert accepted(night, span, "canonical.encounter") == [("emergency", "2124-03-01", "2124-03-09")]
    assert accepted(night, "person_id, code, code_system", "canonical.diagnosis") == [
        ("1", "C509", "icd10cm"),
        ("2", "28803", "icd9cm"),
    ]


def test_every_event_is_accounted_for_once(night: Any) -> None:
    events = len(FIRST) + len(SECOND)
    shards = {entry.input_id for entry in night.inputs if entry.rows in {len(FIRST), len(SECOND)}}
    lines = [line for line in night.ledger if line.input_id in shards]
    assert sum(line.n_received for line in lines) == events
    unused = sum(line.n_received for line in lines if line.table_name == "unused")
    births_deaths_races_discharges_stops_procedures = 2 + 1 + 1 + 1 + 1 + 1
    assert unused == births_deaths_races_discharges_stops_procedures


def test_dates_that_nobody_vouches_for_are_taken_as_shifted(dataset: Path, night: Any, tmp_path: Path) -> None:
    recognised = recognise([dataset], "auto", load_definitions(), tmp_path / "unpacked")[0]
    assert (recognised.adapter, night.dates) == ("meds", "shifted")
    assert any("real" in hint for hint in recognised.hints)


def test_shards_without_a_table_of_codes_still_give_their_own_codes(
    hospital: Any, accepted: Callable[..., Any], tmp_path: Path
) -> None:
    write_shard(tmp_path / "alone" / "0.parquet", FIRST)
    found = accepted(hospital.receive(tmp_path / "alone"), "source_code")
    assert found == [("51256",), ("51301",), ("751-8",)]


def test_a_map_of_one_line_says_that_dates_are_real(hospital: Any, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("id: ours\nlayout: meds\ndates: real\n")
    night = hospital.receive(dataset, source=str(tmp_path / "ours.yaml"))
    assert night.dates == "real"
    assert sum(line.n_accepted for line in night.ledger if line.table_name == "canonical.lab") == 4
