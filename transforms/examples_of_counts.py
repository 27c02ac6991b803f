"""Runs the examples of the ANC routes (the results of a specimen, its count) and of severity scales (bounds, a level).

A result is written as `analyte method: 900`; `<100` and `>20` are limits. Counts are in cells/uL, shares in per cent,
fractions from 0 to 1.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from transforms.anc import choose_anc, measure_specimens
from transforms.example_results import ORIGIN, ExampleResult, Schema, read_examples, tell, wrong_example
from transforms.grades import is_meant_for, severity_of
from transforms.load import Definitions
from transforms.model.examples import AncExample, AncExpected, ScaleExample
from transforms.model.scales import NOT_APPLICABLE, Scale

LAB: Schema = {
    "person_index": pl.UInt32,
    "specimen_id": pl.String,
    "collected_at": pl.Datetime("us"),
    "time_precision": pl.String,
    "analyte": pl.String,
    "method": pl.String,
    "value": pl.Decimal(18, 6),
    "lower_bound": pl.Decimal(18, 6),
    "upper_bound": pl.Decimal(18, 6),
    "comparator": pl.String,
    "unit": pl.String,
    "status": pl.String,
}
DRAWN_AT = ORIGIN + timedelta(hours=8)
ANY_METHOD = "unspecified"


def check_counts(definitions: Definitions) -> list[ExampleResult]:
    """Every example of ANC routes and scales, in a fixed order."""
    return [*_check_routes(definitions), *_check_scales(definitions)]


def lab_row(name: str, result: object) -> dict[str, Any]:
    """One result of person 0 as a row of LAB; `name` is the analyte, a blank and the method."""
    analyte, _, method = name.partition(" ")
    comparator, number = re.fullmatch(r"(<=|>=|<|>)?\s*([0-9.]+)", str(result)).groups()  # type: ignore[union-attr]
    value = Decimal(number)
    return {
        "person_index": 0,
        "specimen_id": "s1",
        "collected_at": DRAWN_AT,
        "time_precision": "minute",
        "analyte": analyte,
        "method": method or ANY_METHOD,
        "value": None if comparator else value,
        "lower_bound": value if comparator in {None, ">", ">="} else Decimal(0),
        "upper_bound": value if comparator in {None, "<", "<="} else None,
        "comparator": comparator,
        "unit": "%" if analyte.endswith("_pct") else "1" if analyte.endswith("_fraction") else "cells/uL",
        "status": "final",
    }


def _check_routes(definitions: Definitions) -> Iterable[ExampleResult]:
    routes = definitions.anc
    examples = read_examples(AncExample, "anc", routes)
    _refuse_unknown_tests(definitions, examples)
    rows = [
        lab_row(name, result) | {"person_index": place}
        for place, example in enumerate(examples)
        for name, result in example.results.items()
    ]
    specimens = measure_specimens(pl.LazyFrame(rows, schema=LAB), routes)
    found = {row["person_index"]: row for row in _rows(choose_anc(specimens, routes, definitions.scales[0]))}
    for place, example in enumerate(examples):
        expected = {} if example.anc is None else _facts(example.anc)
        row = found.get(place)
        got = {} if row is None else {name: row[name] for name in expected or ("anc_cells_per_ul", "route")}
        yield ExampleResult("anc", routes.id, example.case, tell(expected) or "no count", tell(got) or "no count")


def _rows(frame: pl.LazyFrame) -> list[dict[str, Any]]:
    return frame.collect().to_dicts()


def _facts(expect: AncExpected) -> Mapping[str, Any]:
    count, given = expect.cells_per_ul, expect.model_fields_set
    route = {"route": expect.route} if "route" in given else {}
    named = {"possible_lower": "possible_lower_cells_per_ul", "possible_upper": "possible_upper_cells_per_ul"}
    named |= {"has_uncorrected_nrbc": "has_uncorrected_nrbc"}
    possible = {column: getattr(expect, name) for name, column in named.items() if name in given}
    return {
        "anc_cells_per_ul": count,
        "lower_cells_per_ul": expect.lower if "lower" in given else count,
        "upper_cells_per_ul": expect.upper if "upper" in given else count,
        **route,
        "bands_assumed_zero": expect.bands_assumed_zero,
        "is_discordant": expect.is_discordant,
        **possible,
    }


def _refuse_unknown_tests(definitions: Definitions, examples: Sequence[AncExample]) -> None:
    """A result that nothing knows would be passed over in silence, and the example would prove something else."""
    labs = definitions.codes("labs")
    analytes = {*labs["analyte"].drop_nulls(), *definitions.anc.analytes}
    methods = {*labs["method"].drop_nulls(), *definitions.anc.method_order}
    for number, example in enumerate(examples):
        for name in example.results:
            analyte, _, method = name.partition(" ")
            if analyte not in analytes or (method or ANY_METHOD) not in methods:
                raise wrong_example(
                    "anc",
                    definitions.anc,
                    number,
                    [f"results: {name}: this analyte or method is not known"],
                    f"Analytes: {', '.join(sorted(analytes))}. Methods: {', '.join(sorted(methods))}.",
                )


def _check_scales(definitions: Definitions) -> Iterable[ExampleResult]:
    types = {
        "lower": pl.Int64,
        "upper": pl.Int64,
        "reference_low": pl.Int64,
        "age_years": pl.Int64,
        "duffy_null": pl.Boolean,
    }
    for scale in definitions.scales:
        examples = read_examples(ScaleExample, "scales", scale)
        people = pl.DataFrame([{name: getattr(one, name) for name in types} for one in examples], schema=types)
        level = severity_of("lower", "upper", scale, pl.col("reference_low"))
        is_meant = is_meant_for(scale.applies_to, pl.col("age_years"), _known_duffy(scale))
        levels = people.select(pl.when(is_meant).then(level).otherwise(pl.lit(NOT_APPLICABLE)).alias("level"))
        for example, got in zip(examples, levels["level"].to_list(), strict=True):
            yield ExampleResult("scales", scale.id, _words(example), example.severity, got)


def _known_duffy(scale: Scale) -> pl.Expr:
    """Examples that do not speak of Duffy are of people a scale for them is meant for."""
    is_silent = scale.applies_to is not None and bool(scale.applies_to.duffy_null)
    return pl.col("duffy_null").fill_null(value=is_silent)


def _words(example: ScaleExample) -> str:
    words = f"{example.lower} to {'any' if example.upper is None else example.upper}"
    given = {"lower limit": example.reference_low, "age": example.age_years, "Duffy-null": example.duffy_null}
    return ", ".join([words, *(f"{name} {value}" for name, value in given.items() if value is not None)])
