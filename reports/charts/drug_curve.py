"""What counts do after a drug: quantiles of people by days since the dose."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Bind, Chart, TableColumn, Trace

DAY = TableColumn("Days", "step", ("day", "day_until"))
_OUTER, _INNER = "rgba(0,114,178,0.22)", "rgba(0,114,178,0.45)"


def chart() -> Chart:
    """Two ribbons around the median of one drug."""
    return Chart(
        id="drug-curve",
        section="drugs",
        position=1,
        title="Neutrophil count by days since the dose",
        caption="{drug}: the counts of people tested on each day, each person once a day, in the whole extract. The "
        "line is the median, the ribbons hold the middle half and the middle eight tenths of people.",
        note="Days count from the latest dose of a drug given in cycles, from the start of the course of one taken on "
        "and on, from the end of the latest dose of one that acts late. People tested on a day were often tested for a "
        "reason, and other drugs given with this one have the same curve: it shows what followed the drug, not what "
        "the drug did. Days with few people are hidden; the lines pass over them.",
        table="drug_day",
        question="cause_by_drug",
        follows=("drug",),
        sorts={"value": (("day", "asc"),)},
        traces=_traces(),
        columns=(
            DAY,
            TableColumn("Since", "name:anchor", ("anchor",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("10 %, {cells}", "cells", ("p10_cells_per_ul",)),
            TableColumn("25 %", "cells", ("p25_cells_per_ul",)),
            TableColumn("Median", "cells", ("p50_cells_per_ul",)),
            TableColumn("75 %", "cells", ("p75_cells_per_ul",)),
            TableColumn("90 %", "cells", ("p90_cells_per_ul",)),
        ),
        alt=Alt("p50_cells_per_ul", "cells", (DAY,)),
        threshold_lines="yaxis",
        height=440,
        layout=go.Layout(
            xaxis={"title": {"text": "Days since the dose"}},
            yaxis={"title": {"text": "Neutrophils, {cells}"}, "rangemode": "tozero"},
            hovermode="x",
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    return (
        _edge("p10_cells_per_ul", "p90_cells_per_ul"),
        _ribbon("p90_cells_per_ul", "10 to 90 % of people", _OUTER),
        _edge("p25_cells_per_ul", "p75_cells_per_ul"),
        _ribbon("p75_cells_per_ul", "25 to 75 % of people", _INNER),
        _median(),
    )


def _edge(lower: str, upper: str) -> Trace:
    """The lower edge of a ribbon, on the days that have its upper one."""
    figure = go.Scatter(mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
    return Trace(figure.to_plotly_json(), _place(lower), needs=upper)


def _ribbon(upper: str, name: str, colour: str) -> Trace:
    figure = go.Scatter(mode="lines", line={"width": 0}, fill="tonexty", fillcolor=colour, name=name, hoverinfo="skip")
    return Trace(figure.to_plotly_json(), _place(upper), needs=upper)


def _median() -> Trace:
    figure = go.Scatter(
        mode="lines+markers",
        name="median",
        line={"width": 2.6, "color": "black"},
        marker={"size": 5, "color": "black"},
        hovertemplate="day %{customdata[0]}<br>median %{customdata[1]}, 25 %% %{customdata[2]}, 75 %% %{customdata[3]}"
        "<br>%{customdata[4]} people<extra></extra>".replace("%%", "%"),
    )
    cells = [["step", "day", "day_until"], *(["cells", f"p{share}_cells_per_ul"] for share in (50, 25, 75))]
    bind: dict[str, Bind] = {
        **_place("p50_cells_per_ul"),
        "customdata": {"cells": [*cells, ["count", "n_people"]]},
    }
    return Trace(figure.to_plotly_json(), bind, needs="p50_cells_per_ul")


def _place(column: str) -> dict[str, Bind]:
    return {"x": {"col": "day"}, "y": {"col": column, "unit": "cells"}}
