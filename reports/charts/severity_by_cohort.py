"""Worst severity of each person, as a share of the people tested, stacked by cohort."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace

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
        "A bar lacks the parts that are hidden; people who were never low are in the table.",
        table="severity",
        question="prevalence",
        where={"interval_unit": "all"},
        follows=("scale",),
        sorts={"name": (("name:cohort", "asc"), ("severity_order", "asc"))},
        traces=(severity_bars("h", place), _hidden(place)),
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
            xaxis={"title": {"text": "% of people tested"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _hidden(place: Bind) -> Trace:
    figure = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    bind: dict[str, Bind] = {"x": {"const": 0}, "y": place, "text": {"mark": "share"}}
    return Trace(figure.to_plotly_json(), bind, lacks="share", above=("severity_order", 0))
