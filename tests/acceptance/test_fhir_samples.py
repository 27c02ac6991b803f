"""SMART's sample patients (STU3) and Synthea (R4) in one folder: the report against plain Python over the JSON.

A test for each trap that their SOURCE.md names. Receiving 64 bundles takes most of the time.
"""

import gzip
import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.handover import Published

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "fhir-smart-samples"
pytestmark = pytest.mark.shared_data
WBC = frozenset({"26464-8", "6690-2"})
PERCENT = frozenset({"770-8", "26511-6"})
Resource = Mapping[str, Any]
Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def resources() -> Mapping[str, list[Resource]]:
    """Every resource of both sets by its type, each with the name of its file."""
    found: dict[str, list[Resource]] = defaultdict(list)
    for path in sorted(SAMPLES.rglob("*.json.gz")):
        for entry in json.loads(gzip.decompress(path.read_bytes()))["entry"]:
            resource = entry["resource"]
            found[resource["resourceType"]].append({**resource, "file": path.name, "set": path.parent.name})
    return found


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, run_directly: Callable[..., Published]) -> Path:
    workspace = tmp_path_factory.mktemp("fhir") / "workspace"
    run_directly(workspace, SAMPLES)
    return workspace


@pytest.fixture(scope="module")
def ask(workspace: Path) -> Iterator[Ask]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def _person(resource: Resource) -> str:
    return str(resource["subject"]["reference"]).removeprefix("Patient/").removeprefix("urn:uuid:")


def _code(resource: Resource) -> str:
    return str(resource["code"]["coding"][0]["code"])


def _values(resources: Mapping[str, list[Resource]], codes: frozenset[str]) -> dict[tuple[str, str], set[Decimal]]:
    """Values by person and time as written, offset dropped."""
    values: dict[tuple[str, str], set[Decimal]] = defaultdict(set)
    for resource in resources["Observation"]:
        if _code(resource) in codes:
            at = resource["effectiveDateTime"][:19].replace("T", " ")
            values[_person(resource), at].add(Decimal(repr(resource["valueQuantity"]["value"])))
    return values


def test_both_sets_lie_in_one_folder_and_hold_36_people(ask: Ask, resources: Mapping[str, list[Resource]]) -> None:
    assert ask("SELECT count(*) FROM canonical.person") == [(36,)]
    assert len({resource["id"] for resource in resources["Patient"]}) == 36
    assert ask("SELECT DISTINCT source_id FROM canonical.person") == [("fhir",)]


def test_every_resource_of_every_bundle_is_accounted_for(ask: Ask, resources: Mapping[str, list[Resource]]) -> None:
    received = dict(ask("SELECT table_name, sum(n_received)::INT FROM ops.row_ledger GROUP BY ALL"))
    drugs = ("MedicationRequest", "MedicationDispense")
    fed = {
        "canonical.person": len(resources["Patient"]),
        "canonical.encounter": len(resources["Encounter"]),
        "canonical.diagnosis": len(resources["Condition"]),
        "canonical.exposure": sum(len(resources[kind]) for kind in drugs),
        "canonical.vital": sum(_code(resource) in {"8310-5", "8331-1"} for resource in resources["Observation"]),
    }
    assert {table: received[table] for table in fed} == fed
    assert received["canonical.lab"] + received["canonical.vital"] == len(resources["Observation"])
    assert sum(received.values()) == sum(len(some) for some in resources.values())


def test_one_patient_over_four_bundles_is_one_person(ask: Ask, resources: Mapping[str, list[Resource]]) -> None:
    files: dict[str, set[str]] = defaultdict(set)
    for resource in resources["Observation"]:
        files[_person(resource)].add(resource["file"])
    most = max(files, key=lambda person: len(files[person]))
    assert len(files[most]) == 4
    assert ask(f"SELECT count(*), count(sex), count(birth_year) FROM canonical.person WHERE person_id = '{most}'") == [
        (1, 1, 1)
    ]
    inputs = ask(f"SELECT count(DISTINCT input_id) FROM canonical.lab WHERE person_id = '{most}'")
    assert inputs[0][0] >= 3


def test_status_unknown_is_kept(ask: Ask) -> None:
    assert ask("SELECT count(*) FROM canonical.lab WHERE status = 'unknown' AND analyte = 'wbc'") == [(79,)]
    assert ask("SELECT count(*) FROM canonical.lab WHERE status = 'unknown' AND analyte = 'neut_pct'") == [(53,)]


def _kept(sent: Mapping[tuple[str, str], set[Decimal]]) -> list[tuple[str, str, Decimal]]:
    """Rows without those that contradict each other at one minute; on a day without a time of day there may be two."""
    return [
        (person, at if is_timed else f"{at} 00:00:00", value)
        for (person, at), values in sent.items()
        if not (is_timed := len(at) > 10) or len(values) == 1
        for value in values
    ]


def test_displays_that_differ_do_not_hide_a_code(ask: Ask, resources: Mapping[str, list[Resource]]) -> None:
    displays = {
        resource["code"]["coding"][0]["display"] for resource in resources["Observation"] if _code(resource) in WBC
    }
    assert any("\u200b" in display for display in displays)
    people = {person for person, *_ in _kept(_values(resources, WBC))}
    assert ask("SELECT count(DISTINCT person_id) FROM canonical.lab WHERE analyte = 'wbc'") == [(len(people),)]


def test_white_cells_are_those_of_the_files_and_contradictions_stay_out(
    ask: Ask, resources: Mapping[str, list[Resource]]
) -> None:
    sent = _values(resources, WBC)
    theirs = sorted(
        (person, at, (value * 1000).quantize(Decimal("1e-6"), ROUND_HALF_UP)) for person, at, value in _kept(sent)
    )
    ours = ask("SELECT person_id, collected_at::VARCHAR, value FROM canonical.lab WHERE analyte = 'wbc' ORDER BY ALL")
    assert len(theirs) == 140
    assert ours == theirs
    contradicting = sum(len(values) for (_, at), values in sent.items() if len(at) > 10 and len(values) > 1)
    quarantined = ask("SELECT count(*) FROM quarantine.row WHERE rule = 'conflicting_versions'")
    assert quarantined[0][0] >= contradicting == 4


def test_all_53_shares_have_white_cells_of_the_same_day_and_none_is_low(
    ask: Ask, resources: Mapping[str, list[Resource]]
) -> None:
    white, bands = _values(resources, WBC), _values(resources, frozenset({"26508-2"}))
    theirs: dict[tuple[str, str], list[int]] = {}
    for (person, at), (share,) in _values(resources, PERCENT).items():
        percent = share + sum(bands.get((person, at), ()))
        counts = [(cells * percent * 10).quantize(Decimal(1), ROUND_HALF_UP) for cells in white[person, at]]
        theirs[person, at] = sorted(int(count) for count in counts)
    ours = {
        (person, at): (cells, is_discordant)
        for person, at, cells, is_discordant in ask(
            "SELECT person_id, collected_at::DATE::VARCHAR, anc_cells_per_ul, is_discordant FROM derived.anc "
            "WHERE anc_cells_per_ul IS NOT NULL"
        )
    }
    assert len(theirs) == 53
    assert ours.keys() == theirs.keys()
    for key, counts in theirs.items():
        cells, is_discordant = ours[key]
        assert counts[0] <= cells <= counts[-1]
        assert is_discordant == (len(counts) > 1)
    assert min(cells for cells, _ in ours.values()) == 2279


def test_low_white_cells_without_a_differential_are_bounds_and_are_reported(
    ask: Ask, resources: Mapping[str, list[Resource]]
) -> None:
    sent = _values(resources, WBC)
    synthea = {person for person, _ in sent if not person.startswith("smart-")}
    certain = {person for person, at, value in _kept(sent) if person in synthea and value < Decimal("1.5")}
    found = ask(
        "SELECT DISTINCT person_id FROM derived.anc WHERE anc_cells_per_ul IS NULL AND upper_cells_per_ul < 1500"
    )
    assert {person for (person,) in found} == certain
    low = ask(
        "SELECT DISTINCT n_low, n_population FROM estimate.prevalence WHERE standard = 'crude' "
        "AND cohort = 'everyone' AND stratum = 'all' "
        "AND interval_unit = 'all' AND measure = 'any_low' AND denominator_name = 'tested' "
        "AND threshold_cells_per_ul = 1500"
    )
    assert low == [(len(certain), len(certain) + 23)]
    assert len(certain) == 6


def test_times_carry_offsets_and_are_kept_as_written(ask: Ask, resources: Mapping[str, list[Resource]]) -> None:
    starts = {
        (_person(stay), stay["period"]["start"][:19].replace("T", " "))
        for stay in resources["Encounter"]
        if stay["set"] == "R4-SYNTHEA"
    }
    kept = set(ask("SELECT person_id, started_at::VARCHAR FROM canonical.encounter WHERE person_id NOT LIKE 'smart-%'"))
    assert kept == starts
    assert ask("SELECT count(*) FROM canonical.encounter WHERE ended_at < started_at") == [(0,)]


def test_files_that_are_named_after_people_are_read_and_called_by_their_place(ask: Ask) -> None:
    names = [name for (name,) in ask("SELECT name FROM ops.input WHERE rows > 0")]
    assert len(set(names)) == 64
    assert any("Mejía" in unicodedata.normalize("NFC", path.name) for path in SAMPLES.rglob("*.json.gz"))
    assert not any("Mej" in name or "Dickens" in name for name in names)


def test_numbers_with_15_decimals_keep_six(ask: Ask) -> None:
    sent = ask("SELECT source_value, value FROM canonical.lab WHERE analyte = 'wbc' AND length(source_value) > 15")
    assert len(sent) > 30
    for text, cells in sent:
        assert abs(Decimal(text) * 1000 - cells) <= Decimal("0.0000005")


def test_drugs_are_ordered_or_dispensed_and_diagnoses_are_snomed(
    ask: Ask, resources: Mapping[str, list[Resource]]
) -> None:
    assert {proof for (proof,) in ask("SELECT DISTINCT evidence FROM canonical.exposure")} == {"ordered", "dispensed"}
    assert ask("SELECT count(*) FROM canonical.exposure WHERE rxnorm IS NULL") == [(0,)]
    assert ask("SELECT DISTINCT code_system FROM canonical.diagnosis") == [("other",)]
    dated = {
        (_person(one), _code(one), one["onsetDateTime"][:10])
        for one in resources["Condition"]
        if len(one["onsetDateTime"]) >= 10
    }
    assert ask(
        "SELECT count(*) FROM (SELECT DISTINCT person_id, code, recorded_at::DATE FROM canonical.diagnosis)"
    ) == [(len(dated),)]


def test_names_and_addresses_of_patients_are_in_no_file_of_the_workspace(
    workspace: Path, resources: Mapping[str, list[Resource]]
) -> None:
    families = {
        str(name["family"]) for person in resources["Patient"] for name in person["name"] if len(name["family"]) > 7
    }
    cities = {place["city"] for person in resources["Patient"] for place in person.get("address", [])}
    assert len(families) > 5
    assert len(cities) > 5
    staged = sorted(workspace.rglob("*.parquet"))
    texts = repr([duckdb.sql(f"SELECT * FROM read_parquet('{path}')").fetchall() for path in staged])
    texts += "".join(page.read_text(encoding="utf-8") for page in sorted((workspace / "site").rglob("*.json")))
    assert not [word for word in families | cities if word in texts]
