"""Which values of the tables of people must be hidden: columns `hide_VALUE` beside each table.

Counts of people follow `nested.py`; counts of tests, which add up over months, follow the parts of their total; a
share, interval or median goes with the counts it is made of. What this does not cover stands in the caveats of
`definitions/disclosure`.
"""

from collections.abc import Mapping

import polars as pl

from transforms.nested import (
    INTERVAL,
    OBSERVED,
    TESTED,
    bin_node,
    grade_node,
    low_node,
    possible_node,
    step_nodes,
    weighted_node,
)
from transforms.suppression import hide_sums, is_small, is_small_total

ALL = "all"
_CELL = [*INTERVAL, "measure", "rule", "threshold_cells_per_ul", "denominator_name"]
_WEIGHTED_NODES = {"n_low": "low", "n_low_possible": "possible", "n_population": "population"}


def hide_prevalence(prevalence: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Counts by their nodes; share, interval and method when either count is hidden, or nearly nobody is there."""
    weighted = prevalence.filter("is_weighted")
    rows = _hide_unweighted(prevalence.filter(~pl.col("is_weighted")), people, min_cell)
    return pl.concat([rows, _hide_weighted(weighted, rows, people, min_cell).select(rows.columns)])


def _hide_unweighted(prevalence: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    rows = with_hidden(prevalence, people, {"n_low": low_node(), "n_low_possible": possible_node()})
    rows = with_hidden(rows, people, {"n_population": pl.col("denominator_name")})
    is_near = pl.col("n_low_possible") - pl.col("n_low") < min_cell  # it would stand in for a hidden n_low
    rows = rows.with_columns(hide_n_low_possible=pl.col("hide_n_low_possible") | (pl.col("hide_n_low") & is_near))
    hide = pl.col("hide_n_low") | pl.col("hide_n_population")
    return rows.with_columns(hide.alias(f"hide_{name}") for name in _made_of_share())


def _hide_weighted(
    weighted: pl.DataFrame, unweighted: pl.DataFrame, people: pl.DataFrame, min_cell: int
) -> pl.DataFrame:
    """A weighted share goes with the share of people of its cell, and is hidden when few with a weight are low or not.

    Its counts are hidden as well where few people of the cell have no weight. The interval goes with the number of
    people, which may be read from it: the effective number of people is at most that.
    """
    nodes = {name: weighted_node(kind) for name, kind in _WEIGHTED_NODES.items()}
    rows = with_hidden(weighted, people, nodes)
    of_cell = unweighted.select(*_CELL, is_hidden="hide_prevalence")
    rows = rows.join(of_cell, on=_CELL, how="left", nulls_equal=True, maintain_order="left")
    rest = pl.col("n_population") - pl.col("n_low")
    is_few = is_small(pl.col("n_low"), min_cell) | is_small(rest, min_cell) | is_small(pl.col("n_population"), min_cell)
    share = pl.col("is_hidden").fill_null(value=True) | is_few
    interval = share | pl.col("hide_n_population")
    low = share | pl.col("hide_n_low")
    is_near = pl.col("n_low_possible") - pl.col("n_low") < min_cell
    return rows.with_columns(
        hide_prevalence=share,
        **{f"hide_{name}": interval for name in _made_of_share() if name != "prevalence"},
        hide_n_low=low,
        hide_n_low_possible=share | pl.col("hide_n_low_possible") | (low & is_near),
    ).drop("is_hidden")


def _made_of_share() -> tuple[str, ...]:
    return ("prevalence", "prevalence_lo", "prevalence_hi", "method", "degrees_of_freedom", "reliability")


def hide_severity(severity: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """A grade is the difference of two nested counts: shown when both are; its share when the tested are too."""
    order = pl.col("severity_order")
    upper = pl.when(order > 0).then(grade_node(order)).otherwise(pl.lit(TESTED))
    is_worst = order == order.max().over([*INTERVAL, "scale"])
    rows = with_hidden(severity, people, {"upper": upper, "tested": pl.lit(TESTED)})
    rows = with_hidden(rows, people, {"lower": grade_node(order + 1)})
    hide = pl.col("hide_upper") | (pl.col("hide_lower") & ~is_worst)
    return rows.with_columns(hide_n_people=hide, hide_share=hide | pl.col("hide_tested"))


def hide_anc_distribution(bins: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """A bin is the difference of two nested counts: shown when both are."""
    rows = bins.with_columns(interval_unit=pl.lit(ALL), interval_start=pl.lit(None, pl.Date))
    is_first, is_last = pl.col("bin_lower_cells_per_ul") == 0, pl.col("bin_upper_cells_per_ul").is_null()
    upper = pl.when(is_last).then(pl.lit(TESTED)).otherwise(bin_node(pl.col("bin_upper_cells_per_ul")))
    rows = with_hidden(rows, people, {"upper": upper, "lower": bin_node(pl.col("bin_lower_cells_per_ul"))})
    return rows.with_columns(hide_n_people=pl.col("hide_upper") | (pl.col("hide_lower") & ~is_first))


def hide_testing(testing: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Tests go with the tested; those of months add up to the whole, so they are its parts."""
    rows = with_hidden(testing, people, {"n_observed": pl.lit(OBSERVED), "n_tested": pl.lit(TESTED)})
    extra = pl.col("n_tests") - pl.col("n_tested")
    rows = rows.with_columns(
        hide_n_tests=pl.col("hide_n_tested") | _is_few("n_tests", min_cell) | is_small(extra, min_cell)
    )
    rows = _hide_months(rows, "n_tests", min_cell)
    rows = rows.with_columns(hide_n_gaps=pl.col("hide_n_tests") | _is_few("n_gaps", min_cell))
    rows = _hide_months(rows, "n_gaps", min_cell)
    return rows.with_columns(
        hide_tested_share=pl.col("hide_n_observed") | pl.col("hide_n_tested"),
        hide_tests_per_tested_person=pl.col("hide_n_tests") | pl.col("hide_n_tested"),
        hide_median_gap_days=pl.col("hide_n_gaps"),
    )


def hide_attrition(attrition: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Each step holds the next; from the last up, a step is hidden when it is small or nearly another shown count.

    Other counts are those of the largest cohort: observed, tested, and low at the highest threshold.
    """
    whole = people.filter(pl.col("interval_unit") == ALL)
    largest = whole.filter(pl.col("node") == OBSERVED).sort(["n_people", "cohort"], descending=[True, False]).head(1)
    whole = whole.join(largest.select("cohort"), on="cohort", how="semi").filter(
        pl.col("node").is_in(step_nodes(whole))
    )
    near = whole["n_shown"].drop_nulls().to_list()
    hidden: dict[int, bool] = {}
    for order, count in sorted(zip(attrition["step_order"], attrition["n_people"], strict=True), reverse=True):
        hidden[order] = any(0 < abs(count - other) < min_cell for other in [0, *near])
        near += [] if hidden[order] else [count]
    return attrition.with_columns(
        hide_n_people=pl.Series([hidden[order] for order in attrition["step_order"]], dtype=pl.Boolean)
    )


def with_hidden(rows: pl.DataFrame, people: pl.DataFrame, nodes: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Adds hide_NAME for the node of each name; a node that is not there hides."""
    for name, node in nodes.items():
        found = people.select(*INTERVAL, node="node", **{f"hide_{name}": pl.col("n_shown").is_null()})
        rows = (
            rows.with_columns(node=node)
            .join(found, on=[*INTERVAL, "node"], how="left", nulls_equal=True, maintain_order="left")
            .with_columns(pl.col(f"hide_{name}").fill_null(value=True))
            .drop("node")
        )
    return rows


def _is_few(value: str, min_cell: int) -> pl.Expr:
    is_whole = pl.col("interval_unit") == ALL
    n_months = (~is_whole & (pl.col(value) > 0)).sum().over("cohort")
    return is_small_total(pl.col(value), pl.when(is_whole).then(n_months).otherwise(1).cast(pl.Int64), min_cell)


def _hide_months(rows: pl.DataFrame, value: str, min_cell: int) -> pl.DataFrame:
    is_whole, key = pl.col("interval_unit") == ALL, ["interval_start"]
    return hide_sums(rows, is_total=is_whole, by=["cohort"], key=key, value=value, min_cell=min_cell)
