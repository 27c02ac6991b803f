"""Which rows a chart shows for a selection, in which order, and what the figure says to those who do not see it.

The page's script decides the same things by the same rules; a browser test holds the two together.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from reports.charts.spec import Chart
from reports.rows import Cell, Row, is_number
from reports.wording import GIGA, PER_UL, Wording, count

DIMENSIONS: Mapping[str, str] = {
    "cohort": "cohort",
    "threshold": "threshold_cells_per_ul",
    "rule": "rule",
    "measure": "measure",
    "denominator": "denominator_name",
    "scale": "scale",
    "drug": "drug",
}
BOTH = "both"
Selection = Mapping[str, str]


@dataclass(frozen=True)
class Choices:
    """What can be selected, in order, and what is selected when a page opens."""

    options: Mapping[str, tuple[str, ...]]
    default: Selection


def choices_of(tables: Mapping[str, Sequence[Row]], wording: Wording) -> Choices:
    """Every value of every dimension that some released row has."""
    neutral = set(wording.glossary.get("neutral", ()))
    options: dict[str, tuple[str, ...]] = {}
    for dimension, column in DIMENSIONS.items():
        having = [rows for rows in tables.values() if rows and column in rows[0]]
        words = {row[column] for rows in having for row in rows}
        options[dimension] = _ordered(dimension, {str(word) for word in words} - neutral, wording)
    if options["denominator"]:
        options["denominator"] = (BOTH, *options["denominator"])
    options["unit"] = (PER_UL, GIGA)
    options["sort"] = ("value", "size", "name")
    estimation = wording.definitions.estimation
    wanted = {"rule": estimation.default_rule, "scale": estimation.severity_scale}
    wanted |= wording.glossary.get("default_view", {})
    default = {name: _default(found, str(wanted.get(name, ""))) for name, found in options.items()}
    default["drug"] = _most_given(tables) or default["drug"]
    if default["cohort"] != str(wanted.get("cohort")):
        default["cohort"] = _largest(tables) or default["cohort"]
    return Choices(options, default)


def chosen_rows(chart: Chart, rows: Sequence[Row], selection: Selection, wording: Wording) -> list[Row]:
    """The rows of the chart's table twin, in the order of the page."""
    neutral = set(wording.glossary.get("neutral", ()))
    kept = [row for row in rows_of_chart(chart, rows) if _is_selected(chart, row, selection, neutral)]
    for key, direction in reversed(chart.sorts[_sort(chart, selection)]):
        order = partial(_sort_key, key=key, direction=direction, wording=wording)
        kept.sort(key=order, reverse=direction == "desc")
    return kept


def fill(template: str, selection: Selection, wording: Wording) -> str:
    """A caption with the names of what is selected."""
    words = caption_words(selection, wording)
    return re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], ""), template)


def caption_words(selection: Selection, wording: Wording) -> dict[str, str]:
    """What captions may name."""
    words = {name: wording.name(name, selection.get(name, "")) for name in DIMENSIONS}
    words["cells"] = wording.name("unit", wording.unit)
    threshold = selection.get("threshold", "")
    words["threshold"] = wording.threshold(int(threshold)) if threshold else ""
    for name in ("denominator", "measure"):
        long = str(wording.glossary.get(f"{name}_long", {}).get(selection.get(name), ""))
        words[f"{name}_long"] = long.replace("{rule}", words["rule"])
    return words


def alt_text(chart: Chart, rows: Sequence[Row], selection: Selection, wording: Wording) -> str:
    """The figure in words: what it is, how many numbers it has, the highest and the lowest."""
    alt = chart.alt
    meant = [row for row in rows if alt.above is None or float(row[alt.above[0]] or 0) > alt.above[1]]
    shown = [row for row in meant if is_number(row[alt.value])]
    noun = "number" if len(shown) == 1 else "numbers"
    text = f"{chart.title}. {fill(chart.caption, selection, wording)} {count(len(shown))} {noun} shown"
    if len(meant) > len(shown):
        text += f", {count(len(meant) - len(shown))} not shown"
    if not shown:
        return f"{text}."
    highest = max(shown, key=lambda row: float(row[alt.value] or 0))
    lowest = min(shown, key=lambda row: float(row[alt.value] or 0))
    return f"{text}. Highest: {_say(chart, highest, wording)}. Lowest: {_say(chart, lowest, wording)}."


def _say(chart: Chart, row: Row, wording: Wording) -> str:
    labels = [wording.cell(row, label.kind, label.keys) for label in chart.alt.labels]
    return f"{', '.join(labels)} {wording.number(row[chart.alt.value], chart.alt.kind)}"


def rows_of_chart(chart: Chart, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that the chart draws under some selection; all rows of a table have its columns."""
    found = rows
    for column, value in chart.where.items():  # of every row of a page: a test of each by itself would double its time
        found = [row for row, cell in zip(found, _cells(found, column), strict=True) if cell == value]
    for column, value in chart.unless.items():
        found = [row for row, cell in zip(found, _cells(found, column), strict=True) if cell != value]
    return found


def _cells(rows: Sequence[Row], column: str) -> Iterable[Cell]:
    return map(itemgetter(column), rows) if rows and column in rows[0] else [None] * len(rows)


def _is_selected(chart: Chart, row: Row, selection: Selection, neutral: set[str]) -> bool:
    for dimension in chart.follows:
        wanted, found = selection.get(dimension, ""), str(row.get(DIMENSIONS[dimension]))
        if found not in {wanted, *neutral} and wanted != BOTH:
            return False
    return True


def _sort(chart: Chart, selection: Selection) -> str:
    wanted = selection.get("sort", "")
    return wanted if wanted in chart.sorts else next(iter(chart.sorts))


def _sort_key(row: Row, key: str, direction: str, wording: Wording) -> tuple[bool, float | str]:
    if key.startswith("name:"):
        kind = key.removeprefix("name:")
        return (True, wording.name(kind, row.get(kind)).lower())
    cell = row.get(key)
    if isinstance(cell, bool):
        return (True, str(cell))
    return (is_number(cell) == (direction == "desc"), _comparable(cell))


def _comparable(cell: Cell) -> Any:
    return float(cell) if is_number(cell) and cell is not None else str(cell)


def _ordered(dimension: str, found: set[str], wording: Wording) -> tuple[str, ...]:
    if dimension == "threshold":
        return tuple(sorted(found, key=int, reverse=True))
    if dimension == "cohort":
        return tuple(sorted(found, key=lambda word: (wording.name("cohort", word).lower(), word)))
    known = list(wording.glossary.get(dimension, {}))
    return tuple(sorted(found, key=lambda word: (known.index(word) if word in known else len(known), word)))


def _default(found: Sequence[str], wanted: str) -> str:
    return wanted if wanted in found else next(iter(found), "")


def _largest(tables: Mapping[str, Sequence[Row]]) -> str:
    sizes: dict[str, float] = {}
    for row in tables.get("prevalence", ()):
        if row["interval_unit"] == "all" and is_number(row["n_population"]):
            cohort = str(row["cohort"])
            sizes[cohort] = max(sizes.get(cohort, 0), float(row["n_population"] or 0))
    return min(sizes, key=lambda cohort: (-sizes[cohort], cohort)) if sizes else ""


def _most_given(tables: Mapping[str, Sequence[Row]]) -> str:
    """The drug that most people were given; empty when no number of people is shown."""
    given = [
        (-float(row["n_people"] or 0), str(row["drug"])) for row in tables.get("drug", ()) if is_number(row["n_people"])
    ]
    return min(given)[1] if given else ""
