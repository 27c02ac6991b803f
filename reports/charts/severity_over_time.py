"""Worst severity of each person in each calendar month, stacked, for one cohort."""

import plotly.graph_objects as go

from reports.charts.severity_by_cohort import SEVERITY, partly_hidden, rest_bars, severity_bars
from reports.charts.spec import Alt, Chart, TableColumn

WHEN = {"col": "interval_start"}
MONTH = TableColumn("Month", "month", ("interval_start",))


def chart() -> Chart:
    """Vertical stacked bars."""
    return Chart(
        id="severity-over-time",
        section="severity",
        position=4,
        title="Severity over time",
        caption="{cohort}: worst severity of each person in the month, of the people tested in that month. Months are "
        "graded on the scale that this report opens with alone ({scale} is selected). Grey: levels that are not shown "
        "apart. A stroke below: not even their sum is shown.",
        table="severity",
        question="calendar_trend",
        where={"interval_unit": "month", "is_intended": True},
        follows=("cohort", "scale"),
        sorts={"value": (("interval_start", "asc"), ("severity_order", "asc"))},
        traces=(severity_bars("v", WHEN), rest_bars("v", WHEN), partly_hidden(WHEN)),
        columns=(
            MONTH,
            SEVERITY,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of people tested", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (MONTH, SEVERITY), above=("grade", 0)),
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
