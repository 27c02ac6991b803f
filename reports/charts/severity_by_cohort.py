"""Worst severity of each person, as a share of the people tested, stacked by cohort."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import QUIET

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))
SEVERITY = TableColumn("Severity", "name:severity", ("severity",))
HOVER = "<b>%{customdata[0]}</b>, %{customdata[1]}<br>%{customdata[2]} people, %{customdata[3]} of those tested"


def severity_bars(orientation: str, place: Bind) -> Trace:
    """Stacked bars, one trace a severity; people who are not low are in the table only."""
    value = "x" if orientation == "h" else "y"
    figure = go.Bar(orientation=orientation, hovertemplate=f"{HOVER}<extra></extra>", marker={"line": {"width": 0.5}})
    return Trace(
        figure.to_plotly_json(),
        {
            value: {"col": "share", "scale": 100},
            "y" if value == "x" else "x": place,
            "customdata": {
                "cells": [
                    ["name:cohort", "cohort"],
                    ["name:severity", "severity"],
                    ["count", "n_people"],
                    ["percent", "share"],
                ]
            },
        },
        needs="share",
        above=("severity_order", 0),
        split=("severity", "severity"),
    )


def chart() -> Chart:
    """Horizontal stacked bars."""
    place = {"name": "cohort", "col": "cohort"}
    return Chart(
        id="severity-by-cohort",
        section="severity",
        position=1,
        title="Severity by cohort",
        caption="Worst severity of each person over the whole extract, of the people tested ({scale}). "
        "A sign at the right: the bar lacks a part that is not shown. People who were never low are in the table.",
        table="severity",
        question="prevalence",
        where={"interval_unit": "all"},
        follows=("scale",),
        sorts={"name": (("name:cohort", "asc"), ("severity_order", "asc"))},
        traces=(severity_bars("h", place), partly_hidden("y", place)),
        columns=(
            COHORT,
            SEVERITY,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of people tested", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (COHORT, SEVERITY), above=("severity_order", 0)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=32,
        layout=go.Layout(
            barmode="stack",
            bargap=0.35,
            xaxis={
                "title": {"text": "% of people tested"},
                "ticksuffix": " %",
                "rangemode": "tozero",
                "domain": [0, 0.94],
            },
            xaxis2={"domain": [0.95, 1], "range": [-1, 1], "visible": False, "fixedrange": True},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def partly_hidden(place: str, where: Bind) -> Trace:
    """A sign in a strip beside the bars for each that lacks a hidden part, so that it is not read as the whole."""
    axis = {"x": "xaxis", "y": "yaxis"}["y" if place == "x" else "x"]
    figure = go.Scatter(
        name="a part is not shown",
        mode="markers",
        marker={"symbol": "line-ne-open", "size": 10, "color": QUIET, "line": {"width": 2}},
        hovertemplate="<b>%{customdata[0]}</b>: %{customdata[1]}<extra></extra>",
        **{axis: f"{axis[0]}2"},
    )
    bind: dict[str, Bind] = {
        place: where,
        axis[0]: {"const": 0},
        "customdata": {"cells": [["name:severity", "severity"], ["percent", "share"]]},
    }
    return Trace(figure.to_plotly_json(), bind, lacks="share", above=("severity_order", 0))
