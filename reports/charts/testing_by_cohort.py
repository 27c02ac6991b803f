"""How much each cohort was tested: every number of this page depends on it."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace
from reports.charts.style import TESTED

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))


def chart() -> Chart:
    """Share of observed people who were tested, with tests a person and the gap between tests."""
    return Chart(
        id="testing-by-cohort",
        section="testing",
        position=1,
        title="Testing by cohort",
        caption="Share of the people observed who had at least one ANC, over the whole extract.",
        note="More tests find more low values. Two cohorts are comparable only as far as they are tested alike.",
        table="testing",
        question="anc",
        where={"interval_unit": "all"},
        follows=(),
        sorts={
            "name": (("name:cohort", "asc"),),
            "value": (("tested_share", "desc"), ("name:cohort", "asc")),
            "size": (("n_observed", "desc"), ("name:cohort", "asc")),
        },
        traces=_traces(),
        columns=(
            COHORT,
            TableColumn("Observed", "count", ("n_observed",)),
            TableColumn("Tested", "count", ("n_tested",)),
            TableColumn("Tested share", "percent", ("tested_share",)),
            TableColumn("Tests", "count", ("n_tests",)),
            TableColumn("Tests a tested person", "days", ("tests_per_tested_person",)),
            TableColumn("Median gap, days", "days", ("median_gap_days",)),
        ),
        alt=Alt("tested_share", "percent", (COHORT,)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=110,
        row_height=32,
        layout=go.Layout(
            bargap=0.35,
            xaxis={"title": {"text": "% of people observed"}, "ticksuffix": " %", "range": [0, 104]},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    points = go.Bar(
        orientation="h",
        marker={"color": TESTED},
        textposition="outside",
        cliponaxis=False,
        texttemplate=" %{customdata[5]}",
        showlegend=False,
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} of %{customdata[2]} people observed were tested"
        "<br>%{customdata[3]} tests a tested person, median gap %{customdata[4]} days<extra></extra>",
    )
    place = {"name": "cohort", "col": "cohort"}
    words = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    return (
        Trace(
            points.to_plotly_json(),
            {
                "x": {"col": "tested_share", "scale": 100},
                "y": place,
                "customdata": {
                    "cells": [
                        ["name:cohort", "cohort"],
                        ["count", "n_tested"],
                        ["count", "n_observed"],
                        ["days", "tests_per_tested_person"],
                        ["days", "median_gap_days"],
                        ["percent", "tested_share"],
                    ]
                },
            },
            needs="tested_share",
        ),
        Trace(
            words.to_plotly_json(),
            {"x": {"const": 0}, "y": place, "text": {"mark": "tested_share"}},
            lacks="tested_share",
        ),
    )
