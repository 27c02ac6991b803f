"""Relations of counts that a reader knows, as sums for `closing.py`: parts in wholes, parts that add up or cover.

A sum that the counts contradict is nobody's knowledge and left out. What a whole has beyond its parts is a count too,
though no table has it: where it is small, it must not follow either.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.closing import close_sums
from transforms.cohort_order import CohortOrder
from transforms.frames import settle
from transforms.rooms import Cells, Rooms, Sums, Whole, lay_out
from transforms.suppression import is_small

_STILL, _A_WHOLE, _A_COHORT = 2**31, 2**32, 2**33  # more than any number of people or episodes
_DECIDED = 2**39  # above every weight of `weigh`


@dataclass(frozen=True)
class Relations:
    """Frames of cells `part` and `whole`. `inside`: each part lies in its whole. `covers`: parts cover their whole.

    With `family`: `adds`, parts that have nothing in common; `sums`, parts that are all of the whole as well.
    """

    inside: pl.DataFrame
    covers: pl.DataFrame
    adds: pl.DataFrame
    sums: pl.DataFrame


@dataclass(frozen=True)
class Laid:
    """Sums of counts as `close_laid` takes them, and the rests of wholes that are counts too."""

    rooms: Rooms
    rests: Whole


def close_counts(cells: pl.DataFrame, relations: Relations, min_cell: int, *, together: bool) -> pl.DataFrame:
    """is_shown, lower and upper of `cells` (cell: 0, 1, ...; n, is_shown, least, weight), in their order.

    is_shown: whether it may stay shown. A reader knows each count to lie from `lower` to `upper`.
    """
    return close_laid(cells, lay_counts(cells, relations, min_cell), min_cell, together=together)


def lay_counts(cells: pl.DataFrame, relations: Relations, min_cell: int) -> Laid:
    """What is known of `cells` (cell: 0, 1, ...; n) whatever is shown of them."""
    counts = cells.select("cell", "n")
    nested = _pairs_of(relations.inside.unique(), counts["n"])
    added = _sums_of(relations.adds, ["whole", "family"], counts)
    whole = _sums_of(relations.sums, ["whole", "family"], counts).filter(pl.col("rest") == 0)
    covered = _sums_of(relations.covers, ["whole"], counts, least=None).filter(pl.col("rest") <= 0)
    every = pl.concat(
        [
            pl.concat([nested, added]).with_columns(sign=pl.lit(1), is_exact=is_small(pl.col("rest"), min_cell)),
            whole.with_columns(sign=pl.lit(1), is_exact=pl.lit(value=True)),
            covered.with_columns(sign=pl.lit(-1), is_exact=pl.lit(value=False)),
        ]
    )
    sums = settle(every.with_row_index("sum").cast({"sum": pl.Int64, "sign": pl.Int64}))
    few = sums.filter("is_exact", pl.col("rest") > 0).with_row_index("place", offset=cells.height)
    parts = [
        sums.lazy().select("sum", cell="top", factor="sign"),
        sums.lazy().select("sum", cell="parts", factor=-pl.col("sign")).explode("cell"),
        few.lazy().select("sum", cell=pl.col("place").cast(pl.Int64), factor=pl.lit(-1, pl.Int64)),
    ]
    entries = settle(pl.concat(parts).sort("sum", "cell"))
    laid = Sums(
        row=entries["sum"].to_numpy(),
        cell=entries["cell"].to_numpy(),
        factor=entries["factor"].to_numpy(),
        is_exact=sums["is_exact"].to_numpy(),
    )
    return Laid(Rooms(lay_out(laid, cells.height + few.height)), few["rest"].to_numpy().astype(np.int64))


def close_laid(cells: pl.DataFrame, laid: Laid, min_cell: int, *, together: bool) -> pl.DataFrame:
    """As `close_counts`, by sums that were laid before."""
    none = np.zeros_like(laid.rests)
    closed = close_sums(
        Cells(
            count=np.concatenate([cells["n"].to_numpy(), laid.rests]).astype(np.int64),
            is_shown=np.concatenate([cells["is_shown"].to_numpy(), none.astype(np.bool_)]),
            least=np.concatenate([cells["least"].to_numpy(), none]).astype(np.int64),
            weight=np.concatenate([cells["weight"].to_numpy(), none]).astype(np.int64),
        ),
        laid.rooms,
        min_cell,
        together=together,
    )
    found = {"is_shown": closed.is_shown, "lower": closed.lower, "upper": closed.upper}
    return pl.DataFrame({name: values[: cells.height] for name, values in found.items()})


@dataclass(frozen=True)
class Named:
    """Relations of every cohort by the names of nodes: (part, whole) that lie in each other or cover, and (part, whole,
    family) of parts that add up to all of the whole.
    """

    inside: Sequence[tuple[str, str]]
    covers: Sequence[tuple[str, str]]
    sums: Sequence[tuple[str, str, int]]


def close_nodes(cells: pl.DataFrame, named: Named, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """`cells` (cohort, node, n, is_shown, least, is_decided), sorted, with is_shown as it may stay.

    Of what is decided nothing is taken back: where only that could give room, all else of its cohort goes.
    """
    known = settle(cells.lazy().sort("cohort", "node").with_row_index("cell").cast({"cell": pl.Int64}))
    is_whole = pl.col("node").str.contains(r"\|all($|\|)")
    weight = weigh(known, order, is_whole, min_cell)
    weighed = known.with_columns(weight=weight + pl.col("is_decided").cast(pl.Int64) * _DECIDED)
    relations = Relations(
        inside=pl.concat([_by_name(known, named.inside), order_pairs(known, order, [])]),
        covers=_by_name(known, named.covers),
        adds=apart_pairs(known, order, []),
        sums=_by_name(known, named.sums, family=pl.Int64()),
    )
    while True:
        may_stay = close_counts(weighed, relations, min_cell, together=False)["is_shown"]
        is_taken = weighed["is_decided"] & weighed["is_shown"] & ~may_stay
        closed = known.with_columns(is_shown=may_stay | is_taken, is_taken=is_taken)
        gone = closed.with_columns(goes=pl.col("is_taken").any().over("cohort") & ~pl.col("is_decided"))
        shown = gone["is_shown"] & ~gone["goes"]
        if not (gone["goes"] & gone["is_shown"]).any():
            return known.with_columns(is_shown=shown).drop("cell")
        weighed = weighed.with_columns(is_shown=shown)


def _by_name(cells: pl.DataFrame, names: Sequence[tuple[object, ...]], **more: pl.DataType) -> pl.DataFrame:
    table = pl.DataFrame(list(names), schema={"node": pl.String(), "other": pl.String(), **more}, orient="row")
    wholes = cells.lazy().select("cohort", other="node", whole="cell")
    parts = cells.lazy().select("cohort", "node", part="cell").join(table.lazy(), on="node")
    return settle(parts.join(wholes, on=["cohort", "other"]).drop("cohort", "node", "other"))


def _pairs_of(table: pl.DataFrame, n: pl.Series) -> pl.LazyFrame:
    """As `_sums_of`, of wholes with one part each; `n` has the count of each cell."""
    rest = n.gather(table["whole"]) - n.gather(table["part"])
    kept = table.lazy().with_columns(rest=rest).filter(pl.col("rest") >= 0).sort("part", "whole")
    return kept.select("rest", parts=pl.concat_list("part"), top="whole")


def _sums_of(table: pl.DataFrame, by: Sequence[str], counts: pl.DataFrame, least: int | None = 0) -> pl.LazyFrame:
    """rest (what the whole has beyond its parts), parts and top (the whole), of sums whose rest is at least that."""
    named = table.lazy().unique().join(counts.lazy().select(part="cell", n_part="n"), on="part")
    named = named.join(counts.lazy().select(whole="cell", n_whole="n"), on="whole")
    rest = pl.col("n_whole").first() - pl.col("n_part").sum()
    top = pl.col("whole").first().alias("top")
    found = named.group_by(by).agg(top, rest=rest, parts=pl.col("part").sort())
    kept = found if least is None else found.filter(pl.col("rest") >= least)
    return kept.sort(by).select("rest", "parts", "top")


def order_pairs(cells: pl.DataFrame, order: CohortOrder, key: Sequence[str]) -> pl.DataFrame:
    """Cells of a cohort and the same of one that holds it."""
    schema = {"cohort": pl.String, "other": pl.String}
    named = pl.DataFrame(list(order.inside), schema=schema, orient="row")
    wholes = cells.lazy().select(*key, "node", other="cohort", whole="cell")
    parts = cells.lazy().select(*key, "node", "cohort", part="cell").join(named.lazy(), on="cohort")
    return settle(parts.join(wholes, on=[*key, "node", "other"]).select("part", "whole"))


def apart_pairs(cells: pl.DataFrame, order: CohortOrder, key: Sequence[str]) -> pl.DataFrame:
    """Parts and wholes by family of cohorts without people in common."""
    named = [(part, whole, family) for family, (whole, parts) in enumerate(order.apart) for part in parts]
    schema = {"cohort": pl.String, "other": pl.String, "family": pl.Int64}
    families = pl.DataFrame(named, schema=schema, orient="row")
    wholes = cells.lazy().select(*key, "node", other="cohort", whole="cell")
    parts = cells.lazy().select(*key, "node", "cohort", part="cell").join(families.lazy(), on="cohort")
    return settle(parts.join(wholes, on=[*key, "node", "other"]).select("part", "whole", "family"))


def weigh(cells: pl.DataFrame, order: CohortOrder, is_whole: pl.Expr, min_cell: int) -> pl.Series:
    """How little a count may be missed: by how many cohorts lie in its own, then wholes, then by its number (n).

    A count that has hardly grown since it was shown (`least`) comes late, because hiding it gives others no room.
    """
    is_still = (pl.col("least") > 1) & (pl.col("n") - pl.col("least") < min_cell - 2)
    held = Counter(whole for _, whole in order.inside)
    n_inside = pl.col("cohort").replace_strict(held, default=0, return_dtype=pl.Int64)
    return cells.select(
        weight=n_inside * _A_COHORT
        + is_whole.cast(pl.Int64) * _A_WHOLE
        + is_still.cast(pl.Int64) * _STILL
        + pl.col("n")
    )["weight"]
