"""Suspected causes of one cohort, largest first."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

CAUSE = TableColumn("Suspected cause", "name:cause_group", ("cause_group",))


def chart() -> Chart:
    """One bar a cause."""
    return Chart(
        id="cause-shares",
        section="causes",
        position=2,
        title="Suspected causes of one cohort",
        caption="{cohort}: confirmed episodes below {threshold}, by primary suspected cause ({rule}). "
        "Of all confirmed episodes of the cohort.",
        table="cause",
        question="cause_by_diagnosis",
        where={"agent": "all", "window": "default"},
        unless={"cause_group": "all"},
        follows=("cohort", "rule", "threshold"),
        sorts={"value": (("share", "desc"), ("name:cause_group", "asc"))},
        traces=_traces(),
        columns=(
            CAUSE,
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of confirmed episodes", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (CAUSE,)),
        categories=(Categories("yaxis", "name:cause_group", ("cause_group",)),),
        height=100,
        row_height=34,
        layout=go.Layout(
            bargap=0.35,
            barmode="stack",
            xaxis={"title": {"text": "% of confirmed episodes"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    place = {"name": "cause_group", "col": "cause_group"}
    bars = go.Bar(
        orientation="h",
        showlegend=False,
        textposition="outside",
        cliponaxis=False,
        texttemplate=" %{customdata[2]}",
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} episodes, %{customdata[2]}<extra></extra>",
    )
    words = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return (
        Trace(
            bars.to_plotly_json(),
            {
                "x": {"col": "share", "scale": 100},
                "y": place,
                "customdata": {
                    "cells": [["name:cause_group", "cause_group"], ["count", "n_episodes"], ["percent", "share"]]
                },
            },
            needs="share",
            split=("cause_group", "cause_group"),
        ),
        Trace(words.to_plotly_json(), {"x": {"const": 0}, "y": place, "text": {"mark": "share"}}, lacks="share"),
    )
