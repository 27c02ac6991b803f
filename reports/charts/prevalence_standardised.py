"""Prevalence as counted and as it would be with the ages and sexes of a standard population."""

import plotly.graph_objects as go

from reports.charts.incidence_by_cohort import axes
from reports.charts.incidence_standardised import STANDARD
from reports.charts.intervals import interval_on, whiskers
from reports.charts.prevalence_by_cohort import COHORT, unshown
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace
from reports.charts.style import OBSERVED, TESTED
from reports.rows import STANDARDISED


def chart() -> Chart:
    """One row a cohort: as counted, and under every standard."""
    return Chart(
        id="prevalence-standardised",
        section="prevalence",
        position=3,
        title="Prevalence, standardised by age and sex",
        caption="People tested with {measure_long} {threshold}, over the whole extract. Filled: as counted. Open: with "
        "the ages and sexes of each standard population, so that hospitals with other people can be compared. Lines: "
        "the interval.",
        note="With too few people low in all nothing is standardised. Standardising takes away differences in age and "
        "sex, not in who was tested.",
        table=STANDARDISED,
        question="prevalence",
        where={"denominator_name": "tested"},
        follows=("measure", "rule", "threshold"),
        sorts={
            "name": (("name:cohort", "asc"), ("name:standard", "asc")),
            "value": (("prevalence", "desc"), ("name:cohort", "asc"), ("name:standard", "asc")),
            "size": (("n_population", "desc"), ("name:cohort", "asc"), ("name:standard", "asc")),
        },
        traces=(_shares("as counted", "circle", True), _shares("standardised", "circle-open", False), unshown()),
        columns=(
            COHORT,
            STANDARD,
            TableColumn("People low", "count", ("n_low",)),
            TableColumn("People", "count", ("n_population",)),
            TableColumn("Prevalence", "percent", ("prevalence",)),
            TableColumn("Interval", "range", ("prevalence_lo", "prevalence_hi")),
            TableColumn("Method", "name:method", ("method",)),
            TableColumn("Result", "name:status", ("status",)),
        ),
        alt=Alt("prevalence", "percent", (COHORT, STANDARD)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=38,
        is_optional=True,
        layout=axes("Prevalence, % of people tested", " %"),
    )


def _shares(name: str, symbol: str, is_crude: bool) -> Trace:
    figure = go.Scatter(
        name=name,
        mode="markers",
        orientation="h",
        offsetgroup=name,
        marker={
            "size": 10,
            "color": TESTED if is_crude else OBSERVED,
            "symbol": symbol,
            "line": {"width": 0 if is_crude else 2},
        },
        error_x=whiskers(),
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} (%{customdata[2]})"
        "<br>%{customdata[3]}<extra></extra>",
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
                    ["name:standard", "standard"],
                ]
            },
        },
        needs="prevalence",
        where={"standard": "crude"} if is_crude else {"method": "logit"},
    )
