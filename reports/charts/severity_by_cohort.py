"""Worst severity of each person, as a share of the people tested, stacked by cohort."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import QUIET

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))
SEVERITY = TableColumn("Severity", "name:severity", ("severity",))
HOVER = "<b>%{customdata[0]}</b>, %{customdata[1]}<br>%{customdata[2]} people, %{customdata[3]} of those tested"


def severity_bars(orientation: str, place: Bind) -> Trace:
    """Stacked bars, one trace a severity, where their sum is known; people who are not low are in the table only."""
    value = "x" if orientation == "h" else "y"
    figure = go.Bar(orientation=orientation, hovertemplate=f"{HOVER}<extra></extra>", marker={"line": {"width": 0}})
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
        where={"is_summed": True},
        above=("grade", 0),
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
        caption="Worst severity of each person over the whole extract, of the people tested ({scale}). Grey: levels "
        "that are not shown apart. In the table also: people who were never low, and those the scale is not meant for.",
        table="severity",
        question="prevalence",
        where={"interval_unit": "all", "is_intended": True},
        follows=("scale",),
        sorts={
            "value": (("low_share", "desc"), ("name:cohort", "asc"), ("severity_order", "asc")),
            "name": (("name:cohort", "asc"), ("severity_order", "asc")),
        },
        traces=(severity_bars("h", place), rest_bars("h", place), not_shown(place)),
        columns=(
            COHORT,
            SEVERITY,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of people tested", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (COHORT, SEVERITY), above=("grade", 0)),
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
            },
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def rest_bars(orientation: str, place: Bind) -> Trace:
    """What the shown levels leave of the people who were low, so that no bar is shorter than the truth."""
    value = "x" if orientation == "h" else "y"
    figure = go.Bar(
        name="level not shown",
        orientation=orientation,
        marker={"color": QUIET, "opacity": 0.45, "line": {"width": 0}},
        hovertemplate="<b>%{customdata[0]}</b>, levels not shown apart<br>%{customdata[1]} of those tested"
        "<extra></extra>",
    )
    bind: dict[str, Bind] = {
        value: {"col": "rest_share", "scale": 100},
        "y" if value == "x" else "x": place,
        "customdata": {"cells": [["name:cohort", "cohort"], ["percent", "rest_share"]]},
    }
    return Trace(figure.to_plotly_json(), bind, needs="rest_share")


def not_shown(place: Bind, value: str = "low_share") -> Trace:
    """A word where a bar has nothing to show."""
    figure = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return Trace(figure.to_plotly_json(), {"x": {"const": 0}, "y": place, "text": {"mark": value}}, lacks=value)


def partly_hidden(where: Bind) -> Trace:
    """A sign in a strip below the bars of each month of which not even the sum is shown."""
    figure = go.Scatter(
        name="not shown",
        mode="markers",
        yaxis="y2",
        marker={"symbol": "line-ne-open", "size": 10, "color": QUIET, "line": {"width": 2}},
        hovertemplate="%{customdata[0]}: %{customdata[1]}<extra></extra>",
    )
    bind: dict[str, Bind] = {
        "x": where,
        "y": {"const": 0},
        "customdata": {"cells": [["month", "interval_start"], ["percent", "low_share"]]},
    }
    return Trace(figure.to_plotly_json(), bind, lacks="low_share", where={"severity_order": 0})
