"""A point a row with its interval, the number beside it, and the word where there is none."""

from collections.abc import Sequence

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, label_beyond, whiskers
from reports.charts.spec import Bind, Trace
from reports.charts.style import COLOURS


def draw_points(name: Bind, values: Sequence[str], hover: str, cells: Sequence[Sequence[str]]) -> tuple[Trace, ...]:
    """Shares of the rows called `name`; `values` are the columns of the share and of the ends of its interval."""
    share, least, most = values
    places: dict[str, Bind] = {
        **interval_on("x", share, least, most, scale=100),
        "y": name,
        "customdata": {"cells": [list(cell) for cell in cells]},
    }
    instead: dict[str, Bind] = {"x": {"const": 0}, "y": name, "text": {"mark": share}}
    point = go.Scatter(
        mode="markers",
        showlegend=False,
        marker={"size": 10, "color": COLOURS[0]},
        error_x=whiskers(),
        hovertemplate=hover,
    ).to_plotly_json()
    text = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return (
        Trace(point, places, needs=share),
        label_beyond(name, share, most),
        Trace(text.to_plotly_json(), instead, lacks=share),
    )
