"""What a reader knows of counts of tests and of gaps beyond one cohort: cohorts lie in cohorts, months add up.

`hiding.py` looks at the months of one cohort; here whatever follows from other cohorts is closed. Two cohorts of the
same people may differ by a few tests, which would be those of a few of them.
"""

from collections.abc import Sequence

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.relations import Relations, apart_pairs, close_counts, order_pairs, weigh

_PLACE = ["cohort", "interval_unit", "interval_start"]
_ALL = "all"


def close_tests(rows: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """`rows` of testing, in their order, with more of hide_n_tests and hide_n_gaps true."""
    parts = [
        rows.select(
            *_PLACE,
            node=pl.lit(name),
            n=pl.col(name).cast(pl.Int64),
            is_shown=~pl.col(f"hide_{name}"),
            least=pl.min_horizontal(name, known).cast(pl.Int64),
        )
        for name, known in _known(rows.columns).items()
    ]
    cells = pl.concat(parts).sort(*_PLACE, "node").with_row_index("cell").cast({"cell": pl.Int64})
    cells = cells.with_columns(interval=pl.col("interval_start").cast(pl.String).fill_null(_ALL))
    is_whole = pl.col("interval") == _ALL
    wholes = cells.filter(is_whole).select("cohort", "node", whole="cell")
    months = cells.filter(~is_whole).select("cohort", "node", part="cell").join(wholes, on=["cohort", "node"])
    sums = months.select("part", "whole", family=pl.lit(0, pl.Int64))
    relations = Relations(
        inside=pl.concat([order_pairs(cells, order, ["interval"]), _gaps_in_tests(cells)]),
        covers=sums.select("part", "whole").clear(),
        adds=apart_pairs(cells, order, ["interval"]),
        sums=sums,
    )
    weighed = cells.with_columns(weigh(cells, order, is_whole, min_cell))
    shown = cells.with_columns(hide=~close_counts(weighed, relations, min_cell, together=False)["is_shown"])
    for name in ("n_tests", "n_gaps"):
        found = shown.filter(pl.col("node") == name).select(*_PLACE, _hide="hide")
        rows = rows.join(found, on=_PLACE, how="left", nulls_equal=True, maintain_order="left")
        rows = rows.with_columns(pl.col("_hide").alias(f"hide_{name}")).drop("_hide")
    return rows


def _known(columns: Sequence[str]) -> dict[str, pl.Expr]:
    """What a hidden count is at least: one for each person who is known to be tested, and what was shown of it last."""
    tested = pl.when(~pl.col("hide_n_tested")).then("n_tested").fill_null(1)
    least = {"n_tests": tested, "n_gaps": pl.lit(0, pl.Int64)}
    last = {name: [pl.col(f"last_{name}")] if f"last_{name}" in columns else [] for name in least}
    return {name: pl.max_horizontal(bound, *last[name]) for name, bound in least.items()}


def _gaps_in_tests(cells: pl.DataFrame) -> pl.DataFrame:
    """Every gap ends at a test of its own."""
    gaps, tests = (cells.filter(pl.col("node") == name) for name in ("n_gaps", "n_tests"))
    same = ["cohort", "interval"]
    return gaps.select(*same, part="cell").join(tests.select(*same, whole="cell"), on=same).select("part", "whole")
