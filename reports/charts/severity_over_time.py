"""Worst severity of each person in each calendar month, stacked, for one cohort."""

import plotly.graph_objects as go

from reports.charts.severity_by_cohort import SEVERITY, partly_hidden, severity_bars
from reports.charts.spec import Alt, Chart, TableColumn

MONTH = TableColumn("Month", "month", ("interval_start",))


def chart() -> Chart:
    """Vertical stacked bars."""
    return Chart(
        id="severity-over-time",
        section="severity",
        position=2,
        title="Severity over time",
        caption="{cohort}: worst severity of each person in the month, of the people tested in that month ({scale}). "
        "A sign at the bottom: the bar lacks a part that is not shown.",
        table="severity",
        question="calendar_trend",
        where={"interval_unit": "month"},
        follows=("cohort", "scale"),
        sorts={"value": (("interval_start", "asc"), ("severity_order", "asc"))},
        traces=(severity_bars("v", {"col": "interval_start"}), partly_hidden("x", {"col": "interval_start"})),
        columns=(
            MONTH,
            SEVERITY,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of people tested", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (MONTH, SEVERITY), above=("severity_order", 0)),
        layout=go.Layout(
            barmode="stack",
            bargap=0.2,
            xaxis={"type": "date", "tickformat": "%Y-%m", "hoverformat": "%Y-%m", "anchor": "y2"},
            yaxis={
                "title": {"text": "% of people tested"},
                "ticksuffix": " %",
                "rangemode": "tozero",
                "domain": [0.1, 1],
            },
            yaxis2={"domain": [0, 0.05], "range": [-1, 1], "visible": False, "fixedrange": True},
        ).to_plotly_json(),
    )
