"""People whose low counts go on for months without a confirmed recovery, beside all episodes."""

import plotly.graph_objects as go

from reports.charts.points import draw_points
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))
NAME: Bind = {"name": "cohort", "col": "cohort"}
HOVER = (
    "<b>%{customdata[0]}</b><br>%{customdata[1]} (%{customdata[2]})<br>%{customdata[3]} of "
    "%{customdata[4]} people<extra></extra>"
)
CELLS = (
    ("name:cohort", "cohort"),
    ("percent", "chronic_share"),
    ("range", "chronic_lo", "chronic_hi"),
    ("count", "n_people"),
    ("count", "n_assessable"),
)


def chart() -> Chart:
    """One point a cohort, of the people who could have been seen so."""
    return Chart(
        id="chronic-by-cohort",
        section="duration",
        position=7,
        title="Chronic track",
        caption="Share of people with a chronic track below {threshold}, of those tested often and long enough to be "
        "seen so. Lines: the interval. What a track is stands in the methods.",
        note="People whose counts are always a little low are tested every few months, so episodes lose them in gaps. "
        "They are counted here, beside episodes, and not among them.",
        table="chronic",
        question="duration",
        follows=("threshold",),
        sorts={
            "value": (("chronic_share", "desc"), ("name:cohort", "asc")),
            "size": (("n_assessable", "desc"), ("name:cohort", "asc")),
            "name": (("name:cohort", "asc"),),
        },
        traces=draw_points(NAME, ("chronic_share", "chronic_lo", "chronic_hi"), HOVER, CELLS),
        columns=(
            COHORT,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Without recovery", "count", ("n_people_open",)),
            TableColumn("Tested often and long enough", "count", ("n_assessable",)),
            TableColumn("Share", "percent", ("chronic_share",)),
            TableColumn("Interval", "range", ("chronic_lo", "chronic_hi")),
            TableColumn("Method", "name:method", ("chronic_method",)),
        ),
        alt=Alt("chronic_share", "percent", (COHORT,)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=34,
        layout=go.Layout(
            xaxis={"title": {"text": "% of people assessable"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )
