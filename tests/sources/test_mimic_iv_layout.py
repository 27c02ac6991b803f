"""The MIMIC-IV demo as published: the counts of its SOURCE.md, and a test for each trap named there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.tonight import tonight_rows

DEMO = Path(__file__).parents[2].parent / "shared" / "data" / "mimic-iv-demo-2.2"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not DEMO.is_dir(), reason="the open extracts do not stand beside the project"),
]
Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def demo(make_hospital: Callable[[], Any]) -> Any:
    return make_hospital().receive(DEMO)


@pytest.fixture(scope="module")
def ask(demo: Any) -> Iterator[Ask]:
    """Questions to the accepted rows, as tables by their short names."""
    with duckdb.connect() as connection:
        for table in demo.staged:
            connection.execute(f"CREATE VIEW {table.split('.')[1]} AS {tonight_rows(demo, table)}").fetchall()
        yield lambda sql: connection.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("itemid", "rows", "people", "lowest", "highest"),
    [
        ("51301", 2759, 100, 100, 182600),
        ("51300", 16, 1, 2100, 4800),
        ("52075", 565, 45, 0, 97520),
        ("51256", 939, 91, 0, 98),
        ("51144", 395, 30, 0, 30),
        ("51218", 2, 1, 100, 887),
    ],
    ids=["wbc", "second_wbc_code", "anc", "neutrophils", "bands", "granulocytes_per_microlitre"],
)
def test_each_count_is_read_as_measured_independently(
    ask: Ask, itemid: str, rows: int, people: int, lowest: int, highest: int
) -> None:
    facts = "count(value), count(DISTINCT person_id), min(value), max(value)"
    found = ask(f"SELECT {facts} FROM lab WHERE source_code = '{itemid}'")
    assert found == [(rows, people, lowest, highest)]


def test_explicit_counts_below_each_threshold_are_those_of_the_files(ask: Ask) -> None:
    below = [
        ask(
            f"SELECT count(DISTINCT person_id), count(*) FROM lab WHERE analyte = 'anc_direct' AND value < {threshold}"
        )[0]
        for threshold in (1500, 1000, 500)
    ]
    assert below == [(4, 73), (4, 64), (2, 52)]


def test_the_ledger_holds_every_row_of_every_file(demo: Any) -> None:
    rows = {entry.input_id: entry.rows for entry in demo.inputs}
    for line in demo.ledger:
        ends = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
        assert sum(ends) == line.n_received == rows[line.input_id]
    by_name = {entry.name: entry.rows for entry in demo.inputs}
    assert by_name["labevents.csv.gz"] == 107_727
    assert by_name["emar.csv.gz"] == 35_835


def test_dates_are_declared_shifted_and_far_years_are_kept(demo: Any, ask: Ask) -> None:
    assert demo.dates == "shifted"
    assert ask("SELECT min(year(collected_at)) >= 2110, max(year(collected_at)) <= 2202 FROM lab") == [(True, True)]


def test_scrubbed_text_never_hides_the_number_of_a_result(ask: Ask) -> None:
    assert ask("SELECT count(*) FROM lab WHERE source_value = '___' OR lower_bound IS NULL") == [(0,)]


def test_a_differential_not_done_is_no_error(demo: Any) -> None:
    labs = next(line for line in demo.ledger if line.table_name == "canonical.lab" and line.n_accepted)
    assert labs.n_quarantined == 0


def test_outpatient_draws_without_an_admission_are_kept(ask: Ask) -> None:
    outside = ask(
        f"""SELECT count(*) FROM '{DEMO}/hosp/labevents.csv.gz' f JOIN lab l ON l.specimen_id = f.specimen_id::VARCHAR
        AND l.source_code = f.itemid::VARCHAR WHERE f.itemid = 51301 AND f.hadm_id IS NULL AND f.valuenum IS NOT NULL"""
    )
    assert outside[0][0] >= 610


def test_only_items_whose_fluid_is_blood_are_counts(ask: Ask) -> None:
    other = ask(
        f"""SELECT count(*) FROM lab JOIN '{DEMO}/hosp/d_labitems.csv.gz' i ON i.itemid::VARCHAR = source_code
        WHERE fluid <> 'Blood'"""
    )
    assert other == [(0,)]
    assert ask("SELECT count(*) FROM lab WHERE source_code IN ('51516', '50872', '51697', '52220')") == [(0,)]


def test_only_what_was_administered_is_an_administration(ask: Ask) -> None:
    given = ask(
        f"""SELECT count(*) FROM (SELECT DISTINCT subject_id, charttime, lower(trim(medication))
        FROM '{DEMO}/hosp/emar.csv.gz' WHERE event_txt = 'Administered' AND medication IS NOT NULL)"""
    )
    assert ask("SELECT count(*) FROM exposure WHERE evidence = 'administered'") == given


def test_an_order_that_stops_before_it_starts_is_set_aside(demo: Any, ask: Ask) -> None:
    assert ask("SELECT count(*) FROM exposure WHERE ended_at < started_at") == [(0,)]
    refused = duckdb.sql(f"SELECT count(*) FROM '{demo.dropped}' WHERE rule = 'ends_before_start'").fetchall()
    orders = f"'{DEMO}/hosp/prescriptions.csv.gz'"
    wanted = ask(f"SELECT count(*) FROM {orders} WHERE stoptime < starttime AND drug_type <> 'BASE'")
    assert refused == wanted


def test_ages_at_the_top_code_give_no_year_of_birth(ask: Ask) -> None:
    assert ask("SELECT count(*), count(birth_year) FROM person WHERE age_years >= 91") == [(3, 0)]
    assert ask("SELECT count(*), count(sex), count(died_on) FROM person") == [(100, 100, 31)]


def test_drug_names_are_lower_case_whatever_was_typed(ask: Ask) -> None:
    assert ask("SELECT count(DISTINCT agent) FROM exposure WHERE agent ILIKE 'venetoclax'") == [(1,)]


def test_diagnoses_carry_the_version_of_their_code(ask: Ask) -> None:
    assert ask("SELECT code_system, count(*) FROM diagnosis GROUP BY 1 ORDER BY 1") == [
        ("icd10cm", 2313),
        ("icd9cm", 2193),
    ]
    assert ask("SELECT count(*) FROM diagnosis WHERE contains(code, '.')") == [(0,)]
