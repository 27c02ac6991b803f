"""Set-aside rows go through again without their file, and the tables end as if the repair had been there at once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from expectations.suite import Between, load_suites
from flows.errors import SourceError, WrongUse
from transforms.load import Definitions, load_definitions
from transforms.schemas import load_tables, schema_of

PROVENANCE = {"input_id", "row_number", "column_number"}
COLUMNS = {"person_id": "pid", "specimen_id": "sid", "collected_at": "at", "resulted_at": "done", "code": "test"}
COLUMNS |= {"value": "value", "unit": "unit", "status": "status", "specimen": "material"}
NEEDS = ["person_id", "collected_at", "code", "value"]
MAP: dict[str, Any] = {
    "id": "clinic",
    "source_id": "clinic",
    "codes": {"NEUT": "751-8", "LEUK": "6690-2"},
    "units": {"NEUT": "10*9/L"},
    "tables": [{"table": "lab", "needs": NEEDS, "columns": COLUMNS}],
}
HEADER = "pid,sid,at,done,test,value,unit,status,material\n"
LABS = HEADER + (
    "P1,S1,2024-03-01 08:00,,NEUT,2,,final,blood\n"
    "P1,S1,2024-03-01 08:00,,LEUK,3,,final,blood\n"
    "P2,S2,2024-03-02 08:00,,NEUT,4,Mega,final,blood\n"
    "P3,S3,02.03.2024 08:00,,NEUT,3,,final,blood\n"
    'P4,S4,2024-03-04 08:00,,NEUT,"0,7",,final,blood\n'
    "P5,S5,2024-03-05 08:00,,NEUT,1,,vidiert,blood\n"
    "P6,S6,2024-03-06,,NEUT,1,,final,venoes\n"
    ",S7,2024-03-07,,NEUT,1,,final,blood\n"
    "P8,S8,2024-03-08,,CHOL,5,mmol/L,final,blood\n"
)
KNOWN_UNIT = {"units": {"NEUT": "10*9/L", "LEUK": "10*9/L"}}


def spelled(**words: dict[str, str]) -> dict[str, Any]:
    return {"tables": [{**MAP["tables"][0], "value_spellings": words}]}


REPAIRS: dict[str, dict[str, Any]] = {
    "unit_missing": KNOWN_UNIT,
    "unit_unknown": {"unit_spellings": {"Mega": "10*9/L"}},
    "date_invalid": {"datetime_formats": ["%d.%m.%Y %H:%M"]},
    "value_decimal_mark": {"decimal": ","},
    "status_unknown": spelled(status={"vidiert": "final"}),
    "specimen_unknown": spelled(specimen={"venoes": "blood"}),
}


def write_map(hospital: Any, name: str, source_map: dict[str, Any] = MAP, **changes: Any) -> str:
    return str(hospital.write(name, yaml.safe_dump({**source_map, **changes}, sort_keys=False), "maps"))


def load(hospital: Any, *paths: Path, **how: Any) -> Any:
    """A night without its checks."""
    night = hospital.receive(*paths, **how)
    hospital.commit(night)
    return night


def differing(one: Any, other: Any, *schemas: str) -> list[str]:
    """Tables that hold other rows here than there, where rows came from apart."""
    found = []
    with duckdb.connect() as connection:
        for name, hospital in (("one", one), ("other", other)):
            connection.execute(f"ATTACH '{hospital.workspace.warehouse}' AS {name} (READ_ONLY)").fetchall()
        for table in [name for name in load_tables() if name.split(".")[0] in schemas]:
            columns = ", ".join(f'"{c}"' for c in schema_of(table).column_names if c not in PROVENANCE)
            sides = [f"SELECT {columns} FROM {name}.{table}" for name in ("one", "other")]
            both = f"({sides[0]} EXCEPT ALL {sides[1]}) UNION ALL ({sides[1]} EXCEPT ALL {sides[0]})"
            found += [table] if connection.execute(both).fetchall() else []
    return found


def ledger(night: Any) -> set[tuple[Any, ...]]:
    return {tuple(vars(line).values()) for line in night.ledger}


def overlay(folder: Path, files: dict[str, str], name: str, *change: str) -> Definitions:
    """The shipped definitions with one text of one file replaced."""
    text = Path(files[name]).read_text(encoding="utf-8")
    target = folder / "overlay" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text.replace(*change), encoding="utf-8")
    return load_definitions(folder / "overlay")


@pytest.fixture(scope="module")
def first_night(make_hospital: Callable[[], Any]) -> Any:
    """A hospital after one night that set rows aside; tests take copies of it."""
    hospital = make_hospital()
    hospital.spend(hospital.write("labs.csv", LABS), source=write_map(hospital, "old.yaml"))
    return hospital


@pytest.fixture
def waiting(first_night: Any, tmp_path: Path) -> Any:
    return first_night.copy(tmp_path)


@pytest.mark.parametrize("rule", REPAIRS)
def test_a_repaired_map_takes_in_what_it_repairs_and_nothing_else(
    waiting: Any, accepted: Callable[..., Any], set_aside: Callable[..., Any], rule: str
) -> None:
    night = waiting.receive(source=write_map(waiting, "new.yaml", **REPAIRS[rule]), release=())
    assert set_aside(night) == dict.fromkeys({*REPAIRS, "person_missing"} - {rule}, 1)
    others = [("P1", "anc_direct")] if rule == "unit_missing" else []
    own = {"unit_missing": ("P1", "wbc"), "unit_unknown": ("P2", "anc_direct"), "date_invalid": ("P3", "anc_direct")}
    own |= {"value_decimal_mark": ("P4", "anc_direct"), "status_unknown": ("P5", "anc_direct")}
    own |= {"specimen_unknown": ("P6", "anc_direct")}
    assert accepted(night, "person_id, analyte") == [*others, own[rule]]


@pytest.mark.slow
def test_what_is_derived_and_counted_is_as_of_one_load(hospital: Any, make_hospital: Callable[[], Any]) -> None:
    hospital.live(hospital.write("labs.csv", LABS), source=write_map(hospital, "old.yaml"))
    repairs = {name: value for repair in REPAIRS.values() for name, value in repair.items()}
    repairs |= spelled(status={"vidiert": "final"}, specimen={"venoes": "blood"})
    night = hospital.live(source=write_map(hospital, "new.yaml", **repairs), release=())
    fresh = make_hospital()
    at_once = fresh.live(fresh.write("labs.csv", LABS), source=write_map(fresh, "new.yaml", **repairs))
    assert ledger(night) == ledger(at_once)
    assert differing(hospital, fresh, "canonical", "derived", "counts") == []
    assert hospital.canonical("lab", "person_id") == [("P1",), ("P1",), ("P2",), ("P3",), ("P4",), ("P5",), ("P6",)]


def test_only_people_whose_rows_now_pass_are_touched(waiting: Any) -> None:
    night = load(waiting, source=write_map(waiting, "new.yaml", **REPAIRS["date_invalid"]), release=())
    assert duckdb.sql(f"SELECT person_id FROM '{night.replaced}'").fetchall() == [("P3",)]


def test_with_rules_only_their_rows_are_judged_and_the_others_can_follow(waiting: Any) -> None:
    repaired = write_map(waiting, "new.yaml", **KNOWN_UNIT, **REPAIRS["unit_unknown"])
    (line,) = waiting.spend(source=repaired, release=("unit_missing",)).ledger
    assert (line.n_received, line.n_accepted, line.n_quarantined) == (9, 2, 6)
    (line,) = waiting.spend(source="auto", release=()).ledger
    assert (line.n_received, line.n_accepted, line.n_quarantined) == (9, 3, 5)


def test_a_grown_list_of_units_needs_no_map(waiting: Any, make_hospital: Callable[[], Any], tmp_path: Path) -> None:
    units = Path(waiting.definitions.files["codelists/units.csv"]).read_text(encoding="utf-8")
    line = next(line for line in units.splitlines() if line.startswith("10*9/L,"))
    grown = overlay(
        tmp_path,
        waiting.definitions.files,
        "codelists/units.csv",
        line,
        f"{line}\n{line.replace('10*9/L', 'Mega', 1)}",
    )
    waiting.definitions = grown
    night = waiting.spend(release=())
    fresh = make_hospital()
    fresh.definitions = grown
    at_once = fresh.spend(fresh.write("labs.csv", LABS), source=write_map(fresh, "old.yaml"))
    assert ("P2",) in waiting.canonical("lab", "person_id")
    assert ledger(night) == ledger(at_once)
    assert differing(waiting, fresh, "canonical") == []


def test_a_word_that_is_added_to_the_rules_of_receiving_needs_no_map(waiting: Any, tmp_path: Path) -> None:
    change = ("final: [final,", "final: [final, vidiert,")
    waiting.definitions = overlay(tmp_path, waiting.definitions.files, "receiving/receiving.yaml", *change)
    load(waiting, release=("status_unknown",))
    assert waiting.canonical("lab", "person_id") == [("P1",), ("P5",)]


def test_nothing_that_passes_leaves_all_as_it_was(waiting: Any) -> None:
    staged = sorted((path.name, path.stat().st_mtime_ns) for path in waiting.workspace.root.glob("staged/*/*"))
    night = waiting.receive(source=write_map(waiting, "new.yaml", title="Renamed"), release=())
    assert night.is_unchanged
    assert waiting.receive(release=()).is_unchanged
    left = list(waiting.context.work.glob("staged/*"))
    assert left == []
    assert staged == sorted((path.name, path.stat().st_mtime_ns) for path in waiting.workspace.root.glob("staged/*/*"))


OLD = "P1,S1,2024-03-01 08:00,2024-03-01 09:00,NEUT,2,,final,blood\nP1,S1,2024-03-01 08:00,,LEUK,3,,final,blood\n"
WAITING = "P1,S1,2024-03-01 08:00,2024-03-01 10:00,NEUT,0.4,Mega,final,blood\n"
CORRECTED = "P1,S1,2024-03-01 08:00,2024-03-01 09:30,NEUT,0.9,,corrected,blood\n"
CONTRADICTED = "P2,S2,2024-03-01 08:00,,NEUT,0.9,,final,blood\nP2,S2,2024-03-01 08:00,,NEUT,0.8,,final,blood\n"


def test_a_released_version_takes_the_place_that_it_has_among_all_versions(
    hospital: Any, make_hospital: Callable[[], Any]
) -> None:
    fresh = make_hospital()
    repaired = {"units": KNOWN_UNIT["units"], "unit_spellings": {"Mega": "10*9/L"}}
    for number, text in enumerate((CORRECTED, WAITING, OLD)):
        content = HEADER + text + f"P9,S{number},2024-03-01,,NEUT,1,,final,blood\n"
        for place, changes in ((hospital, {}), (fresh, repaired)):
            labs = place.write("a.csv", content, f"n{number}")
            place.commit(place.receive(labs, source=write_map(place, "map.yaml", **changes)))
    load(hospital, source=write_map(hospital, "new.yaml", **repaired), release=())
    assert differing(hospital, fresh, "canonical") == []
    assert ("P1", 900, "corrected") in hospital.canonical("lab", "person_id, value, status")


def test_a_released_version_stays_when_a_correction_comes_after_it(hospital: Any) -> None:
    old, new = write_map(hospital, "old.yaml"), write_map(hospital, "new.yaml", unit_spellings={"Mega": "10*9/L"})
    load(hospital, hospital.write("a.csv", HEADER + OLD + WAITING), source=old)
    load(hospital, source=new, release=())
    assert ("P1", 400, "final") in hospital.canonical("lab", "person_id, value, status")
    load(hospital, hospital.write("b.csv", HEADER + CORRECTED), source=new)
    assert hospital.canonical("lab", "person_id, value, status") == [("P1", 900, "corrected")]


def test_the_ledger_counts_what_stood_before_where_it_stands(hospital: Any) -> None:
    old, new = write_map(hospital, "old.yaml"), write_map(hospital, "new.yaml", unit_spellings={"Mega": "10*9/L"})
    beaten = "P7,S7,2024-03-01 08:00,2024-03-01 09:00,NEUT,2,,preliminary,blood\n"
    beaten += "P7,S7,2024-03-01 08:00,2024-03-01 09:30,NEUT,2,,final,blood\n" * 2
    other = "P8,S8,2024-03-02 08:00,,NEUT,4,Mega,final,blood\n"
    first = hospital.spend(hospital.write("a.csv", HEADER + beaten + CONTRADICTED + other), source=old)
    night = hospital.spend(source=new, release=())
    (before,), (after,) = first.ledger, night.ledger
    assert [*vars(before).values()][2:] == [6, 1, 1, 1, 3, 0]
    assert [*vars(after).values()][2:] == [6, 2, 1, 1, 2, 0]


CELLS = {"WBC": ("6690-2", "10*9/L"), "ANC": ("751-8", "%"), "NEUT_PCT": ("770-8", "%")}
VISITS = {"table": "lab", "columns": {"person_id": "pid", "collected_at": "visit"}}
VISITS |= {"wide": {name: {"code": code, "unit": unit} for name, (code, unit) in CELLS.items()}}
VISITORS = {"table": "person", "needs": ["person_id", "sex"], "columns": {"person_id": "pid", "sex": "sex"}}
WIDE: dict[str, Any] = {"id": "clinic", "source_id": "clinic", "tables": [VISITS, {**VISITORS, "is_shared": True}]}
SHEET = """pid,visit,sex,WBC,ANC,NEUT_PCT
P1,2024-03-01 08:00,f,3.5,1.2,34
P1,2024-03-08 08:00,f,<0.1,,ND
P2,2024-03-01 08:00,m,4.1,abc,50
P3,2024-03-01 08:00,m,,,
P4,05.03.2024,m,4,1,5
P4,2024-03-06 08:00,m,5,,60
"""


def test_a_wide_file_is_judged_row_by_row_whatever_columns_the_map_now_has(
    hospital: Any, make_hospital: Callable[[], Any]
) -> None:
    hospital.spend(hospital.write("sheet.csv", SHEET), source=write_map(hospital, "old.yaml", WIDE))
    person, columns = WIDE["tables"][1], WIDE["tables"][0]["wide"]
    columns = {name: columns[name] for name in ("NEUT_PCT", "WBC")} | {"ANC": {"code": "751-8", "unit": "10*9/L"}}
    repaired = {"tables": [{**WIDE["tables"][0], "wide": columns}, person]}
    repaired |= {"datetime_formats": ["%d.%m.%Y"]}
    night = hospital.spend(source=write_map(hospital, "new.yaml", WIDE, **repaired), release=())
    fresh = make_hospital()
    at_once = fresh.spend(fresh.write("sheet.csv", SHEET), source=write_map(fresh, "new.yaml", WIDE, **repaired))
    assert ledger(night) == ledger(at_once)
    assert differing(hospital, fresh, "canonical") == []


def test_other_tables_follow_a_repaired_map_too(hospital: Any, make_hospital: Callable[[], Any]) -> None:
    drugs = {"table": "exposure", "files": "drugs.csv", "columns": {"person_id": "pid", "agent": "drug"}}
    drugs["columns"] |= {"started_at": "start", "ended_at": "end", "dose": "dose"}
    icd = {
        "table": "diagnosis",
        "files": "icd.csv",
        "columns": {"person_id": "pid", "code": "icd", "recorded_at": "on"},
    }
    heat = {
        "table": "vital",
        "files": "heat.csv",
        "columns": {"person_id": "pid", "celsius": "heat", "measured_at": "at"},
    }
    texts = {
        "drugs.csv": "pid,drug,start,end,dose\nP1,Docetaxel,2024-02-20,21.02.2024,5\n",
        "icd.csv": "pid,icd,on\nP1,D70.1,2024-03-02\n",
        "heat.csv": 'pid,heat,at\nP1,"38,5",2024-03-02 08:00\n',
        "labs.csv": LABS,
    }
    old = {"tables": [drugs, icd, heat, *MAP["tables"]]}
    new = {
        "tables": [
            {**drugs, "constants": {"evidence": "administered"}},
            {**icd, "constants": {"code_system": "icd10gm"}},
            heat,
            *MAP["tables"],
        ],
        "datetime_formats": ["%d.%m.%Y"],
        "decimal": ",",
    }
    fresh = make_hospital()
    for place, changes in ((hospital, old), (fresh, new)):
        for name, text in texts.items():
            place.write(name, text)
        place.write("source.yaml", yaml.safe_dump({**MAP, **changes}))
        load(place, place.folder / "extract")
    assert hospital.canonical("exposure", "agent") == hospital.canonical("vital", "celsius") == []
    load(hospital, source=write_map(hospital, "new.yaml", **new), release=())
    assert differing(hospital, fresh, "canonical") == []
    assert hospital.canonical("exposure", "agent, evidence") == [("docetaxel", "administered")]


def observation(key: str, unit: str, **more: Any) -> str:
    resource = {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
        "subject": {"reference": f"Patient/{key}"},
        "effectiveDateTime": "2020-03-01T08:30:00+01:00",
        "specimen": {"reference": "Specimen/s1"},
        "valueQuantity": {"value": 2.5, "unit": unit},
        **more,
    }
    return json.dumps(resource) + "\n"


def test_fhir_resources_are_judged_again_with_what_they_refer_to(
    hospital: Any, make_hospital: Callable[[], Any]
) -> None:
    part = {"code": {"coding": [{"system": "http://loinc.org", "code": "6690-2"}]}}
    panel = [{**part, "valueQuantity": {"value": 4, "unit": unit}} for unit in ("10*3/uL", "Mega")]
    results = observation("p1", "10*3/uL") + observation("p2", "Mega") + observation("p3", "10*3/uL", status="vidiert")
    results += observation("p4", "10*3/uL", component=panel[1:]) + observation("p5", "Mega", component=panel[:1])
    specimen = {"resourceType": "Specimen", "id": "s1", "type": {"coding": [{"code": "BLD"}]}}
    repaired = {"id": "ours", "layout": "fhir", "source_id": "fhir", "unit_spellings": {"Mega": "10*3/uL"}}
    fresh = make_hospital()
    for place in (hospital, fresh):
        place.write("Observation.ndjson", results)
        place.write("Specimen.ndjson", json.dumps(specimen) + "\n")
    load(hospital, hospital.folder / "extract", source="fhir")
    night = hospital.spend(source=write_map(hospital, "new.yaml", {}, **repaired), release=())
    at_once = fresh.spend(fresh.folder / "extract", source=write_map(fresh, "new.yaml", {}, **repaired))
    assert ledger(night) == {line for line in ledger(at_once) if line[0] in night.received.fresh}
    assert differing(hospital, fresh, "canonical") == []


def test_omop_rows_are_judged_again_with_their_concepts(hospital: Any, make_hospital: Callable[[], Any]) -> None:
    headers = (
        "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,value_as_number,"
        "unit_concept_id,measurement_source_value,measurement_source_concept_id,unit_source_value"
    )
    rows = [
        "1,1,3013650,2020-03-01,2020-03-01 08:30:00,1.2,8848,751-8,0,10*3/uL",
        "2,2,3013650,2020-03-02,2020-03-02 08:30:00,1.4,0,751-8,0,Mega",
        "3,3,3013650,2020-03-03,2020-03-03 08:30:00,1.6,0,751-8,0,",
    ]
    repaired = {"id": "ours", "layout": "omop", "unit_spellings": {"Mega": "10*3/uL"}, "units": {"3013650": "10*3/uL"}}
    fresh = make_hospital()
    for place in (hospital, fresh):
        place.write("MEASUREMENT.csv", "\n".join([headers, *rows]) + "\n")
    load(hospital, hospital.folder / "extract", source="omop")
    (before,) = hospital.query("SELECT sum(n_quarantined) FROM ops.row_ledger")
    load(hospital, source=write_map(hospital, "new.yaml", {}, **repaired), release=())
    load(fresh, fresh.folder / "extract", source=write_map(fresh, "new.yaml", {}, **repaired))
    assert before == (2,)
    assert hospital.canonical("lab", "person_id, value") == [("1", 1200), ("2", 1400), ("3", 1600)]
    assert differing(hospital, fresh, "canonical") == []


def test_the_file_with_the_repaired_map_brings_nothing_twice_and_with_the_old_one_takes_it_back(hospital: Any) -> None:
    labs, old = hospital.write("labs.csv", LABS), write_map(hospital, "old.yaml")
    new = write_map(hospital, "new.yaml", **KNOWN_UNIT)
    load(hospital, labs, source=old)
    kept = hospital.canonical("lab", "person_id, analyte")
    released = load(hospital, source=new, release=())
    results = hospital.canonical("lab", "person_id, analyte, row_number")
    again = load(hospital, labs, source=new)
    assert again.result_id != released.result_id
    assert hospital.canonical("lab", "person_id, analyte, row_number") == results
    assert hospital.receive(labs, source=new).is_unchanged
    load(hospital, labs, source=old)
    assert hospital.canonical("lab", "person_id, analyte") == kept


def test_a_snapshot_is_not_dated_anew_by_a_release(hospital: Any) -> None:
    old, new = write_map(hospital, "old.yaml"), write_map(hospital, "new.yaml", **REPAIRS["unit_unknown"])
    load(hospital, hospital.write("all.csv", LABS), source=old, is_snapshot=True)
    load(hospital, hospital.write("late.csv", HEADER + CONTRADICTED.splitlines(keepends=True)[0]), source=old)
    load(hospital, source=new, release=())
    assert hospital.canonical("lab", "person_id, specimen_id, value") == [
        ("P1", "S1", 2000),
        ("P2", "S2", 900),
        ("P2", "S2", 4000),
    ]


def test_a_row_that_a_check_set_aside_goes_through_only_when_the_check_has_changed(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    impossible = HEADER + "P1,S1,2024-03-01 08:00,,NEUT,800,,final,blood\n"
    hospital.spend(hospital.write("labs.csv", impossible), source=write_map(hospital, "old.yaml"))
    assert hospital.canonical("lab", "person_id") == []
    assert hospital.receive(release=()).is_unchanged
    wider = {"between": Between(column="reported", max=1_000_000)}
    other = [
        suite.model_copy(
            update={
                "checks": tuple(
                    c.model_copy(update=wider) if c.id == "lab_neutrophils_impossible" else c for c in suite.checks
                )
            }
        )
        for suite in load_suites()
    ]
    monkeypatch.setattr("flows.stages.validate.load_suites", lambda *_: other)
    hospital.definitions = replace(hospital.definitions, hash="with other suites")
    (line,) = hospital.spend(release=("lab_neutrophils_impossible",)).ledger
    assert (line.n_received, line.n_accepted, line.n_quarantined) == (1, 1, 0)
    assert hospital.canonical("lab", "person_id, value") == [("P1", 800000)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dates": "shifted"}, "another meaning"),
        ({"tables": [{**MAP["tables"][0], "columns": {**COLUMNS, "unit": "einheit"}}]}, "nothing was kept"),
        ({"tables": [{**MAP["tables"][0], "needs": ["reference_low"]}]}, "other tables"),
    ],
)
def test_a_map_that_needs_more_than_was_kept_asks_for_the_file(
    hospital: Any, changes: dict[str, Any], message: str
) -> None:
    labs = LABS.replace("material\n", "material,einheit\n", 1).replace("blood\n", "blood,10*9/L\n")
    labs = labs.replace("venoes\n", "blood,10*9/L\n")
    load(hospital, hospital.write("labs.csv", labs), source=write_map(hospital, "old.yaml"))
    with pytest.raises(SourceError, match=message) as caught:
        hospital.receive(source=write_map(hospital, "new.yaml", **changes), release=())
    assert "nadir run" in str(caught.value)


def test_a_map_of_another_source_is_wrong_use(waiting: Any) -> None:
    with pytest.raises(WrongUse, match="of no file"):
        waiting.receive(source=write_map(waiting, "new.yaml", source_id="elsewhere"), release=())
