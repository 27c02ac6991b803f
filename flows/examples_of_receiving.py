"""Runs the examples of receiving rules, laboratory codes and source maps through what receives an extract.

A result as sent becomes bounds or the rule that sets it aside; a code becomes an analyte; the headers of a file decide
which table it feeds. Nothing is written and no file is opened.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from flows.errors import DefinitionError, SourceError
from flows.lab_rows import Laboratory, judge_labs, store_meanings
from flows.sources.protocol import Moment, SourceFile, literal, raw_select, text_of
from flows.sources.registry import layout_of, load_layouts
from transforms.example_results import ExampleResult, read_examples, tell, wrong_example
from transforms.load import Definitions
from transforms.model.source_examples import LabExample, MapExample, ReceivingExample
from transforms.model.sources import SourceMap

NAME = "example"
_SENT = ("value", "code", "unit", "specimen", "status")


def check_receiving(definitions: Definitions) -> list[ExampleResult]:
    """Every example of receiving, laboratory codes and source maps, in a fixed order."""
    return [*_check_values(definitions), *_check_labs(definitions), *_check_maps(definitions)]


def _check_values(definitions: Definitions) -> Iterable[ExampleResult]:
    receiving = definitions.receiving
    examples = read_examples(ReceivingExample, "receiving", receiving)
    laboratory = Laboratory(definitions, _plain_map("loinc"))
    usual = _usual_code(definitions, laboratory)
    judged = _judge([_sent(example, usual, laboratory) for example in examples], laboratory)
    for number, (example, row) in enumerate(zip(examples, judged, strict=True)):
        if example.rule is not None and example.rule not in receiving.rules:
            details = [f"rule: {example.rule} is none of receiving"]
            raise wrong_example("receiving", receiving, number, details, f"Rules: {', '.join(receiving.rules)}.")
        expected = _outcome(example.rule, example.comparator, example.lower, example.upper)
        words = tell({name: getattr(example, name) for name in _SENT if getattr(example, name) is not None})
        yield ExampleResult("receiving", receiving.id, words, expected, _outcome(*row))


def _plain_map(code_system: str) -> SourceMap:
    return SourceMap(id=NAME, code_system=code_system)


def _sent(example: ReceivingExample, usual: str | None, laboratory: Laboratory) -> Sequence[str | None]:
    """The row of an example; what it leaves out is that of a reported neutrophil count."""
    code = example.code or usual
    test = laboratory.tests.get(code or "", {})
    unit = test.get("canonical_unit") if example.unit is None else example.unit
    return (example.value, code, unit, example.specimen, example.status)


def _usual_code(definitions: Definitions, laboratory: Laboratory) -> str | None:
    analyte = definitions.anc.inputs.direct_auto.analyte
    return next((code for code, test in laboratory.tests.items() if test["analyte"] == analyte), None)


def _judge(rows: Sequence[Sequence[str | None]], laboratory: Laboratory) -> list[tuple[Any, ...]]:
    """Rule, comparator and bounds of each row, in order."""
    if not rows:
        return []
    values = ", ".join(
        f"({number}, {', '.join('NULL' if text is None else literal(text) for text in row)})"
        for number, row in enumerate(rows)
    )
    given: dict[str, str | Moment] = {name: text_of("f", name) for name in _SENT}
    given |= {"person_id": literal(NAME), "collected_at": Moment("TIMESTAMP '2020-01-01 08:00:00'")}
    raw = raw_select("lab", given, f"(VALUES {values}) f(row_number, {', '.join(_SENT)})")
    with duckdb.connect() as connection:
        store_meanings(connection, raw, laboratory, NAME)
        judged = judge_labs(raw, laboratory, NAME, NAME, laboratory.source_map.decimal)
        columns = "rule, comparator, lower_bound, upper_bound"
        return connection.execute(f"SELECT {columns} FROM ({judged}) ORDER BY row_number").fetchall()


def _outcome(rule: str | None, comparator: str | None, lower: Decimal | None, upper: Decimal | None) -> str:
    if rule is not None:
        return tell({"rule": rule})
    return tell({"comparator": comparator, "lower": lower, "upper": upper})


def _check_labs(definitions: Definitions) -> Iterable[ExampleResult]:
    entry = definitions.codelists["labs"]
    for example in read_examples(LabExample, "codelists", entry):
        meaning = Laboratory(definitions, _plain_map(example.code_system)).mean((example.code, None, None, None))
        names = ["analyte", "method"] if example.method is not None else ["analyte"]
        expected, got = (tell({name: getattr(one, name) for name in names}) for one in (example, meaning))
        yield ExampleResult("codelists", entry.id, f"{example.code_system} {example.code}", expected, got)


def _check_maps(definitions: Definitions) -> Iterable[ExampleResult]:
    for source_map in definitions.source_maps:
        for example in read_examples(MapExample, "source_maps", source_map):
            expected, got = (tell({"table": table}) for table in (example.table, _table_of(example, source_map)))
            yield ExampleResult("source_maps", source_map.id, ", ".join(example.headers), expected, got)


def _table_of(example: MapExample, source_map: SourceMap) -> str | None:
    """The table that the file of the example feeds, or why it cannot be told."""
    layout = layout_of(source_map.layout)
    if layout is None:
        raise DefinitionError(
            f"definitions/source_maps: {source_map.id!r} names a layout that does not exist.",
            details=sorted(load_layouts()),
            repair="Name one of these, or install the package that brings it.",
        )
    own = _file(example.file, example.headers)
    try:
        found = layout.recognise(
            [*(_file(f"{role}.csv", sorted(marks)) for role, marks in layout.marks.items()), own], source_map
        )
    except SourceError as error:
        return error.what
    fed = [feed.table.split(".")[1] for feed in found.feeds if own in found.files[feed.role]] if found else []
    return ", ".join(fed) or None


def _file(name: str, headers: Iterable[str]) -> SourceFile:
    return SourceFile(Path(name), "delimited", dict.fromkeys(headers, "VARCHAR"), delimiter=",")
