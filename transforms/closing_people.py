"""What a reader knows of counts of people beyond each place: months cover the whole, cohorts lie in cohorts.

`nested.py` looks at counts of one cohort side by side; here whatever follows from all of them together is closed.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.relations import Laid, Relations, apart_pairs, close_laid, lay_counts, order_pairs, weigh
from transforms.suppression import least_of

_PLACE = ["cohort", "interval"]
_ALL = "all"
Pairs = Iterable[tuple[str, str]]


def relate_people(
    people: pl.DataFrame,
    *,
    pairs: Pairs,
    pairs_of_whole: Pairs,
    cuts: Sequence[str],
    order: CohortOrder,
    min_cell: int,
) -> Laid:
    """What is known of `people` (cohort, interval_unit, interval_start, node, n_people) whatever is shown of them.

    `pairs` are (part, whole) of nodes in every interval, `pairs_of_whole` in the whole extract alone; of `cuts` each
    two are nested in the order of their counts.
    """
    cells = _cells(people)
    whole = cells.filter(pl.col("interval") == _ALL)
    inside = [
        _nested(cells, [*pairs, *_chain(cells, cuts)]),
        _nested(whole, pairs_of_whole),
        order_pairs(cells, order, ["interval"]),
        _months(cells).select("part", "whole"),
    ]
    apart = apart_pairs(cells, order, ["interval"])
    months = _months(cells).filter(~pl.col("node").str.starts_with("episode")).select("part", "whole")
    relations = Relations(inside=pl.concat(inside), covers=months, adds=apart, sums=apart.clear())
    return lay_counts(cells.select("cell", n="n_people"), relations, min_cell)


def close_people(people: pl.DataFrame, known: Laid, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """`people` (those of `relate_people`, with n_shown and last) with fewer shown; least and most.

    A count that is hidden is taken to be known to be at least what was shown of it `last`, as nights add people.
    """
    cells = _cells(people)
    counts = cells.select(
        "cell",
        "cohort",
        "interval",
        n="n_people",
        is_shown=pl.col("n_shown").is_not_null(),
        least=least_of("n_people", "last"),
    )
    weighed = counts.with_columns(weigh(counts, order, pl.col("interval") == _ALL, min_cell))
    closed = close_laid(weighed, known, min_cell, together=False)
    shown = pl.when(closed["is_shown"]).then("n_shown")
    bounds = closed.select(least="lower", most="upper")
    named = cells.drop("cell", "interval", "least", "most", strict=False)
    return named.with_columns(shown.alias("n_shown")).hstack(bounds)


def _cells(people: pl.DataFrame) -> pl.DataFrame:
    """In one order, numbered, with `interval`, the start or all."""
    named = people.sort("cohort", "interval_unit", "interval_start", "node").with_row_index("cell")
    return named.with_columns(
        interval=pl.coalesce(pl.col("interval_start").cast(pl.String), pl.lit(_ALL)),
        cell=pl.col("cell").cast(pl.Int64),
    )


def _nested(cells: pl.DataFrame, pairs: Pairs) -> pl.DataFrame:
    """Cells of one cohort and interval of which one lies in the other."""
    named = pl.DataFrame(list(pairs), schema={"node": pl.String, "other": pl.String}, orient="row").unique()
    wholes = cells.select(*_PLACE, other="node", whole="cell")
    parts = cells.select(*_PLACE, "node", part="cell").join(named, on="node")
    return parts.join(wholes, on=[*_PLACE, "other"]).select("part", "whole")


def _months(cells: pl.DataFrame) -> pl.DataFrame:
    is_whole = pl.col("interval") == _ALL
    wholes = cells.filter(is_whole).select("cohort", "node", whole="cell")
    months = cells.filter(~is_whole).select("cohort", "node", part="cell")
    return months.join(wholes, on=["cohort", "node"]).select("part", "whole", "node")


def _chain(cells: pl.DataFrame, cuts: Sequence[str]) -> list[tuple[str, str]]:
    """Each cut and the next larger; two that never differ lie in each other."""
    held = cells.filter(pl.col("node").is_in(list(cuts)), pl.col("interval") == _ALL)
    sizes = held.group_by("node").agg(n=pl.col("n_people").sum()).sort("n", "node").rows()
    steps = [(part, whole) for (part, _), (whole, _) in pairwise(sizes)]
    return steps + [(whole, part) for (part, one), (whole, other) in pairwise(sizes) if one == other]
