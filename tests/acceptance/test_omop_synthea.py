"""The OMOP sample as published, without any option: its counts by SQL on the zip, and a test for each trap it has."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.handover import Published

SHARED = Path(__file__).parents[3] / "shared" / "data" / "omop-synthea27nj-5.4"
ARCHIVE = SHARED / "Synthea27Nj_5.4.zip"
pytestmark = pytest.mark.shared_data
Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, run_directly: Callable[..., Published]) -> tuple[Path, Published]:
    workspace = tmp_path_factory.mktemp("omop") / "workspace"
    return workspace, run_directly(workspace, SHARED)


@pytest.fixture(scope="module")
def ours(night: tuple[Path, Published]) -> Ask:
    def ask(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(night[0] / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return ask


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Questions to the files in the zip, every column as text, tables by their file names."""
    folder = tmp_path_factory.mktemp("files")
    connection = duckdb.connect()
    with zipfile.ZipFile(ARCHIVE) as archive:
        for member in archive.namelist():
            if not member.startswith("__MACOSX"):
                path = archive.extract(member, folder)
                source = f"read_csv('{path}', all_varchar=true, header=true)"
                connection.execute(f"CREATE VIEW {Path(member).stem} AS FROM {source}").fetchall()
    return lambda sql: connection.execute(sql).fetchall()


def test_the_anc_is_not_computable_and_never_zero_per_cent(night: tuple[Path, Published], ours: Ask) -> None:
    answers = {
        question: (status, reason)
        for question, status, reason in ours("SELECT question, status, reason FROM ops.answerable")
    }
    assert answers["anc"][0] == "not_answerable"
    assert answers["anc"][1].startswith("ANC not computable: no neutrophil result in the extract")
    assert answers["prevalence"][0] == "not_answerable"
    assert ours("SELECT count(*) FROM derived.episode") == [(0,)]
    headline = re.findall(r"<h1[^>]*>(.*?)</h1>", night[1].report.read_text(encoding="utf-8"), re.DOTALL)
    assert "ANC not computable: no neutrophil result in the extract" in headline[0]


def test_white_cells_are_those_that_plain_sql_finds(ours: Ask, theirs: Ask) -> None:
    found = theirs(
        """SELECT person_id, measurement_date::DATE, (value_as_number::DECIMAL(18,6) * 1000)::BIGINT
        FROM measurement WHERE measurement_concept_id = '3000905' AND unit_concept_id = '8848' ORDER BY ALL"""
    )
    assert (len(found), len({person for person, *_ in found})) == (107, 28)
    assert len({person for person, _, cells in found if cells < 4000}) == 7
    assert found == ours(
        "SELECT person_id, collected_at::DATE, value::BIGINT FROM canonical.lab WHERE analyte = 'wbc' ORDER BY ALL"
    )


def test_people_spans_visits_drugs_and_conditions_are_all_there(ours: Ask, theirs: Ask) -> None:
    assert ours("SELECT person_id, sex, birth_year FROM canonical.person ORDER BY ALL") == theirs(
        "SELECT person_id, if(gender_concept_id = '8507', 'male', 'female'), year_of_birth::INTEGER FROM person "
        "ORDER BY ALL"
    )
    assert ours("SELECT person_id, died_on FROM canonical.person WHERE died_on IS NOT NULL ORDER BY ALL") == theirs(
        "SELECT person_id, death_date::DATE FROM death ORDER BY ALL"
    )
    for table, file, key in (
        ("observation", "observation_period", "person_id, observation_period_start_date"),
        ("encounter", "visit_occurrence", "person_id, visit_start_datetime, visit_concept_id"),
        ("diagnosis", "condition_occurrence", "person_id, condition_source_value, condition_start_date"),
    ):
        assert ours(f"SELECT count(*) FROM canonical.{table}") == theirs(
            f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {file})"
        )


def test_upper_case_names_and_what_a_mac_left_behind_do_not_matter(ours: Ask) -> None:
    names = {name for (name,) in ours("SELECT name FROM ops.input")}
    assert not [name for name in names if "MACOSX" in name or "._" in name]
    assert {"PERSON", "MEASUREMENT", "DRUG_EXPOSURE", "CONCEPT"} <= {Path(name).stem for name in names}


def test_every_row_of_every_file_that_is_read_ends_in_one_column_of_the_ledger(ours: Ask, theirs: Ask) -> None:
    received = dict(
        ours(
            """SELECT i.name, sum(n_received)::BIGINT FROM ops.row_ledger JOIN ops.input i USING (run_id, input_id)
            WHERE n_received = n_accepted + n_duplicate + n_superseded + n_quarantined + n_irrelevant GROUP BY 1"""
        )
    )
    rows = {name: theirs(f"SELECT count(*) FROM {Path(name).stem}")[0][0] for name in received}
    assert {name: received[name] for name in rows} == rows
    assert sum(rows for name, rows in received.items() if name.endswith("/MEASUREMENT.csv")) == 10_040


def test_tables_with_a_header_only_are_no_error(theirs: Ask, ours: Ask) -> None:
    assert theirs("SELECT count(*) FROM concept_ancestor") == [(0,)]
    assert ours("SELECT count(*) FROM ops.run WHERE state = 'published'") == [(1,)]


def test_a_drug_that_is_only_a_code_has_the_name_that_concept_gives(ours: Ask, theirs: Ask) -> None:
    assert theirs("SELECT count(*) FROM drug_exposure WHERE NOT regexp_full_match(drug_source_value, '[0-9]+')") == [
        (0,)
    ]
    named = theirs(
        """SELECT person_id, lower(concept_name), concept_code, count(*) FROM drug_exposure
        JOIN concept ON concept_code = drug_source_value AND vocabulary_id = 'RxNorm' GROUP BY ALL ORDER BY ALL"""
    )
    assert sum(row[-1] for row in named) == 883
    assert named == ours("SELECT person_id, agent, rxnorm, count(*) FROM canonical.exposure GROUP BY ALL ORDER BY ALL")
    assert ours("SELECT DISTINCT evidence FROM canonical.exposure") == [("dispensed",)]


def test_an_empty_concept_ancestor_leaves_no_drug_without_a_name(ours: Ask) -> None:
    assert ours("SELECT count(*) FROM canonical.exposure WHERE regexp_full_match(agent, '[0-9]+')") == [(0,)]


def test_midnights_and_dates_in_the_column_of_times_are_days(ours: Ask, theirs: Ask) -> None:
    assert theirs("SELECT count(*) FROM measurement WHERE measurement_time <> measurement_date") == [(0,)]
    assert theirs("SELECT DISTINCT measurement_datetime[12:] FROM measurement") == [("00:00:00",)]
    assert ours("SELECT DISTINCT time_precision FROM canonical.lab") == [("day",)]


def test_an_unknown_unit_concept_hides_no_unit_that_is_written_out(ours: Ask, theirs: Ask) -> None:
    known = "measurement_source_value IN ('6690-2', '777-3', '718-7', '4544-3')"
    wanted = theirs(
        f"SELECT measurement_source_value, count(*) FROM measurement WHERE {known} GROUP BY 1 ORDER BY 2, 1"
    )
    found = ours("SELECT count(*) FROM canonical.lab GROUP BY analyte ORDER BY 1")
    assert [count for _, count in wanted] == [count for (count,) in found]
    assert ours("SELECT count(*) FROM quarantine.row") == [(0,)]


def test_empty_reference_ranges_stay_empty(ours: Ask, theirs: Ask) -> None:
    assert theirs("SELECT count(range_low), count(range_high) FROM measurement") == [(0, 0)]
    assert ours("SELECT count(reference_low) FROM canonical.lab") == [(0,)]


def test_the_identifier_and_the_day_of_birth_of_a_person_are_stored_nowhere(
    night: tuple[Path, Published], theirs: Ask
) -> None:
    identifiers = [row[0] for row in theirs("SELECT person_source_value FROM person")]
    with duckdb.connect() as connection:
        for path in sorted(night[0].rglob("*.parquet")):
            rows = connection.execute(f"SELECT * FROM '{path}'")
            assert {name for name, *_ in rows.description or () if "birth" in name} <= {"birth_year"}, path.name
            text = json.dumps(rows.fetchall(), default=str)
            assert not [identifier for identifier in identifiers if identifier in text], path.name
    assert not list(night[0].rglob("PERSON.csv"))
