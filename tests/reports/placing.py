"""Where a figure must place its points: the numbers of the rows of its table, without the page's script."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reports.charts.spec import Chart, Trace
from reports.rows import Row, is_number
from reports.wording import Wording


def places_of(chart: Chart, rows: Sequence[Row], selection: Mapping[str, str], wording: Wording) -> Iterator[float]:
    """The numbers of all its points along its axes, of rows in the order of the page."""
    rows = _among_the_first(chart, rows, wording)
    for trace in (trace for trace in chart.traces if trace.figure.get("mode") != "text"):
        for bind in (trace.bind[axis] for axis in "xyz" if {"col", "const"} & {*trace.bind.get(axis, {})}):
            for row in (row for row in rows if is_drawn(trace, row)):
                place = _place(bind, row, selection)
                if place is not None and "name" not in bind:
                    yield round(place, 4)


def _place(bind: Mapping[str, Any], row: Row, selection: Mapping[str, str]) -> float | None:
    if "const" in bind:
        return float(bind["const"])
    scale = bind.get("scale", 1)
    if bind.get("unit") == "cells" and selection["unit"] == "giga":
        scale = 0.001
    cells = [row[bind[name]] for name in ("col", "minus") if name in bind]
    if not all(is_number(cell) for cell in cells):
        return None
    first, *rest = (float(cell or 0) for cell in cells)
    return (first - sum(rest)) * scale


def _among_the_first(chart: Chart, rows: Sequence[Row], wording: Wording) -> Sequence[Row]:
    if not chart.top:
        return rows
    rows = [row for row in rows if is_number(row[chart.alt.value])]
    names = [wording.cell(row, chart.categories[0].kind, chart.categories[0].keys) for row in rows]
    first = list(dict.fromkeys(names))[: chart.top]
    return [row for row, name in zip(rows, names, strict=True) if name in first]


def is_drawn(trace: Trace, row: Row) -> bool:
    """Whether the row is one of those that the trace is made of."""
    if any(row[column] != value for column, value in trace.where.items()):
        return False
    if trace.above and not float(row[trace.above[0]] or 0) > trace.above[1]:
        return False
    return is_number(row[trace.needs]) if trace.needs else not trace.lacks or not is_number(row[trace.lacks])
