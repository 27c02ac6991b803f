"""Weighted share of each cohort in a survey, with its interval; there only where people have survey weights."""

import plotly.graph_objects as go

from reports.charts.prevalence_by_cohort import COHORT, DENOMINATOR, labels, points, unshown
from reports.charts.spec import Alt, Categories, Chart, TableColumn
from reports.charts.style import OBSERVED, TESTED
from reports.rows import WEIGHTED


def chart() -> Chart:
    """The forest plot; one row a cohort."""
    return Chart(
        id="prevalence-weighted",
        section="prevalence",
        position=0,
        title="Weighted to the population of the survey",
        caption="The share of survey weight that people with at least one value certainly below {threshold} carry. "
        "{denominator_long} Filled: tested. Open: observed. Lines: the interval.",
        note="The counts beside it are of people. A cohort is estimated inside the whole design of the survey.",
        table=WEIGHTED,
        question="prevalence",
        follows=("threshold", "denominator"),
        sorts={
            "value": (("prevalence", "desc"), ("name:cohort", "asc")),
            "size": (("n_population", "desc"), ("name:cohort", "asc")),
            "name": (("name:cohort", "asc"), ("denominator_name", "desc")),
        },
        traces=(points("observed", "circle-open", OBSERVED), points("tested", "circle", TESTED), labels(), unshown()),
        columns=(
            COHORT,
            DENOMINATOR,
            TableColumn("Weighted share", "percent", ("prevalence",)),
            TableColumn("Interval", "range", ("prevalence_lo", "prevalence_hi")),
            TableColumn("People low", "count", ("n_low",)),
            TableColumn("People", "count", ("n_population",)),
            TableColumn("Degrees of freedom", "count", ("degrees_of_freedom",)),
            TableColumn("Strata with one unit", "count", ("lone_strata",)),
            TableColumn("By the standard", "name:reliability", ("reliability",)),
            TableColumn("Method", "name:method", ("method",)),
        ),
        alt=Alt("prevalence", "percent", (COHORT, DENOMINATOR)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=38,
        is_optional=True,
        layout=go.Layout(
            scattermode="group",
            xaxis={"title": {"text": "Weighted share, %"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )
