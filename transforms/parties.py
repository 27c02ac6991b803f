"""Which counts of a network may not be shown, because a hospital's own report beside it would tell what that one hides.

A reader of both subtracts. So a count of the network is withheld where all but one of the hospitals show theirs, where
what several hide together leaves too little room for each, and where a hospital that takes its own number away finds a
few people of the others. To the release a count that is withheld is a hidden one, and is protected as those are; what
hospitals show of it, and that each that hides its own has somebody, is known of it.
"""

from collections.abc import Sequence

import polars as pl

from transforms.suppression import is_small

COUNT = ["place", "node"]
_MANY = 2**40
_SEVERAL = 2


def find_withheld(parties: Sequence[pl.DataFrame], min_cell: int) -> pl.DataFrame:
    """place, node, is_withheld (by the network) and least (as hospitals show it, and one for each that hides its own).

    Each of `parties` has place, node, n, is_shown, least, most (null where nothing bounds it) and last of every count
    of one hospital (`release.show_counts`); a count that it lacks is nobody there. Of one hospital alone a second
    report withholds what the first one shows no longer as it is.
    """
    if len(parties) < _SEVERAL:
        return _no_longer_shown(parties)
    n, is_hidden = pl.col("n"), ~pl.col("is_shown") & (pl.col("n") > 0)
    every = pl.concat(parties).with_columns(
        least=pl.when(is_hidden).then(pl.max_horizontal("least", 1)).otherwise(n),
        most=pl.when(is_hidden).then(pl.col("most").fill_null(_MANY)).otherwise(n),
    )
    total, least, most = n.sum().over(COUNT), pl.col("least"), pl.col("most")
    highest = pl.min_horizontal(most, total - (least.sum().over(COUNT) - least))
    lowest = pl.max_horizontal(least, total - (most.sum().over(COUNT) - most))
    is_narrow = is_hidden & (highest - lowest < min_cell - 2) & (most - least >= min_cell - 2)
    known = every.with_columns(is_few_left=is_small(total - n, min_cell), is_narrow=is_narrow)
    added = known.group_by(COUNT).agg(
        n_hidden=is_hidden.sum().cast(pl.Int64),
        least=least.sum().cast(pl.Int64),
        is_narrow=pl.col("is_narrow").any(),
        is_few_left=pl.col("is_few_left").any(),
    )
    told = added.with_columns(is_withheld=pl.col("is_narrow") | pl.col("is_few_left"))
    return (
        told.filter(pl.col("is_withheld") | (pl.col("n_hidden") > 0)).select(*COUNT, "is_withheld", "least").sort(COUNT)
    )


def _no_longer_shown(parties: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """What a hospital holds, or hides, of counts that it has shown."""
    none = {"place": pl.String, "node": pl.String, "is_withheld": pl.Boolean, "least": pl.Int64}
    found = [
        each.filter(~pl.col("is_shown"), pl.col("n") > 0, pl.col("last").is_not_null())
        .select(*COUNT, is_withheld=pl.lit(value=True), least=pl.min_horizontal("last", "n").cast(pl.Int64))
        .sort(COUNT)
        for each in parties
    ]
    return pl.concat([pl.DataFrame(schema=none), *found])
