"""OMOP extracts in small: every kind of file they come in, both versions, and several nights."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.errors import SourceError, TryAgainLater
from tests.sources.omop_rows import GIVEN, HEADERS, MEASURED, SUFFERED, VOCABULARY

Rows = Sequence[Mapping[str, str]]
EVERYTHING: Mapping[str, Rows] = {
    "PERSON": [
        {
            "person_id": "1",
            "gender_concept_id": "8532",
            "year_of_birth": "1960",
            "month_of_birth": "4",
            "day_of_birth": "9",
            "person_source_value": "never-read",
        }
    ],
    "OBSERVATION_PERIOD": [
        {
            "person_id": "1",
            "observation_period_start_date": "2020-01-01",
            "observation_period_end_date": "2020-12-31",
        }
    ],
    "VISIT_OCCURRENCE": [
        {
            "person_id": "1",
            "visit_concept_id": "9201",
            "visit_start_date": "2020-02-28",
            "visit_end_date": "2020-03-07",
        }
    ],
    "MEASUREMENT": [MEASURED],
    "DRUG_EXPOSURE": [GIVEN],
    "CONDITION_OCCURRENCE": [
        {**SUFFERED, "condition_source_value": "D70.1", "condition_source_concept_id": "45582969"}
    ],
    "DEATH": [{"person_id": "1", "death_date": "2020-06-01", "death_type_concept_id": "32817"}],
    "CONCEPT": VOCABULARY,
}


@pytest.fixture
def extract(hospital: Any) -> Callable[..., Path]:
    """Writes the given tables as an extract; a column that a row does not name is empty."""

    def write(tables: Mapping[str, Rows], *, delimiter: str = ",", is_lower: bool = False) -> Path:
        for name, rows in tables.items():
            columns = HEADERS[name].split()
            filled = [{f"{name.lower()}_id": str(number), **row} for number, row in enumerate(rows, 1)]
            header = delimiter.join(columns if is_lower else map(str.upper, columns))
            lines = [header, *(delimiter.join(row.get(column, "") for column in columns) for row in filled)]
            hospital.write(f"{name.lower() if is_lower else name}.csv", "\n".join(lines) + "\n")
        return Path(hospital.folder / "extract")

    return write


@pytest.mark.parametrize("delimiter", [",", "\t"], ids=["comma", "tab"])
@pytest.mark.parametrize("is_lower", [True, False], ids=["lower_case", "upper_case"])
def test_every_table_is_found_by_its_columns_and_read(
    hospital: Any, extract: Callable[..., Path], accepted: Any, delimiter: str, is_lower: bool
) -> None:
    night = hospital.receive(extract(EVERYTHING, delimiter=delimiter, is_lower=is_lower), source="omop")
    assert accepted(night, "person_id, analyte, value, strftime(collected_at, '%Y-%m-%d %H:%M'), time_precision") == [
        ("1", "anc_direct", 1200, "2020-03-01 08:30", "minute")
    ]
    assert accepted(night, "sex, birth_year, died_on::VARCHAR", "canonical.person") == [("female", 1960, "2020-06-01")]
    assert accepted(night, "started_on::VARCHAR, ended_on::VARCHAR", "canonical.observation") == [
        ("2020-01-01", "2020-12-31")
    ]
    assert accepted(night, "setting", "canonical.encounter") == [("inpatient",)]
    assert accepted(night, "agent, rxnorm, evidence", "canonical.exposure") == [
        ("amoxicillin 250 mg", "308182", "administered")
    ]
    assert accepted(night, "code, code_system", "canonical.diagnosis") == [("D701", "icd10cm")]


def test_a_duckdb_file_is_read_table_by_table_and_not_written(
    hospital: Any, extract: Callable[..., Path], accepted: Any
) -> None:
    folder = extract(EVERYTHING)
    path = hospital.folder / "database" / "hospital.duckdb"
    path.parent.mkdir()
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE SCHEMA cdm").fetchall()
        for name in HEADERS:
            database.execute(f"CREATE TABLE cdm.{name} AS FROM '{folder / name}.csv'").fetchall()
        database.execute("INSERT INTO cdm.MEASUREMENT FROM cdm.MEASUREMENT").fetchall()
        database.execute("CREATE VIEW cdm.other AS FROM cdm.MEASUREMENT").fetchall()
    before = path.read_bytes()
    night = hospital.receive(path, source="omop")
    assert accepted(night, "analyte, value, row_number") == [("anc_direct", 1200, 1)]
    assert accepted(night, "code", "canonical.diagnosis") == [("D701",)]
    assert {entry.name: entry.rows for entry in night.inputs}["hospital.duckdb#cdm.MEASUREMENT"] == 2
    assert {entry.name for entry in night.inputs} == {f"hospital.duckdb#cdm.{name}" for name in HEADERS}
    assert path.read_bytes() == before


def test_a_damaged_duckdb_file_is_refused_without_a_traceback(hospital: Any) -> None:
    path = hospital.write("cdm.duckdb", b"\0" * 8 + b"DUCK" + b"\1" * 5000)
    with pytest.raises(SourceError, match="cannot be opened as a DuckDB file"):
        hospital.receive(path, source="omop")


def test_a_duckdb_file_with_a_journal_beside_it_is_waited_for(hospital: Any) -> None:
    path = hospital.folder / "extract" / "cdm.duckdb"
    path.parent.mkdir()
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE TABLE death AS SELECT 1 AS person_id").fetchall()
        database.execute("CHECKPOINT").fetchall()
        database.execute("INSERT INTO death VALUES (2)").fetchall()
        with pytest.raises(TryAgainLater, match="journal"):
            hospital.receive(path.parent, source="omop")


def test_parquet_and_csv_of_one_extract_give_the_same_rows(
    hospital: Any, extract: Callable[..., Path], accepted: Any
) -> None:
    folder = extract(EVERYTHING)
    packed = hospital.folder / "parquet"
    packed.mkdir()
    for name in HEADERS:
        duckdb.sql(f"COPY (FROM '{folder / name}.csv') TO '{packed / name}.parquet'")
    texts, typed = hospital.receive(folder, source="omop"), hospital.receive(packed, source="omop")
    for table in texts.staged:
        columns = "* EXCLUDE (input_id)"
        assert accepted(texts, columns, table) == accepted(typed, columns, table)


def test_columns_of_version_5_3_are_enough(hospital: Any, accepted: Any) -> None:
    header = (
        "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime,visit_end_date,"
        "visit_end_datetime,visit_type_concept_id,admitting_source_concept_id,discharge_to_concept_id"
    )
    hospital.write(
        "visit_occurrence.csv", f"{header}\n7,1,9203,2020-03-01,2020-03-01 10:00:00,2020-03-02,,44818517,,\n"
    )
    hospital.write("cdm_source.csv", "cdm_source_name,cdm_version\nx,5.3.1\n")
    night = hospital.receive(hospital.folder / "extract", source="omop")
    assert accepted(night, "setting, started_at::VARCHAR, ended_at::VARCHAR", "canonical.encounter") == [
        ("emergency", "2020-03-01 10:00:00", "2020-03-02 00:00:00")
    ]


def test_tables_with_a_header_only_are_empty_tables(hospital: Any, extract: Callable[..., Path], accepted: Any) -> None:
    night = hospital.receive(extract({**dict.fromkeys(HEADERS, ()), "MEASUREMENT": [MEASURED]}), source="omop")
    assert accepted(night, "analyte") == [("anc_direct",)]
    assert accepted(night, "*", "canonical.exposure") == []
    assert sum(line.n_received for line in night.ledger) == 1


def test_a_vocabulary_that_comes_a_night_later_explains_what_was_there_and_doubles_nothing(
    hospital: Any, extract: Callable[..., Path]
) -> None:
    rows = [MEASURED, {**MEASURED, "measurement_concept_id": "0", "measurement_source_value": "NEUT"}]
    rows[1] |= {"measurement_source_concept_id": "40762351", "measurement_datetime": "2020-03-02 08:30:00"}
    tables: dict[str, Rows] = {"MEASUREMENT": rows, "DRUG_EXPOSURE": [GIVEN]}
    hospital.take(extract(tables), source="omop")
    assert hospital.canonical("lab", "value::INTEGER, collected_at::DATE::VARCHAR") == [(1200, "2020-03-01")]
    assert hospital.canonical("exposure", "agent") == [("308182",)]
    hospital.take(extract({**tables, "CONCEPT": VOCABULARY}), source="omop")
    assert hospital.canonical("lab", "value::INTEGER, collected_at::DATE::VARCHAR") == [
        (1200, "2020-03-01"),
        (1200, "2020-03-02"),
    ]
    assert hospital.canonical("exposure", "agent") == [("amoxicillin 250 mg",)]


def test_one_database_sent_again_with_a_row_more_adds_one_row(hospital: Any, extract: Callable[..., Path]) -> None:
    folder = extract({"MEASUREMENT": [MEASURED]})
    path = hospital.folder / "nightly" / "cdm.duckdb"
    path.parent.mkdir()
    with duckdb.connect(str(path)) as database:
        database.execute(f"CREATE TABLE measurement AS FROM '{folder / 'MEASUREMENT'}.csv'").fetchall()
    hospital.take(path, source="omop")
    with duckdb.connect(str(path)) as database:
        database.execute(
            "INSERT INTO measurement SELECT * REPLACE (2 AS measurement_id, '2020-03-05 09:00:00' AS "
            "measurement_datetime) FROM measurement"
        ).fetchall()
    hospital.take(path, source="omop")
    assert hospital.canonical("lab", "collected_at::VARCHAR") == [("2020-03-01 08:30:00",), ("2020-03-05 09:00:00",)]
