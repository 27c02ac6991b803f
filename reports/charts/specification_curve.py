"""One prevalence under every choice that could have been made: rule, threshold, length of time and denominator."""

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, whiskers
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS
from reports.rows import POPULATION

RULE = TableColumn("Rule", "name:counted_as", ("counted_as",))
BELOW = TableColumn("Below, {cells}", "cells", ("threshold_cells_per_ul",))
TIME = TableColumn("Time", "name:interval_unit", ("interval_unit",))
OF = TableColumn("Of people", "name:population", ("population",))
X: Bind = {"name": "specification", "col": "specification"}
CATEGORIES = (
    Categories("xaxis", "name:specification", ("specification",), reverse=False),
    Categories("yaxis2", "name:counted_as", ("counted_as",), reverse=False, by="word"),
    Categories("yaxis2", "cells", ("threshold_cells_per_ul",), reverse=False, by="number"),
    Categories("yaxis2", "name:interval_unit", ("interval_unit",), reverse=False, by="word"),
    Categories("yaxis2", "name:population", ("population",), reverse=False, by="word"),
)


def chart() -> Chart:
    """Shares in order above; below each, the choices that it follows from."""
    return Chart(
        id="specification-curve",
        section="prevalence",
        position=8,
        title="One prevalence, every choice",
        caption="{cohort}: prevalence under every rule, threshold, length of time (latest whole month, latest whole "
        "year, whole extract) and denominator, from the same counts, lowest first. Lines: the interval. Squares below: "
        "the choices behind each share.",
        note="A statement that holds for one column alone is a statement about that choice. How far suspected causes "
        "depend on the length of their windows has a figure of its own.",
        table=POPULATION,
        question="prevalence",
        follows=("cohort",),
        sorts={"value": (("prevalence", "asc"), ("specification", "asc"))},
        traces=(
            _shares(),
            _choice("rule", {"name": "counted_as", "col": "counted_as"}, COLOURS[0]),
            _choice("threshold", {"cell": ["cells", "threshold_cells_per_ul"]}, COLOURS[1]),
            _choice("time", {"name": "interval_unit", "col": "interval_unit"}, COLOURS[2]),
            _choice("of people", {"name": "population", "col": "population"}, COLOURS[3]),
        ),
        columns=(
            RULE,
            BELOW,
            TIME,
            OF,
            TableColumn("People low", "count", ("n_low",)),
            TableColumn("People", "count", ("n_population",)),
            TableColumn("Prevalence", "percent", ("prevalence",)),
            TableColumn("Interval", "range", ("prevalence_lo", "prevalence_hi")),
        ),
        alt=Alt("prevalence", "percent", (RULE, BELOW, TIME, OF)),
        categories=CATEGORIES,
        height=640,
        min_width=760,
        layout=go.Layout(
            xaxis={"type": "category", "showticklabels": False, "showgrid": False, "anchor": "y2"},
            yaxis={
                "title": {"text": "Prevalence, %"},
                "ticksuffix": " %",
                "rangemode": "tozero",
                "domain": [0.56, 1],
            },
            yaxis2={"type": "category", "domain": [0, 0.52], "autorange": "reversed", "dtick": 1},
        ).to_plotly_json(),
    )


def _cells() -> Bind:
    return {
        "cells": [
            ["name:counted_as", "counted_as"],
            ["cells", "threshold_cells_per_ul"],
            ["name:interval_unit", "interval_unit"],
            ["name:population", "population"],
            ["percent", "prevalence"],
            ["range", "prevalence_lo", "prevalence_hi"],
        ]
    }


def _shares() -> Trace:
    figure = go.Scatter(
        mode="markers",
        showlegend=False,
        marker={"size": 6, "color": COLOURS[0]},
        error_y=whiskers(thickness=1.2),
        hovertemplate="<b>%{customdata[4]}</b> (%{customdata[5]})<br>%{customdata[0]}, below %{customdata[1]}"
        "<br>%{customdata[2]}, of people %{customdata[3]}<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            "x": X,
            **interval_on("y", "prevalence", "prevalence_lo", "prevalence_hi", scale=100),
            "customdata": _cells(),
        },
        needs="prevalence",
    )


def _choice(name: str, at: Bind, colour: str) -> Trace:
    figure = go.Scatter(
        name=name,
        mode="markers",
        yaxis="y2",
        marker={"size": 5, "color": colour, "symbol": "square"},
        hoverinfo="skip",
    )
    return Trace(figure.to_plotly_json(), {"x": X, "y": at}, needs="prevalence")
