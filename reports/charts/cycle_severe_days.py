"""In how many cycles the days of severe neutropenia are known, why not in the others, and their median."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS

STATUS = TableColumn("Days of severe neutropenia", "name:severe_status", ("severe_status",))
NAME: Bind = {"name": "severe_status", "col": "severe_status"}


def chart() -> Chart:
    """One bar a reason, for one cohort."""
    return Chart(
        id="cycle-severe-days",
        section="cycles",
        position=2,
        title="Days of severe neutropenia in a cycle: known, or why not",
        caption="{cohort}: chemotherapy cycles with at least one test, by whether tests can tell the days of severe "
        "neutropenia. The median is of the cycles that tell them; those without a severe day count as 0.",
        note="Where tests are days apart, the number of severe days would be the gap between two of them, so it is "
        "refused. Cycles that tell it are mostly those of people in hospital, and stand for no others.",
        table="cycle_severe",
        question="cause_by_drug",
        follows=("cohort",),
        sorts={"value": (("n_cycles", "desc"), ("name:severe_status", "asc"))},
        traces=_traces(),
        columns=(
            STATUS,
            TableColumn("Cycles", "count", ("n_cycles",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Share of cycles tested", "percent", ("cycle_share",)),
            TableColumn("Median, days", "days", ("median_severe_days",)),
        ),
        alt=Alt("cycle_share", "percent", (STATUS,)),
        categories=(Categories("yaxis", "name:severe_status", ("severe_status",), wrap=28),),
        height=110,
        row_height=44,
        layout=go.Layout(
            bargap=0.35,
            xaxis={"title": {"text": "% of cycles tested"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    bars = go.Bar(
        orientation="h",
        showlegend=False,
        marker={"color": COLOURS[0]},
        textposition="outside",
        cliponaxis=False,
        texttemplate=" %{customdata[2]}",
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} cycles, %{customdata[2]}<br>median days "
        "%{customdata[3]}<extra></extra>",
    )
    words = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    cells = [
        ["name:severe_status", "severe_status"],
        ["count", "n_cycles"],
        ["percent", "cycle_share"],
        ["days", "median_severe_days"],
    ]
    shown: dict[str, Bind] = {"x": {"col": "cycle_share", "scale": 100}, "y": NAME, "customdata": {"cells": cells}}
    return (
        Trace(bars.to_plotly_json(), shown, needs="cycle_share"),
        Trace(
            words.to_plotly_json(),
            {"x": {"const": 0}, "y": NAME, "text": {"mark": "cycle_share"}},
            lacks="cycle_share",
        ),
    )
