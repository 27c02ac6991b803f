"""How low people got: people by their lowest ANC, with the thresholds as lines."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS, QUIET

BIN = TableColumn("Lowest ANC, {cells}", "bin", ("bin_lower_cells_per_ul", "bin_upper_cells_per_ul"))


def chart() -> Chart:
    """A histogram whose bins are those of the released table; they may differ in width."""
    figure = go.Bar(
        name="people",
        marker={"color": COLOURS[0]},
        textposition="outside",
        cliponaxis=False,
        texttemplate="%{customdata[1]}",
        hovertemplate="%{customdata[0]} {cells}<br><b>%{customdata[1]}</b> people<extra></extra>",
        showlegend=False,
    )
    bind: dict[str, Bind] = {
        "x": {"cell": ["bin", "bin_lower_cells_per_ul", "bin_upper_cells_per_ul"]},
        "y": {"col": "n_people"},
        "customdata": {
            "cells": [["bin", "bin_lower_cells_per_ul", "bin_upper_cells_per_ul"], ["count", "n_people"]],
        },
    }
    return Chart(
        id="anc-distribution",
        section="severity",
        position=5,
        title="Lowest ANC of each person",
        caption="{cohort}: people tested, by the lowest ANC of each. Dashed lines: the thresholds. "
        "Bins differ in width. A stroke: a number that is not shown.",
        table="anc_distribution",
        question="anc",
        follows=("cohort",),
        sorts={"value": (("bin_lower_cells_per_ul", "asc"),)},
        traces=(
            Trace(figure.to_plotly_json(), bind, needs="n_people"),
            Trace(_strokes().to_plotly_json(), {**bind, "y": {"const": 0}}, lacks="n_people"),
        ),
        columns=(BIN, TableColumn("People", "count", ("n_people",))),
        alt=Alt("n_people", "count", (BIN,)),
        categories=(Categories("xaxis", "bin", BIN.keys, reverse=False),),
        min_width=640,
        threshold_lines="bin_lower_cells_per_ul",
        layout=go.Layout(
            bargap=0.12,
            xaxis={"type": "category", "tickangle": -40, "title": {"text": "Lowest ANC, {cells}"}},
            yaxis={"title": {"text": "People"}, "rangemode": "tozero", "tickformat": ",d"},
        ).to_plotly_json(),
    )


def _strokes() -> go.Scatter:
    return go.Scatter(
        mode="markers",
        showlegend=False,
        marker={"symbol": "line-ne-open", "size": 10, "color": QUIET, "line": {"width": 2}},
        hovertemplate="%{customdata[0]} {cells}<br>%{customdata[1]}<extra></extra>",
    )
