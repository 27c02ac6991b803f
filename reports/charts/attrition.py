"""From everyone in the extract to those who can answer: each step is a part of the one before."""

from reports.charts.horizontal import draw_counts, layout_of_counts
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

STEP = TableColumn("Step", "name:step", ("step",))


def chart() -> Chart:
    """A funnel."""
    return Chart(
        id="attrition",
        section="attrition",
        position=1,
        title="From everyone to those who can answer",
        caption="People left after each step, of all people in the extract. Each step is a part of the one before.",
        table="attrition",
        question="",
        follows=(),
        sorts={"value": (("step_order", "asc"),)},
        traces=_traces(),
        columns=(
            TableColumn("Number", "count", ("step_order",)),
            STEP,
            TableColumn("People left", "count", ("n_people",)),
            TableColumn("Left out at this step", "count", ("n_left_out",)),
        ),
        alt=Alt("n_people", "count", (STEP,)),
        categories=(Categories("yaxis", "name:step", ("step",)),),
        height=90,
        row_height=46,
        layout=layout_of_counts("People"),
    )


def _traces() -> tuple[Trace, ...]:
    hover = "<b>%{customdata[0]}</b><br>%{customdata[1]} people"
    cells = [["name:step", "step"], ["count", "n_people"]]
    return draw_counts({"name": "step", "col": "step"}, "n_people", cells, hover)
