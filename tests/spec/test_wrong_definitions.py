"""A definition that is wrong is told by file, line, key and what is valid there; what is right is explained."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from flows.definition_schemas import print_schema, publish_schemas, write_schemas
from flows.definitions import check_definitions, run_examples, show_definition
from flows.errors import SourceError, WrongUse
from flows.settings import Settings
from flows.sources.recognise import choose_map
from flows.suite_trial import refuse_wrong_checks
from transforms.definition_files import list_files
from transforms.errors import DefinitionError
from transforms.kinds import KINDS
from transforms.load import SHIPPED, SUITES, load_definitions
from transforms.unknown_names import refuse_unknown_names

COHORT = """\
id: on_clozapine
version: "1"
title: On clozapine
rule: While on it.
source: the site
why: asked for
criterion:
  all_of:
    - exposure:
        drugs: [clozapine]
        at_risk_days: 28
    - age: {at_least_years: 18}
examples:
  - title: one
    observed: [[2020-01-01, 2020-12-31]]
    exposures: [{agent: clozapine, given_on: 2020-02-01}]
    expect: []
"""
RULE = (SHIPPED / "episodes" / "simple_run.yaml").read_text()


def _lay(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def _told(folder: Path) -> str:
    with pytest.raises(DefinitionError) as raised:
        refuse_unknown_names(load_definitions(folder))
    return str(raised.value)


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("why:", "wy:", 6, "wy: no such key. Did you mean why? Keys: id, version"),
        ("at_risk_days: 28", "at_risk: 28", 11, "Did you mean at_risk_days? Keys: drugs, subgroups"),
        ("at_risk_days: 28", "at_risk_days: -1", 11, "greater than or equal to 0"),
        ("drugs: [clozapine]", "drugs: [clozapin]", 10, "'clozapin' is not known. Did you mean clozapine?"),
        ("at_risk_days: 28", "at_risk_days: 28\n        indication: pain", 12, "'any' or 'malignancy'"),
        ("title: On clozapine\n", "", 1, "title: Field required"),
        ("id: on_clozapine", "id: [on", 2, "not readable as YAML"),
        ("at_risk_days: 28", "at_risk_days: 28\n    - 18", 12, "Keys with values should stand here"),
        ("title: one", "title: one\n    on: 1", 14, "YAML reads yes, no, on and off as true and false"),
        ("why: asked for", "why: asked for\nrule: Never.", 7, "a key stands twice"),
    ],
)
def test_what_is_wrong_in_a_cohort_is_told_by_line_key_and_what_is_valid(
    before: str, after: str, line: int, said: str, tmp_path: Path
) -> None:
    told = _told(_lay(tmp_path, "cohorts/own.yaml", COHORT.replace(before, after, 1)))
    assert said in told
    assert f"own.yaml:{line}: " in told


def test_a_file_that_ends_in_yml_is_told_because_nothing_reads_it(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"only files that end in \.yaml are read"):
        load_definitions(_lay(tmp_path, "cohorts/own.yml", COHORT))


def test_a_code_system_that_nobody_has_is_told_with_those_there_are(tmp_path: Path) -> None:
    code = "- diagnosis: {prefixes: {icd11: [D70]}}"
    told = _told(_lay(tmp_path, "cohorts/own.yaml", COHORT.replace("- age: {at_least_years: 18}", code)))
    assert "own.yaml:12: criterion.all_of.1.diagnosis.prefixes.icd11: 'icd11' is not known" in told
    assert "icd10cm" in told


def test_an_operator_that_is_none_is_told_in_the_line_of_its_threshold(tmp_path: Path) -> None:
    wrong = RULE.replace(": 500, low_operator: lt,", ": 500, low_operator: below,")
    line = next(n for n, text in enumerate(wrong.splitlines(), start=1) if "below," in text)
    told = _told(_lay(tmp_path, "episodes/simple_run.yaml", wrong))
    assert f"simple_run.yaml:{line}: thresholds.2.low_operator: Input should be 'lt' or 'le'" in told
    assert "at least 1 item" not in told


def test_a_wrong_example_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    definitions = load_definitions(_lay(tmp_path, "cohorts/own.yaml", COHORT.replace("observed:", "seen:")))
    with pytest.raises(DefinitionError) as raised:
        run_examples(definitions)
    assert "example 1 of 'on_clozapine'" in str(raised.value)
    assert f"{tmp_path / 'cohorts' / 'own.yaml'}, line 14" in str(raised.value)
    assert "own.yaml:15: examples.0.seen" in str(raised.value)


def test_a_wrong_check_is_told_with_its_line(tmp_path: Path) -> None:
    shipped = (SUITES / "vital.yaml").read_text().replace("severity:", "gravity:", 1)
    line = next(n for n, text in enumerate(shipped.splitlines(), start=1) if "gravity:" in text)
    with pytest.raises(DefinitionError, match=rf"vital\.yaml:{line}: checks\.0\.gravity: no such key"):
        check_definitions(_lay(tmp_path, "suites/vital.yaml", shipped))


def test_a_check_of_a_column_that_is_not_there_is_told_before_a_night(tmp_path: Path) -> None:
    shipped = (SUITES.parent.parent / "flows" / "starting" / "check.yaml").read_text().replace("NAME", "ours")
    folder = _lay(tmp_path, "suites/ours.yaml", shipped)
    refuse_wrong_checks([folder / "suites" / "ours.yaml"])
    refuse_wrong_checks(sorted(SUITES.glob("*.yaml")))
    _lay(tmp_path, "suites/ours.yaml", shipped.replace("analyte = 'wbc'", "analyt = 'wbc'"))
    with pytest.raises(DefinitionError) as raised:
        refuse_wrong_checks([folder / "suites" / "ours.yaml"])
    line = next(n for n, text in enumerate(shipped.splitlines(), start=1) if "id: ours" in text)
    assert f"ours.yaml:{line}: checks.0: ours: Binder Error" in str(raised.value)
    assert "canonical.lab has person_id, source_id, specimen_id" in str(raised.value)


def test_a_unit_that_a_source_map_made_up_is_told_with_its_line_and_the_units_there_are(tmp_path: Path) -> None:
    (tmp_path / "labs.csv").write_text("a\n1\n")
    written = "id: ours\nunits:\n  Leukozyten: Gigaa/L\ntables: []\n"
    (tmp_path / "source.yaml").write_text(written)
    with pytest.raises(SourceError) as raised:
        choose_map([tmp_path], "auto", load_definitions())
    assert "source.yaml:3: units." in str(raised.value)
    assert "10*9/L" in str(raised.value)
    (tmp_path / "source.yaml").write_text(written.replace("Gigaa/L", "10*9/L"))
    assert choose_map([tmp_path], "auto", load_definitions()) is not None


def test_a_source_map_that_misspells_a_column_of_ours_is_told_what_it_is_called(tmp_path: Path) -> None:
    columns = "tables:\n  - table: lab\n    columns: {person_id: pat,\n              colected_at: drawn}\n"
    (tmp_path / "source.yaml").write_text(f"id: ours\n{columns}")
    with pytest.raises(SourceError) as raised:
        choose_map([tmp_path], "auto", load_definitions())
    assert "source.yaml:5: tables.0.columns.colected_at: no column of lab. Did you mean collected_at?" in str(
        raised.value
    )
    (tmp_path / "source.yaml").write_text(f"id: ours\n{columns.replace('colected', 'collected')}")
    assert choose_map([tmp_path], "auto", load_definitions()) is not None


FILES = {name: path for name, path in list_files(SHIPPED).items() if path.suffix == ".yaml" and "/" in name}


@pytest.fixture(scope="module")
def schemas() -> Mapping[str, Any]:
    return publish_schemas()


@pytest.mark.parametrize("folder", sorted(KINDS))
def test_an_editor_accepts_every_shipped_definition_by_the_published_schema(
    folder: str, schemas: Mapping[str, Any]
) -> None:
    judge = jsonschema.Draft202012Validator(schemas[folder.replace("/", "_")])
    judge.check_schema(judge.schema)
    found = [path for name, path in FILES.items() if name.rpartition("/")[0] == folder]
    assert found
    for path in found:
        assert [error.message for error in judge.iter_errors(_as_json(path))] == [], path.name


def test_every_folder_of_definitions_has_a_schema() -> None:
    assert {name.rpartition("/")[0] for name in FILES} - {"tables"} == set(KINDS)


@pytest.mark.parametrize("name", ["glossary", "answers"])
def test_words_and_answers_have_a_schema(name: str, schemas: Mapping[str, Any]) -> None:
    judge = jsonschema.Draft202012Validator(schemas[name])
    shipped = _as_json(SHIPPED / f"{name}.yaml")
    assert [error.message for error in judge.iter_errors(shipped)] == []
    assert not judge.is_valid({**shipped, "severty": {}})


def test_a_site_is_told_of_a_wrong_kind_of_word_and_of_a_finding_that_means_nothing(tmp_path: Path) -> None:
    for name, old, new in (
        ("glossary.yaml", "severity:", "severty:"),
        ("answers.yaml", "answerable: [answerable,", "answerable: [yes,"),
    ):
        words = (SHIPPED / name).read_text(encoding="utf-8").replace(old, new, 1)
        (tmp_path / name).write_text(words, encoding="utf-8")
        with pytest.raises(DefinitionError) as told:
            load_definitions(tmp_path)
        assert name in str(told.value)
        assert new.split(":")[0] in "".join(told.value.details)
        (tmp_path / name).unlink()


def test_an_editor_marks_a_key_and_a_number_that_are_wrong(schemas: Mapping[str, Any]) -> None:
    judge = jsonschema.Draft202012Validator(schemas["cohorts"])
    own = yaml.safe_load(COHORT.replace("at_risk_days: 28", "at_risk_days: -1").replace("seen", "x"))
    assert "-1 is less than the minimum of 0" in str([error.message for error in _leaves(judge, own)])
    assert not judge.is_valid({**yaml.safe_load(COHORT), "wy": "x"})


def test_suites_and_source_maps_have_schemas_too(tmp_path: Path, schemas: Mapping[str, Any]) -> None:
    for path in SUITES.glob("*.yaml"):
        jsonschema.validate(_as_json(path), schemas["suites"])
    own = {"id": "ours", "tables": [{"table": "lab", "columns": {"person_id": "pat"}}]}
    jsonschema.validate(own, schemas["source"])
    assert "yaml-language-server" in write_schemas(tmp_path / "schemas")
    assert json.loads((tmp_path / "schemas" / "shelf.schema.json").read_text())["properties"]["cohorts"]


def test_a_definition_is_shown_with_its_outcomes_its_users_and_its_history(tmp_path: Path) -> None:
    run = tmp_path / "site" / "runs" / "r1" / "run.json"
    run.parent.mkdir(parents=True)
    run.write_text(json.dumps({"run_id": "r1", "started_at": "2026", "definition_versions": {"allmt": "1"}}))
    shown = show_definition("allmt", Settings(workspace=tmp_path))
    text = str(shown["text"])
    assert "Episodes in weeks" in text
    assert "shipped: transforms/definitions/episodes/allmt.yaml" in text
    assert "ok: 501 is not low" in text
    assert "derived, column rule: " in text
    assert "2026-11-29. A published rule" in text
    assert "version 1 first counted in run r1" in text
    assert shown["definitions"][0]["outcomes"][0]["is_ok"]


def test_an_override_and_a_failed_example_are_shown_as_such(tmp_path: Path) -> None:
    folder = _lay(tmp_path, "standards/esp_2013.yaml", _spoilt_standard())
    text = str(show_definition("esp_2013", Settings(definitions=folder))["text"])
    assert f"yours: {folder / 'standards' / 'esp_2013.yaml'}, in place of the shipped one" in text
    assert "FAILED: " in text


def test_a_definition_and_a_schema_that_are_not_there_are_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="simple_run"):
        show_definition("simple", Settings(workspace=tmp_path))
    with pytest.raises(WrongUse, match="cohorts"):
        print_schema("cohort")


def _spoilt_standard() -> str:
    own = yaml.safe_load((SHIPPED / "standards" / "esp_2013.yaml").read_text())
    own["examples"][0]["share"] = 0.5
    return yaml.safe_dump(own)


def _as_json(path: Path) -> Any:
    return json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))


def _leaves(judge: Any, content: Any) -> list[Any]:
    pending, leaves = list(judge.iter_errors(content)), []
    while pending:
        error = pending.pop()
        leaves.append(error)
        pending += error.context or []
    return leaves
