"""New episodes for time at risk, by cohort: the first one of a person, and every one, side by side."""

from typing import Any

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, whiskers
from reports.charts.prevalence_by_cohort import COHORT
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace
from reports.charts.style import OBSERVED, TESTED

ONSET = TableColumn("Counted", "name:onset", ("onset",))
RATE = TableColumn("Per 1,000 person-years", "days", ("rate_per_1000_py",))
LIMITS = TableColumn("Interval", "days_range", ("rate_lo", "rate_hi"))


def chart() -> Chart:
    """The forest plot; one row a cohort."""
    return Chart(
        id="incidence-by-cohort",
        section="prevalence",
        position=4,
        title="New episodes for time at risk",
        caption="Confirmed episodes ({rule}) below {threshold} that begin on a day at risk, per 1,000 person-years at "
        "risk, over the whole extract. At risk: the last value was not low, lies no further back than the washout, and "
        "no episode is open. Filled: the first new episode of a person. Open: every new episode. Lines: the interval. "
        "The axis goes by factors of ten if nothing on it is 0.",
        note="Who is tested often is at risk for more days, and an episode is more likely to be seen.",
        table="incidence",
        question="duration",
        where={"interval_unit": "all", "standard": "crude"},
        follows=("rule", "threshold"),
        sorts={
            "value": (("rate_per_1000_py", "desc"), ("name:cohort", "asc")),
            "size": (("person_days", "desc"), ("name:cohort", "asc")),
            "name": (("name:cohort", "asc"), ("onset", "desc")),
        },
        traces=(
            rates("first episodes", "circle", TESTED, {"onset": "first"}),
            rates("every episode", "circle-open", OBSERVED, {"onset": "every"}),
            unshown("rate_per_1000_py"),
        ),
        columns=(
            COHORT,
            ONSET,
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("Days at risk", "count", ("person_days",)),
            RATE,
            LIMITS,
            TableColumn("Method", "name:method", ("method",)),
        ),
        alt=Alt("rate_per_1000_py", "days", (COHORT, ONSET)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=38,
        is_optional=True,
        layout=axes("Episodes per 1,000 person-years at risk", type="log", dtick="D2"),
    )


def axes(title: str, suffix: str = "", **axis: Any) -> dict[str, object]:
    """Numbers to the right, cohorts below one another."""
    layout = go.Layout(
        scattermode="group",
        xaxis={"title": {"text": title}, "ticksuffix": suffix, "rangemode": "tozero", **axis},
        yaxis={"type": "category"},
    )
    return dict(layout.to_plotly_json())


def rates(name: str, symbol: str, colour: str, where: dict[str, str]) -> Trace:
    """Rates with their intervals."""
    figure = go.Scatter(
        name=name,
        mode="markers",
        orientation="h",
        offsetgroup=name,
        marker={"size": 10, "color": colour, "symbol": symbol, "line": {"width": 2 if symbol != "circle" else 0}},
        error_x=whiskers(),
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} (%{customdata[2]}) per 1,000 person-years at risk"
        "<br>%{customdata[3]} episodes in %{customdata[4]} days<br>%{customdata[5]}<extra></extra>",
    )
    return Trace(
        figure.to_plotly_json(),
        {
            **interval_on("x", "rate_per_1000_py", "rate_lo", "rate_hi"),
            "y": {"name": "cohort", "col": "cohort"},
            "customdata": {
                "cells": [
                    ["name:cohort", "cohort"],
                    ["days", "rate_per_1000_py"],
                    ["days_range", "rate_lo", "rate_hi"],
                    ["count", "n_episodes"],
                    ["count", "person_days"],
                    ["name:standard", "standard"],
                ]
            },
        },
        needs="rate_per_1000_py",
        where=where,
    )


def unshown(value: str) -> Trace:
    """The word of the mark where a number is not shown."""
    figure = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return Trace(
        figure.to_plotly_json(),
        {"x": {"const": 0}, "y": {"name": "cohort", "col": "cohort"}, "text": {"mark": value}},
        lacks=value,
    )
