"""Real patients: the numbers of the MIMIC-IV demo against SQL written straight on its files."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flows.handover import Published

SHARED = Path(__file__).parents[3] / "shared" / "data" / "mimic-iv-demo-2.2"
pytestmark = pytest.mark.shared_data

COUNTS = """
CREATE TABLE specimen AS
SELECT subject_id::VARCHAR AS person_id, specimen_id, min(charttime) AS collected_at,
       max(valuenum) FILTER (itemid = 52075) AS reported,
       max(valuenum::DECIMAL(12, 4)) FILTER (itemid IN (51301, 51300)) AS white,
       max(valuenum::DECIMAL(12, 4)) FILTER (itemid = 51256) AS neutrophils,
       max(valuenum::DECIMAL(12, 4)) FILTER (itemid = 51144) AS bands
FROM read_csv('{labs}') GROUP BY ALL;
CREATE TABLE anc AS
SELECT *, coalesce(round(reported * 1000)::BIGINT,
                   floor(white * (neutrophils + coalesce(bands, 0)) * 10 + 0.5)::BIGINT) AS cells
FROM specimen WHERE reported IS NOT NULL OR (white IS NOT NULL AND neutrophils IS NOT NULL);
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, run_directly: Callable[..., Published]) -> Path:
    workspace = tmp_path_factory.mktemp("mimic") / "workspace"
    run_directly(workspace, SHARED)
    return workspace


@pytest.fixture(scope="module")
def independent() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for statement in COUNTS.format(labs=SHARED / "hosp" / "labevents.csv.gz").split(";"):
        if statement.strip():
            connection.execute(statement).fetchall()
    return connection


def _query(workspace: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize(("threshold", "known"), [(1500, 5), (1000, 4), (500, 2)])
def test_people_below_a_threshold_are_those_that_plain_sql_finds(
    night: Path, independent: duckdb.DuckDBPyConnection, threshold: int, known: int
) -> None:
    found = independent.execute(f"SELECT count(DISTINCT person_id) FROM anc WHERE cells < {threshold}").fetchall()
    ours = _query(
        night,
        "SELECT DISTINCT n_low, n_population FROM estimate.prevalence WHERE standard = 'crude' AND cohort = 'everyone' "
        "AND interval_unit = 'all' "
        f"AND measure = 'any_low' AND denominator_name = 'tested' AND threshold_cells_per_ul = {threshold}",
    )
    assert found == [(known,)]
    assert ours == [(known, 91)]


def test_every_count_equals_the_one_that_plain_sql_computes(
    night: Path, independent: duckdb.DuckDBPyConnection
) -> None:
    theirs = independent.execute("SELECT person_id, specimen_id::VARCHAR, cells FROM anc ORDER BY ALL").fetchall()
    ours = _query(
        night,
        "SELECT person_id, specimen_id, anc_cells_per_ul FROM derived.anc "
        "WHERE anc_cells_per_ul IS NOT NULL ORDER BY ALL",
    )
    assert len(theirs) > 900
    assert ours == theirs


def test_simple_run_episodes_are_gaps_and_islands_in_plain_sql(
    night: Path, independent: duckdb.DuckDBPyConnection
) -> None:
    for threshold in (1500, 1000, 500):
        theirs = independent.execute(
            f"""
            WITH marked AS (SELECT *, cells < {threshold} AS low,
                            row_number() OVER w - row_number() OVER (PARTITION BY person_id, cells < {threshold}
                            ORDER BY collected_at, specimen_id::VARCHAR) AS island,
                            lag(collected_at) OVER w AS before, lead(collected_at) OVER w AS after
                            FROM anc WINDOW w AS (PARTITION BY person_id ORDER BY collected_at, specimen_id::VARCHAR))
            SELECT person_id, min(collected_at), max(collected_at), count(*), min(cells),
                   first(before ORDER BY collected_at, specimen_id::VARCHAR),
                   last(after ORDER BY collected_at, specimen_id::VARCHAR)
            FROM marked WHERE low GROUP BY person_id, island ORDER BY ALL"""
        ).fetchall()
        ours = _query(
            night,
            "SELECT person_id, first_low_at, last_low_at, n_values, nadir_cells_per_ul, onset_after, recovery_by "
            "FROM derived.episode "
            f"WHERE rule = 'simple_run' AND threshold_cells_per_ul = {threshold} ORDER BY ALL",
        )
        assert len(theirs) > 0
        assert ours == theirs


def test_shifted_dates_answer_no_calendar_question(night: Path) -> None:
    assert _query(night, "SELECT status FROM ops.answerable WHERE question = 'calendar_trend'") == [("not_answerable",)]
    assert _query(night, "SELECT DISTINCT interval_unit FROM estimate.prevalence") == [("all",)]


def test_every_row_of_every_file_is_accounted_for(night: Path) -> None:
    received = dict[object, object](
        _query(
            night,
            "SELECT name, sum(n_received)::INT FROM ops.row_ledger "
            "JOIN ops.input USING (run_id, input_id) GROUP BY ALL",
        )
    )
    assert received["labevents.csv.gz"] == 107_727
    assert received["diagnoses_icd.csv.gz"] == 4_506
    assert received["emar.csv.gz"] == 35_835
    assert received["prescriptions.csv.gz"] == 18_087


def test_small_cells_of_real_people_are_hidden(night: Path) -> None:
    marks = _query(
        night,
        "SELECT DISTINCT n_low, n_low_mark, prevalence FROM released.prevalence WHERE standard = 'crude' "
        "AND cohort = 'everyone' AND "
        "measure = 'any_low' AND denominator_name = 'tested' AND threshold_cells_per_ul = 500",
    )
    assert marks == [(None, "hidden", None)]
