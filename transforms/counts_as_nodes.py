"""Counts that stand in columns of a table as the named cells that `relations.close_nodes` closes, and back again."""

import polars as pl

from transforms.frames import settle
from transforms.suppression import least_of


def as_nodes(rows: pl.DataFrame, value: str, node: pl.Expr, *, least: int = 0) -> pl.DataFrame:
    """cohort, node, n, is_shown, least, is_decided of the count `value`, none of them decided before.

    A reader takes a hidden one for at least as many as were shown of it last, else for `least`.
    """
    last, known = f"last_{value}", pl.lit(least, pl.Int64)
    return rows.select(
        "cohort",
        node=node,
        n=pl.col(value).cast(pl.Int64),
        is_shown=~pl.col(f"hide_{value}"),
        least=least_of(value, last, known) if last in rows.columns else pl.min_horizontal(known, value),
        is_decided=pl.lit(value=False),
    )


def hide_unshown(rows: pl.DataFrame, value: str, node: pl.Expr, closed: pl.DataFrame) -> pl.DataFrame:
    """`rows` with hide_VALUE true as well where `closed` (cohort, node, is_shown) does not show it, or has no cell."""
    shown = closed.lazy().select("cohort", "node", _stays="is_shown")
    joined = rows.lazy().with_columns(node=node).join(shown, on=["cohort", "node"], how="left", maintain_order="left")
    hide = pl.col(f"hide_{value}") | ~pl.col("_stays").fill_null(value=False)
    return settle(joined.with_columns(hide.alias(f"hide_{value}")).drop("node", "_stays"))
