"""One simulated hospital, written in every layout: the episodes are the same, minute by minute.

The stages run as they do at night, up to derive. People are matched by their key, which MIMIC-IV and OMOP write as a
number. Nothing is simulated away: what a layout has no place for is declared in layouts.yaml, and each of these
declarations is tested here on what was accepted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from flows.handover import Derived, Request, RunContext
from flows.progress import Progress
from flows.settings import Settings
from flows.simulation.hospital import Format, SimulationRequest, simulate_hospital
from flows.simulation.parameters import load_parameters
from flows.stages.derive import derive
from flows.stages.receive import receive
from flows.stages.validate import validate
from flows.tonight import tonight_rows
from flows.workspace import Workspace
from tests.plain_checker import PlainChecker
from transforms.load import load_definitions

PEOPLE, DAYS, SEED = 100, 440, 7
STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
FORMATS: tuple[Format, ...] = ("delimited", "parquet", "mimic_iv", "omop", "fhir", "fhir_bundles")
OTHERS = FORMATS[1:]
Row = tuple[object, ...]

EPISODES = (
    "SELECT person_id, e.* EXCLUDE (person_index, episode_id) FROM '{episode}' e JOIN '{people}' USING (person_index)"
)
CAUSES = (
    "SELECT person_id, rule, threshold_cells_per_ul, first_low_at, c.* EXCLUDE (person_index, episode_id) "
    "FROM '{episode_cause}' c JOIN '{episode}' e USING (episode_id) "
    "JOIN '{people}' p ON e.person_index = p.person_index"
)
ACCEPTED = {
    "result_time": "SELECT count(*) FROM lab WHERE version_at IS NOT NULL",
    "specimen": "SELECT count(*) FROM lab WHERE NOT starts_with(specimen_id, strftime(collected_at, '%Y-%m-%d'))",
    "own_codes": "SELECT count(DISTINCT method) - 1 FROM lab WHERE analyte = 'wbc'",
    "own_units": "SELECT count(DISTINCT source_unit) - 1 FROM lab WHERE analyte = 'wbc'",
    "observation_spans": "SELECT count(*) FROM observation WHERE NOT is_inferred",
    "outpatient_visits": "SELECT count(*) FROM encounter WHERE setting = 'outpatient'",
    "evidence": "SELECT count(*) FROM exposure WHERE evidence = 'dispensed'",
    "temperatures": "SELECT count(*) FROM vital",
    "duffy_phenotype": "SELECT count(*) FROM person WHERE duffy_null",
}
ANALYTE = "replace(analyte, 'segs_pct', 'neut_pct')"  # MIMIC-IV has one item for both
TABLES = ("lab", "person", "observation", "encounter", "exposure", "diagnosis", "vital")


@dataclass(frozen=True)
class Outcome:
    """What came of one layout. `carried` has the features of layouts.yaml that were found in the accepted rows."""

    episodes: list[Row]
    columns: list[str]
    causes: list[Row]
    analytes: Mapping[str, int]
    results: list[Row]
    people: list[Row]  # key, sex, birth_year, died_on
    diagnosed: list[Row]
    given: list[Row]
    carried: frozenset[str]


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Outcome]:
    base = tmp_path_factory.mktemp("formats")
    return {form: _outcome(base / form, form) for form in FORMATS}


def _outcome(folder: Path, form: Format) -> Outcome:
    simulate_hospital(SimulationRequest(PEOPLE, DAYS, form, folder / "extract", SEED))
    workspace, settings = Workspace(folder / "workspace").create(), Settings(workspace=folder / "workspace")
    context = RunContext("run", STARTED_AT, workspace, settings, load_definitions(), Progress(is_quiet=True))
    context.work.mkdir(parents=True)
    validated = validate(receive(Request((folder / "extract",)), context), context, PlainChecker())
    assert validated.verdict != "stop"
    derived = derive(validated, context)
    with duckdb.connect() as connection:
        return _read(connection, derived)


def _read(connection: duckdb.DuckDBPyConnection, derived: Derived) -> Outcome:
    def rows(sql: str) -> list[Row]:
        return connection.execute(sql).fetchall()

    validated, frames = derived.validated, {**derived.frames, "people": derived.people}

    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS {tonight_rows(validated, f'canonical.{table}')}").fetchall()
    lines = [line for line in validated.ledger if line.table_name == "canonical.lab"]
    carried = {name for name, sql in ACCEPTED.items() if rows(sql) > [(0,)]}
    carried |= {"result_status"} if sum(line.n_superseded for line in lines) else set()
    carried |= {"repeated_rows"} if sum(line.n_duplicate for line in lines) else set()
    episodes = EPISODES.format(**frames)
    given = "SELECT person_id, agent, started_at, ended_at FROM exposure WHERE evidence = 'administered'"
    return Outcome(
        episodes=_by_number(rows(episodes)),
        columns=[str(name) for name, *_ in rows(f"DESCRIBE {episodes}")],
        causes=_by_number(rows(CAUSES.format(**frames))),
        analytes=dict(rows(f"SELECT {ANALYTE}, count(*) FROM lab GROUP BY 1")),
        results=_by_number(rows(f"SELECT person_id, collected_at, {ANALYTE}, lower_bound, upper_bound, unit FROM lab")),
        people=_by_number(rows("SELECT person_id, sex, birth_year, died_on FROM person")),
        diagnosed=_by_number(rows("SELECT person_id, code, code_system, recorded_at FROM diagnosis")),
        given=_by_number(rows(given)),
        carried=frozenset(carried),
    )


def _by_number(rows: list[Row]) -> list[Row]:
    return sorted(((_number(key), *row) for key, *row in rows), key=repr)


def _number(key: object) -> int:
    """The person's number: P00000012, 12 and 10000012 are the same."""
    digits = int(re.sub(r"\D", "", str(key)))
    return digits % load_parameters().mimic_iv.first_subject_id


def test_the_hospital_has_enough_episodes_to_compare(outcomes: dict[Format, Outcome]) -> None:
    rows, columns = outcomes["delimited"].episodes, outcomes["delimited"].columns
    assert len(rows) >= 200
    for name in ("rule", "threshold_cells_per_ul", "certainty", "has_gcsf", "ended_as", "onset_after"):
        assert len({row[columns.index(name)] for row in rows}) >= 2, name


@pytest.mark.parametrize("form", OTHERS)
def test_every_layout_gives_the_same_episodes_to_the_minute(outcomes: dict[Format, Outcome], form: Format) -> None:
    assert outcomes[form].columns == outcomes["delimited"].columns
    assert outcomes[form].episodes == outcomes["delimited"].episodes


@pytest.mark.parametrize("form", OTHERS)
def test_every_layout_has_as_many_accepted_results_of_each_analyte(
    outcomes: dict[Format, Outcome], form: Format
) -> None:
    assert outcomes["delimited"].analytes.keys() >= {"wbc", "anc_direct", "neut_pct", "bands_pct", "b12"}
    assert outcomes[form].analytes == outcomes["delimited"].analytes


@pytest.mark.parametrize("form", OTHERS)
def test_every_layout_has_the_same_bounds_of_each_result(outcomes: dict[Format, Outcome], form: Format) -> None:
    results = outcomes["delimited"].results
    assert any(lower != upper for *_, lower, upper, _ in results)
    assert outcomes[form].results == results


@pytest.mark.parametrize("form", OTHERS)
def test_every_layout_knows_the_same_people(outcomes: dict[Format, Outcome], form: Format) -> None:
    people = outcomes["delimited"].people
    if "great_ages" in load_parameters().layouts.left_out(form):
        oldest = load_parameters().hospital.start_on.year - load_parameters().mimic_iv.greatest_age
        people = [(key, sex, year if year >= oldest else None, died) for key, sex, year, died in people]
        assert people != outcomes["delimited"].people
    assert outcomes[form].people == people


@pytest.mark.parametrize("form", ["parquet", "omop", "fhir", "fhir_bundles"])
def test_layouts_that_date_diagnoses_and_tell_evidence_hold_the_same(
    outcomes: dict[Format, Outcome], form: Format
) -> None:
    assert outcomes[form].diagnosed == outcomes["delimited"].diagnosed
    assert [(row[0], *row[2:]) for row in outcomes[form].given] == [
        (row[0], *row[2:]) for row in outcomes["delimited"].given
    ]


@pytest.mark.parametrize("form", ["parquet", "omop"])
def test_layouts_that_also_know_who_was_observed_when_give_the_same_causes(
    outcomes: dict[Format, Outcome], form: Format
) -> None:
    assert len(outcomes["delimited"].causes) >= 200
    assert outcomes[form].causes == outcomes["delimited"].causes


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_layout_is_said_to_leave_out_is_what_cannot_be_found(
    outcomes: dict[Format, Outcome], form: Format
) -> None:
    layouts = load_parameters().layouts
    declared = set(layouts.left_out(form)) & {*ACCEPTED, "result_status", "repeated_rows"}
    assert outcomes[form].carried == {*ACCEPTED, "result_status", "repeated_rows"} - declared
