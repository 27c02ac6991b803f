"""Runs the examples of the classes of identifiers: columns that are scanned as those of an extract are."""

from collections.abc import Sequence

import duckdb
import polars as pl

from flows.identifying import ScannedTable, scan_table
from transforms.check_digits import clean_number, has_check_digit
from transforms.example_results import ExampleResult, read_examples, tell, wrong_example
from transforms.identifiers import ColumnFinding
from transforms.load import Definitions
from transforms.model.identifiers import CheckExample, IdentifierExample

KIND = "identifiers"
_SAID = ("allowed", "found", "unjudged")


def check_identifiers(definitions: Definitions) -> list[ExampleResult]:
    """Every example of `definitions/identifiers`, in a fixed order."""
    entries = [*definitions.identifier_classes, definitions.scanning]
    asked = [(entry.id, one) for entry in entries for one in read_examples(IdentifierExample, KIND, entry)]
    told = _scan(definitions, [example for _, example in asked])
    results = [_compare(of, one, findings) for (of, one), findings in zip(asked, told, strict=True)]
    return [*results, *_check_numbers(definitions)]


def _scan(definitions: Definitions, examples: Sequence[IdentifierExample]) -> list[list[ColumnFinding]]:
    """The findings of each example: columns of one table, but that of a person's key has a table of its own."""
    told: list[list[ColumnFinding]] = [[] for _ in examples]
    shared = [place for place, example in enumerate(examples) if not example.is_person]
    for places in [shared, *([place] for place, example in enumerate(examples) if example.is_person)]:
        # Marks at the end make headers differ and say nothing.
        headers = {place: f"{examples[place].header}{'_' * order}" for order, place in enumerate(places)}
        found = _scan_columns(definitions, {header: examples[place] for place, header in headers.items()})
        for place, header in headers.items():
            told[place] = [finding for finding in found if finding.column == header]
    return told


def _scan_columns(definitions: Definitions, columns: dict[str, IdentifierExample]) -> tuple[ColumnFinding, ...]:
    rows = pl.concat(
        [pl.DataFrame({header: list(example.cells)}) for header, example in columns.items()], how="horizontal_extend"
    )
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("examples", rows)
        described = connection.execute("DESCRIBE examples").fetchall()
        mapped = {header: example.mapped for header, example in columns.items() if example.mapped}
        person = next((header for header, example in columns.items() if example.is_person), None)
        table = ScannedTable("example", "examples", {name: kind for name, kind, *_ in described}, mapped, person)
        return scan_table(connection, table, definitions.identifiers)


def _compare(definition: str, example: IdentifierExample, findings: Sequence[ColumnFinding]) -> ExampleResult:
    of = example.of or definition
    if example.expect == "none":
        found = sorted(finding.identifier_class for finding in findings if finding.disposition == "found")
        got = tell({"found": ", ".join(found) or "none"})
        expected = tell({"found": "none"})
    else:
        said = [finding.disposition for finding in findings if finding.identifier_class == of]
        expected, got = tell({of: example.expect}), tell({of: said[0] if said else "none"})
    told = tell({"header": example.header, "cells": ", ".join(str(cell) for cell in example.cells)})
    return ExampleResult(KIND, definition, told, expected, got)


def _check_numbers(definitions: Definitions) -> list[ExampleResult]:
    digits = definitions.check_digits
    examples = read_examples(CheckExample, KIND, digits)
    for number, example in enumerate(examples):
        if example.check not in digits.checks:
            known = f"Checks: {', '.join(digits.checks)}."
            raise wrong_example(KIND, digits, number, [f"there is no check {example.check!r}"], known)
    written = pl.DataFrame({"check": [e.check for e in examples], "number": [e.number for e in examples]})
    digit = clean_number(pl.col("number"))
    held: dict[str, dict[str, bool]] = {
        name: dict(rows.select("number", has_check_digit(digit, digits.checks[name])).iter_rows())
        for (name,), rows in written.partition_by("check", as_dict=True).items()
    }
    return [
        ExampleResult(
            KIND,
            digits.id,
            tell({"check": example.check, "number": example.number}),
            tell({"is_valid": example.is_valid}),
            tell({"is_valid": held[example.check][example.number]}),
        )
        for example in examples
    ]
