"""Of how many people it is certain that they were low, certain that they were not, and neither."""

import plotly.graph_objects as go

from reports.charts.severity_by_cohort import not_shown
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace

BOUNDS = TableColumn("Counts", "name:bounds", ("bounds",))
CERTAINTY = TableColumn("Below the threshold", "name:certainty", ("certainty",))


def chart() -> Chart:
    """Horizontal stacked bars, one for each kind of bounds."""
    place: Bind = {"name": "bounds", "col": "bounds"}
    return Chart(
        id="certainty",
        section="severity",
        position=6,
        title="How certain low counts are",
        caption="People tested, by whether a count below {threshold} is certain, impossible or neither. A differential "
        "counted by hand is a sample of few cells, and machines may count red cells as white ones; the second bar says "
        "what these leave open.",
        table="certainty",
        question="anc",
        follows=("threshold",),
        sorts={"value": (("name:bounds", "asc"), ("name:certainty", "asc"))},
        traces=(_bars(place), not_shown(place, "share")),
        columns=(
            BOUNDS,
            CERTAINTY,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of people tested", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (BOUNDS, CERTAINTY)),
        categories=(Categories("yaxis", "name:bounds", ("bounds",)),),
        height=120,
        row_height=28,
        layout=go.Layout(
            barmode="stack",
            bargap=0.3,
            xaxis={"title": {"text": "% of people tested"}, "ticksuffix": " %", "range": [0, 100]},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _bars(place: Bind) -> Trace:
    figure = go.Bar(
        orientation="h",
        marker={"line": {"width": 0}},
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]} people, %{customdata[3]} of "
        "those tested<extra></extra>",
    )
    cells = [["name:bounds", "bounds"], ["name:certainty", "certainty"], ["count", "n_people"], ["percent", "share"]]
    return Trace(
        figure.to_plotly_json(),
        {"x": {"col": "share", "scale": 100}, "y": place, "customdata": {"cells": cells}},
        needs="share",
        split=("certainty", "certainty"),
    )
