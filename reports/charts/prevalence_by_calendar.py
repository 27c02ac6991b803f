"""Prevalence of one cohort among the tested by week, quarter and year; hollow where the interval is not whole."""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Chart, TableColumn, Trace
from reports.charts.style import COLOURS
from reports.rows import POPULATION_TREND

FIRST_DAY = TableColumn("First day", "text", ("interval_start",))
UNIT = TableColumn("Length", "name:interval_unit", ("interval_unit",))
LOOKS = {"week": (4, "dot", COLOURS[5]), "quarter": (8, "dash", COLOURS[2]), "year": (10, "solid", COLOURS[1])}


def chart() -> Chart:
    """One line a unit of the calendar."""
    return Chart(
        id="prevalence-by-calendar",
        section="prevalence",
        position=3,
        title="The same trend by week, quarter and year",
        caption="{cohort}: people with at least one value certainly below {threshold}, as a share of the people tested "
        "in the same week, quarter or year. Hollow: not wholly inside the whole months that were observed.",
        note="Of a week the tested are mostly people who are tested often, of a year they are everybody tested: lines "
        "of different lengths are not comparable in height. What is hidden leaves a gap.",
        table=POPULATION_TREND,
        question="calendar_trend",
        follows=("cohort", "threshold"),
        sorts={"value": (("name:interval_unit", "asc"), ("interval_start", "asc"))},
        traces=tuple(_line(unit) for unit in LOOKS),
        columns=(
            UNIT,
            FIRST_DAY,
            TableColumn("People low", "count", ("n_low",)),
            TableColumn("People tested", "count", ("n_population",)),
            TableColumn("Prevalence", "percent", ("prevalence",)),
            TableColumn("Interval", "range", ("prevalence_lo", "prevalence_hi")),
            TableColumn("Whole", "yes", ("is_complete",)),
        ),
        alt=Alt("prevalence", "percent", (UNIT, FIRST_DAY)),
        height=400,
        layout=go.Layout(
            xaxis={"type": "date", "tickformat": "%Y-%m", "hoverformat": "%Y-%m-%d"},
            yaxis={"title": {"text": "Prevalence, % of people tested"}, "ticksuffix": " %", "rangemode": "tozero"},
        ).to_plotly_json(),
    )


def _line(unit: str) -> Trace:
    size, dash, colour = LOOKS[unit]
    figure = go.Scatter(
        name=f"by {unit}",
        mode="lines+markers",
        line={"color": colour, "width": 1.5, "dash": dash},
        marker={"size": size, "color": colour},
        connectgaps=False,
        hovertemplate="<b>%{customdata[0]} from %{customdata[1]}</b><br>%{customdata[2]} (%{customdata[3]})"
        "<br>%{customdata[4]} of %{customdata[5]} people tested<extra></extra>",
    )
    cells = [
        ["name:interval_unit", "interval_unit"],
        ["text", "interval_start"],
        ["percent", "prevalence"],
        ["range", "prevalence_lo", "prevalence_hi"],
        ["count", "n_low"],
        ["count", "n_population"],
    ]
    return Trace(
        figure.to_plotly_json(),
        {
            "x": {"col": "interval_start"},
            "y": {"col": "prevalence", "scale": 100},
            "marker.symbol": {"when": "is_complete", "yes": "circle", "no": "circle-open"},
            "customdata": {"cells": cells},
        },
        where={"interval_unit": unit},
    )
