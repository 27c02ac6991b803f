"""Of how many people it is certain that they were low, certain that they were not, and neither."""

from reports.charts.horizontal import layout_of_shares, stack_shares
from reports.charts.severity_by_cohort import not_shown
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace

BOUNDS = TableColumn("Counts", "name:bounds", ("bounds",))
CERTAINTY = TableColumn("Below the threshold", "name:certainty", ("certainty",))


def chart() -> Chart:
    """Horizontal stacked bars, one for each kind of bounds."""
    place: Bind = {"name": "bounds", "col": "bounds"}
    return Chart(
        id="certainty",
        section="severity",
        position=6,
        title="How certain low counts are",
        caption="People tested, by whether a count below {threshold} is certain, impossible or neither. A differential "
        "counted by hand is a sample of few cells, and machines may count red cells as white ones; the second bar says "
        "what these leave open.",
        table="certainty",
        question="anc",
        follows=("threshold",),
        sorts={"value": (("name:bounds", "asc"), ("name:certainty", "asc"))},
        traces=(_bars(place), not_shown(place, "share")),
        columns=(
            BOUNDS,
            CERTAINTY,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of people tested", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (BOUNDS, CERTAINTY)),
        categories=(Categories("yaxis", "name:bounds", ("bounds",)),),
        height=120,
        row_height=28,
        layout=layout_of_shares("% of people tested", range=[0, 100]),
    )


def _bars(place: Bind) -> Trace:
    hover = "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]} people, %{customdata[3]} of those tested"
    cells = [["name:bounds", "bounds"], ["name:certainty", "certainty"], ["count", "n_people"], ["percent", "share"]]
    return stack_shares(place, cells, hover, split=("certainty", "certainty"))
