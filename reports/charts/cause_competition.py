"""In how many episodes more than one cause may be suspected."""

from reports.charts.horizontal import draw_counts, layout_of_shares
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

SEVERAL = TableColumn("Episodes with", "name:several", ("several",))


def chart() -> Chart:
    """Two bars: the share of episodes with several suspects, and with suspects of several causes."""
    return Chart(
        id="cause-competition",
        section="causes",
        position=5,
        title="Episodes with more than one suspect",
        caption="Confirmed episodes of everybody in the extract below {threshold}, in which more than one candidate "
        "could have been named as suspected cause ({rule}). Only the first by the stated order is named elsewhere.",
        note="Drugs given together in one regimen are several suspects of one cause. A candidate outside its window, "
        "or one that is listed and never decides, is no suspect.",
        table="competition",
        question="cause_by_diagnosis",
        follows=("rule", "threshold"),
        sorts={"value": (("name:several", "asc"),)},
        traces=_traces(),
        columns=(
            SEVERAL,
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Of confirmed episodes", "percent", ("share",)),
            TableColumn("Episodes with a suspect", "count", ("n_suspected",)),
            TableColumn("Confirmed episodes", "count", ("n_confirmed",)),
        ),
        alt=Alt("share", "percent", (SEVERAL,)),
        categories=(Categories("yaxis", "name:several", ("several",)),),
        height=110,
        row_height=34,
        layout=layout_of_shares("% of confirmed episodes", rangemode="tozero"),
    )


def _traces() -> tuple[Trace, ...]:
    hover = "<b>%{customdata[0]}</b><br>%{customdata[1]} of confirmed episodes<br>%{customdata[2]} of %{customdata[3]}"
    cells = [["name:several", "several"], ["percent", "share"], ["count", "n_episodes"], ["count", "n_confirmed"]]
    return draw_counts({"name": "several", "col": "several"}, "share", cells, hover, scale=100)
