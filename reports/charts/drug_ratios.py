"""Self-controlled ratios of drugs that are no cytotoxics, each with its pre-exposure check."""

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, whiskers
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace
from reports.charts.style import COLOURS

DRUG = TableColumn("Drug", "name:drug", ("drug",))


def chart() -> Chart:
    """One point a drug with its interval; the table has what is behind it."""
    return Chart(
        id="drug-ratios",
        section="drugs",
        position=3,
        title="Self-controlled ratio",
        caption="Rate of first episodes for each tested week in a fixed window from the start of a drug, over that in "
        "other weeks of the same people, with the rate shortly before or around the start as a check. Whole extract; "
        "cytotoxics are left out, because counts decide their next dose. Dashed: 1, as often as in other weeks. Lines: "
        "the interval. The axis goes by factors of ten if nothing on it is 0.",
        note="A ratio above 1 makes a drug suspected, no more. Where the rate was raised before the drug can have "
        "lowered the count, the drug may only travel with illness. Not raised is no proof: the check misses drugs that "
        "few of their people were given for an illness. The disproportion is for screening only. Many drugs are looked "
        "at (last column), so some intervals lie above 1 by chance.",
        table="drug_ratio",
        question="cause_by_drug",
        follows=(),
        sorts={"value": (("ratio", "desc"), ("drug", "asc"))},
        traces=_traces(),
        columns=(
            DRUG,
            TableColumn("Class", "name:drug_class", ("drug_class",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Episodes in the window", "count", ("n_risk",)),
            TableColumn("In other weeks", "count", ("n_reference",)),
            TableColumn("Ratio", "ratio", ("ratio",)),
            TableColumn("Interval", "ratio_range", ("ratio_lo", "ratio_hi")),
            TableColumn("Before or around the start", "count", ("n_pre_exposure",)),
            TableColumn("Ratio before", "ratio", ("pre_ratio",)),
            TableColumn("Interval before", "ratio_range", ("pre_ratio_lo", "pre_ratio_hi")),
            TableColumn("Pre-exposure check", "name:pre_check", ("pre_check",)),
            TableColumn("Screening only: log2 disproportion", "ratio", ("log2_disproportion",)),
            TableColumn("Drugs screened", "count", ("drugs_screened",)),
        ),
        alt=Alt("ratio", "ratio", (DRUG,)),
        categories=(Categories("yaxis", "name:drug", ("drug",)),),
        top=20,
        reference=1,
        height=130,
        row_height=28,
        layout=go.Layout(
            xaxis={"title": {"text": "Ratio of rates"}, "rangemode": "tozero", "type": "log", "dtick": "D2"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    return (
        _points("ratio", "in the window", COLOURS[0], "circle"),
        _points("pre_ratio", "before or around the start", COLOURS[1], "diamond-open"),
    )


def _points(value: str, name: str, colour: str, symbol: str) -> Trace:
    figure = go.Scatter(
        mode="markers",
        name=name,
        marker={"size": 9, "symbol": symbol, "color": colour},
        error_x=whiskers(colour, 1.6),
        hovertemplate=f"<b>%{{customdata[0]}}</b>, {name}<br>%{{customdata[1]}} (%{{customdata[2]}})<extra></extra>",
    )
    bind: dict[str, Bind] = {
        **interval_on("x", value, f"{value}_lo", f"{value}_hi"),
        "y": {"cell": ["name:drug", "drug"]},
        "customdata": {
            "cells": [["name:drug", "drug"], ["ratio", value], ["ratio_range", f"{value}_lo", f"{value}_hi"]]
        },
    }
    return Trace(figure.to_plotly_json(), bind, needs=value)
