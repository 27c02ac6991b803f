"""From everyone in the extract to those who can answer: each step is a part of the one before."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS

STEP = TableColumn("Step", "name:step", ("step",))


def chart() -> Chart:
    """A funnel."""
    return Chart(
        id="attrition",
        section="attrition",
        position=1,
        title="From everyone to those who can answer",
        caption="People left after each step, of all people in the extract. Each step is a part of the one before.",
        table="attrition",
        question="",
        follows=(),
        sorts={"value": (("step_order", "asc"),)},
        traces=_traces(),
        columns=(
            TableColumn("Number", "count", ("step_order",)),
            STEP,
            TableColumn("People left", "count", ("n_people",)),
            TableColumn("Left out at this step", "count", ("n_left_out",)),
        ),
        alt=Alt("n_people", "count", (STEP,)),
        categories=(Categories("yaxis", "name:step", ("step",)),),
        height=90,
        row_height=46,
        layout=go.Layout(
            xaxis={"title": {"text": "People"}, "rangemode": "tozero", "tickformat": ",d"},
            yaxis={"type": "category"},
            bargap=0.3,
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    place = {"name": "step", "col": "step"}
    bars = go.Bar(
        orientation="h",
        marker={"color": COLOURS[0]},
        showlegend=False,
        textposition="outside",
        cliponaxis=False,
        texttemplate=" %{customdata[1]}",
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} people<extra></extra>",
    )
    words = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return (
        Trace(
            bars.to_plotly_json(),
            {
                "x": {"col": "n_people"},
                "y": place,
                "customdata": {"cells": [["name:step", "step"], ["count", "n_people"]]},
            },
            needs="n_people",
        ),
        Trace(
            words.to_plotly_json(),
            {"x": {"const": 0}, "y": place, "text": {"mark": "n_people"}},
            lacks="n_people",
        ),
    )
