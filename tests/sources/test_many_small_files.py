"""An export of one bundle a patient: hundreds of files are read by one query, and each stays what it is alone."""

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows import opened_files
from flows.erase import erase_person
from flows.errors import IdentifiersFound, SourceError, TryAgainLater
from flows.settings import Settings
from flows.sources import fhir_files, together
from flows.sources.protocol import SourceFile
from flows.sources.together import gather_alike
from tests.sources.fhir_resources import (
    ANC,
    SNOMED,
    WBC,
    Aside,
    Resource,
    Rows,
    bundle,
    concept,
    lines,
    observation,
    patient,
    quantity,
)
from tests.sources.whole_night import everything, read


def of(key: str, loinc: str = ANC, value: float = 2.5, **more: Any) -> Resource:
    return observation(loinc, value, subject={"reference": f"Patient/{key}"}, **more)


def write_people(hospital: Any, n_people: int = 6, night: str = "extract") -> Path:
    """A folder with one bundle for each of p1, p2, ..."""
    for person in range(1, n_people + 1):
        text = bundle(patient(f"p{person}"), of(f"p{person}"), {"resourceType": "Claim", "id": "c"})
        hospital.write(f"patient_{person}.json", text, night)
    return Path(hospital.folder / night)


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


def test_a_broken_bundle_among_good_ones_is_named_and_nothing_is_kept(hospital: Any) -> None:
    folder = write_people(hospital)
    cut(folder / "patient_4.json")
    with pytest.raises(SourceError) as raised:
        hospital.receive(folder)
    assert raised.value.what == "patient_4.json: cannot be read to its end."
    assert hospital.workspace.staged_inputs() == frozenset()


def test_the_bundles_around_a_broken_one_are_looked_into_all_the_same(hospital: Any) -> None:
    folder = write_people(hospital)
    for person in (2, 5):
        named = patient(f"p{person}", name=[{"family": "Quetzalcoatlus"}])
        hospital.write(f"patient_{person}.json", bundle(named, of(f"p{person}")))
    cut(folder / "patient_4.json")
    hospital.settings = Settings(identifiers="refuse")
    with pytest.raises(IdentifiersFound) as raised:
        hospital.receive(folder)
    told = " ".join(raised.value.details)
    for name in ("patient_2.json", "patient_5.json", "patient_4.json: cannot be read"):
        assert name in told


def test_a_patient_across_two_bundles_is_one_person_with_the_results_of_both(hospital: Any, accepted: Rows) -> None:
    folder = write_people(hospital)
    hospital.write("more_of_2.json", bundle({"resourceType": "Claim"}, of("p2", WBC, 4.0)))
    night = hospital.receive(folder)
    places = {entry.input_id: entry.name for entry in night.inputs}
    found = accepted(night, "input_id, row_number, analyte, person_id")
    assert [(places[str(key)], *rest) for key, *rest in found if rest[-1] == "p2"] in (
        [("patient_2.json", 2, "anc_direct", "p2"), ("more_of_2.json", 2, "wbc", "p2")],
        [("more_of_2.json", 2, "wbc", "p2"), ("patient_2.json", 2, "anc_direct", "p2")],
    )
    assert accepted(night, "count(*)", "canonical.person") == [(6,)]


def test_a_reference_is_to_a_resource_of_its_own_bundle(hospital: Any, accepted: Rows) -> None:
    url = {0: "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}
    for key, drug in (("a", "filgrastim"), ("b", "clozapine"), ("c", "")):
        drugs = [{"resourceType": "Medication", "id": "m", "code": {"text": drug}}] if drug else []
        given: Resource = {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "subject": {"reference": url[0]},
            "effectiveDateTime": "2020-03-01",
            "medicationReference": {"reference": "Medication/m", "display": "unknown"},
        }
        hospital.write(f"{key}.json", bundle(patient(f"mrn-{key}"), given, *drugs, urls=url))
    night = hospital.receive(hospital.folder / "extract")
    assert accepted(night, "person_id, agent", "canonical.exposure") == [
        ("mrn-a", "filgrastim"),
        ("mrn-b", "clozapine"),
        ("mrn-c", "unknown"),
    ]


def test_each_file_has_its_own_lines_in_the_ledger(hospital: Any) -> None:
    folder = write_people(hospital, 3)
    hospital.write("patient_2.json", bundle(patient("p2"), *[of("p2")] * 2, *[{"resourceType": "Claim"}] * 5))
    night = hospital.receive(folder)
    names = {entry.input_id: entry.name for entry in night.inputs}
    lines_of = {(names[line.input_id], line.table_name): line for line in night.ledger}
    assert [lines_of[f"patient_{n}.json", "unused"].n_irrelevant for n in (1, 2, 3)] == [1, 5, 1]
    assert lines_of["patient_2.json", "canonical.lab"].n_duplicate == 1
    assert [(entry.name, entry.rows) for entry in sorted(night.inputs, key=lambda entry: entry.name)] == [
        ("patient_1.json", 3),
        ("patient_2.json", 8),
        ("patient_3.json", 3),
    ]


def test_a_broken_line_is_set_aside_under_its_own_file_and_number(
    hospital: Any, accepted: Rows, set_aside: Aside
) -> None:
    for person in (1, 2, 3):
        broken = '{"resourceType": "Observation", "sta\n' if person == 2 else ""
        text = lines(patient(f"p{person}")) + broken + lines(of(f"p{person}"))
        hospital.write(f"export.{person}.ndjson", text)
    night = hospital.receive(hospital.folder / "extract")
    (second,) = [entry.input_id for entry in night.inputs if entry.name == "export.2.ndjson"]
    assert accepted(night, "row_number, input_id = 'x'") == [(2, False), (2, False), (3, False)]
    assert set_aside(night) == {"row_malformed": 1}
    assert duckdb.sql(f"SELECT input_id, row_number FROM '{night.dropped}'").fetchall() == [(second, 2)]


def test_a_file_with_the_codes_of_somebody_else_is_named_among_good_ones(hospital: Any) -> None:
    folder = write_people(hospital)
    hospital.write("patient_3.json", bundle(patient("p3"), of("p3", "NEUT")))
    with pytest.raises(SourceError, match=r"patient_3\.json: no test code is a LOINC code"):
        hospital.receive(folder)


def test_a_file_of_which_one_rule_refuses_most_rows_is_named_among_good_ones(hospital: Any) -> None:
    folder = write_people(hospital, 30)
    least = hospital.definitions.receiving.stop_needs_rows
    refused = [of("p3", valueQuantity=quantity(2, "furlong"), id=str(row)) for row in range(least)]
    hospital.write("patient_3.json", bundle(patient("p3"), *refused))
    with pytest.raises(SourceError, match=r"patient_3\.json: .* rows of canonical.lab were refused by one rule"):
        hospital.receive(folder)


def test_a_name_that_looks_like_a_pattern_is_a_name(hospital: Any, accepted: Rows) -> None:
    for key, name in (("a", "lab[1].json"), ("b", "lab1.json"), ("c", "lab*.json"), ("d", "lab it's.json")):
        hospital.write(name, bundle(patient(key), of(key)))
    night = hospital.receive(hospital.folder / "extract")
    assert accepted(night, "person_id, row_number") == [(key, 2) for key in "abcd"]


def write_odd_ones(hospital: Any) -> Path:
    """Files in every form and packing, with panels, refused rows, unknown units and references."""
    panel = of("p1", component=[{"code": concept(code), "valueQuantity": quantity(2)} for code in (ANC, WBC)])
    temperature = of("p2", "8310-5", valueQuantity=quantity(38.2, "Cel"))
    ill = {"resourceType": "Condition", "subject": {"reference": "Patient/p3"}, "recordedDate": "2020-01-01"}
    for number in range(1, 13):
        own = f"p{number}"
        sent = [
            patient(own, name=[{"family": "Quetzalcoatlus"}]),
            of(own, value=number),
            of(own, WBC, valueQuantity=quantity(2, "furlong" if number % 2 else "10*3/uL")),
            *([panel] if number % 3 else []),
            *([temperature, {**ill, "code": concept("84757009", SNOMED)}] if number % 4 else []),
            {"resourceType": "Claim"},
        ]
        text, packing = (bundle(*sent), lines(*sent), json.dumps(sent))[number % 3], number % 5
        packed: str | bytes = text
        if packing == 1:
            packed = gzip.compress(text.encode(), mtime=0)
        elif packing == 2:
            packed = lzma.compress(text.encode())
        hospital.write(f"file_{number}.json", packed)
    unknown = [of(f"p{number}", valueQuantity=quantity(2, "furlong")) for number in range(20, 40)]
    hospital.write("ward.json", bundle(*unknown, *[of(f"p{number}") for number in range(20, 40)]))
    return Path(hospital.folder / "extract")


@pytest.mark.slow
def test_files_read_together_give_what_each_gives_alone(
    make_hospital: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for most_files in (500, 1):
        monkeypatch.setattr(together, "MOST_FILES", most_files)
        hospital = make_hospital()
        night = hospital.receive(write_odd_ones(hospital), lists_words=True)
        found.append(everything(hospital, night))
    assert found[0]["canonical.lab"]
    assert found[0]["dropped"]
    assert found[0]["words"]
    for name, alone in found[1].items():
        assert found[0][name] == alone, name


def test_many_bundles_are_read_by_one_query(hospital: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    write = fhir_files._write

    def count(connection: duckdb.DuckDBPyConnection, rows: str, target: Path) -> None:
        written.append(target)
        write(connection, rows, target)

    monkeypatch.setattr(fhir_files, "_write", count)
    hospital.receive(write_people(hospital, 40))
    assert len(written) == 1


@pytest.mark.parametrize("change", ["is_cut", "vanishes"])
def test_one_of_many_that_changes_while_they_are_read_is_read_another_time(
    hospital: Any, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    folder = write_people(hospital)
    own = opened_files.open_together

    def changed_before(*given: Any) -> Any:
        if (folder / "patient_4.json").exists():
            cut(folder / "patient_4.json") if change == "is_cut" else (folder / "patient_4.json").unlink()
        return own(*given)

    monkeypatch.setattr(opened_files, "open_together", changed_before)
    with pytest.raises(TryAgainLater, match=r"patient_4\.json"):
        hospital.receive(folder)


def test_what_is_read_by_one_query_is_bounded_in_files_and_bytes(tmp_path: Path) -> None:
    files = []
    for number, n_bytes in enumerate((10, together.MOST_BYTES // 5, together.LARGEST_BYTES + 1, *[1 << 24] * 6)):
        path = tmp_path / f"{number}.json"
        with path.open("wb") as stream:
            stream.truncate(n_bytes)
        files.append(SourceFile(path, "fhir", {}, labels={"form": "documents"}))
    groups = list(gather_alike(files))
    assert sorted(place for group in groups for place in group) == list(range(len(files)))
    assert (2,) in groups
    assert max(sum(files[place].path.stat().st_size for place in group) for group in groups) <= together.MOST_BYTES
    many = list(gather_alike([files[0]] * (together.MOST_FILES + 1)))
    assert [len(group) for group in many] == [together.MOST_FILES, 1]


def test_files_that_came_before_are_not_read_again_with_new_ones(hospital: Any) -> None:
    folder = write_people(hospital, 4)
    first = hospital.take(folder)
    write_people(hospital, 6)
    second = hospital.take(folder)
    assert [len(night.fresh) for night in (first, second)] == [4, 2]
    assert hospital.canonical("lab", "person_id") == [(f"p{person}",) for person in range(1, 7)]
    old = [line for line in second.ledger if line.input_id in first.fresh]
    assert sum(line.n_duplicate for line in old) == sum(line.n_received for line in first.ledger)


@pytest.mark.slow
def test_an_erased_person_stays_away_when_given_among_many(hospital: Any) -> None:
    hospital.take(write_people(hospital))
    erase_person("p3", "", Settings(workspace=hospital.workspace.root))
    for person in range(1, 7):
        unknown = of(f"p{person}", WBC, valueQuantity=quantity(1, "furlong"))
        hospital.write(f"patient_{person}.json", bundle(patient(f"p{person}"), of(f"p{person}"), unknown), "second")
    night = hospital.take(hospital.folder / "second")
    assert hospital.canonical("lab", "DISTINCT person_id") == [(f"p{n}",) for n in (1, 2, 4, 5, 6)]
    of_tonight = [path for paths in night.staged.values() for path in paths]
    for path in [*hospital.workspace.root.glob("staged/*/*.parquet"), *of_tonight]:
        assert "p3" not in repr(read(f"FROM '{path}'")), path.name
    labs = [line for line in night.ledger if line.table_name == "canonical.lab" and line.input_id in night.fresh]
    found = sorted((line.n_received, line.n_irrelevant, line.n_quarantined) for line in labs)
    assert found == [(2, 0, 1)] * 5 + [(2, 2, 0)]
