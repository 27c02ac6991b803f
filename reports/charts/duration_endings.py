"""How confirmed episodes ended: recovered, still low at the last test, lost in a gap, or died."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS

ENDING = TableColumn("Ending", "name:ended_as", ("ended_as",))


def chart() -> Chart:
    """One bar an ending, for one cohort."""
    return Chart(
        id="episode-endings",
        section="duration",
        position=3,
        title="How episodes ended",
        caption="{cohort}: confirmed episodes below {threshold}, by ending ({rule}).",
        table="episode",
        question="duration",
        where={"is_confirmed": True},
        unless={"ended_as": "all"},
        follows=("cohort", "rule", "threshold"),
        sorts={"value": (("n_episodes", "desc"), ("name:ended_as", "asc"))},
        traces=_traces(),
        columns=(
            ENDING,
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("People", "count", ("n_people",)),
        ),
        alt=Alt("n_episodes", "count", (ENDING,)),
        categories=(Categories("yaxis", "name:ended_as", ("ended_as",)),),
        height=100,
        row_height=40,
        layout=go.Layout(
            bargap=0.35,
            xaxis={"title": {"text": "Confirmed episodes"}, "rangemode": "tozero", "tickformat": ",d"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    figure = go.Bar(
        orientation="h",
        showlegend=False,
        marker={"color": COLOURS[0]},
        textposition="outside",
        cliponaxis=False,
        texttemplate=" %{customdata[1]}",
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} episodes of %{customdata[2]} people<extra></extra>",
    )
    place = {"name": "ended_as", "col": "ended_as"}
    return (
        Trace(
            figure.to_plotly_json(),
            {
                "x": {"col": "n_episodes"},
                "y": place,
                "customdata": {
                    "cells": [["name:ended_as", "ended_as"], ["count", "n_episodes"], ["count", "n_people"]],
                },
            },
            needs="n_episodes",
        ),
        Trace(
            go.Scatter(
                mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False
            ).to_plotly_json(),
            {"x": {"const": 0}, "y": place, "text": {"mark": "n_episodes"}},
            lacks="n_episodes",
        ),
    )
