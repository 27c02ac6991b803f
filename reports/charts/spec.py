"""What a chart is: which released rows it draws, how Plotly draws them, and the table that says the same in words.

A chart holds no numbers. It binds the columns of one table to the attributes of Plotly traces, so that the page can
draw it again for any selection from the same rows. A binding is one of:

- `{"col": name, "scale": factor}`, optionally `"minus": other`: a number of the row;
  with `"unit": "cells"` in the unit of counts that is selected; with `"or": other` that one where it is not shown;
  with `"beyond": other` the larger of the two;
- `{"name": kind, "col": name}`: the name of an id; `{"mark": name}`: the words of a mark; `{"const": value}`;
- `{"when": column, "yes": a, "no": b}`; `{"style": kind, "col": name, "part": "colour" | "symbol"}`;
- `{"beside": [kind, column, ...]}`: a text written as in the table, set a little apart from its point;
- `{"cells": [[kind, column, ...], ...]}`: texts written as in the table, for hover.

What a trace draws in `black` has the colour of text, in light and in dark.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Bind = Mapping[str, Any]


@dataclass(frozen=True)
class Trace:
    """One Plotly trace, or one for each value of `split` (column, kind of name).

    `needs` is the value that must be a number for a row to be drawn; `lacks` draws the rows where it is not one (as a
    text: one for each category that has nothing else to show). A line that `breaks` is interrupted where it is not one.
    """

    figure: Mapping[str, Any]
    bind: Mapping[str, Bind]
    needs: str = ""
    lacks: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    above: tuple[str, int] | None = None
    split: tuple[str, str] | None = None
    breaks: bool = False


@dataclass(frozen=True)
class TableColumn:
    """One column of the table twin: heading, how it is written, the columns it reads (the first one sorts)."""

    heading: str
    kind: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Alt:
    """What the text for people who do not see the figure names: labels of a row and its value."""

    value: str
    kind: str
    labels: tuple[TableColumn, ...]
    above: tuple[str, int] | None = None


@dataclass(frozen=True)
class Categories:
    """An axis of names, written as in the table: their order is that of the rows; `reverse` puts the first on top.

    `wrap` breaks names into lines of about so many letters at any width of the page. `by` orders them otherwise:
    `number` the highest first, `word` as the glossary has them. Several of one axis follow one another on it.
    """

    axis: str
    kind: str
    keys: tuple[str, ...]
    reverse: bool = True
    wrap: int = 0
    by: Literal["rows", "number", "word"] = "rows"


@dataclass(frozen=True)
class Chart:
    """One figure with its caption and its table twin.

    `where` and `unless` fix columns; `follows` names the selections that filter the rows. `sorts` maps the choices of
    the page's sort selector to orders; the first is the default. `caption` may use {cohort}, {threshold}, {rule},
    {measure}, {measure_long}, {denominator_long} and {scale}; it, headings, and
    texts of a figure may use {cells} for the unit of counts. A figure of `min_width` pixels scrolls on a
    narrower page. `reference` is a
    value of the horizontal axis at which nothing differs, drawn as a line. The interval of rows with the values of
    `no_chance` is not one of chance. An `is_optional` one is left out of a page that has no row for it.
    """

    id: str
    section: str
    position: int
    title: str
    caption: str
    table: str
    question: str
    follows: tuple[str, ...]
    sorts: Mapping[str, tuple[tuple[str, str], ...]]
    traces: tuple[Trace, ...]
    columns: tuple[TableColumn, ...]
    alt: Alt
    layout: Mapping[str, Any]
    where: Mapping[str, Any] = field(default_factory=dict)
    unless: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[Categories, ...] = ()
    height: int = 380
    row_height: int = 0
    min_width: int = 0
    at_risk: bool = False
    threshold_lines: str = ""
    top: int = 0
    note: str = ""
    reference: float | None = None
    no_chance: Mapping[str, Any] = field(default_factory=dict)
    is_optional: bool = False

    @property
    def is_calendar(self) -> bool:
        """Whether it draws calendar time, on which a break can be marked."""
        return bool(self.layout.get("xaxis", {}).get("type") == "date")

    def to_json(self) -> dict[str, Any]:
        """The chart as the page carries it."""
        return asdict(self)
