"""How many people change grade when another severity scale is taken."""

from reports.charts.horizontal import layout_of_shares, stack_shares
from reports.charts.severity_by_cohort import not_shown
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace

SCALE = TableColumn("Other scale", "name:scale", ("scale",))
FROM = TableColumn("Severity on this report's scale", "name:severity", ("from_severity",))
TO = TableColumn("On the other scale", "name:severity", ("severity",))


def chart() -> Chart:
    """Horizontal stacked bars, a bar a scale: the same grade, a worse one, a milder one."""
    place: Bind = {"name": "scale", "col": "scale"}
    return Chart(
        id="scale-changes",
        section="severity",
        position=3,
        title="Who changes grade on another scale",
        caption="{cohort}: people tested, by the grade (1 mild to 4 life-threatening) of their lowest count on another "
        "scale, beside their grade on the scale that this report opens with. Every scale is applied to everybody here. "
        "What a bar lacks to 100 % is hidden.",
        table="scale_change",
        question="anc",
        follows=("cohort",),
        sorts={"value": (("name:scale", "asc"), ("change", "asc"), ("from_severity_order", "asc"))},
        traces=(_bars(place), not_shown(place, "share")),
        columns=(
            SCALE,
            FROM,
            TO,
            TableColumn("Grade there", "name:change", ("change",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of people tested", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (SCALE, FROM, TO)),
        categories=(Categories("yaxis", "name:scale", ("scale",)),),
        height=120,
        row_height=28,
        layout=layout_of_shares("% of people tested", range=[0, 100]),
    )


def _bars(place: Bind) -> Trace:
    hover = (
        "<b>%{customdata[0]}</b><br>%{customdata[1]}, there %{customdata[2]}<br>%{customdata[3]} people, "
        "%{customdata[4]} of those tested"
    )
    cells = [
        ["name:scale", "scale"],
        ["name:severity", "from_severity"],
        ["name:severity", "severity"],
        ["count", "n_people"],
        ["percent", "share"],
    ]
    return stack_shares(place, cells, hover, split=("change", "change"))
