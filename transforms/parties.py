"""Which counts of a network may not be shown, because a hospital's own report beside it would tell what that one hides.

A reader of both subtracts. So a count of the network is withheld where all but one of the hospitals show theirs, where
what several hide together leaves too little room for each, and where a hospital that takes its own number away finds a
few people of the others. To the release a count that is withheld is a hidden one, and is protected as those are.
"""

from collections.abc import Sequence

import polars as pl

from transforms.suppression import is_protected, is_small

COUNT = ["place", "node"]


def find_withheld(parties: Sequence[pl.DataFrame], min_cell: int) -> pl.DataFrame:
    """place and node of what the network withholds.

    Each of `parties` has place, node, n and is_shown of every count of one hospital (`release.show_counts`); a count
    that it lacks is nobody there.
    """
    every = pl.concat(parties)
    n, is_hidden = pl.col("n"), ~pl.col("is_shown") & (pl.col("n") > 0)
    total = n.sum().over(COUNT)
    known = every.with_columns(is_few_left=is_small(total - n, min_cell))
    added = known.group_by(COUNT).agg(
        n_hidden=is_hidden.sum().cast(pl.Int64),
        room=(n - 1).filter(is_hidden).sum(),
        is_few_left=pl.col("is_few_left").any(),
    )
    is_bare = (pl.col("n_hidden") > 0) & ~is_protected(pl.col("n_hidden"), pl.col("room"), min_cell)
    return added.filter(is_bare | pl.col("is_few_left")).select(COUNT).sort(COUNT)
