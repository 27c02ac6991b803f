"""What became of every row received: the six counts of the ledger, which always add up."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

TABLE = TableColumn("Table", "name:table_name", ("table_name",))
OUTCOME = TableColumn("Outcome", "name:outcome", ("outcome",))


def chart() -> Chart:
    """Stacked bars of rows, one a canonical table."""
    bars = go.Bar(
        orientation="h",
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[2]} rows %{customdata[1]}<extra></extra>",
    )
    return Chart(
        id="row-flow",
        section="quality",
        position=1,
        title="What became of every row",
        caption="Rows received tonight, by the table they were meant for and what became of them. Rounded up "
        "to hundreds, without people and observed spans; the ledger below has them by file.",
        table="row_flow",
        question="",
        follows=(),
        sorts={"value": (("table_name", "asc"), ("outcome_order", "asc"))},
        traces=(
            Trace(
                bars.to_plotly_json(),
                {
                    "x": {"col": "n_rows"},
                    "y": {"cell": ["name:table_name", "table_name"]},
                    "customdata": {
                        "cells": [["name:table_name", "table_name"], ["name:outcome", "outcome"], ["count", "n_rows"]]
                    },
                },
                needs="n_rows",
                split=("outcome", "outcome"),
            ),
        ),
        columns=(TABLE, OUTCOME, TableColumn("Rows", "count", ("n_rows",))),
        alt=Alt("n_rows", "count", (TABLE, OUTCOME)),
        categories=(Categories("yaxis", "name:table_name", ("table_name",)),),
        height=120,
        row_height=42,
        layout=go.Layout(
            bargap=0.35,
            barmode="stack",
            xaxis={"title": {"text": "Rows"}, "rangemode": "tozero", "tickformat": ",d"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )
