"""The same people on every severity scale: what the choice of scale does to how severe it looks."""

from dataclasses import replace

from reports.charts.horizontal import layout_of_shares, stack_shares
from reports.charts.severity_by_cohort import SEVERITY, not_shown, rest_bars
from reports.charts.spec import Alt, Bind, Categories, Chart, TableColumn, Trace

LINE = TableColumn("Scale", "text", ("scale_line",))


def chart() -> Chart:
    """Horizontal stacked bars, a bar a scale, coloured by grade."""
    place: Bind = {"cell": ["text", "scale_line"]}
    return Chart(
        id="severity-by-scale",
        section="severity",
        position=2,
        title="Severity on every scale",
        caption="{cohort}: worst severity of each person over the whole extract, of the tested people that the scale "
        "is applied to. A scale for some ages or for Duffy-null people is shown for them, and once more applied to "
        "everybody, which is a comparison and no finding. Grey: levels that are not shown apart.",
        table="severity",
        question="anc",
        where={"interval_unit": "all"},
        follows=("cohort",),
        sorts={"value": (("grade", "asc"), ("scale_line", "asc"), ("severity_order", "asc"))},
        traces=(
            replace(_bars(place), where={"is_summed": True}),
            rest_bars("h", place),
            replace(not_shown(place), above=("grade", -1)),
        ),
        columns=(
            LINE,
            TableColumn("Applied to", "name:applied_to", ("applied_to",)),
            SEVERITY,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of people it is applied to", "percent", ("share",)),
        ),
        alt=Alt("share", "percent", (LINE, SEVERITY), above=("grade", 0)),
        categories=(Categories("yaxis", "text", ("scale_line",)),),
        height=120,
        row_height=26,
        layout=layout_of_shares("% of people that the scale is applied to", rangemode="tozero"),
    )


def _bars(place: Bind) -> Trace:
    hover = "<b>%{customdata[0]}</b>, %{customdata[1]}<br>%{customdata[2]} people, %{customdata[3]}"
    cells = [["text", "scale_line"], ["name:severity", "severity"], ["count", "n_people"], ["percent", "share"]]
    return stack_shares(place, cells, hover, split=("grade", "grade"), above=("grade", 0))
