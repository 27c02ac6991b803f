"""How many people have had a first new episode by a day, where death competes: points of a curve."""

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, whiskers
from reports.charts.spec import Alt, Bind, Chart, TableColumn, Trace
from reports.charts.style import COLOURS

DAY = TableColumn("Day", "count", ("day",))


def chart() -> Chart:
    """Points with their intervals."""
    return Chart(
        id="incidence-over-time",
        section="prevalence",
        position=5,
        title="First new episode by a day",
        caption="{cohort}: share of people with a first new confirmed episode ({rule}) below {threshold}, by days "
        "since their first value that is not low. Death without one competes (Aalen-Johansen). Lines: the interval.",
        note="People are followed as long as their tests lie no further apart than the washout of incidence; who is "
        "tested for longer is assumed to be at the same risk as who is not. Times are counted in whole weeks.",
        table="cumulative_incidence",
        question="duration",
        follows=("cohort", "rule", "threshold"),
        sorts={"value": (("day", "asc"),)},
        traces=_traces(),
        columns=(
            DAY,
            TableColumn("People at the start", "count", ("n_people",)),
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("Died before", "count", ("n_died",)),
            TableColumn("Still followed", "count", ("n_followed",)),
            TableColumn("Share", "percent", ("cumulative_share",)),
            TableColumn("Interval", "range", ("cumulative_lo", "cumulative_hi")),
        ),
        alt=Alt("cumulative_share", "percent", (DAY,)),
        height=400,
        layout=go.Layout(
            xaxis={"title": {"text": "Days since the first value that is not low"}, "rangemode": "tozero"},
            yaxis={"title": {"text": "% of people"}, "ticksuffix": " %", "rangemode": "tozero"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    figure = go.Scatter(
        mode="lines+markers",
        showlegend=False,
        line={"width": 1.6, "dash": "dot", "color": COLOURS[0]},
        marker={"size": 9, "color": COLOURS[0]},
        error_y=whiskers(),
        hovertemplate="<b>day %{customdata[0]}</b><br>%{customdata[1]} (%{customdata[2]})"
        "<br>%{customdata[3]} of %{customdata[4]} people, %{customdata[5]} died before<extra></extra>",
    )
    bind: dict[str, Bind] = {
        "x": {"col": "day"},
        **interval_on("y", "cumulative_share", "cumulative_lo", "cumulative_hi", scale=100),
        "customdata": {
            "cells": [
                ["count", "day"],
                ["percent", "cumulative_share"],
                ["range", "cumulative_lo", "cumulative_hi"],
                ["count", "n_episodes"],
                ["count", "n_people"],
                ["count", "n_died"],
            ]
        },
    }
    return (Trace(figure.to_plotly_json(), bind, needs="cumulative_share"),)
