"""Days below a threshold for each year observed: the least and the most that the tests allow."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS, QUIET

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))
NAME: Bind = {"name": "cohort", "col": "cohort"}


def chart() -> Chart:
    """A pale bar from the least to the most days, with the least as a point."""
    return Chart(
        id="person-days",
        section="duration",
        position=6,
        title="Days low in a year of observation",
        caption="Days below {threshold} for each year that people of a cohort were observed. Point: the least, days "
        "certainly low. Bar: up to the most, all days that are not known to be not low.",
        note="Nobody is tested every day. Where the bar is long, most days are unknown, and no number between its ends "
        "is better founded than another.",
        table="person_days",
        question="duration",
        follows=("threshold",),
        sorts={
            "value": (("low_days_a_year_least", "desc"), ("name:cohort", "asc")),
            "size": (("n_people", "desc"), ("name:cohort", "asc")),
            "name": (("name:cohort", "asc"),),
        },
        traces=(_most(), _least(), _words()),
        columns=(
            COHORT,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Days observed", "count", ("n_days_observed",)),
            TableColumn("Days low", "count", ("n_days_low",)),
            TableColumn("Days not low", "count", ("n_days_not_low",)),
            TableColumn("Days unknown", "count", ("n_days_unknown",)),
            TableColumn("Least, days a year", "days", ("low_days_a_year_least",)),
            TableColumn("Most, days a year", "days", ("low_days_a_year_most",)),
        ),
        alt=Alt("low_days_a_year_least", "days", (COHORT,)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=34,
        layout=go.Layout(
            barmode="overlay",
            xaxis={"title": {"text": "Days a year"}, "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _most() -> Trace:
    figure = go.Bar(
        name="least to most",
        orientation="h",
        width=0.36,
        marker={"color": QUIET, "opacity": 0.35},
        hovertemplate="%{customdata[0]} days a year<extra></extra>",
    )
    cells = [["days_range", "low_days_a_year_least", "low_days_a_year_most"]]
    bind: dict[str, Bind] = {
        "base": {"col": "low_days_a_year_least"},
        "x": {"col": "low_days_a_year_most", "minus": "low_days_a_year_least"},
        "y": NAME,
        "customdata": {"cells": cells},
    }
    return Trace(figure.to_plotly_json(), bind, needs="low_days_a_year_most")


def _least() -> Trace:
    figure = go.Scatter(
        name="least",
        mode="markers+text",
        textposition="middle right",
        cliponaxis=False,
        marker={"size": 10, "color": COLOURS[0]},
        hovertemplate="<b>%{customdata[0]}</b><br>at least %{customdata[1]} days a year<br>%{customdata[2]} of "
        "%{customdata[3]} days observed<extra></extra>",
    )
    cells = [
        ["name:cohort", "cohort"],
        ["days", "low_days_a_year_least"],
        ["count", "n_days_low"],
        ["count", "n_days_observed"],
    ]
    bind: dict[str, Bind] = {
        "x": {"col": "low_days_a_year_least"},
        "y": NAME,
        "text": {"beside": ["days", "low_days_a_year_least"]},
        "customdata": {"cells": cells},
    }
    return Trace(figure.to_plotly_json(), bind, needs="low_days_a_year_least")


def _words() -> Trace:
    figure = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    bind: dict[str, Bind] = {"x": {"const": 0}, "y": NAME, "text": {"mark": "low_days_a_year_least"}}
    return Trace(figure.to_plotly_json(), bind, lacks="low_days_a_year_least")
