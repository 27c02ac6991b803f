"""Which people left at a step of the attrition must be hidden: a column `hide_n_people`.

In the cohort every step is a count of `nested.py`. Before it (in the extract, observed, some of what the cohort asks
for) a step is shown when it is nobody or no other number of people observed, shown or hidden, is so near that the
difference would be a small count. Where those people are a cohort of their own, the step goes with its count.
"""

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.hiding_beside import Beside
from transforms.nested import INTERVAL, step_node
from transforms.nested_pairs import OBSERVED
from transforms.suppression import is_held

_WHOLE = "all"


def hide_attrition(attrition: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """`people` is what `shown_people` gave. A step that is not the count of the same name is hidden."""
    named = attrition.with_row_index("_row").with_columns(
        node=step_node(), interval_unit=pl.lit(_WHOLE), interval_start=pl.lit(None, pl.Date)
    )
    found = people.select(*INTERVAL, "node", n_shown="n_shown")
    known = named.join(found, on=[*INTERVAL, "node"], how="left", nulls_equal=True, maintain_order="left")
    before = known.filter(pl.col("node").is_null())
    told = _show_before(before, people, order, min_cell)
    rows = known.join(told, on="_row", how="left", maintain_order="left")
    is_shown = pl.when(pl.col("node").is_null()).then("is_told").otherwise(pl.col("n_shown") == pl.col("n_people"))
    is_nobody = pl.col("n_people") == 0  # a cohort without episodes has no other count of them
    hide = ~(is_shown.fill_null(value=False) | is_nobody) | is_held(attrition.columns)
    return rows.with_columns(hide_n_people=hide).select(*attrition.columns, "hide_n_people")


def _show_before(before: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """_row, is_told: the whole extract first, then what comes before membership of a cohort; each number once."""
    observed = people.filter(pl.col("interval_unit") == _WHOLE, pl.col("node") == OBSERVED)
    shown = observed["n_shown"].drop_nulls().unique().sort()
    hidden = observed.filter(pl.col("n_shown").is_null())["n_people"].unique().sort()
    beside = Beside(min_cell, shown.to_list(), hidden.to_list())
    is_part = pl.col("step_id") == "part"
    sizes = dict(observed.select("cohort", "n_shown").iter_rows())
    others = {(cohort, n_parts): other for cohort, n_parts, other in order.entries}
    told: dict[tuple[object, ...], bool] = {}
    flags = []
    before = before.with_columns(n_parts=is_part.cum_sum().over("cohort", order_by="step_order"))
    for row in before.sort(is_part, -pl.col("step_order"), "cohort").rows(named=True):
        what = (row["step_id"], row["cohort"] if row["step_id"] == "part" else "", row["step_order"])
        is_everybody = row["step_id"] == "observed"
        other = order.everybody if is_everybody else others.get((row["cohort"], row["n_parts"]))
        if other in sizes:
            told[what] = sizes[other] == row["n_people"]
        elif what not in told:
            told[what] = row["n_people"] == 0 or beside.lets(row["n_people"])
        flags.append((row["_row"], told[what]))
    return pl.DataFrame(flags, schema={"_row": pl.UInt32, "is_told": pl.Boolean}, orient="row")
