"""What a page in a browser says of its figures, and what the released tables say of them, without a browser."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reports.chart_list import load_charts
from reports.charts.spec import Chart
from reports.numbers import Numbers
from reports.rows import is_number
from reports.view import alt_text, chosen_rows, fill
from tests.reports.browser import Opened
from tests.reports.placing import places_of

Words = dict[str, tuple[list[str], list[list[str]], str | None, str | None]]  # headings, cells, in words, caption


def charts_of(numbers: Numbers) -> tuple[Chart, ...]:
    """The charts of which a page of these numbers has a figure."""

    def has_row(chart: Chart) -> bool:
        rows = numbers.tables[chart.table]
        return any(all(row.get(column) == value for column, value in chart.where.items()) for row in rows)

    return tuple(chart for chart in load_charts() if (numbers.has_anc or not chart.question) and has_row(chart))


def points_of(opened: Opened, charts: Sequence[Chart]) -> Mapping[str, Sequence[float]]:
    """The numbers that each figure draws along its axes."""
    found = {}
    for chart in charts:
        traces = [trace for trace in json.loads(opened.drawn(chart.id) or "[]") if trace.get("mode") != "text"]
        cells = [cell for trace in traces for axis in "xyz" for cell in trace.get(axis, ()) if is_number(cell)]
        found[chart.id] = sorted(round(cell, 4) for cell in cells)
    return found


def placed(numbers: Numbers, changes: Mapping[str, str], charts: Sequence[Chart]) -> Mapping[str, Sequence[float]]:
    """The same from the released tables."""
    selection = {**numbers.choices.default, **changes}
    found = {}
    for chart in charts:
        rows = chosen_rows(chart, numbers.tables[chart.table], selection, numbers.wording)
        found[chart.id] = sorted(places_of(chart, rows, selection, numbers.wording))
    return found


def shown(opened: Opened, charts: Sequence[Chart]) -> Words:
    """What stands in the browser: table, alternative text and caption of each figure."""
    ids = [chart.id for chart in charts]
    found = opened.page.evaluate(
        """(charts) => charts.map((chart) => [
        [...document.querySelectorAll(`#table-${chart} thead th`)].map((cell) => cell.textContent),
        [...document.querySelectorAll(`#table-${chart} tbody tr`)]
            .map((row) => [...row.cells].map((cell) => cell.textContent)),
        document.getElementById(`plot-${chart}`).getAttribute("aria-label"),
        document.querySelector(`#chart-${chart} figcaption`).textContent,
        ])""",
        ids,
    )
    return {
        chart: (headings, cells, alt, caption)
        for chart, (headings, cells, alt, caption) in zip(ids, found, strict=True)
    }


def written(numbers: Numbers, changes: Mapping[str, str], charts: Sequence[Chart]) -> Words:
    """The same from the released tables, without a browser."""
    selection = {**numbers.choices.default, **changes}
    wording = replace(numbers.wording, unit=selection["unit"])
    words: Words = {}
    for chart in charts:
        rows = chosen_rows(chart, numbers.tables[chart.table], selection, wording)
        headings = [wording.with_unit(column.heading) for column in chart.columns]
        cells = [[wording.cell(row, c.kind, c.keys) for c in chart.columns] for row in rows]
        caption = fill(chart.caption, selection, wording)
        words[chart.id] = (headings, cells, alt_text(chart, rows, selection, wording), caption)
    return words
