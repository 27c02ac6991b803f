"""Drugs and conditions of OMOP in small: names and code systems are given or declared, and never guessed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sources.omop_rows import GIVEN, HEADERS, SHIPPED, SUFFERED, VOCABULARY


@pytest.fixture
def record(hospital: Any) -> Callable[..., Any]:
    """The night of one row of a table, with CONCEPT beside it unless that is not wanted.

    `values` are added to those of the shipped map.
    """

    def receive(name: str, row: Mapping[str, str], *, is_explained: bool = True, **values: Sequence[str]) -> Any:
        rows = {name: [{f"{name.lower()}_id": "1", **row}], "CONCEPT": VOCABULARY if is_explained else []}
        for table, filled in rows.items():
            columns = HEADERS[table].split()
            lines = [",".join(entry.get(column, "") for column in columns) for entry in filled]
            hospital.write(f"{table}.csv", "\n".join([",".join(columns), *lines]) + "\n")
        entry = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        entry["values"] |= {key: list(words) for key, words in values.items()}
        source = hospital.write("own.yaml", yaml.safe_dump(entry), "maps")
        return hospital.receive(Path(hospital.folder / "extract"), source=str(source))

    return receive


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("amoxicillin 250 mg", "308182", "administered")),
        ({"drug_type_concept_id": "32825"}, ("amoxicillin 250 mg", "308182", "dispensed")),
        ({"drug_type_concept_id": "32838"}, ("amoxicillin 250 mg", "308182", "ordered")),
        ({"drug_type_concept_id": "32865"}, ("amoxicillin 250 mg", "308182", "reported")),
        ({"drug_concept_id": "0"}, ("308182", None, "administered")),
        (
            {"drug_concept_id": "0", "drug_source_concept_id": "19073183", "drug_source_value": "AMOX"},
            ("amoxicillin 250 mg", "308182", "administered"),
        ),
        ({"drug_concept_id": "0", "drug_source_value": "Filgrastim"}, ("filgrastim", None, "administered")),
    ],
    ids=["administered", "dispensed", "prescribed", "self_reported", "code_only", "source_concept", "name_only"],
)
def test_a_drug_has_the_name_of_its_concept_and_the_evidence_of_its_type(
    record: Callable[..., Any], accepted: Any, change: Mapping[str, str], expected: tuple[str, ...]
) -> None:
    night = record("DRUG_EXPOSURE", {**GIVEN, **change})
    assert accepted(night, "agent, rxnorm, evidence", "canonical.exposure") == [expected]


def test_a_drug_record_that_does_not_say_whether_it_was_given_is_listed(
    record: Callable[..., Any], set_aside: Any
) -> None:
    night = record("DRUG_EXPOSURE", {**GIVEN, "drug_type_concept_id": "32817"})
    assert set_aside(night) == {"evidence_unknown": 1}


def test_a_number_is_an_rxnorm_code_only_where_the_map_declares_it(record: Callable[..., Any], accepted: Any) -> None:
    silent = record("DRUG_EXPOSURE", GIVEN, is_explained=False)
    assert accepted(silent, "agent, rxnorm", "canonical.exposure") == [("308182", None)]
    declared = record("DRUG_EXPOSURE", GIVEN, is_explained=False, drug_source_vocabulary=["rxnorm"])
    assert accepted(declared, "agent, rxnorm", "canonical.exposure") == [("308182", "308182")]


@pytest.mark.parametrize(
    ("change", "declared", "expected"),
    [
        ({"condition_source_value": "D70.1", "condition_source_concept_id": "45582969"}, [], ("D701", "icd10cm")),
        ({"condition_source_value": "165517008"}, [], ("165517008", "other")),
        ({"condition_source_value": "165517008"}, ["icd10cm"], ("165517008", "other")),
        ({"condition_source_value": "D70.1"}, ["icd10gm"], ("D701", "icd10gm")),
        ({"condition_source_value": "288.03"}, ["icd9cm"], ("28803", "icd9cm")),
        ({"condition_source_value": "D70.1"}, [], None),
        ({}, [], ("165517008", "other")),
    ],
    ids=["by_concept", "snomed", "snomed_beside_icd", "icd10gm", "icd9cm", "undeclared_icd", "standard_concept_only"],
)
def test_the_system_of_a_diagnosis_is_known_or_declared_and_never_guessed(
    record: Callable[..., Any],
    accepted: Any,
    set_aside: Any,
    change: Mapping[str, str],
    declared: Sequence[str],
    expected: tuple[str, str] | None,
) -> None:
    night = record("CONDITION_OCCURRENCE", {**SUFFERED, **change}, condition_source_vocabulary=declared)
    assert accepted(night, "code, code_system", "canonical.diagnosis") == ([expected] if expected else [])
    assert set_aside(night) == ({} if expected else {"code_system_unknown": 1})
