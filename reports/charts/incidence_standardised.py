"""Rates of first new episodes as counted and as they would be with the ages and sexes of a standard population."""

from reports.charts.incidence_by_cohort import LIMITS, RATE, axes, rates, unshown
from reports.charts.prevalence_by_cohort import COHORT
from reports.charts.spec import Alt, Categories, Chart, TableColumn
from reports.charts.style import OBSERVED, TESTED

STANDARD = TableColumn("Ages and sexes of", "name:standard", ("standard",))


def chart() -> Chart:
    """One row a cohort: as counted, and under every standard."""
    return Chart(
        id="incidence-standardised",
        section="prevalence",
        position=6,
        title="New episodes, standardised by age and sex",
        caption="First new episodes ({rule}) below {threshold} per 1,000 person-years at risk, whole extract. Filled: "
        "as counted. Open: with the ages and sexes of each standard population, so that hospitals with other people "
        "can be compared. Lines: the interval. The axis goes by factors of ten if nothing on it is 0.",
        note="With too few episodes in all nothing is standardised. A standardised rate is of people of known age and "
        "sex.",
        table="incidence",
        question="duration",
        where={"interval_unit": "all", "onset": "first"},
        follows=("rule", "threshold"),
        sorts={
            "name": (("name:cohort", "asc"), ("name:standard", "asc")),
            "value": (("rate_per_1000_py", "desc"), ("name:cohort", "asc"), ("name:standard", "asc")),
            "size": (("person_days", "desc"), ("name:cohort", "asc"), ("name:standard", "asc")),
        },
        traces=(
            rates("as counted", "circle", TESTED, {"standard": "crude"}),
            rates("standardised", "circle-open", OBSERVED, {"method": "fay_feuer"}),
            unshown("rate_per_1000_py"),
        ),
        columns=(
            COHORT,
            STANDARD,
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("Days at risk", "count", ("person_days",)),
            RATE,
            LIMITS,
            TableColumn("Method", "name:method", ("method",)),
            TableColumn("Result", "name:status", ("status",)),
        ),
        alt=Alt("rate_per_1000_py", "days", (COHORT, STANDARD)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=120,
        row_height=38,
        is_optional=True,
        layout=axes("First episodes per 1,000 person-years at risk", type="log", dtick="D2"),
    )
