"""Suspected causes of every cohort at a glance: the share of its confirmed episodes that has each primary cause."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))
CAUSE = TableColumn("Suspected cause", "name:cause_group", ("cause_group",))


def chart() -> Chart:
    """Cohorts down, causes across; a word where a share is not shown."""
    return Chart(
        id="cause-heatmap",
        section="causes",
        position=1,
        title="Suspected cause by cohort",
        caption="Share of each cohort's confirmed episodes below {threshold} that has the cause as its primary "
        "suspicion ({rule}). Rows add to 100 % where nothing is hidden; an empty cell is a cause that no episode has.",
        table="cause",
        question="cause_by_diagnosis",
        where={"agent": "all", "window": "default"},
        unless={"cause_group": "all"},
        follows=("rule", "threshold"),
        sorts={"name": (("name:cohort", "asc"), ("name:cause_group", "asc"))},
        traces=_traces(),
        columns=(
            COHORT,
            CAUSE,
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of the cohort's episodes", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (COHORT, CAUSE)),
        categories=(
            Categories("yaxis", "name:cohort", ("cohort",), wrap=26),
            Categories("xaxis", "name:cause_group", ("cause_group",), reverse=False, wrap=12, by="word"),
        ),
        height=96,
        row_height=30,
        min_width=1000,
        layout=go.Layout(
            xaxis={
                "type": "category",
                "tickangle": 0,
                "side": "top",
                "tickfont": {"size": 10},
                "showgrid": False,
                "ticks": "",
                "fixedrange": True,
            },
            yaxis={"type": "category", "showgrid": False, "ticks": ""},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    place = {"x": {"name": "cause_group", "col": "cause_group"}, "y": {"name": "cohort", "col": "cohort"}}
    heat = go.Heatmap(
        zmin=0,
        zmax=100,
        colorscale=[
            [0, "rgba(86, 180, 233, 0.05)"],
            [0.4, "rgba(45, 150, 205, 0.55)"],
            [1, "rgba(0, 114, 178, 0.85)"],
        ],
        xgap=2,
        ygap=2,
        hovertemplate="<b>%{y}</b><br>%{x}: %{z:.1f} % of confirmed episodes<extra></extra>",
        showscale=False,
    )
    words = go.Scatter(mode="text", hoverinfo="skip", showlegend=False, textfont={"size": 12})
    return (
        Trace(
            heat.to_plotly_json(),
            {**place, "z": {"col": "share", "scale": 100}},
            needs="share",
        ),
        Trace(words.to_plotly_json(), {**place, "text": {"cell": ["percent", "share"]}}, needs="share"),
        Trace(words.to_plotly_json(), {**place, "text": {"short_mark": "share"}}, lacks="share"),
    )
