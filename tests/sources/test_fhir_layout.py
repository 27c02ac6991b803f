"""FHIR as servers and exporters write it: forms of file, references between resources, damage, and what is unused."""

import gzip
import json
import lzma
from collections.abc import Callable, Mapping
from typing import Any

import duckdb
import pytest
import yaml

from flows.errors import SourceError
from flows.sources.recognise import recognise
from tests.sources.fhir_resources import (
    ANC,
    SHIPPED,
    WBC,
    Aside,
    Rows,
    bundle,
    concept,
    lines,
    observation,
    patient,
    send,
)

FORMS: Mapping[str, Callable[..., str | bytes]] = {
    "bundle.json": bundle,
    "bundle.json.gz": lambda *some: gzip.compress(bundle(*some).encode()),
    "Observation.ndjson": lines,
    "Observation.ndjson.gz": lambda *some: gzip.compress(lines(*some).encode()),
    "Observation.ndjson.xz": lambda *some: lzma.compress(lines(*some).encode()),
    "one_a_line.json": lines,
    "packed_without_saying_so": lambda *some: gzip.compress(lines(*some).encode()),
    "with_byte_order_mark.json": lambda *some: b"\xef\xbb\xbf" + bundle(*some).encode(),
    "list.json": lambda *some: json.dumps(some, indent=2),
    "bundle_a_line.ndjson": lambda *some: "\n".join(json.dumps(json.loads(bundle(one))) for one in some),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_gives_the_same_rows(hospital: Any, accepted: Rows, name: str) -> None:
    sent = [patient(), observation(), observation(WBC, 4.0), {"resourceType": "Claim", "id": "c"}]
    night = hospital.receive(hospital.write(name, FORMS[name](*sent)))
    assert accepted(night, "person_id, analyte, value::INTEGER, row_number") == [
        ("p1", "anc_direct", 2500, 2),
        ("p1", "wbc", 4000, 3),
    ]
    assert accepted(night, "sex, birth_year", "canonical.person") == [("female", 1960)]
    assert [(entry.rows, sum(line.n_received for line in night.ledger)) for entry in night.inputs] == [(4, 4)]
    assert sum(line.n_received for line in night.ledger if line.table_name == "unused") == 1


def test_a_single_resource_over_several_lines_is_read(hospital: Any, accepted: Rows) -> None:
    night = hospital.receive(hospital.write("observation.json", json.dumps(observation(), indent=2)))
    assert accepted(night, "value::INTEGER") == [(2500,)]


def test_a_bundle_longer_than_the_reader_expects_is_read_whole(hospital: Any, accepted: Rows) -> None:
    padding = {"resourceType": "Claim", "text": {"div": "x" * (17 << 20)}}
    assert accepted(send(hospital, padding, observation()), "value::INTEGER, row_number") == [(2500, 2)]


REFERENCES = [
    "Patient/p1",
    "https://fhir.example.org/r4/Patient/p1",
    "https://fhir.example.org/r4/Patient/p1/_history/7",
    "urn:uuid:p1",
]


def test_one_person_is_one_person_however_referred_to(hospital: Any, accepted: Rows) -> None:
    sent = [
        observation(subject={"reference": reference}, effectiveDateTime=f"2020-03-0{day}")
        for day, reference in enumerate(REFERENCES, start=1)
    ]
    night = send(hospital, *sent)
    assert accepted(night, "DISTINCT person_id") == [("p1",)]
    assert accepted(night, "count(*)") == [(len(REFERENCES),)]


def test_a_reference_to_an_entry_is_to_the_id_of_the_person_in_it(hospital: Any, accepted: Rows) -> None:
    urls = {0: "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}
    text = bundle(patient("mrn-7"), observation(subject={"reference": urls[0]}), urls=urls)
    night = hospital.receive(hospital.write("transaction.json", text))
    assert accepted(night, "person_id") == [("mrn-7",)]
    assert accepted(night, "person_id", "canonical.person") == [("mrn-7",)]


def test_a_person_whom_nothing_names_is_set_aside_and_a_group_is_left_out(hospital: Any, set_aside: Aside) -> None:
    sent = [
        observation(subject={"reference": "Patient?identifier=http://x.example/mrn|1"}),
        observation(subject={"display": "somebody"}),
        observation(subject={"reference": "Group/g1"}),
    ]
    night = send(hospital, observation(), *sent)
    assert set_aside(night) == {"person_missing": 2}
    assert sum(line.n_irrelevant for line in night.ledger) == 1


def test_the_same_resource_in_two_bundles_counts_once(hospital: Any) -> None:
    for name in ("first.json", "second.json"):
        hospital.write(name, bundle(patient(name[0]), observation()))
    night = hospital.receive(hospital.folder / "extract")
    labs = [line for line in night.ledger if line.table_name == "canonical.lab"]
    assert (sum(line.n_accepted for line in labs), sum(line.n_duplicate for line in labs)) == (1, 1)


def test_local_codes_are_those_that_the_source_map_translates(hospital: Any, accepted: Rows) -> None:
    own = {**yaml.safe_load(SHIPPED.read_text()), "id": "ours", "codes": {"NEU": ANC}, "examples": []}
    hospital.write("source.yaml", yaml.safe_dump(own))
    sent = [observation(code=concept(code, "http://lab.example.org")) for code in ("NEU", "LYM")]
    path = hospital.write("export.json", bundle(*sent))
    assert accepted(hospital.receive(path.parent), "analyte, source_code") == [("anc_direct", "NEU")]


def test_a_source_map_inherits_the_words_of_fhir_that_it_does_not_say(hospital: Any, accepted: Rows) -> None:
    hospital.write("source.yaml", yaml.safe_dump({"id": "ours", "layout": "fhir"}))
    night = hospital.receive(hospital.write("export.json", bundle(observation())).parent)
    assert accepted(night, "analyte") == [("anc_direct",)]


def test_a_broken_line_is_set_aside_with_its_number_and_the_others_keep_theirs(
    hospital: Any, accepted: Rows, set_aside: Aside
) -> None:
    text = lines(observation()) + '{"resourceType": "Observation", "sta\n' + lines(observation(WBC, 4.0))
    night = hospital.receive(hospital.write("Observation.ndjson", text))
    assert accepted(night, "analyte, row_number") == [("anc_direct", 1), ("wbc", 3)]
    assert set_aside(night) == {"row_malformed": 1}
    assert sum(line.n_received for line in night.ledger) == 3


def test_a_bundle_that_is_cut_off_is_refused_without_a_word_of_it(hospital: Any) -> None:
    path = hospital.write("export.json", bundle(patient(), *[observation()] * 50)[:-200])
    with pytest.raises(SourceError) as raised:
        hospital.receive(path)
    assert "export.json" in str(raised.value.what)
    assert "Patient" not in f"{raised.value.what} {raised.value.details}"


def test_an_element_of_another_shape_than_specified_is_read_as_missing(hospital: Any, accepted: Rows) -> None:
    odd = {"resourceType": "Questionnaire", "code": [{"code": ANC}], "subject": "Patient/p1", "status": {"a": 1}}
    night = send(hospital, odd, observation(category="laboratory", referenceRange={"low": 1}))
    assert accepted(night, "analyte, reference_low") == [("anc_direct", None)]


def test_a_deletion_without_a_resource_is_a_row_that_is_not_used(hospital: Any) -> None:
    text = json.loads(bundle(observation()))
    text["entry"].append({"request": {"method": "DELETE", "url": "Observation/1"}})
    night = hospital.receive(hospital.write("history.json", json.dumps(text)))
    assert {line.table_name: line.n_received for line in night.ledger if line.n_received} == {
        "canonical.lab": 1,
        "unused": 1,
    }


def test_json_that_is_not_fhir_is_not_taken_for_it(hospital: Any) -> None:
    with pytest.raises(SourceError):
        hospital.receive(hospital.write("settings.json", '{"colour": "blue", "size": [1, 2]}'))


def test_names_addresses_identifiers_and_narratives_are_never_copied(hospital: Any) -> None:
    hidden = "Quetzalcoatlus"
    person = patient(
        name=[{"family": hidden, "given": [hidden]}],
        address=[{"line": [hidden], "city": hidden}],
        telecom=[{"value": hidden}],
        identifier=[{"system": "urn:mrn", "value": hidden}],
        text={"div": f"<div>{hidden}</div>"},
        contact=[{"name": {"text": hidden}}],
    )
    seen = observation(note=[{"text": hidden}], performer=[{"display": hidden}], identifier=[{"value": hidden}])
    seen["subject"]["display"] = hidden
    send(hospital, person, seen)
    written = sorted(hospital.workspace.root.rglob("*.parquet"))
    assert len(written) > 3
    for path in written:
        rows = duckdb.sql(f"SELECT * FROM read_parquet('{path}')").fetchall()
        assert hidden not in repr(rows), path.name


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "not_named"])
def test_names_of_people_in_an_export_are_pointed_out(hospital: Any, *, is_named: bool) -> None:
    named = {"name": [{"family": "Quetzalcoatlus"}]} if is_named else {}
    path = hospital.write("export.json", bundle(patient(**named), observation()))
    (found,) = recognise([path], "auto", hospital.definitions, hospital.folder / "unpacked")
    assert [("1 of 1 files" in hint, "Quetzal" in hint) for hint in found.hints] == [(True, False)] * is_named
