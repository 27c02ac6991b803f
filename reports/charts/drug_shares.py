"""How often an episode follows a drug: of tested courses, with intervals that take people as clusters."""

import plotly.graph_objects as go

from reports.charts.intervals import interval_on, label_beyond, whiskers
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

DRUG = TableColumn("Drug", "name:drug", ("drug",))


def chart() -> Chart:
    """One bar a drug, coloured by class; the table has them all."""
    return Chart(
        id="drug-shares",
        section="drugs",
        position=2,
        title="Courses with an episode",
        caption="Of the courses of each drug with a count in the drug's window: those in which a confirmed episode "
        "below {threshold} began. Whole extract. The figure shows the highest shares; the table shows every drug that "
        "enough people were given.",
        note="An episode counts for every drug in whose window it began, so the drugs of one regimen have the same "
        "ones. Cytotoxics, targeted or immune antineoplastics and other drugs are to be compared among themselves "
        "only. Days to onset and to recovery end at the test that saw it.",
        table="drug",
        question="cause_by_drug",
        follows=("threshold",),
        sorts={"value": (("share", "desc"), ("drug", "asc"))},
        traces=_traces(),
        columns=(
            DRUG,
            TableColumn("Class", "name:drug_class", ("drug_class",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Courses", "count", ("n_courses",)),
            TableColumn("Tested", "count", ("n_tested",)),
            TableColumn("With an episode", "count", ("n_affected",)),
            TableColumn("Of tested courses", "percent", ("share",)),
            TableColumn("Interval", "range", ("share_lo", "share_hi")),
            TableColumn("Median days to onset", "days", ("median_onset_days",)),
            TableColumn("Median days to recovery", "days", ("median_recovery_days",)),
        ),
        alt=Alt("share", "percent", (DRUG,)),
        categories=(Categories("yaxis", "name:drug", ("drug",)),),
        top=20,
        height=130,
        row_height=28,
        layout=go.Layout(
            bargap=0.35,
            barmode="stack",
            xaxis={"title": {"text": "% of tested courses"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )


def _traces() -> tuple[Trace, ...]:
    bars = go.Bar(
        orientation="h",
        error_x=whiskers(),
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} (%{customdata[2]}) of %{customdata[3]} tested "
        "courses<extra></extra>",
    )
    place = {"cell": ["name:drug", "drug"]}
    cells = [
        ["name:drug", "drug"],
        ["percent", "share"],
        ["range", "share_lo", "share_hi"],
        ["count", "n_tested"],
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
            split=("drug_class", "drug_class"),
        ),
        label_beyond(place, "share", "share_hi"),
    )
