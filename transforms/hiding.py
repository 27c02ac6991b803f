"""Which values of the tables of people must be hidden: columns `hide_VALUE` beside each table.

Counts of people follow `nested.py`; counts of tests, which add up over months, follow the parts of their total; a
share, interval or median goes with the counts it is made of. What this does not cover stands in the caveats of
`definitions/disclosure`.
"""

from collections.abc import Mapping

import polars as pl

from transforms.closing_tests import close_tests
from transforms.cohort_order import CohortOrder
from transforms.frames import settle
from transforms.nested import (
    INTERVAL,
    aged_node,
    bin_node,
    is_for_all,
    level_node,
    low_node,
    possible_node,
    scope_node,
    weighted_node,
)
from transforms.nested_pairs import OBSERVED, TESTED
from transforms.suppression import hide_sums, is_held, is_small, is_small_total

ALL = "all"
_CELL = [*INTERVAL, "measure", "rule", "threshold_cells_per_ul", "denominator_name"]
_BOUNDS = ("n_upper", "n_lower", "hide_upper", "hide_lower")
_WEIGHTED_NODES = {"n_low": "low", "n_low_possible": "possible", "n_population": "population"}


def hide_prevalence(prevalence: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Counts by their nodes; share, interval and method when either count is hidden, or nearly nobody is there."""
    is_crude = pl.col("standard") == "crude"
    weighted = prevalence.filter("is_weighted")
    rows = _hide_unweighted(prevalence.filter(~pl.col("is_weighted"), is_crude), people, min_cell)
    hidden = _hide_weighted(weighted, rows, people, min_cell)
    standardised = _hide_standardised(prevalence.filter(~is_crude), rows, people)
    return pl.concat([rows, *(part.select(rows.columns) for part in (hidden, standardised))])


def _hide_unweighted(prevalence: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    rows = with_hidden(prevalence, people, {"n_low": low_node(), "n_low_possible": possible_node()})
    rows = with_hidden(rows, people, {"n_population": pl.col("denominator_name")})
    is_near = pl.col("n_low_possible") - pl.col("n_low") < min_cell  # it would stand in for a hidden n_low
    rows = rows.with_columns(hide_n_low_possible=pl.col("hide_n_low_possible") | (pl.col("hide_n_low") & is_near))
    hide = pl.col("hide_n_low") | pl.col("hide_n_population")
    made = {f"hide_{name}": hide for name in _made_of_share()}
    return rows.with_columns(**made, hide_status=pl.lit(value=False))


def _hide_weighted(
    weighted: pl.DataFrame, unweighted: pl.DataFrame, people: pl.DataFrame, min_cell: int
) -> pl.DataFrame:
    """A weighted share goes with the share of people of its cell, and is hidden when few with a weight are low or not.

    Its counts are hidden as well where few people of the cell have no weight, and then it goes with them: where weights
    are alike it is one count divided by the other, and tells which. Nobody low is 0 % of however many.
    """
    nodes = {name: weighted_node(kind) for name, kind in _WEIGHTED_NODES.items()}
    rows = with_hidden(weighted, people, nodes)
    of_cell = unweighted.select(*_CELL, is_hidden="hide_prevalence")
    rows = rows.join(of_cell, on=_CELL, how="left", nulls_equal=True, maintain_order="left")
    rest = pl.col("n_population") - pl.col("n_low")
    is_few = is_small(pl.col("n_low"), min_cell) | is_small(rest, min_cell) | is_small(pl.col("n_population"), min_cell)
    is_quotient = pl.col("hide_n_low") | (pl.col("hide_n_population") & (pl.col("n_low") > 0))
    share = pl.col("is_hidden").fill_null(value=True) | is_few
    interval = share | is_quotient | pl.col("hide_n_population")
    low = share | pl.col("hide_n_low")
    is_near = pl.col("n_low_possible") - pl.col("n_low") < min_cell
    return rows.with_columns(
        hide_prevalence=share | is_quotient,
        **{f"hide_{name}": interval for name in _made_of_share() if name != "prevalence"},
        hide_n_low=low,
        hide_n_low_possible=share | pl.col("hide_n_low_possible") | (low & is_near),
        hide_status=pl.lit(value=False),
    ).drop("is_hidden")


def _hide_standardised(standardised: pl.DataFrame, crude: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """A standardised share is of the people of known age and sex, and goes with the share of its cell as counted.

    Whether they were enough to standardise goes with the number low: it says on which side of a limit that lies.
    """
    rows = with_hidden(standardised, people, {"n_low": aged_node("low"), "n_population": aged_node("population")})
    of_cell = crude.select(*_CELL, is_hidden="hide_prevalence")
    rows = rows.join(of_cell, on=_CELL, how="left", nulls_equal=True, maintain_order="left")
    hide = pl.col("is_hidden").fill_null(value=True) | pl.col("hide_n_low") | pl.col("hide_n_population")
    made = {f"hide_{name}": hide for name in (*_made_of_share(), "n_low_possible")}
    return rows.with_columns(**made, hide_status="hide_n_low").drop("is_hidden")


def _made_of_share() -> tuple[str, ...]:
    return ("prevalence", "prevalence_lo", "prevalence_hi", "method", "degrees_of_freedom", "reliability")


def hide_severity(severity: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """A level is the difference of two nested counts: shown when both are; its share when all of its people are too.

    A level of the people that a scale is meant for is hidden as well when that of the others may not be known, because
    everybody less the one is the other; so is the number of the others itself.
    """
    all_rows = severity.filter(is_for_all())
    hidden = _hide_levels(all_rows, people, level_node(), pl.lit(TESTED))
    scoped = severity.filter(~is_for_all())
    is_other = pl.col("severity_order") < 0
    for kind in ("scope", "out"):
        whole = pl.format(f"{kind}|{{}}|all", "applied_to")
        rows = _hide_levels(scoped, people, scope_node(kind), whole)
        is_hidden = pl.when(is_other).then("hide_share").otherwise("hide_n_people")
        scoped = scoped.with_columns(
            rows.select(is_hidden.alias(f"_n_{kind}")).to_series(), rows["hide_share"].alias(f"_share_{kind}")
        )
    scoped = with_hidden(scoped, people, {"tested": pl.lit(TESTED)}).with_columns(
        hide_n_people=pl.col("_n_scope") | pl.col("_n_out") | (is_other & pl.col("hide_tested")),
        hide_share=pl.col("_share_scope") | pl.col("_share_out") | pl.col("_n_scope") | pl.col("_n_out"),
    )
    return pl.concat([hidden, scoped.select(hidden.columns)])


def _hide_levels(rows: pl.DataFrame, people: pl.DataFrame, node: pl.Expr, whole: pl.Expr) -> pl.DataFrame:
    """`rows`, in their order, with hide_n_people by the node of the level and of the one above it, and hide_share."""
    group = [*INTERVAL, "scale", "applied_to"]
    numbered = rows.with_row_index("_row").with_columns(_upper=node).sort([*group, "severity_order"])
    numbered = numbered.with_columns(_lower=pl.col("_upper").shift(-1).over(group))
    found = with_hidden(numbered, people, {"upper": pl.col("_upper"), "whole": whole, "lower": pl.col("_lower")})
    is_worst = pl.col("_lower").is_null()
    hide = pl.col("hide_upper") | (pl.col("hide_lower") & ~is_worst)
    return (
        found.with_columns(hide_n_people=hide, hide_share=hide | pl.col("hide_whole"))
        .sort("_row")
        .select(*rows.columns, "hide_n_people", "hide_share")
    )


def hide_scale_changes(changes: pl.DataFrame, severity: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """People of one level on two scales lie between two boundaries: shown when the counts below both are.

    The upper boundary is that with fewer people of the two levels' own, the lower that with more. Where the people
    are no difference of nested counts (limits of normal on both sides) they are hidden.
    """
    levels = _bounds_of_levels(severity, people)
    key = [*INTERVAL, "scale", "severity"]
    both = changes.join(levels.rename({name: f"_{name}" for name in _BOUNDS}), on=key, how="left", nulls_equal=True)
    from_key = {"scale": "from_scale", "severity": "from_severity"}
    begun = levels.rename({**from_key, **{name: f"_from_{name}" for name in _BOUNDS}})
    both = both.join(begun, on=[*INTERVAL, *from_key.values()], how="left", nulls_equal=True)
    is_first = {
        "upper": pl.col("_n_upper") < pl.col("_from_n_upper"),
        "lower": pl.col("_n_lower") > pl.col("_from_n_lower"),
    }
    hide = pl.lit(value=False)
    counts = []
    for side in ("upper", "lower"):
        own, other = pl.col(f"_n_{side}"), pl.col(f"_from_n_{side}")
        is_hidden = pl.when(is_first[side]).then(f"_hide_{side}").otherwise(f"_from_hide_{side}")
        hide = hide | is_hidden | ((own == other) & (pl.col(f"_hide_{side}") | pl.col(f"_from_hide_{side}")))
        counts.append(pl.when(is_first[side]).then(own).otherwise(other))
    hide = (hide | (counts[0] - counts[1] != pl.col("n_people"))).fill_null(value=True)
    rows = with_hidden(both, people, {"tested": pl.lit(TESTED)})
    return rows.with_columns(hide_n_people=hide, hide_share=hide | pl.col("hide_tested")).select(
        *changes.columns, "hide_n_people", "hide_share"
    )


def _bounds_of_levels(severity: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """INTERVAL, scale, severity, and of the counts above and below each level of everybody how many, and if hidden."""
    group = [*INTERVAL, "scale"]
    levels = severity.filter(is_for_all()).select(*group, "severity", "severity_order", "below_cells_per_ul")
    levels = levels.with_columns(upper=level_node()).sort([*group, "severity_order"])
    levels = levels.with_columns(lower=pl.col("upper").shift(-1).over(group))
    for side in ("upper", "lower"):
        found = people.select(*INTERVAL, pl.col("node").alias(side), **{f"n_{side}": "n_people"},
                              **{f"hide_{side}": pl.col("n_shown").is_null()})  # fmt: skip
        levels = levels.join(found, on=[*INTERVAL, side], how="left", nulls_equal=True)
    nothing_worse = pl.col("lower").is_null()
    return levels.with_columns(
        n_lower=pl.when(nothing_worse).then(0).otherwise("n_lower"),
        hide_lower=pl.when(nothing_worse).then(pl.lit(value=False)).otherwise("hide_lower"),
    ).select(*group, "severity", *_BOUNDS)


def hide_anc_distribution(bins: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """A bin is the difference of two nested counts: shown when both are."""
    rows = bins.with_columns(interval_unit=pl.lit(ALL), interval_start=pl.lit(None, pl.Date))
    is_first, is_last = pl.col("bin_lower_cells_per_ul") == 0, pl.col("bin_upper_cells_per_ul").is_null()
    upper = pl.when(is_last).then(pl.lit(TESTED)).otherwise(bin_node(pl.col("bin_upper_cells_per_ul")))
    rows = with_hidden(rows, people, {"upper": upper, "lower": bin_node(pl.col("bin_lower_cells_per_ul"))})
    return rows.with_columns(hide_n_people=pl.col("hide_upper") | (pl.col("hide_lower") & ~is_first))


def hide_testing(testing: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """Tests go with the tested; those of months are parts of the whole, those of cohorts of other cohorts."""
    rows = with_hidden(testing, people, {"n_observed": pl.lit(OBSERVED), "n_tested": pl.lit(TESTED)})
    extra = pl.col("n_tests") - pl.col("n_tested")
    rows = rows.with_columns(
        hide_n_tests=pl.col("hide_n_tested")
        | _is_few("n_tests", min_cell)
        | is_small(extra, min_cell)
        | is_held(rows.columns)
    )
    rows = _hide_months(rows, "n_tests", min_cell)
    rows = rows.with_columns(hide_n_gaps=pl.col("hide_n_tests") | _is_few("n_gaps", min_cell))
    rows = close_tests(_hide_months(rows, "n_gaps", min_cell), order, min_cell)
    return rows.with_columns(
        hide_tested_share=pl.col("hide_n_observed") | pl.col("hide_n_tested"),
        hide_tests_per_tested_person=pl.col("hide_n_tests") | pl.col("hide_n_tested"),
        hide_median_gap_days=pl.col("hide_n_gaps"),
    )


def with_hidden(rows: pl.DataFrame, people: pl.DataFrame, nodes: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Adds hide_NAME for the node of each name; a node that is not there hides."""
    marked = rows.lazy()
    for name, node in nodes.items():
        found = people.lazy().select(*INTERVAL, node="node", **{f"hide_{name}": pl.col("n_shown").is_null()})
        marked = (
            marked.with_columns(node=node)
            .join(found, on=[*INTERVAL, "node"], how="left", nulls_equal=True, maintain_order="left")
            .with_columns(pl.col(f"hide_{name}").fill_null(value=True))
            .drop("node")
        )
    return settle(marked)


def _is_few(value: str, min_cell: int) -> pl.Expr:
    is_whole = pl.col("interval_unit") == ALL
    n_months = (~is_whole & (pl.col(value) > 0)).sum().over("cohort")
    return is_small_total(pl.col(value), pl.when(is_whole).then(n_months).otherwise(1).cast(pl.Int64), min_cell)


def _hide_months(rows: pl.DataFrame, value: str, min_cell: int) -> pl.DataFrame:
    is_whole, key = pl.col("interval_unit") == ALL, ["interval_start"]
    return hide_sums(rows, is_total=is_whole, by=["cohort"], key=key, value=value, min_cell=min_cell)
