"""Prevalence of one cohort by calendar month; hollow where the month is not whole, a strip where nothing is shown."""

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, whiskers
from reports.charts.spec import Alt, Chart, TableColumn, Trace
from reports.charts.style import OBSERVED, QUIET, TESTED

MONTH = TableColumn("Month", "month", ("interval_start",))
DENOMINATOR = TableColumn("Of", "name:denominator", ("denominator_name",))


def chart() -> Chart:
    """One line a denominator."""
    return Chart(
        id="prevalence-over-time",
        section="prevalence",
        position=2,
        title="Prevalence over time",
        caption="{cohort}: people with {measure_long} {threshold}, by calendar month. "
        "{denominator_long} Lines: the interval. Hollow: a month not wholly inside the observed time. A stroke "
        "below: a month that is not shown.",
        table="prevalence",
        question="calendar_trend",
        where={"interval_unit": "month", "stratum": "all", "standard": "crude"},
        follows=("cohort", "measure", "rule", "threshold", "denominator"),
        sorts={"value": (("interval_start", "asc"), ("denominator_name", "desc"))},
        traces=(
            _line("tested", TESTED, "solid"),
            _line("observed", OBSERVED, "dot"),
            _not_shown(),
        ),
        columns=(
            MONTH,
            DENOMINATOR,
            TableColumn("People low", "count", ("n_low",)),
            TableColumn("People", "count", ("n_population",)),
            TableColumn("Prevalence", "percent", ("prevalence",)),
            TableColumn("Interval", "range", ("prevalence_lo", "prevalence_hi")),
            TableColumn("Whole month", "yes", ("is_complete",)),
        ),
        alt=Alt("prevalence", "percent", (MONTH, DENOMINATOR)),
        height=420,
        layout=go.Layout(
            xaxis={"type": "date", "tickformat": "%Y-%m", "hoverformat": "%Y-%m", "anchor": "y2"},
            yaxis={
                "title": {"text": "Prevalence, % of people"},
                "ticksuffix": " %",
                "rangemode": "tozero",
                "domain": [0.1, 1],
            },
            yaxis2={"domain": [0, 0.05], "range": [-1, 1], "visible": False, "fixedrange": True},
        ).to_plotly_json(),
    )


def _line(denominator: str, colour: str, dash: str) -> Trace:
    figure = go.Scatter(
        name=f"of people {denominator}",
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": 8, "color": colour, "line": {"width": 2, "color": colour}},
        error_y=whiskers(colour, 1.2),
        connectgaps=False,
        hovertemplate="<b>%{customdata[0]}</b> %{customdata[1]} (%{customdata[2]})"
        f"<br>%{{customdata[3]}} of %{{customdata[4]}} people {denominator}<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            "x": {"col": "interval_start"},
            **interval_on("y", "prevalence", "prevalence_lo", "prevalence_hi", scale=100),
            "marker.symbol": {"when": "is_complete", "yes": "circle", "no": "circle-open"},
            "customdata": {
                "cells": [
                    ["month", "interval_start"],
                    ["percent", "prevalence"],
                    ["range", "prevalence_lo", "prevalence_hi"],
                    ["count", "n_low"],
                    ["count", "n_population"],
                ]
            },
        },
        where={"denominator_name": denominator},
    )


def _not_shown() -> Trace:
    figure = go.Scatter(
        name="not shown",
        mode="markers",
        yaxis="y2",
        marker={"symbol": "line-ne-open", "size": 10, "color": QUIET, "line": {"width": 2}},
        hovertemplate="<b>%{customdata[0]}</b> of %{customdata[1]}: %{customdata[2]}<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            "x": {"col": "interval_start"},
            "y": {"const": 0},
            "customdata": {
                "cells": [
                    ["month", "interval_start"],
                    ["name:denominator", "denominator_name"],
                    ["percent", "prevalence"],
                ]
            },
        },
        lacks="prevalence",
    )
