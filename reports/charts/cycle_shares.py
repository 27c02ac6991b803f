"""Share of chemotherapy cycles with a count below the threshold, by regimen, with the day of the nadir."""

import plotly.graph_objects as go

from reports.charts.points import draw_points
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn

REGIMEN = TableColumn("Regimen", "name:regimen", ("regimen",))
NAME: Bind = {"name": "regimen", "col": "regimen"}
HOVER = (
    "<b>%{customdata[0]}</b><br>%{customdata[1]} (%{customdata[2]})<br>%{customdata[3]} of "
    "%{customdata[4]} cycles tested<br>median day of the nadir %{customdata[5]}<extra></extra>"
)
CELLS = (
    ("name:regimen", "regimen"),
    ("percent", "affected_share"),
    ("range", "affected_lo", "affected_hi"),
    ("count", "n_affected"),
    ("count", "n_tested"),
    ("days", "median_nadir_day"),
)


def chart() -> Chart:
    """One point a regimen with its interval; cycles of one person are taken together."""
    return Chart(
        id="cycle-shares",
        section="cycles",
        position=1,
        title="Cycles with a low count, by regimen",
        caption="{cohort}: share of the chemotherapy cycles with at least one test in which a count was certainly "
        "below {threshold}. Lines: the interval, which takes cycles of one person together.",
        note="A cycle that is tested more often shows more of its low counts, and an earlier nadir. Regimens that too "
        "few people had are left out; all cycles contains them.",
        table="cycle",
        question="cause_by_drug",
        follows=("cohort", "threshold"),
        sorts={"value": (("n_cycles", "desc"), ("name:regimen", "asc"))},
        traces=draw_points(NAME, ("affected_share", "affected_lo", "affected_hi"), HOVER, CELLS),
        columns=(
            REGIMEN,
            TableColumn("Cycles", "count", ("n_cycles",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Cycles tested", "count", ("n_tested",)),
            TableColumn("Tests a cycle", "days", ("tests_per_cycle",)),
            TableColumn("Cycles low", "count", ("n_affected",)),
            TableColumn("People low", "count", ("n_people_affected",)),
            TableColumn("Share of cycles tested", "percent", ("affected_share",)),
            TableColumn("Interval", "range", ("affected_lo", "affected_hi")),
            TableColumn("Median day of the nadir", "days", ("median_nadir_day",)),
        ),
        alt=Alt("affected_share", "percent", (REGIMEN,)),
        categories=(Categories("yaxis", "name:regimen", ("regimen",)),),
        height=120,
        row_height=34,
        layout=go.Layout(
            xaxis={"title": {"text": "% of cycles tested"}, "ticksuffix": " %", "rangemode": "tozero"},
            yaxis={"type": "category"},
        ).to_plotly_json(),
    )
