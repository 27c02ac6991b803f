"""Which counts of a network may not be shown, because a hospital's own report beside it would tell what that one hides.

A reader of both subtracts. So a count of the network is withheld where all but one of the hospitals show theirs, where
what several hide together leaves too little room for each, and where a hospital that takes its own number away finds a
few people of the others. To the release a count that is withheld is a hidden one, and is protected as those are; what
hospitals show of it, and that each that hides its own has somebody, is known of it.
"""

from collections.abc import Sequence

import polars as pl

from transforms.suppression import is_protected, is_small

COUNT = ["place", "node"]


def find_withheld(parties: Sequence[pl.DataFrame], min_cell: int) -> pl.DataFrame:
    """place, node, is_withheld (by the network) and least (as hospitals show it, and one for each that hides its own).

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
        least=pl.when(is_hidden).then(1).otherwise(n).sum().cast(pl.Int64),
        is_few_left=pl.col("is_few_left").any(),
    )
    is_bare = (pl.col("n_hidden") > 0) & ~is_protected(pl.col("n_hidden"), pl.col("room"), min_cell)
    told = added.with_columns(is_withheld=is_bare | pl.col("is_few_left"))
    return (
        told.filter(pl.col("is_withheld") | (pl.col("n_hidden") > 0)).select(*COUNT, "is_withheld", "least").sort(COUNT)
    )
