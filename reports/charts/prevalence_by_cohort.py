"""Prevalence of each cohort over the whole extract, with its interval; tested and observed people side by side."""

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, whiskers
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace
from reports.charts.style import OBSERVED, TESTED

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))
DENOMINATOR = TableColumn("Of", "name:denominator", ("denominator_name",))


def chart() -> Chart:
    """The forest plot; one row a cohort."""
    return Chart(
        id="prevalence-by-cohort",
        section="prevalence",
        position=1,
        title="Prevalence by cohort",
        caption="People with {measure_long} {threshold}, over the whole extract. {denominator_long} "
        "Filled and numbered: tested. Open: observed. Lines: the interval.",
        note="Cohorts are tested for different reasons and at different times, so their prevalences are not a ranking "
        "of risk.",
        table="prevalence",
        question="prevalence",
        where={"interval_unit": "all", "stratum": "all", "standard": "crude"},
        follows=("measure", "rule", "threshold", "denominator"),
        sorts={
            "value": (("prevalence", "desc"), ("name:cohort", "asc")),
            "size": (("n_population", "desc"), ("name:cohort", "asc")),
            "name": (("name:cohort", "asc"), ("denominator_name", "desc")),
        },
        traces=(
            points("observed", "circle-open", OBSERVED),
            points("tested", "circle", TESTED),
            labels(),
            unshown(),
        ),
        columns=(
            COHORT,
            DENOMINATOR,
            TableColumn("People low", "count", ("n_low",)),
            TableColumn("Low or possibly low", "count", ("n_low_possible",)),
            TableColumn("People", "count", ("n_population",)),
            TableColumn("Prevalence", "percent", ("prevalence",)),
            TableColumn("Interval", "range", ("prevalence_lo", "prevalence_hi")),
            TableColumn("Method", "name:method", ("method",)),
        ),
        alt=Alt("prevalence", "percent", (COHORT, DENOMINATOR)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=38,
        layout=go.Layout(
            scattermode="group",
            xaxis={"title": {"text": "Prevalence, % of people"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def points(denominator: str, symbol: str, colour: str) -> Trace:
    """Shares with their intervals, of one denominator."""
    figure = go.Scatter(
        name=f"of people {denominator}",
        mode="markers",
        orientation="h",
        offsetgroup=denominator,
        legendrank=1 if denominator == "tested" else 2,
        marker={"size": 10, "color": colour, "symbol": symbol, "line": {"width": 2 if symbol != "circle" else 0}},
        error_x=whiskers(),
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} (%{customdata[2]})"
        f"<br>%{{customdata[3]}} of %{{customdata[4]}} people {denominator}<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            **interval_on("x", "prevalence", "prevalence_lo", "prevalence_hi", scale=100),
            "y": {"name": "cohort", "col": "cohort"},
            "customdata": {
                "cells": [
                    ["name:cohort", "cohort"],
                    ["percent", "prevalence"],
                    ["range", "prevalence_lo", "prevalence_hi"],
                    ["count", "n_low"],
                    ["count", "n_population"],
                ]
            },
        },
        needs="prevalence",
        where={"denominator_name": denominator},
    )


def labels() -> Trace:
    """The shares of the tested as text, at the end of their interval."""
    figure = go.Scatter(
        mode="text",
        orientation="h",
        offsetgroup="tested",
        textposition="middle right",
        showlegend=False,
        hoverinfo="skip",
        cliponaxis=False,
    )
    return Trace(
        figure.to_plotly_json(),
        {
            "x": {"col": "prevalence_hi", "or": "prevalence", "scale": 100},
            "y": {"name": "cohort", "col": "cohort"},
            "text": {"beside": ["percent", "prevalence"]},
        },
        needs="prevalence",
        where={"denominator_name": "tested"},
    )


def unshown() -> Trace:
    """The word of the mark where a share is not shown."""
    figure = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return Trace(
        figure.to_plotly_json(),
        {
            "x": {"const": 0},
            "y": {"name": "cohort", "col": "cohort"},
            "text": {"mark": "prevalence"},
        },
        lacks="prevalence",
    )
