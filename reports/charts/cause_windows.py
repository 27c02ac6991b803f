"""How far shares of suspected causes depend on how long after a dose or a code a cause may be suspected."""

import plotly.graph_objects as go

from reports.charts.severity_by_cohort import not_shown
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

CAUSE = TableColumn("Suspected cause", "name:cause_group", ("cause_group",))
WINDOW = TableColumn("Windows", "name:window", ("window",))


def chart() -> Chart:
    """Three bars a cause: windows half as long, as defined, twice as long."""
    return Chart(
        id="cause-windows",
        section="causes",
        position=4,
        title="Suspected causes by length of the windows",
        caption="{cohort}: share of confirmed episodes below {threshold} whose primary suspicion is the cause, "
        "if the windows in which a cause may be suspected were half or twice as long ({rule}).",
        note="The latest days of every window are multiplied; the earliest stay. Windows of another length are "
        "compared under the default rule only. A share that differs by a few episodes from that of the defined windows "
        "is hidden.",
        table="cause",
        question="cause_by_diagnosis",
        where={"agent": "all"},
        unless={"cause_group": "all"},
        follows=("cohort", "rule", "threshold"),
        sorts={"value": (("name:cause_group", "asc"), ("name:window", "asc"))},
        traces=_traces(),
        columns=(
            CAUSE,
            WINDOW,
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of confirmed episodes", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (CAUSE, WINDOW)),
        categories=(Categories("yaxis", "name:cause_group", ("cause_group",)),),
        height=130,
        row_height=48,
        layout=go.Layout(
            bargap=0.3,
            barmode="group",
            xaxis={"title": {"text": "% of confirmed episodes"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    bars = go.Bar(
        orientation="h",
        hovertemplate="<b>%{customdata[0]}</b>, windows %{customdata[1]}<br>%{customdata[2]} episodes, %{customdata[3]}"
        "<extra></extra>",
    )
    cells = [
        ["name:cause_group", "cause_group"],
        ["name:window", "window"],
        ["count", "n_episodes"],
        ["percent", "share"],
    ]
    return (
        Trace(
            bars.to_plotly_json(),
            {
                "x": {"col": "share", "scale": 100},
                "y": {"name": "cause_group", "col": "cause_group"},
                "customdata": {"cells": cells},
            },
            needs="share",
            split=("window", "window"),
        ),
        not_shown({"name": "cause_group", "col": "cause_group"}, "share"),
    )
