"""People in lots with about so many rows, in the order of their numbers: what is worked on at a time fits in memory.

What is said of a person depends on nobody else, so lots after each other are everybody at once.
"""

from itertools import pairwise

import polars as pl


def share_out(rows: pl.LazyFrame, at_a_time: int) -> list[pl.Expr]:
    """Which people (`person_index`) each lot has, if all have about as many `rows`; at least one lot."""
    n_rows, last = rows.select(pl.len(), pl.col("person_index").max()).collect().row(0)
    n_lots = max(1, -(-n_rows // at_a_time))
    if n_lots == 1:
        return [pl.lit(value=True)]
    bounds = [number * (last + 1) // n_lots for number in range(n_lots + 1)]
    return [pl.col("person_index").is_between(low, high, closed="left") for low, high in pairwise(bounds)]
