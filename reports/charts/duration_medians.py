"""Median duration of each cohort, honest beside naive, and the bounds that the test dates leave open."""

from typing import Any

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, whiskers
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS, QUIET

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))
ESTIMATOR = TableColumn("Estimator", "name:estimator", ("estimator",))
ESTIMAND = TableColumn("Of", "name:estimand", ("estimand",))
NAME = {"name": "cohort", "col": "cohort"}
EPISODE, PATIENT = "typical incident episode", "typical patient with an incident episode"
HONEST = {"estimator": "interval_censored", "estimand": EPISODE}
OF_PATIENTS = {"estimator": "interval_censored", "estimand": PATIENT}
NAIVE, TURNBULL = {"estimator": "kaplan_meier_naive"}, {"estimator": "turnbull_naive"}


def chart() -> Chart:
    """A forest plot of medians; the pale bar runs from the median lower to the median upper bound."""
    return Chart(
        id="duration-medians",
        section="duration",
        position=2,
        title="Median duration by cohort",
        caption="Confirmed incident episodes below {threshold}, {rule}: median days until half have recovered alive, "
        "as numbered, with both ends of an episode taken as the intervals between two tests that they are; ring: each "
        "patient counted once, however many episodes they have. Naive, for comparison: pale diamond, Kaplan-Meier from "
        "the first low value to the first recovered one; pale square, the middle of Turnbull's interval. Pale bar: "
        "from the median of the lower bounds to the median of the upper bounds.",
        note="Where tests are too far apart to see an episode of median length, the median is not estimable: then the "
        "bounds are what is known, and the naive median is wrong by up to the gap between two tests.",
        table="duration",
        no_chance={"estimator": "turnbull_naive"},
        question="duration",
        where={"cause_group": "all"},
        follows=("rule", "threshold"),
        sorts={
            "value": (("median_days", "desc"), ("name:cohort", "asc")),
            "size": (("n_episodes", "desc"), ("name:cohort", "asc")),
            "name": (("name:cohort", "asc"),),
        },
        traces=(
            _bounds(),
            _pale("naive median", "diamond-open", NAIVE),
            _pale("Turnbull, naive", "square-open", TURNBULL),
            _medians(),
            _patients(),
            _labels(),
            _not_shown(),
            _not_estimable(),
        ),
        columns=_columns(),
        alt=Alt("median_days", "days", (COHORT, ESTIMATOR, ESTIMAND)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=34,
        layout=go.Layout(
            barmode="overlay",
            margin={"r": 112},
            xaxis={"title": {"text": "Days"}, "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _columns() -> tuple[TableColumn, ...]:
    return (
        COHORT,
        ESTIMATOR,
        ESTIMAND,
        TableColumn("Episodes", "count", ("n_episodes",)),
        TableColumn("Not seen to recover", "count", ("n_censored",)),
        TableColumn("Share not seen to recover", "percent", ("censored_share",)),
        TableColumn("Median, days", "days", ("median_days",)),
        TableColumn("Interval, days", "days_range", ("median_lo", "median_hi")),
        TableColumn("Bounds, days", "days_range", ("median_lower_days", "median_upper_days")),
        TableColumn("Restricted mean, days", "days", ("rmst_days",)),
        TableColumn("Its interval, days", "days_range", ("rmst_lo", "rmst_hi")),
        TableColumn("to day", "days", ("tau_days",)),
        TableColumn("Longer restricted mean, days", "days", ("longest_rmst_days",)),
        TableColumn("Its interval, days", "days_range", ("longest_rmst_lo", "longest_rmst_hi")),
        TableColumn("to day", "days", ("longest_tau_days",)),
        TableColumn("Median gap between tests, days", "days", ("median_gap_days",)),
        TableColumn("Status", "name:status", ("status",)),
    )


def _bounds() -> Trace:
    figure = go.Bar(
        name="median lower to median upper bound",
        orientation="h",
        width=0.36,
        marker={"color": QUIET, "opacity": 0.35},
        hovertemplate="bounds %{customdata[0]} days<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            "base": {"col": "median_lower_days"},
            "x": {"col": "median_upper_days", "minus": "median_lower_days"},
            "y": NAME,
            "customdata": {"cells": [["days_range", "median_lower_days", "median_upper_days"]]},
        },
        needs="median_upper_days",
        where=NAIVE,
    )


def _pale(name: str, symbol: str, where: dict[str, str]) -> Trace:
    figure = go.Scatter(
        name=name,
        mode="markers",
        marker={"size": 9, "color": QUIET, "symbol": symbol},
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>{name}: %{{customdata[1]}} days (%{{customdata[2]}})"
        "<extra></extra>",
    )
    return Trace(figure.to_plotly_json(), _where_median_is(), needs="median_days", where=where)


def _patients() -> Trace:
    figure = go.Scatter(
        name="of a typical patient",
        mode="markers",
        marker={"size": 15, "color": COLOURS[0], "symbol": "circle-open"},
        hovertemplate="<b>%{customdata[0]}</b><br>of a typical patient: %{customdata[1]} days (%{customdata[2]})"
        "<extra></extra>",
    )
    return Trace(figure.to_plotly_json(), _where_median_is(), needs="median_days", where=OF_PATIENTS)


def _where_median_is() -> dict[str, Bind]:
    cells = [["name:cohort", "cohort"], ["days", "median_days"], ["days_range", "median_lo", "median_hi"]]
    return {"x": {"col": "median_days"}, "y": NAME, "customdata": {"cells": cells}}


def _medians() -> Trace:
    figure = go.Scatter(
        name="median and interval",
        mode="markers",
        marker={"size": 10, "color": COLOURS[0]},
        error_x=whiskers(),
        hovertemplate="<b>%{customdata[0]}</b><br>median %{customdata[1]} days (%{customdata[2]})"
        "<br>%{customdata[3]} episodes<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            **interval_on("x", "median_days", "median_lo", "median_hi"),
            "y": NAME,
            "customdata": {
                "cells": [
                    ["name:cohort", "cohort"],
                    ["days", "median_days"],
                    ["days_range", "median_lo", "median_hi"],
                    ["count", "n_episodes"],
                ]
            },
        },
        needs="median_days",
        where=HONEST,
    )


def _labels() -> Trace:
    figure = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return Trace(
        figure.to_plotly_json(),
        {
            "x": {"col": "median_upper_days", "beyond": "median_hi"},
            "y": NAME,
            "text": {"beside": ["days", "median_days"]},
        },
        needs="median_days",
        where=HONEST,
    )


def _not_shown() -> Trace:
    """Words where nothing can be drawn at all, at the start of the line."""
    return Trace(_words(), {"x": {"const": 0}, "y": NAME, "text": {"mark": "median_days"}}, "", "median_days", NAIVE)


def _not_estimable() -> Trace:
    """Words behind the bounds, where these are all that is known."""
    bind: dict[str, Bind] = {"x": {"col": "median_upper_days"}, "y": NAME, "text": {"mark": "median_days"}}
    return Trace(_words(), bind, "", "median_days", HONEST)


def _words() -> dict[str, Any]:
    figure = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return dict(figure.to_plotly_json())
