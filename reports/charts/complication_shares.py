"""Complications of one cohort: the share of its confirmed episodes that each came with."""

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, label_beyond, whiskers
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

COMPLICATION = TableColumn("Complication", "name:complication", ("complication",))
COUNTS = (
    TableColumn("Episodes with it", "count", ("n_episodes",)),
    TableColumn("Episodes in which it could be seen", "count", ("n_assessed",)),
    TableColumn("People", "count", ("n_people",)),
    TableColumn("Share", "percent", ("share",)),
    TableColumn("Interval", "range", ("share_lo", "share_hi")),
)


def chart() -> Chart:
    """One bar a complication; fever has a bar for each definition."""
    return Chart(
        id="complication-shares",
        section="complications",
        position=1,
        title="Complications of one cohort",
        caption="{cohort}: share of the confirmed episodes below {threshold} (default rule) that came with the "
        "complication, of those in which it could be seen: with a temperature for fever, with coded diagnoses for the "
        "rest. Lines: the interval, which takes episodes of one person together. Definitions of fever overlap, so bars "
        "do not add up.",
        table="complication",
        question="complications",
        where={"band_kind": "all"},
        follows=("cohort", "threshold"),
        sorts={"value": (("share", "desc"), ("name:complication", "asc"))},
        traces=_traces(),
        columns=(COMPLICATION, TableColumn("Kind", "name:kind", ("kind",)), *COUNTS),
        alt=Alt("share", "percent", (COMPLICATION,)),
        categories=(Categories("yaxis", "name:complication", ("complication",), wrap=34),),
        height=120,
        row_height=34,
        layout=go.Layout(
            bargap=0.35,
            barmode="stack",
            xaxis={"title": {"text": "% of confirmed episodes"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
        note="Suspected to belong to the episode, because it came in its time. Codes come from billing and miss much: "
        "their shares are lower limits.",
    )


def _traces() -> tuple[Trace, ...]:
    place = {"name": "complication", "col": "complication"}
    bars = go.Bar(
        orientation="h",
        error_x=whiskers(),
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} of %{customdata[2]} episodes, %{customdata[3]} "
        "(%{customdata[4]})<extra></extra>",
    )
    words = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    cells = [
        ["name:complication", "complication"],
        ["count", "n_episodes"],
        ["count", "n_assessed"],
        ["percent", "share"],
        ["range", "share_lo", "share_hi"],
    ]
    return (
        Trace(
            bars.to_plotly_json(),
            {
                **interval_on("x", "share", "share_lo", "share_hi", scale=100),
                "y": place,
                "customdata": {"cells": cells},
            },
            needs="share",
            split=("kind", "kind"),
        ),
        label_beyond(place, "share", "share_hi"),
        Trace(words.to_plotly_json(), {"x": {"const": 0}, "y": place, "text": {"mark": "share"}}, lacks="share"),
    )
