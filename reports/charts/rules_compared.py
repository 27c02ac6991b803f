"""What each episode rule makes of the same counts, and why they differ."""

from reports.charts.horizontal import draw_counts, layout_of_counts
from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

LINE = TableColumn("Rule", "text", ("rule_line",))


def chart() -> Chart:
    """One bar a rule and limit: episodes."""
    return Chart(
        id="rules-compared",
        section="duration",
        position=8,
        title="The same counts under other rules",
        caption="Episodes of everybody in the extract that each rule calls confirmed, at each of its limits. Mean "
        "length: as the rule itself ends an episode; one that it never ended counts to its last low value.",
        note="How often and for how long people are neutropenic depends on the rule as much as on the people. Every "
        "number elsewhere in this report is of the rule that it names.",
        table="rule",
        question="duration",
        follows=(),
        sorts={"value": (("limit_cells_per_ul", "desc"), ("rule_line", "asc"))},
        traces=_traces(),
        columns=(
            LINE,
            TableColumn("People", "count", ("n_people",)),
            TableColumn("Episodes", "count", ("n_episodes",)),
            TableColumn("Mean length, days", "days", ("mean_days",)),
            TableColumn("What is different", "name:differs", ("compared_rule",)),
        ),
        alt=Alt("n_episodes", "count", (LINE,)),
        categories=(Categories("yaxis", "text", ("rule_line",)),),
        height=110,
        row_height=28,
        layout=layout_of_counts("Episodes"),
    )


def _traces() -> tuple[Trace, ...]:
    hover = (
        "<b>%{customdata[0]}</b><br>%{customdata[1]} episodes of %{customdata[2]} people<br>mean length "
        "%{customdata[3]} days"
    )
    cells = [["text", "rule_line"], ["count", "n_episodes"], ["count", "n_people"], ["days", "mean_days"]]
    return draw_counts({"cell": ["text", "rule_line"]}, "n_episodes", cells, hover)
