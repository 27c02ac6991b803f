"""How long until recovery: naive Kaplan-Meier curves by suspected cause, with the episodes at risk under them."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Chart, TableColumn, Trace

CAUSE = TableColumn("Suspected cause", "name:cause_group", ("cause_group",))
DAY = TableColumn("Day", "count", ("day",))


def chart() -> Chart:
    """Curves through the days that are told, one a cause."""
    return Chart(
        id="duration-curves",
        section="duration",
        position=1,
        title="Time to recovery by suspected cause, naive",
        caption="{cohort}: share of confirmed incident episodes below {threshold} not yet recovered, by days since the "
        "first low value ({rule}). Naive Kaplan-Meier: recovery counts from the day it was seen. Points: the days that "
        "are told; lines only join them, and stop where a number between is hidden.",
        note="Naive: a recovery between two tests is only seen at the second one, so these curves are too long where "
        "tests are sparse. Read them with the median gap between tests, in the table of medians below.",
        table="duration_curve",
        question="duration",
        where={"estimator": "kaplan_meier_naive"},
        follows=("cohort", "rule", "threshold"),
        sorts={"value": (("name:cause_group", "asc"), ("day", "asc"))},
        traces=_traces(),
        columns=(
            CAUSE,
            DAY,
            TableColumn("Still open", "count", ("n_at_risk",)),
            TableColumn("Recovered", "count", ("n_recovered",)),
            TableColumn("Censored", "count", ("n_censored",)),
            TableColumn("Still low", "percent", ("still_low",)),
            TableColumn("Interval", "range", ("still_low_lo", "still_low_hi")),
        ),
        alt=Alt("still_low", "percent", (CAUSE, DAY)),
        at_risk=True,
        height=440,
        layout=go.Layout(
            xaxis={"title": {"text": "Days since the first low value"}, "rangemode": "tozero"},
            yaxis={"title": {"text": "Still low, % of episodes"}, "ticksuffix": " %", "range": [0, 102]},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    figure = go.Scatter(
        mode="lines+markers",
        line={"width": 2.4},
        marker={"size": 7},
        connectgaps=False,
        hovertemplate="<b>%{customdata[0]}</b>, day %{customdata[1]}<br>%{customdata[2]} still low (%{customdata[3]})"
        "<br>still open: %{customdata[4]}<extra></extra>",
    )
    bind: dict[str, Bind] = {
        "x": {"col": "day"},
        "y": {"col": "still_low", "scale": 100},
        "customdata": {
            "cells": [
                ["name:cause_group", "cause_group"],
                ["count", "day"],
                ["percent", "still_low"],
                ["range", "still_low_lo", "still_low_hi"],
                ["count", "n_at_risk"],
            ]
        },
    }
    return (Trace(figure.to_plotly_json(), bind, needs="still_low", split=("cause_group", "cause_group"), breaks=True),)
