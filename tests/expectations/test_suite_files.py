"""Suites are data: the shipped ones are whole, and a mistake in one names its file and its key."""

from pathlib import Path

import pytest

from expectations.suite import load_suites
from transforms.errors import DefinitionError
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
