"""The median of values given as counts, for every group at once, so that it stays a function of additive counts.

With an even number it is the mean of the two middle values. Where a middle value is open (null: larger than any
known one) the median is null: not known, never the largest known value.
"""

from collections.abc import Sequence

import polars as pl


def median_of_counts(rows: pl.DataFrame, *, by: Sequence[str], value: str, count: str) -> pl.DataFrame:
    """One row per group of `by` with at least one counted value: the group and `median`.

    `value` is a number or null for open; `count` is how often it occurs.
    """
    merged = rows.group_by([*by, value]).agg(pl.col(count).sum()).filter(pl.col(count) > 0)
    ranked = merged.sort([*by, value], nulls_last=True).with_columns(
        last_rank=pl.col(count).cum_sum().over(by), total=pl.col(count).sum().over(by)
    )
    middle = {
        "lower": pl.col(value).filter(pl.col("last_rank") >= (pl.col("total") + 1) // 2).first(),
        "upper": pl.col(value).filter(pl.col("last_rank") >= pl.col("total") // 2 + 1).first(),
    }
    both = ranked.group_by(by, maintain_order=True).agg(**middle)
    return both.select(*by, median=(pl.col("lower") + pl.col("upper")) / 2)
