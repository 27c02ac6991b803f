"""How long episodes last, the estimate that knows of tests beside the curve that does not, with those still open."""

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Chart, TableColumn, Trace

ESTIMATOR = TableColumn("Estimator", "name:estimator", ("estimator",))
DAY = TableColumn("Day", "count", ("day",))
HONEST, NAIVE = {"estimator": "interval_censored"}, {"estimator": "kaplan_meier_naive"}
BAND = "rgba(0, 114, 178, 0.25)"  # the first colour, so pale that lines stay on top


def chart() -> Chart:
    """A smooth curve with its band, and the naive one on the days that are told."""
    return Chart(
        id="duration-compared",
        section="duration",
        position=0,
        title="Time to recovery, with and without regard to when tests were done",
        caption="{cohort}: share of confirmed incident episodes below {threshold} not yet recovered ({rule}). "
        "Smooth, with its band: days since the onset, both ends of an episode taken as the intervals between two tests "
        "that they are, and death competing. Points: naive Kaplan-Meier, from the first low value to the first "
        "recovered one, on the days that are told; lines only join them, and stop where a number between is hidden.",
        note="The smooth curve is fitted, and left out where tests are too far apart for it or where it would tell a "
        "hidden number of deaths. Where the two differ, believe the smooth one, within what the methods say about it.",
        table="duration_curve",
        question="duration",
        where={"cause_group": "all"},
        follows=("cohort", "rule", "threshold"),
        sorts={"value": (("name:estimator", "asc"), ("day", "asc"))},
        traces=(_limit("still_low_lo"), _limit("still_low_hi", fill="tonexty"), _curve(HONEST), _points(NAIVE)),
        columns=(
            ESTIMATOR,
            DAY,
            TableColumn("Still open", "count", ("n_at_risk",)),
            TableColumn("Still low", "percent", ("still_low",)),
            TableColumn("Interval", "range", ("still_low_lo", "still_low_hi")),
        ),
        alt=Alt("still_low", "percent", (ESTIMATOR, DAY)),
        at_risk=True,
        height=420,
        layout=go.Layout(
            xaxis={"title": {"text": "Days"}, "rangemode": "tozero"},
            yaxis={"title": {"text": "Still low, % of episodes"}, "ticksuffix": " %", "range": [0, 102]},
        ).to_plotly_json(),
    )


def _curve(where: dict[str, Any]) -> Trace:
    return _through(where, go.Scatter(mode="lines", line={"shape": "spline", "width": 2.4}))


def _points(where: dict[str, Any]) -> Trace:
    figure = go.Scatter(mode="lines+markers", line={"width": 2.4}, marker={"size": 7}, connectgaps=False)
    return replace(_through(where, figure), breaks=True)


def _through(where: dict[str, Any], figure: go.Scatter) -> Trace:
    figure.hovertemplate = (
        "<b>%{customdata[0]}</b>, day %{customdata[1]}<br>%{customdata[2]} still low (%{customdata[3]})<extra></extra>"
    )
    cells = [["name:estimator", "estimator"], ["count", "day"], ["percent", "still_low"]]
    bind: dict[str, Bind] = {
        "x": {"col": "day"},
        "y": {"col": "still_low", "scale": 100},
        "customdata": {"cells": [*cells, ["range", "still_low_lo", "still_low_hi"]]},
    }
    return Trace(figure.to_plotly_json(), bind, needs="still_low", where=where, split=("estimator", "estimator"))


def _limit(name: str, fill: str | None = None) -> Trace:
    figure = go.Scatter(
        mode="lines",
        line={"shape": "spline", "width": 0},
        fill=fill,
        fillcolor=BAND,
        showlegend=False,
        hoverinfo="skip",
    )
    bind: dict[str, Bind] = {"x": {"col": "day"}, "y": {"col": name, "scale": 100}}
    return Trace(figure.to_plotly_json(), bind, needs=name, where=HONEST)
