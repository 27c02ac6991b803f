"""Suites are data: the shipped ones are whole, and a mistake in one names its file and its key."""

from pathlib import Path

import pytest

from expectations.suite import load_suites
from flows.definitions import check_definitions
from transforms.errors import DefinitionError
from transforms.load import load_definitions
from transforms.schemas import load_tables

GOOD = """
table: canonical.vital
title: Temperatures
owner: data engineering
checks:
  - id: vital_test
    title: Warm
    severity: warn
    reason: Cold.
    repair: Wait.
    between: {column: celsius, min: 30}
"""


def test_every_canonical_table_has_a_suite() -> None:
    tables = {name for name in load_tables() if name.startswith("canonical.")}
    assert {suite.table for suite in load_suites()} == tables


def test_every_check_says_who_repairs_it_and_how_and_why_in_sentences() -> None:
    checks = [check for suite in load_suites() for check in suite.checks]
    assert [
        c.id
        for c in checks
        if not (c.owner and c.title and c.reason.strip().endswith(".") and c.repair.strip().endswith("."))
    ] == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("severity: warn", "severity: warn\n    serverity: stop", "checks.0.serverity"),
        ("owner: data engineering", "owner: data engineering\ncolour: red", "colour"),
        ("severity: warn", "severity: shout", "checks.0.severity"),
        ("min: 30", "min: 30, most: 40", "checks.0.between.most"),
        ("    between: {column: celsius, min: 30}\n", "", "exactly one of"),
        ("    title: Warm", "    rows: celsius < 3\n    title: Warm", "exactly one of"),
        ("canonical.vital", "canonical.vitals", "canonical.vitals"),
        ("    title: Warm", "    tolerance: {share: 2}\n    title: Warm", "checks.0.tolerance.share"),
        ("    title: Warm", "    view: nowhere\n    title: Warm", "nowhere"),
        ("checks:", "checks: [", "not readable as YAML"),
    ],
)
def test_a_mistake_in_a_suite_names_the_file_and_the_key(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    (tmp_path / "vital.yaml").write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_suites(folder=tmp_path)
    assert "vital.yaml" in str(caught.value)
    assert named in str(caught.value)


def test_an_id_used_twice_is_refused_because_the_ledger_of_refused_rows_keeps_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(DefinitionError, match="vital_test"):
        load_suites(folder=tmp_path)


def test_only_rows_can_be_set_aside(tmp_path: Path) -> None:
    text = GOOD.replace("severity: warn", "severity: quarantine").replace(
        "between: {column: celsius, min: 30}", "unique: [person_id]"
    )
    (tmp_path / "vital.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match="no single row"):
        load_suites(folder=tmp_path)


OWN = """
table: canonical.vital
title: Own
owner: the ward
checks:
  - id: vital_celsius
    title: Temperatures are 30 to 43 degrees Celsius
    severity: warn
    reason: The thermometers of the ward measure no others.
    repair: Look at the thermometer.
    between: {column: celsius, min: 30, max: 43}
  - id: vital_fever
    title: Fever is rare
    severity: warn
    reason: More than half of the ward has no fever.
    repair: Look at the thermometer.
    tolerance: {share: 0.5}
    between: {column: celsius, max: 38}
"""


def test_an_own_check_replaces_the_shipped_one_with_its_id_and_any_other_is_added(tmp_path: Path) -> None:
    (tmp_path / "vital.yaml").write_text(OWN, encoding="utf-8")
    shipped = {check.id: check for suite in load_suites() for check in suite.checks}
    laid = {check.id: check for suite in load_suites([tmp_path / "vital.yaml"]) for check in suite.checks}
    assert [name for name in laid if laid[name] != shipped.get(name)] == ["vital_celsius", "vital_fever"]
    assert (laid["vital_celsius"].severity, laid["vital_celsius"].owner) == ("warn", "the ward")
    assert set(shipped) < set(laid), "none is lost"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("severity: warn", "serverity: warn", "checks.0.serverity"),
        ("table: canonical.vital", "table: canonical.lab", "another table"),
        ("id: vital_fever", "id: lab_negative", "another table"),
    ],
)
def test_a_mistake_in_an_own_suite_names_its_file_and_key(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "ward.yaml"
    path.write_text(OWN.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_suites([path])
    assert "ward.yaml" in str(caught.value)
    assert named in str(caught.value)


def test_own_suites_are_part_of_the_definitions_and_of_their_hash(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "ward.yaml").write_text(OWN, encoding="utf-8")
    laid = load_definitions(tmp_path)
    assert [path.name for path in laid.own_suites] == ["ward.yaml"]
    assert laid.hash != load_definitions().hash
    assert check_definitions(tmp_path).hash == laid.hash
    (tmp_path / "suites" / "ward.yaml").write_text(OWN.replace("owner", "ownre"), encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"ward\.yaml"):
        check_definitions(tmp_path)
