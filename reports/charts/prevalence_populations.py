"""The same people low among populations of different names, in the latest whole year, with the testing of each."""

import plotly.graph_objects as go

from reports.charts.incidence_by_cohort import axes
from reports.charts.intervals import interval_on, whiskers
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS
from reports.rows import POPULATION

OF = TableColumn("Of people", "name:population", ("population",))
LOW_AS = TableColumn("Low as", "name:low_as", ("low_as",))
LOOKS = {
    "any_low": ("any low value", "circle"),
    "index_test": ("first test low", "square"),
    "confirmed": ("confirmed episode", "diamond"),
    "point": ("episode open on the first day", "triangle-up"),
}


def chart() -> Chart:
    """One row a population, a marker for each way of being low."""
    return Chart(
        id="prevalence-populations",
        section="prevalence",
        position=7,
        title="Of whom? The same year, other denominators",
        caption="{cohort}: people low below {threshold} in the latest whole year, as a share of people under "
        "observation on its first day, on every day, on enough of the days or on any day, of people tested, and of "
        "people on a drug that may lower the count. Confirmed by: {rule}. Lines: the interval.",
        note="Compare hospitals by the same denominator. The first test gives one test a person, however often they "
        "are tested; an episode open on the first day is point prevalence. How closely each population was tested "
        "stands in the table.",
        table=POPULATION,
        question="calendar_trend",
        where={"interval_unit": "year"},
        follows=("cohort", "rule", "threshold"),
        sorts={
            "name": (("name:population", "asc"), ("name:low_as", "asc")),
            "value": (("prevalence", "desc"), ("name:population", "asc")),
            "size": (("n_population", "desc"), ("name:population", "asc")),
        },
        traces=tuple(_shares(low_as, COLOURS[at]) for at, low_as in enumerate(LOOKS)),
        columns=(
            OF,
            LOW_AS,
            TableColumn("People low", "count", ("n_low",)),
            TableColumn("People", "count", ("n_population",)),
            TableColumn("Prevalence", "percent", ("prevalence",)),
            TableColumn("Interval", "range", ("prevalence_lo", "prevalence_hi")),
            TableColumn("Method", "name:method", ("method",)),
            TableColumn("Tested", "count", ("n_tested",)),
            TableColumn("Tested share", "percent", ("tested_share",)),
            TableColumn("Tests a person", "days", ("tests_per_person",)),
            TableColumn("Year from", "text", ("interval_start",)),
        ),
        alt=Alt("prevalence", "percent", (OF, LOW_AS)),
        categories=(Categories("yaxis", "name:population", ("population",)),),
        height=130,
        row_height=54,
        layout=axes("Prevalence, % of the people named", " %"),
    )


def _shares(low_as: str, colour: str) -> Trace:
    name, symbol = LOOKS[low_as]
    figure = go.Scatter(
        name=name,
        mode="markers",
        orientation="h",
        offsetgroup=low_as,
        marker={"size": 9, "color": colour, "symbol": symbol},
        error_x=whiskers(),
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} (%{customdata[2]})"
        "<br>%{customdata[3]} of %{customdata[4]} people, %{customdata[5]} of them tested<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            **interval_on("x", "prevalence", "prevalence_lo", "prevalence_hi", scale=100),
            "y": {"name": "population", "col": "population"},
            "customdata": {
                "cells": [
                    ["name:population", "population"],
                    ["percent", "prevalence"],
                    ["range", "prevalence_lo", "prevalence_hi"],
                    ["count", "n_low"],
                    ["count", "n_population"],
                    ["percent", "tested_share"],
                ]
            },
        },
        needs="prevalence",
        where={"low_as": low_as},
    )
