"""What moved between two nights: every number that a figure shows, held against the one of the same key before.

A number is new, gone, changed or the same; gone is also one that is hidden now. It stands out when it left the interval
that the earlier night gave for it; by how many half-widths of that interval it moved is its size. No number has to be
chosen for that: the interval says how far chance alone would move it. Both nights are released, so nothing is shown
here that is not in their own pages.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

from reports.charts.spec import Chart, TableColumn
from reports.rows import Cell, Row, is_number, table_behind
from reports.view import BOTH, DIMENSIONS, Choices, rows_of_chart
from reports.wording import Wording
from transforms.schemas import schema_of

Tables = Mapping[str, Sequence[Row]]
Place = Any  # the values of a key, or its only one
ENDS = ("_lo", "_hi")
RANGES = ("range", "days_range", "ratio_range")
UNFINISHED = "is_complete"
STATES = ("new", "gone", "changed", "same")


@dataclass(frozen=True)
class Move:
    """One number before and now. `size` is None where it did not leave its interval or had none."""

    chart: Chart
    before: Row | None
    now: Row | None
    state: str
    size: float | None = None

    @property
    def row(self) -> Row:
        """The row that says of what the number is."""
        row = self.now or self.before
        return row if row is not None else {}

    def value(self, row: Row | None) -> Cell:
        """The number in one of the nights."""
        return None if row is None else row.get(self.chart.alt.value)


@dataclass(frozen=True)
class Moves:
    """All numbers of two nights, in the order of the page."""

    all: tuple[Move, ...] = ()

    @cached_property
    def outstanding(self) -> tuple[Move, ...]:
        """Those that left their interval, the furthest first."""
        found = [move for move in self.all if move.size is not None]
        return tuple(sorted(found, key=lambda move: -(move.size or 0)))  # stable: of one size in the order of the page

    @cached_property
    def _states(self) -> Mapping[str, Counter[str]]:
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for move in self.all:
            found[move.chart.id][move.state] += 1
        return found

    def count(self, chart: Chart) -> Mapping[str, int]:
        """How many numbers of a figure are in each state."""
        return self._states.get(chart.id, Counter())

    def count_all(self) -> Mapping[str, int]:
        """How many numbers there are in each state, by every state."""
        return {state: sum(counts[state] for counts in self._states.values()) for state in STATES}


def compare_nights(charts: Sequence[Chart], before: Tables, now: Tables) -> Moves:
    """Every number of every figure once, where a table of the earlier night has rows at all."""
    found: list[Move] = []
    seen: defaultdict[tuple[str, str], set[Place]] = defaultdict(set)
    for chart in charts:
        table = table_behind(chart.table)
        if not before.get(chart.table) or not table:
            continue
        key = [name for name in schema_of(f"released.{table}").key if name in before[chart.table][0]]
        old, new = (_by_key(chart, tables.get(chart.table, ()), key) for tables in (before, now))
        told, interval = seen[table, chart.alt.value], interval_of(chart)
        for place in (*old, *(place for place in new if place not in old)):
            if place not in told:
                told.add(place)
                move = _move(chart, interval, old.get(place), new.get(place))
                if move is not None:
                    found.append(move)
    return Moves(tuple(found))


def interval_of(chart: Chart) -> TableColumn | None:
    """The column of the table that holds the interval of the figure's number."""
    ranges = (column for column in chart.columns if column.kind in RANGES)
    return next((column for column in ranges if all(map(str.endswith, column.keys, ENDS))), None)


def say_row(move: Move, wording: Wording) -> str:
    """Of what the number is: the labels of the figure, then what its selectors say."""
    chart, row = move.chart, move.row
    labels = [
        f"{f'{label.heading.lower()} ' if label.kind == 'count' else ''}{wording.cell(row, label.kind, label.keys)}"
        for label in chart.alt.labels
    ]
    named = {key for label in chart.alt.labels for key in label.keys}
    for dimension in chart.follows:
        column = DIMENSIONS[dimension]
        if column not in named and column in row and str(row[column]) not in wording.glossary.get("neutral", ()):
            is_threshold = dimension == "threshold"
            labels.append(wording.threshold(row[column]) if is_threshold else wording.name(dimension, row[column]))
    return ", ".join(label for label in labels if label)


def view_of(move: Move, choices: Choices) -> Mapping[str, str]:
    """The selection under which the page shows the number."""
    found = {name: str(move.row.get(DIMENSIONS[name])) for name in move.chart.follows}
    found = {name: value for name, value in found.items() if value in choices.options[name]}
    if choices.default.get("denominator") == BOTH:
        found.pop("denominator", None)
    return {name: value for name, value in found.items() if value != choices.default.get(name)}


def _by_key(chart: Chart, rows: Sequence[Row], key: Sequence[str]) -> Mapping[Place, Row]:
    kept = rows_of_chart(chart, rows)
    return dict(zip(map(itemgetter(*key), kept), kept, strict=True))


def _move(chart: Chart, interval: TableColumn | None, before: Row | None, now: Row | None) -> Move | None:
    """One number of the figure before and now; None where it is no number in either night."""
    old, new = (None if row is None else row.get(chart.alt.value) for row in (before, now))
    if not is_number(old):
        return Move(chart, before, now, "new") if is_number(new) else None
    if not is_number(new):
        return Move(chart, before, now, "gone")
    if old == new:
        return Move(chart, before, now, "same")
    return Move(chart, before, now, "changed", _size(chart, interval, before or {}, now or {}))


def _size(chart: Chart, interval: TableColumn | None, before: Row, now: Row) -> float | None:
    """Half-widths of the earlier interval; None inside of it, without one, and of a month that was not over."""
    is_of_chance = not any(before.get(name) == value for name, value in chart.no_chance.items())
    if interval is None or not is_of_chance or before.get(UNFINISHED) is False:
        return None
    lo, hi = (before.get(name) for name in interval.keys)
    old, new = before.get(chart.alt.value), now.get(chart.alt.value)
    if not all(is_number(cell) for cell in (lo, hi, old, new)):
        return None
    least, most, was, now_is = (float(cell or 0) for cell in (lo, hi, old, new))
    if least <= now_is <= most or least == most:
        return None
    return abs(now_is - was) / ((most - least) / 2)
