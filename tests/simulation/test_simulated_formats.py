"""Every layout of the simulated hospital holds what it can of the same rows, and is what its specification says."""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest

from flows.cli import Layout
from flows.simulation import hospital
from flows.simulation.hospital import Format, SimulationRequest, simulate_hospital
from flows.simulation.parameters import load_parameters

PEOPLE, DAYS, SEED = 120, 200, 5
Resources = dict[str, list[dict[str, Any]]]
# The result that stands, said without the simulation's own words: a correction, or else the final result.
STANDING = """
    SELECT right(person_id, 8)::BIGINT AS person, collected_at, test_code, value, unit
    FROM '{labs}' l WHERE status <> 'preliminary' AND (status = 'corrected' OR NOT EXISTS (
        FROM '{labs}' c WHERE c.status = 'corrected' AND c.specimen_id = l.specimen_id AND c.test_code = l.test_code))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Format], Path]:
    base, done = tmp_path_factory.mktemp("layouts"), set[Format]()

    def write(form: Format) -> Path:
        if form not in done:
            simulate_hospital(SimulationRequest(PEOPLE, DAYS, form, base / form, SEED, base / f"{form}_truth.csv"))
            done.add(form)
        return base / form

    return write


@pytest.fixture(scope="module")
def omop(written: Callable[[Format], Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with one view a table of the OMOP extract."""
    with duckdb.connect() as connection:
        for path in sorted(written("omop").iterdir()):
            connection.execute(f"CREATE VIEW {path.name.split('.')[0]} AS FROM read_csv('{path}')").fetchall()
        yield connection


@pytest.fixture(scope="module")
def exported(written: Callable[[Format], Path]) -> Resources:
    """The resources of the bulk export by type."""
    found: Resources = {}
    for path in sorted(written("fhir").iterdir()):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in content.decode().splitlines():
            resource = json.loads(line)
            assert path.name.startswith(f"{resource['resourceType']}.")
            found.setdefault(resource["resourceType"], []).append(resource)
    return found


def hashes(out: Path, form: Format) -> dict[str, str]:
    summary = simulate_hospital(SimulationRequest(40, 100, form, out, SEED))
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in summary.files}


@pytest.mark.parametrize("form", ["omop", "fhir", "fhir_bundles"])
def test_the_same_seed_gives_the_same_bytes_in_every_layout(tmp_path: Path, form: Format) -> None:
    first, second = hashes(tmp_path / "a", form), hashes(tmp_path / "b", form)
    assert first == second
    assert len(first) >= (1 if form == "fhir_bundles" else 8)
    assert {str(path.relative_to(tmp_path / "a")) for path in (tmp_path / "a").rglob("*") if path.is_file()} == set(
        first
    )


@pytest.mark.parametrize("form", ["omop", "fhir", "fhir_bundles"])
def test_people_who_come_in_chunks_never_share_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    usual = load_parameters()
    small = usual.model_copy(update={"hospital": usual.hospital.model_copy(update={"chunk_people": 60})})
    monkeypatch.setattr(hospital, "load_parameters", lambda: small)
    start_on = small.hospital.start_on
    simulate_hospital(SimulationRequest(PEOPLE, 60, form, tmp_path, SEED, start_on=start_on))
    if form == "omop":
        for table, key in (("MEASUREMENT", "measurement_id"), ("CONCEPT", "concept_id"), ("PERSON", "person_id")):
            path = next(tmp_path.glob(f"{table}.csv*"))
            counts = duckdb.execute(f"SELECT count(*) > 0, count(*) - count(DISTINCT {key}) FROM '{path}'").fetchall()
            assert counts == [(True, 0)]
        return
    texts = [gzip.decompress(path.read_bytes()) for path in sorted(tmp_path.rglob("*.gz"))]
    texts += [path.read_bytes() for path in sorted(tmp_path.rglob("*.ndjson"))]
    ids = [
        found.decode() for text in texts for found in re.findall(rb'"resourceType":"([A-Za-z]+","id":"[^"]+)"', text)
    ]
    assert len([one for one in ids if one.startswith("Patient")]) == PEOPLE
    assert len(ids) == len(set(ids)) > 1000


def test_each_layout_that_the_command_offers_says_what_it_leaves_out() -> None:
    layouts = load_parameters().layouts
    assert {layout.value for layout in Layout} == set(get_args(Format)) == set(layouts.layouts)
    for layout in layouts.layouts.values():
        assert set(layout.leaves_out) <= set(layouts.features)


def test_the_command_prints_what_the_layout_left_out(tmp_path: Path, nadir: Callable[..., Any]) -> None:
    arguments = ("simulate", "--people", 5, "--days", 30, "--format", "omop", "--out", tmp_path / "out")
    printed = nadir(*map(str, arguments))
    assert printed.returncode == 0, printed.stderr
    assert "the Duffy phenotype" in printed.stdout
    assert (tmp_path / "out" / "PERSON.csv").exists()


def test_omop_measurements_are_the_results_that_stand(
    omop: duckdb.DuckDBPyConnection, written: Callable[[Format], Path]
) -> None:
    labs = written("parquet") / "labs.parquet"
    theirs = omop.execute(f"{STANDING.format(labs=labs)} ORDER BY ALL").fetchall()
    ours = omop.execute(
        "SELECT person_id, measurement_datetime, measurement_source_value, value_source_value, unit_source_value "
        "FROM MEASUREMENT WHERE measurement_source_value <> '8310-5' ORDER BY ALL"
    ).fetchall()
    assert len(ours) > 3000
    assert ours == theirs


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("MEASUREMENT", "measurement_concept_id"),
        ("MEASUREMENT", "measurement_source_concept_id"),
        ("MEASUREMENT", "operator_concept_id"),
        ("MEASUREMENT", "unit_concept_id"),
        ("DRUG_EXPOSURE", "drug_concept_id"),
        ("DRUG_EXPOSURE", "drug_type_concept_id"),
        ("CONDITION_OCCURRENCE", "condition_source_concept_id"),
        ("VISIT_OCCURRENCE", "visit_concept_id"),
        ("PERSON", "gender_concept_id"),
    ],
)
def test_every_omop_concept_that_is_used_is_explained(omop: duckdb.DuckDBPyConnection, table: str, column: str) -> None:
    used = omop.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} <> 0").fetchall()
    unknown = omop.execute(
        f"SELECT DISTINCT {column} FROM {table} ANTI JOIN CONCEPT ON {column} = concept_id WHERE {column} <> 0"
    ).fetchall()
    assert len(used) >= 2
    assert unknown == []


def test_a_concept_of_omop_is_there_once_and_its_tests_are_those_of_the_code(omop: duckdb.DuckDBPyConnection) -> None:
    assert omop.execute("SELECT concept_id FROM CONCEPT GROUP BY 1 HAVING count(*) > 1").fetchall() == []
    assert omop.execute(
        "SELECT count(*) FROM MEASUREMENT JOIN CONCEPT ON concept_id = measurement_source_concept_id "
        "WHERE concept_code <> measurement_source_value OR vocabulary_id <> 'LOINC'"
    ).fetchall() == [(0,)]
    units = omop.execute("SELECT DISTINCT unit_source_value, unit_concept_id FROM MEASUREMENT").fetchall()
    assert {("x10^9/L", 9444), ("10*3/uL", 8848), ("cells/uL", 8784), ("%", 8554)} <= set(units)


def test_an_omop_bound_is_an_operator_and_a_number_and_no_result_is_neither(omop: duckdb.DuckDBPyConnection) -> None:
    found = omop.execute(
        "SELECT value_source_value[1] AS first, operator_concept_id, count(value_as_number), count(*) FROM MEASUREMENT "
        "WHERE value_source_value SIMILAR TO '<.*|ND' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert [(first, operator) for first, operator, _, _ in found] == [("<", 4171756), ("N", 0)]
    assert found[0][2] == found[0][3] > 0
    assert found[1][2] == 0 < found[1][3]


def test_omop_people_are_numbers_that_every_table_knows(
    omop: duckdb.DuckDBPyConnection, written: Callable[[Format], Path]
) -> None:
    assert omop.execute("SELECT count(*), min(person_id), max(person_id) FROM PERSON").fetchall() == [
        (PEOPLE, 1, PEOPLE)
    ]
    for table in ("OBSERVATION_PERIOD", "VISIT_OCCURRENCE", "MEASUREMENT", "DRUG_EXPOSURE", "DEATH"):
        assert omop.execute(f"SELECT count(*) FROM {table} ANTI JOIN PERSON USING (person_id)").fetchall() == [(0,)]
    truth = f"read_csv('{written('omop').parent / 'omop_truth.csv'}')"
    assert omop.execute(f"SELECT count(*) FROM {truth} ANTI JOIN PERSON USING (person_id)").fetchall() == [(0,)]


def elements(part: object) -> Iterator[object]:
    """Every object, list and value inside."""
    yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from elements(inner)


def test_fhir_leaves_out_what_it_does_not_know_and_holds_no_empty_element(exported: Resources) -> None:
    for resources in exported.values():
        for part in elements(resources):
            assert part is not None
            assert part not in ({}, [])


def test_every_fhir_reference_leads_to_a_resource(exported: Resources) -> None:
    known = {f"{kind}/{resource['id']}" for kind, resources in exported.items() for resource in resources}
    assert len(known) == sum(len(resources) for resources in exported.values())
    used = {
        part["reference"]
        for part in elements(list(exported.values()))
        if isinstance(part, dict) and "reference" in part
    }
    assert used <= known
    assert len(exported["Patient"]) == PEOPLE
    assert all(re.fullmatch(r"[A-Za-z0-9.-]{1,64}", key.split("/")[1]) for key in known)


def test_fhir_holds_every_version_of_a_result_with_its_status(
    exported: Resources, written: Callable[[Format], Path]
) -> None:
    labs = written("parquet") / "labs.parquet"
    theirs = duckdb.execute(
        "SELECT specimen_id, strftime(resulted_at, '%Y-%m-%dT%H:%M:%S-05:00'), test_code, status "
        f"FROM '{labs}' ORDER BY ALL"
    ).fetchall()
    ours = [
        (one["specimen"]["reference"][9:19], one["issued"], one["code"]["coding"][0]["code"], one["status"])
        for one in exported["Observation"]
        if "issued" in one
    ]
    assert {status for *_, status in ours} == {"preliminary", "final", "corrected"}
    assert sorted(ours) == theirs


def test_a_fhir_result_is_a_quantity_with_ucum_or_says_why_there_is_none(exported: Resources) -> None:
    absent = [one for one in exported["Observation"] if "dataAbsentReason" in one]
    assert absent
    assert not [one for one in exported["Observation"] if ("valueQuantity" in one) == ("dataAbsentReason" in one)]
    quantities = [one["valueQuantity"] for one in exported["Observation"] if "valueQuantity" in one]
    assert {(q["unit"], q["code"]) for q in quantities} >= {("x10^9/L", "10*9/L"), ("cells/uL", "/uL"), ("Cel", "Cel")}
    assert {q.get("comparator") for q in quantities} == {None, "<"}
    assert all(isinstance(q["value"], float) for q in quantities)


def test_bundles_and_bulk_export_hold_the_same_resources(
    exported: Resources, written: Callable[[Format], Path]
) -> None:
    bundled: list[dict[str, Any]] = []
    people: list[set[str]] = []
    for path in sorted((written("fhir_bundles") / "bundles").iterdir()):
        bundle = json.loads(gzip.decompress(path.read_bytes()))
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
        assert bundle["entry"][0]["request"] == {
            "method": "PUT",
            "url": f"Patient/{bundle['entry'][0]['resource']['id']}",
        }
        bundled += [entry["resource"] for entry in bundle["entry"]]
        people.append(
            {one["id"] for entry in bundle["entry"] if (one := entry["resource"])["resourceType"] == "Patient"}
        )
        used = {part["reference"] for part in elements(bundle) if isinstance(part, dict) and "reference" in part}
        assert {key.split("/")[1] for key in used if key.startswith("Patient/")} <= people[-1]
    assert sorted(map(len, people)) == [20, 50, 50]
    everything = [resource for resources in exported.values() for resource in resources]
    assert sorted(map(json.dumps, bundled)) == sorted(map(json.dumps, everything))


def test_drugs_are_told_apart_by_what_is_known_of_them(
    exported: Resources, omop: duckdb.DuckDBPyConnection, written: Callable[[Format], Path]
) -> None:
    rows = duckdb.execute(
        f"SELECT evidence, count(*) FROM '{written('parquet') / 'exposures.parquet'}' GROUP BY 1"
    ).fetchall()
    kinds = {"administered": "Administration", "dispensed": "Dispense", "ordered": "Request", "reported": "Statement"}
    assert {kinds[name]: n for name, n in rows} == {kind: len(exported[f"Medication{kind}"]) for kind in kinds.values()}
    concepts = {"administered": 32818, "dispensed": 32825, "ordered": 32838, "reported": 32865}
    ours = omop.execute("SELECT drug_type_concept_id, count(*) FROM DRUG_EXPOSURE GROUP BY 1").fetchall()
    assert {concepts[name]: n for name, n in rows} == dict(ours)
