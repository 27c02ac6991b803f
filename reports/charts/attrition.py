"""From everyone in the extract to those who can answer: who comes to a step goes on or is left out there."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from reports.charts.horizontal import layout_of_counts
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS, QUIET

STEP = TableColumn("Step", "name:step", ("step",))


def chart() -> Chart:
    """A bar a step, as long as the people who come to it; those who are left out there are its hatched part."""
    return Chart(
        id="attrition",
        section="attrition",
        position=1,
        title="From everyone to those who can answer",
        caption="{cohort}: people who go on after each step, and those who are left out there: together those who "
        "went on after the step before. Episodes are those that begin in the cohort.",
        table="attrition",
        question="",
        follows=("cohort",),
        sorts={"value": (("step_order", "asc"),)},
        traces=_traces(),
        columns=(
            TableColumn("Number", "count", ("step_order",)),
            STEP,
            TableColumn("Come to it", "count", ("n_entered",)),
            TableColumn("Go on", "count", ("n_people",)),
            TableColumn("Left out at this step", "count", ("n_left_out",)),
            TableColumn("Because", "name:reason", ("reason",)),
        ),
        alt=Alt("n_people", "count", (STEP,)),
        categories=(Categories("yaxis", "text", ("step_line",), wrap=34),),
        height=90,
        row_height=46,
        layout={**layout_of_counts("People"), "barmode": "overlay"},
    )


def _traces() -> tuple[Trace, ...]:
    step: Bind = {"cell": ["text", "step_line"]}
    cells: Bind = {"cells": [["name:step", "step"], ["count", "n_people"], ["count", "n_left_out"]]}
    room = go.Scatter(mode="text", showlegend=False, hoverinfo="skip")  # a step whose line says that it is hidden
    left_out = {"color": QUIET, "pattern": {"fillmode": "overlay", "shape": "/", "size": 6}}
    entered = _bars("left out at this step", "%{customdata[2]} left out at this step", left_out)
    gone_on = _bars("go on", "%{customdata[1]} go on", {"color": COLOURS[0]})
    return (
        Trace(entered, {"x": {"col": "n_drawn"}, "y": step, "customdata": cells}, needs="n_drawn"),
        Trace(gone_on, {"x": {"col": "n_people"}, "y": step, "customdata": cells}, needs="n_people"),
        Trace(room.to_plotly_json(), {"x": {"const": 0}, "y": step, "text": {"const": ""}}, lacks="n_people"),
    )


def _bars(name: str, hover: str, marker: Mapping[str, object]) -> Mapping[str, Any]:
    bars = go.Bar(
        name=name,
        orientation="h",
        marker=marker,
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>{hover}<extra></extra>",
    )
    return dict(bars.to_plotly_json())
