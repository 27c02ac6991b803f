"""The drugs and groups of diagnoses most often suspected in one cohort."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

DRUG = TableColumn("Drug or disease", "name:agent", ("agent",))
CAUSE = TableColumn("Suspected cause", "name:cause_group", ("cause_group",))


def chart() -> Chart:
    """One bar a drug; the table has them all."""
    return Chart(
        id="cause-drugs",
        section="causes",
        position=3,
        title="Suspected drugs and diseases",
        caption="{cohort}: confirmed episodes below {threshold} whose primary suspicion is the drug or "
        "the group of diagnoses ({rule}). The figure shows the most frequent; the table shows all "
        "that enough people have.",
        table="cause",
        question="cause_by_drug",
        where={"window": "default"},
        unless={"agent": "all"},
        follows=("cohort", "rule", "threshold"),
        sorts={"value": (("n_episodes", "desc"), ("agent", "asc"))},
        traces=_traces(),
        columns=(
            DRUG,
            CAUSE,
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of confirmed episodes", "percent", ("share",)),
        ),
        alt=Alt("n_episodes", "count", (DRUG,)),
        categories=(Categories("yaxis", "name:agent", ("agent",)),),
        top=20,
        height=130,
        row_height=28,
        layout=go.Layout(
            bargap=0.35,
            barmode="stack",
            xaxis={"title": {"text": "Confirmed episodes"}, "rangemode": "tozero", "tickformat": ",d"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    bars = go.Bar(
        orientation="h",
        textposition="outside",
        cliponaxis=False,
        texttemplate=" %{customdata[2]}",
        hovertemplate="<b>%{customdata[0]}</b> (%{customdata[1]})<br>%{customdata[2]} episodes of %{customdata[3]} "
        "people<extra></extra>",
    )
    return (
        Trace(
            bars.to_plotly_json(),
            {
                "x": {"col": "n_episodes"},
                "y": {"cell": ["name:agent", "agent"]},
                "customdata": {
                    "cells": [
                        ["name:agent", "agent"],
                        ["name:cause_group", "cause_group"],
                        ["count", "n_episodes"],
                        ["count", "n_people"],
                    ]
                },
            },
            needs="n_episodes",
            split=("cause_group", "cause_group"),
        ),
    )
