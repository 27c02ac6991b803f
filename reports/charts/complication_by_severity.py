"""Complications of one cohort by how deep the count fell: a heat map of shares."""

from typing import Any

import plotly.graph_objects as go

from reports.charts.complication_shares import COMPLICATION, COUNTS
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

SHADES = [[0, "rgba(213, 94, 0, 0.05)"], [0.4, "rgba(213, 94, 0, 0.45)"], [1, "rgba(160, 60, 0, 0.85)"]]


def chart() -> Chart:
    """Complications down, grades across."""
    return Chart(
        id="complication-by-severity",
        position=2,
        title="Complications by depth",
        caption="{cohort}: share of the confirmed episodes below {threshold} (default rule) that came with the "
        "complication, by the grade of the lowest value seen, of those in which it could be seen.",
        where={"band_kind": "severity"},
        columns=(COMPLICATION, TableColumn("Lowest value", "name:band", ("band",)), *COUNTS),
        note="The lowest value seen is never below the true one.",
        **banded(),
    )


def banded() -> dict[str, Any]:
    """What the figures by depth and by length share."""
    place = {"y": {"name": "complication", "col": "complication"}, "x": {"name": "band", "col": "band"}}
    heat = go.Heatmap(
        zmin=0,
        zmax=100,
        colorscale=SHADES,
        xgap=2,
        ygap=2,
        hovertemplate="<b>%{y}</b><br>%{x}: %{z:.1f} % of episodes<extra></extra>",
        showscale=False,
    )
    words = go.Scatter(mode="text", hoverinfo="skip", showlegend=False, textfont={"size": 12})
    axis = {"type": "category", "showgrid": False, "ticks": ""}
    across = {**axis, "tickangle": 0, "side": "top", "fixedrange": True}
    band = TableColumn("Band", "name:band", ("band",))
    return {
        "section": "complications",
        "table": "complication",
        "question": "complications",
        "follows": ("cohort", "threshold"),
        "sorts": {"name": (("kind", "asc"), ("name:complication", "asc"), ("band_order", "asc"))},
        "traces": (
            Trace(heat.to_plotly_json(), {**place, "z": {"col": "share", "scale": 100}}, needs="share"),
            Trace(words.to_plotly_json(), {**place, "text": {"cell": ["percent", "share"]}}, needs="share"),
            Trace(words.to_plotly_json(), {**place, "text": {"short_mark": "share"}}, lacks="share"),
        ),
        "alt": Alt("share", "percent", (COMPLICATION, band)),
        "categories": (
            Categories("yaxis", "name:complication", ("complication",), wrap=34),
            Categories("xaxis", "name:band", ("band",), reverse=False, wrap=14),
        ),
        "height": 96,
        "row_height": 30,
        "min_width": 700,
        "layout": go.Layout(xaxis=across, yaxis=axis).to_plotly_json(),
    }
