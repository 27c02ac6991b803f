"""People observed and people tested by calendar month: the two denominators of every monthly prevalence."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Chart, TableColumn, Trace
from reports.charts.style import OBSERVED, TESTED

MONTH = TableColumn("Month", "month", ("interval_start",))


def chart() -> Chart:
    """Two lines."""
    return Chart(
        id="testing-over-time",
        section="testing",
        position=2,
        title="Testing over time",
        caption="{cohort}: people observed and people tested in each calendar month.",
        table="testing",
        question="calendar_trend",
        where={"interval_unit": "month"},
        follows=("cohort",),
        sorts={"value": (("interval_start", "asc"),)},
        traces=(
            _line("n_observed", "people observed", OBSERVED, "dot"),
            _line("n_tested", "people tested", TESTED, "solid"),
        ),
        columns=(
            MONTH,
            TableColumn("Observed", "count", ("n_observed",)),
            TableColumn("Tested", "count", ("n_tested",)),
            TableColumn("Tested share", "percent", ("tested_share",)),
            TableColumn("Tests", "count", ("n_tests",)),
            TableColumn("Tests a tested person", "days", ("tests_per_tested_person",)),
            TableColumn("Median gap, days", "days", ("median_gap_days",)),
        ),
        alt=Alt("n_tested", "count", (MONTH,)),
        layout=go.Layout(
            xaxis={"type": "date", "tickformat": "%Y-%m", "hoverformat": "%Y-%m"},
            yaxis={"title": {"text": "People"}, "rangemode": "tozero", "tickformat": ",d"},
        ).to_plotly_json(),
    )


def _line(column: str, name: str, colour: str, dash: str) -> Trace:
    figure = go.Scatter(
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": 7, "color": colour},
        hovertemplate=f"<b>%{{customdata[0]}}</b> %{{customdata[1]}} {name}<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            "x": {"col": "interval_start"},
            "y": {"col": column},
            "customdata": {"cells": [["month", "interval_start"], ["count", column]]},
        },
    )
