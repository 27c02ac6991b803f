"""OMOP tables in small: which of two things that a row says is taken, and when neither is."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from flows.errors import SourceError, TryAgainLater

SHIPPED = Path(__file__).parents[2] / "transforms" / "definitions" / "source_maps" / "omop.yaml"
Rows = Sequence[Mapping[str, str]]
HEADERS = {
    "PERSON": "person_id gender_concept_id year_of_birth month_of_birth day_of_birth birth_datetime race_concept_id "
    "ethnicity_concept_id person_source_value gender_source_value race_source_value ethnicity_source_value",
    "OBSERVATION_PERIOD": "observation_period_id person_id observation_period_start_date "
    "observation_period_end_date period_type_concept_id",
    "VISIT_OCCURRENCE": "visit_occurrence_id person_id visit_concept_id visit_start_date visit_start_datetime "
    "visit_end_date visit_end_datetime visit_type_concept_id admitted_from_concept_id",
    "MEASUREMENT": "measurement_id person_id measurement_concept_id measurement_date measurement_datetime "
    "measurement_time measurement_type_concept_id operator_concept_id value_as_number value_as_concept_id "
    "unit_concept_id range_low range_high measurement_source_value measurement_source_concept_id unit_source_value "
    "value_source_value",
    "DRUG_EXPOSURE": "drug_exposure_id person_id drug_concept_id drug_exposure_start_date "
    "drug_exposure_start_datetime drug_exposure_end_date drug_exposure_end_datetime drug_type_concept_id "
    "route_concept_id drug_source_value drug_source_concept_id route_source_value",
    "CONDITION_OCCURRENCE": "condition_occurrence_id person_id condition_concept_id condition_start_date "
    "condition_start_datetime condition_type_concept_id condition_source_value condition_source_concept_id",
    "DEATH": "person_id death_date death_datetime death_type_concept_id",
    "CONCEPT": "concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code",
}
MEASURED = {
    "person_id": "1",
    "measurement_concept_id": "3013650",
    "measurement_date": "2020-03-01",
    "measurement_datetime": "2020-03-01 08:30:00",
    "operator_concept_id": "0",
    "value_as_number": "1.2",
    "unit_concept_id": "8848",
    "measurement_source_value": "751-8",
    "unit_source_value": "10*3/uL",
}
GIVEN = {
    "person_id": "1",
    "drug_concept_id": "19073183",
    "drug_exposure_start_date": "2020-02-01",
    "drug_exposure_end_date": "2020-02-05",
    "drug_type_concept_id": "32818",
    "drug_source_value": "308182",
}
SUFFERED = {"person_id": "1", "condition_concept_id": "4250734", "condition_start_date": "2020-03-02"}
VOCABULARY = [
    {
        "concept_id": "19073183",
        "concept_name": "Amoxicillin 250 MG",
        "vocabulary_id": "RxNorm",
        "concept_code": "308182",
    },
    {"concept_id": "45582969", "concept_name": "x", "vocabulary_id": "ICD10CM", "concept_code": "D70.1"},
    {"concept_id": "4250734", "concept_name": "y", "vocabulary_id": "SNOMED", "concept_code": "165517008"},
    {"concept_id": "40762351", "concept_name": "z", "vocabulary_id": "LOINC", "concept_code": "26499-4"},
]
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


@pytest.fixture
def measure(hospital: Any, extract: Callable[..., Path]) -> Callable[..., Any]:
    """The night of measurements that differ from the usual one as given, with CONCEPT beside them."""

    def receive(*changes: Mapping[str, str], source: str = "omop") -> Any:
        rows = [{**MEASURED, **change} for change in changes]
        return hospital.receive(extract({"MEASUREMENT": rows, "CONCEPT": VOCABULARY}), source=source)

    return receive


@pytest.fixture
def suffer(hospital: Any, extract: Callable[..., Path], own_map: Callable[..., str]) -> Callable[..., Any]:
    """The night of one condition, with the vocabulary of its source values declared."""

    def receive(change: Mapping[str, str], declared: Sequence[str]) -> Any:
        folder = extract({"CONDITION_OCCURRENCE": [{**SUFFERED, **change}], "CONCEPT": VOCABULARY})
        return hospital.receive(folder, source=own_map(values={"condition_source_vocabulary": list(declared)}))

    return receive


@pytest.fixture
def own_map(hospital: Any) -> Callable[..., str]:
    """A copy of the shipped map with other entries; entries of `values` are added to its own."""

    def write(**changes: Any) -> str:
        entry = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        changes["values"] = {**entry["values"], **changes.get("values", {})}
        return str(hospital.write("own.yaml", yaml.safe_dump({**entry, **changes}), "maps"))

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


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"measurement_source_value": "", "measurement_source_concept_id": "0"}, "anc_direct"),
        ({"measurement_concept_id": "0"}, "anc_direct"),
        ({"measurement_concept_id": "0", "measurement_source_value": "NEUT"}, None),
        (
            {
                "measurement_concept_id": "0",
                "measurement_source_value": "NEUT",
                "measurement_source_concept_id": "40762351",
            },
            "anc_direct",
        ),
        ({"measurement_concept_id": "3013650.0"}, "anc_direct"),
        ({"measurement_concept_id": "3000000", "measurement_source_value": "2345-7"}, None),
        ({"measurement_concept_id": "40762351", "measurement_source_value": "NEUT"}, "anc_direct"),
    ],
    ids=[
        "concept_alone",
        "loinc_in_the_source_value",
        "nothing_known",
        "loinc_through_the_source_concept",
        "concept_written_as_a_float",
        "another_test",
        "concept_known_through_its_loinc",
    ],
)
def test_a_test_is_known_by_its_concept_or_else_by_its_source_code(
    measure: Any, accepted: Any, set_aside: Any, change: Mapping[str, str], expected: str | None
) -> None:
    night = measure(change)
    assert accepted(night, "analyte") == ([(expected,)] if expected else [])
    assert set_aside(night) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"measurement_source_value": "6690-2"},
        {"measurement_source_value": "2345-7"},
        {"measurement_concept_id": "4298431"},
    ],
    ids=["two_blood_counts", "the_source_is_no_blood_count", "the_concept_is_unknown"],
)
def test_a_row_whose_concept_and_source_disagree_is_listed(
    measure: Any, accepted: Any, set_aside: Any, change: Mapping[str, str]
) -> None:
    night = measure(change)
    assert accepted(night) == []
    assert set_aside(night) == {"code_contradicts": 1}


def test_two_codes_of_the_same_analyte_agree(measure: Any, accepted: Any) -> None:
    assert accepted(measure({"measurement_source_value": "26499-4"}), "analyte, source_code") == [
        ("anc_direct", "3013650")
    ]


def test_a_concept_that_is_no_loinc_can_be_translated_in_the_map(measure: Any, accepted: Any, own_map: Any) -> None:
    night = measure({"measurement_concept_id": "4298431"}, source=own_map(codes={"4298431": "751-8"}))
    assert accepted(night, "analyte, value") == [("anc_direct", 1200)]


@pytest.mark.parametrize(
    ("unit", "concept", "expected"),
    [
        ("10*3/uL", "0", 1200),
        ("10*3/uL", "", 1200),
        ("", "8848", 1200),
        ("thousands", "8848", 1200),
        ("10*9/L", "8848", 1200),
        ("x10E3/µL", "9444.0", 1200),
        ("/uL", "8647", 1),
        ("/uL", "8848", "unit_ambiguous"),
        ("10*3/uL", "8554", "unit_ambiguous"),
        ("10*3/uL", "8555", "unit_ambiguous"),
        ("", "8554", "unit_of_other_kind"),
        ("", "0", "unit_missing"),
    ],
)
def test_a_unit_is_taken_from_text_and_concept_unless_they_disagree(
    measure: Any, accepted: Any, set_aside: Any, unit: str, concept: str, expected: float | str
) -> None:
    night = measure({"unit_source_value": unit, "unit_concept_id": concept})
    if isinstance(expected, str):
        assert (accepted(night), set_aside(night)) == ([], {expected: 1})
    else:
        assert accepted(night, "round(value)::INTEGER") == [(expected,)]


@pytest.mark.parametrize(
    ("number", "operator", "text", "bounds"),
    [
        ("0.1", "4171756", "", ("<", 0, 100)),
        ("0.1", "4171754", "", ("<=", 0, 100)),
        ("20", "4172704", "", (">", 20000, None)),
        ("20", "4171755", "", (">=", 20000, None)),
        ("0.1", "4172703", "0.1", (None, 100, 100)),
        ("0.1", "0", "<0.1", ("<", 0, 100)),
        ("0.1", "0", "less than 0.1", ("<", 0, 100)),
        ("", "0", "<0.1", ("<", 0, 100)),
        ("", "4171756", "0.1", ("<", 0, 100)),
        ("0", "0", "0.0", (None, 0, 0)),
        ("0", "0", "ND", None),
        ("", "0", "ND", None),
    ],
)
def test_a_comparator_is_found_wherever_the_row_has_it(
    measure: Any, accepted: Any, number: str, operator: str, text: str, bounds: tuple[Any, ...] | None
) -> None:
    night = measure({"value_as_number": number, "operator_concept_id": operator, "value_source_value": text})
    assert accepted(night, "comparator, lower_bound, upper_bound") == ([bounds] if bounds else [])


@pytest.mark.parametrize(
    ("given", "precision", "expected"),
    [
        (("2020-03-01 08:30:00", ""), "auto", ("2020-03-01 08:30:00", "minute")),
        (("2020-03-01 00:00:00", "2020-03-01"), "auto", ("2020-03-01 00:00:00", "day")),
        (("", ""), "auto", ("2020-03-01 00:00:00", "day")),
        (("", "08:30:00"), "auto", ("2020-03-01 08:30:00", "minute")),
        (("2020-03-01 00:00:00", "08:30"), "auto", ("2020-03-01 08:30:00", "minute")),
        (("2020-03-01 00:00:00", ""), "minute", ("2020-03-01 00:00:00", "minute")),
        (("2020-03-01 08:30:00", ""), "day", ("2020-03-01 08:30:00", "day")),
    ],
    ids=[
        "a_time",
        "midnight_and_a_date_as_time",
        "date_only",
        "time_of_day_apart",
        "midnight_and_a_time_of_day",
        "true_midnight_by_the_map",
        "invented_time_by_the_map",
    ],
)
def test_a_midnight_is_a_day_unless_the_map_says_that_times_are_times(
    measure: Any, accepted: Any, own_map: Any, given: tuple[str, str], precision: str, expected: tuple[str, str]
) -> None:
    change = dict(zip(("measurement_datetime", "measurement_time"), given, strict=True))
    night = measure(change, source=own_map(time_precision=precision))
    assert accepted(night, "collected_at::VARCHAR, time_precision") == [expected]


@pytest.mark.parametrize("operator", ["0", "4171756"])
def test_a_test_without_any_value_is_no_error(measure: Any, accepted: Any, set_aside: Any, operator: str) -> None:
    night = measure({"value_as_number": "", "operator_concept_id": operator, "value_source_value": ""})
    assert (accepted(night), set_aside(night)) == ([], {})


def test_the_precision_of_a_row_does_not_depend_on_the_rows_around_it(measure: Any, accepted: Any) -> None:
    midnight = {"measurement_datetime": "2020-03-02 00:00:00"}
    alone = accepted(measure(midnight), "record_key, time_precision")
    together = accepted(measure({}, midnight), "record_key, time_precision")
    assert set(alone) < set(together)


def test_a_temperature_is_no_result_of_the_laboratory(measure: Any, accepted: Any, set_aside: Any) -> None:
    fever = {"measurement_concept_id": "3020891", "measurement_source_value": "8310-5"}
    night = measure(
        {},
        {**fever, "value_as_number": "38.5", "unit_concept_id": "586323", "unit_source_value": "Cel"},
        {**fever, "value_as_number": "101.3", "unit_concept_id": "9289", "unit_source_value": "[degF]"},
        {**fever, "value_as_number": "39", "unit_concept_id": "0", "unit_source_value": ""},
    )
    assert accepted(night, "celsius::VARCHAR", "canonical.vital") == [("38.50",)]
    assert set_aside(night) == {"same_as_another": 1, "value_not_a_number": 1}
    names = {entry.input_id: entry.name for entry in night.inputs}
    lines = [line for line in night.ledger if names[line.input_id] == "MEASUREMENT.csv"]
    assert {line.table_name: line.n_received for line in lines} == {"canonical.vital": 3, "canonical.lab": 1}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("amoxicillin 250 mg", "308182", "administered")),
        ({"drug_type_concept_id": "32825"}, ("amoxicillin 250 mg", "308182", "dispensed")),
        ({"drug_type_concept_id": "32838"}, ("amoxicillin 250 mg", "308182", "ordered")),
        ({"drug_type_concept_id": "32865"}, ("amoxicillin 250 mg", "308182", "reported")),
        ({"drug_concept_id": "0"}, ("308182", None, "administered")),
        (
            {"drug_concept_id": "0", "drug_source_concept_id": "19073183", "drug_source_value": "AMOX"},
            ("amoxicillin 250 mg", "308182", "administered"),
        ),
        ({"drug_concept_id": "0", "drug_source_value": "Filgrastim"}, ("filgrastim", None, "administered")),
    ],
    ids=["administered", "dispensed", "prescribed", "self_reported", "code_only", "source_concept", "name_only"],
)
def test_a_drug_has_the_name_of_its_concept_and_the_evidence_of_its_type(
    hospital: Any, extract: Callable[..., Path], accepted: Any, change: Mapping[str, str], expected: tuple[str, ...]
) -> None:
    night = hospital.receive(extract({"DRUG_EXPOSURE": [{**GIVEN, **change}], "CONCEPT": VOCABULARY}), source="omop")
    assert accepted(night, "agent, rxnorm, evidence", "canonical.exposure") == [expected]


def test_a_drug_record_that_does_not_say_whether_it_was_given_is_listed(
    hospital: Any, extract: Callable[..., Path], set_aside: Any
) -> None:
    night = hospital.receive(extract({"DRUG_EXPOSURE": [{**GIVEN, "drug_type_concept_id": "32817"}]}), source="omop")
    assert set_aside(night) == {"evidence_unknown": 1}


def test_a_number_is_an_rxnorm_code_only_where_the_map_declares_it(
    hospital: Any, extract: Callable[..., Path], accepted: Any, own_map: Any
) -> None:
    folder = extract({"DRUG_EXPOSURE": [GIVEN]})
    assert accepted(hospital.receive(folder, source="omop"), "rxnorm", "canonical.exposure") == [(None,)]
    declared = own_map(values={"drug_source_vocabulary": ["rxnorm"]})
    assert accepted(hospital.receive(folder, source=declared), "rxnorm", "canonical.exposure") == [("308182",)]


@pytest.mark.parametrize(
    ("change", "declared", "expected"),
    [
        ({"condition_source_value": "D70.1", "condition_source_concept_id": "45582969"}, [], ("D701", "icd10cm")),
        ({"condition_source_value": "165517008"}, [], ("165517008", "other")),
        ({"condition_source_value": "165517008"}, ["icd10cm"], ("165517008", "other")),
        ({"condition_source_value": "D70.1"}, ["icd10gm"], ("D701", "icd10gm")),
        ({"condition_source_value": "288.03"}, ["icd9cm"], ("28803", "icd9cm")),
        ({"condition_source_value": "D70.1"}, [], None),
        ({}, [], ("165517008", "other")),
    ],
    ids=["by_concept", "snomed", "snomed_beside_icd", "icd10gm", "icd9cm", "undeclared_icd", "standard_concept_only"],
)
def test_the_system_of_a_diagnosis_is_known_or_declared_and_never_guessed(
    suffer: Callable[..., Any],
    accepted: Any,
    set_aside: Any,
    change: Mapping[str, str],
    declared: Sequence[str],
    expected: tuple[str, str] | None,
) -> None:
    night = suffer(change, declared)
    assert accepted(night, "code, code_system", "canonical.diagnosis") == ([expected] if expected else [])
    assert set_aside(night) == ({} if expected else {"code_system_unknown": 1})


def test_the_same_row_is_one_result_with_and_without_the_vocabulary(
    hospital: Any, extract: Callable[..., Path], measure: Any, accepted: Any
) -> None:
    with_names = accepted(measure({}, {"measurement_source_value": ""}), "record_key")
    (hospital.folder / "extract" / "CONCEPT.csv").unlink()
    without = hospital.receive(hospital.folder / "extract", source="omop")
    assert accepted(without, "record_key") == with_names


def test_an_extract_in_which_every_test_contradicts_its_concept_is_stopped(measure: Any) -> None:
    rows = [{"person_id": str(number), "measurement_concept_id": "4298431"} for number in range(30)]
    with pytest.raises(SourceError) as stopped:
        measure(*rows)
    assert "codes" in stopped.value.repair
