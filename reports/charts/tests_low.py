"""How many of all tests are low: a share of tests beside the shares of people, and no prevalence."""

import plotly.graph_objects as go

from reports.charts.points import draw_points
from reports.charts.prevalence_by_cohort import COHORT
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn

NAME: Bind = {"name": "cohort", "col": "cohort"}
HOVER = (
    "<b>%{customdata[0]}</b><br>%{customdata[1]} of tests (%{customdata[2]})<br>%{customdata[3]} of "
    "%{customdata[4]} tests, of %{customdata[5]} people<extra></extra>"
)
CELLS = (
    ("name:cohort", "cohort"),
    ("percent", "low_test_share"),
    ("range", "low_test_share_lo", "low_test_share_hi"),
    ("count", "n_tests_low"),
    ("count", "n_tests"),
    ("count", "n_people"),
)


def chart() -> Chart:
    """One point a cohort."""
    return Chart(
        id="tests-low",
        section="testing",
        position=3,
        title="Low counts per test",
        caption="Share of all tests below {threshold}, over the whole extract, each test counted. Lines: the interval, "
        "tests of one person taken together.",
        note="Per test, not per person: who is ill is tested more often, so it is higher than any share of people, and "
        "it does not say how many people are low.",
        table="test_share",
        question="anc",
        follows=("threshold",),
        sorts={
            "value": (("low_test_share", "desc"), ("name:cohort", "asc")),
            "size": (("n_tests", "desc"), ("name:cohort", "asc")),
            "name": (("name:cohort", "asc"),),
        },
        traces=draw_points(NAME, ("low_test_share", "low_test_share_lo", "low_test_share_hi"), HOVER, CELLS),
        columns=(
            COHORT,
            TableColumn("Tests", "count", ("n_tests",)),
            TableColumn("Low", "count", ("n_tests_low",)),
            TableColumn("People tested", "count", ("n_people",)),
            TableColumn("Per test", "percent", ("low_test_share",)),
            TableColumn("Interval", "range", ("low_test_share_lo", "low_test_share_hi")),
            TableColumn("Method", "name:method", ("method",)),
        ),
        alt=Alt("low_test_share", "percent", (COHORT,)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=34,
        layout=go.Layout(
            xaxis={"title": {"text": "% of tests"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )
