"""Horizontal bars that charts draw alike: shares stacked to a whole, and counts with their number at the end."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from reports.charts.spec import Bind, Trace
from reports.charts.style import COLOURS

Cells = Sequence[Sequence[str]]


def stack_shares(
    place: Bind, cells: Cells, hover: str, *, split: tuple[str, str], above: tuple[str, int] | None = None
) -> Trace:
    """A bar a place, in parts of `share`; a colour for each value of `split`."""
    figure = go.Bar(orientation="h", marker={"line": {"width": 0}}, hovertemplate=f"{hover}<extra></extra>")
    return Trace(
        figure.to_plotly_json(),
        {"x": {"col": "share", "scale": 100}, "y": place, "customdata": {"cells": [list(cell) for cell in cells]}},
        needs="share",
        above=above,
        split=split,
    )


def layout_of_shares(title: str, **axis: Any) -> dict[str, Any]:
    """Per cent along the axis, which is named `title`."""
    layout = go.Layout(
        barmode="stack",
        bargap=0.3,
        xaxis={"title": {"text": title}, "ticksuffix": " %", **axis},
        yaxis={"type": "category"},
    )
    return dict(layout.to_plotly_json())


def draw_counts(place: Bind, value: str, cells: Cells, hover: str, **more: Any) -> tuple[Trace, ...]:
    """A bar a place as long as `value`, which is the second of `cells`; a word where it is not shown.

    `more` says how `value` is read (scale=100: a fraction in per cent).
    """
    bars = go.Bar(
        orientation="h",
        marker={"color": COLOURS[0]},
        showlegend=False,
        textposition="outside",
        cliponaxis=False,
        texttemplate=" %{customdata[1]}",
        hovertemplate=f"{hover}<extra></extra>",
    )
    words = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    customdata = {"cells": [list(cell) for cell in cells]}
    return (
        Trace(bars.to_plotly_json(), {"x": {"col": value, **more}, "y": place, "customdata": customdata}, needs=value),
        Trace(words.to_plotly_json(), {"x": {"const": 0}, "y": place, "text": {"mark": value}}, lacks=value),
    )


def layout_of_counts(title: str) -> dict[str, Any]:
    """Numbers from zero along the axis, which is named `title`."""
    layout = go.Layout(
        xaxis={"title": {"text": title}, "rangemode": "tozero", "tickformat": ",d"},
        yaxis={"type": "category"},
        bargap=0.3,
    )
    return dict(layout.to_plotly_json())
