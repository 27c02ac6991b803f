"""Released tables as plain rows: a value is a number, or the word of its mark where it is not shown.

A mark `zero` becomes the number 0; a number that is `held` stays one, and its row says so (`is_held`). Any other mark,
or null, becomes a word, so that no later step can take it for a number. Rows are in the order of the table's key.
Floats keep six decimals: page, key numbers and catalogue all start from the same rounded number.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from transforms.marks import HIDDEN
from transforms.release import Released
from transforms.schemas import schema_of

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]

TABLES = (
    "prevalence",
    "population",
    "incidence",
    "cumulative_incidence",
    "severity",
    "scale_change",
    "testing",
    "test_share",
    "episode",
    "duration",
    "duration_curve",
    "cause",
    "competition",
    "complication",
    "anc_distribution",
    "person_days",
    "chronic",
    "rule",
    "certainty",
    "cycle",
    "cycle_severe",
    "attrition",
    "drug",
    "drug_day",
    "drug_ratio",
)
WEIGHTED = "prevalence_weighted"  # views of the rows of prevalence; the one in TABLES has the shares of people
STANDARDISED = "prevalence_standardised"  # over the whole extract: as counted, and under every standard
POPULATION, POPULATION_TREND = "population", "population_trend"  # the latest intervals, and low values over time
_VIEWS = {
    POPULATION: pl.col("is_latest") & pl.col("interval_unit").is_in(["month", "year", "all"]),
    POPULATION_TREND: pl.col("interval_unit").is_in(["week", "quarter", "year"])
    & (pl.col("denominator_name") == "tested")
    & (pl.col("measure") == "any_low"),
    WEIGHTED: pl.col("is_weighted"),
    STANDARDISED: ~pl.col("is_weighted") & (pl.col("interval_unit") == "all") & (pl.col("standard") != "crude").any(),
    "prevalence": ~pl.col("is_weighted") & (pl.col("standard") == "crude"),
}
DECIMALS = 6
NOT_ESTIMABLE = "not_estimable"
HELD, IS_HELD = "held", "is_held"
PROVENANCE = ("run_id", "definitions_hash", "channel", "is_weighted")


def rows_of(released: Released, table: str) -> tuple[Row, ...]:
    """The rows of `released.TABLE` (`table` without its prefix); empty when the night has no such table.

    Shares of people, weighted and standardised shares are tables of their own here; so are the latest intervals and
    the trend of populations, whose columns have names of their own because the page's selectors do not mean them.
    """
    schema = schema_of(f"released.{table_behind(table)}")
    frame = released.tables.get(schema.name, pl.DataFrame())
    if frame.height and table in _VIEWS:
        frame = frame.filter(_VIEWS[table])
    if frame.is_empty():
        return ()
    key = [name for name in schema.key if name in frame.columns]
    names = [column.name for column in schema.columns if not column.name.endswith("_mark")]
    kept = [name for name in names if name not in PROVENANCE]
    ordered = frame.sort(key, nulls_last=False)
    columns = {name: _cells(ordered, name, is_value=name in schema.values) for name in kept}
    marks = [pl.col(name) == HELD for name in ordered.columns if name.endswith("_mark")]
    columns[IS_HELD] = ordered.select(pl.any_horizontal(pl.lit(value=False), *marks).fill_null(value=False))[
        "literal"
    ].to_list()
    if table_behind(table) == POPULATION:
        columns = _of_population(columns)
    return tuple(dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True))


def count_lost(released: Released) -> list[tuple[str, int, int, int]]:
    """Of each released table: its name, its values, and how many of them are hidden and held."""
    found = []
    for name in TABLES:
        table = schema_of(f"released.{name}")
        frame = released.tables.get(table.name, pl.DataFrame())
        marks = [f"{value}_mark" for value in table.values if f"{value}_mark" in frame.columns]
        if frame.height and marks:
            words = pl.concat([frame[mark].rename("mark") for mark in marks])
            n_hidden, n_held = (int((words == word).sum()) for word in (HIDDEN, HELD))
            found.append((name, words.len(), n_hidden, n_held))
    return found


def table_behind(table: str) -> str:
    """The released table that a table of rows is a view of; empty where it is made of facts."""
    if table in {WEIGHTED, STANDARDISED}:
        return "prevalence"
    if table == POPULATION_TREND:
        return POPULATION
    return table if table in TABLES else ""


def is_number(cell: Cell) -> bool:
    """Whether a value is shown: True and False are words here."""
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def encode(rows: Sequence[Row]) -> dict[str, Any]:
    """Columns instead of rows, and repeated words as places in a list: what the page carries."""
    columns = list(rows[0]) if rows else []
    return {"n": len(rows), "columns": {name: _encode_column([row[name] for row in rows]) for name in columns}}


def _of_population(columns: Mapping[str, list[Cell]]) -> dict[str, list[Cell]]:
    """With population, low_as, counted_as (the rule of confirmed episodes) and specification (all choices together)."""
    low_as, population = columns["measure"], columns["denominator_name"]
    counted_as = [
        rule if measure == "confirmed" else measure for rule, measure in zip(columns["rule"], low_as, strict=True)
    ]
    choices = (counted_as, columns["threshold_cells_per_ul"], columns["interval_unit"], population)
    kept = {name: cells for name, cells in columns.items() if name not in {"measure", "denominator_name"}}
    named = {"population": population, "low_as": low_as, "counted_as": counted_as}
    specification: list[Cell] = ["|".join(map(str, chosen)) for chosen in zip(*choices, strict=True)]
    return {**kept, **named, "specification": specification}


def _cells(frame: pl.DataFrame, name: str, *, is_value: bool) -> list[Cell]:
    """One column, top to bottom; a column that the table lacks is empty."""
    if name not in frame.columns:
        return [NOT_ESTIMABLE if is_value else None] * frame.height
    facts = _facts(frame[name])
    if not is_value:
        return facts
    mark = pl.col(f"{name}_mark") if f"{name}_mark" in frame.columns else pl.lit(None, pl.String)
    marked = frame.select(pl.col(name).is_null().alias("is_null"), mark.alias("mark"))
    told = marked.with_row_index("place").filter(pl.col("is_null") | pl.col("mark").is_not_null())
    for place, word in zip(told["place"], told["mark"], strict=True):  # most numbers have no mark
        facts[place] = _value(facts[place], word)
    return facts


def _value(fact: Cell, mark: str | None) -> Cell:
    if mark == "zero":
        return fact if fact is not None else 0
    if mark == HELD and fact:  # nobody of an earlier night says nothing of tonight, and reads as nobody
        return fact
    if mark is not None:
        return mark
    return NOT_ESTIMABLE if fact is None else fact


def _facts(column: pl.Series) -> list[Cell]:
    if column.dtype.is_float():
        return [None if value is None else round(value, DECIMALS) for value in column.to_list()]
    if column.dtype == pl.Date:
        return column.dt.strftime("%Y-%m-%d").to_list()
    return [_fact(value) for value in column.to_list()] if column.dtype.is_temporal() else column.to_list()


def _fact(value: Any) -> Cell:
    return value.isoformat() if isinstance(value, datetime) else None if value is None else str(value)


def _encode_column(cells: Sequence[Cell]) -> Any:
    found = set(cells)
    if any(is_number(cell) for cell in found):
        return list(cells)
    words = sorted(found, key=lambda cell: (str(type(cell)), str(cell)))
    if len(words) == 1:
        return {"words": words, "at": 0}
    place = {word: index for index, word in enumerate(words)}
    return {"words": words, "at": [place[cell] for cell in cells]}
