"""Which counts may not be renewed tonight: they have moved by a few people since a report showed them.

Whoever keeps every report subtracts tonight's numbers from earlier ones. So a count that differs by 1 to 10 from any
that was shown of it is held back, and of two counts that lie in each other one is, where their difference has moved
so. To the rest of the release a count held back is a hidden one, and is protected as those are: what is shown tonight
does not tell it. `held_rows.py` then shows the row as the last report did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.suppression import is_small

INTERVAL = ["cohort", "interval_unit", "interval_start"]
_COUNT = ["place", "node"]
_KIND = pl.col("place").str.extract(r"^([^|]*)")  # the table whose counts they are
_STANDS = 2**62  # the last version of a count has not been replaced


def no_counts() -> pl.DataFrame:
    """`Earlier.counts` before the first report."""
    return pl.DataFrame(schema={"place": pl.String, "node": pl.String, "epoch": pl.Int64, "n": pl.Int64})


@dataclass(frozen=True)
class Earlier:
    """What reports have shown until now, and what those show who report beside them.

    `tables` are the released tables of the last report of the channel. `counts` has each count that a report of any
    channel renewed: place (a table and its key), node (which count), epoch (rising from report to report) and n.
    `withheld` has the counts that reports of single hospitals beside that of their network would tell, or narrow
    (`parties.py`).
    """

    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    counts: pl.DataFrame = field(default_factory=no_counts)
    withheld: pl.DataFrame | None = None

    @property
    def next_epoch(self) -> int:
        """The epoch of counts that are renewed tonight."""
        last = self.counts["epoch"].max()
        return int(last) + 1 if isinstance(last, int) else 0

    @cached_property
    def versions(self) -> pl.DataFrame:
        """`counts` with the last epoch `until` which reports showed each; years of nights are sorted once."""
        ordered = self.counts.sort(*_COUNT, "epoch", "n")
        is_last = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(-1)) for name in _COUNT)
        until = pl.when(is_last).then(_STANDS).otherwise(pl.col("epoch").shift(-1) - 1)
        return ordered.with_columns(until=until, kind=_KIND)

    @cached_property
    def standing(self) -> pl.DataFrame:
        """place, node and n of every count as it was shown last."""
        return self.versions.filter(pl.col("until") == _STANDS).select(*_COUNT, "n")

    @cached_property
    def _kinds(self) -> Mapping[str, pl.DataFrame]:
        parts = self.versions.partition_by("kind", include_key=False, as_dict=True)
        return {str(kind): part for (kind,), part in parts.items()}

    def versions_of(self, places: pl.Series) -> pl.DataFrame:
        """The `versions` of counts in the tables of these places."""
        kinds = places.to_frame("place").select(_KIND).to_series().unique().sort()
        found = [self._kinds[kind] for kind in kinds if kind in self._kinds]
        return pl.concat(found) if found else self.versions.drop("kind").clear()


NO_REPORTS = Earlier()


def find_held(cells: pl.DataFrame, nested: pl.DataFrame, earlier: Earlier, min_cell: int) -> pl.DataFrame:
    """place, node, last (as last shown) and is_held (must not be renewed) of `cells` that were shown before.

    `cells` have place, node, n and rank, unique by place and node.
    `nested` has `place`, `node`, `other_place` and `other_node` of counts of which one lies in the other; of two that
    together tell of a few people the one of higher rank is held. Nobody at all (0) is never held.
    """
    if cells.is_empty() or earlier.counts.is_empty():
        return cells.select(*_COUNT, last="n", is_held=pl.lit(value=False)).clear()
    numbered = cells.sort(pl.col("n") > 0, "rank", *_COUNT).with_row_index("cell")  # of two the later gives way
    known = earlier.versions_of(cells["place"]).join(numbered, on=_COUNT, suffix="_now")
    known = known.select("cell", *_COUNT, "epoch", "until", then="n", n="n_now")
    alone = known.filter(is_small((pl.col("n") - pl.col("then")).abs(), min_cell)).select("cell").unique()
    free = known.join(alone, on="cell", how="anti")
    loses = _lose_of_pairs(_pairs(free, nested), free, min_cell)
    held = pl.concat([alone, loses.select("cell")]).unique()
    last = known.filter(pl.col("until") == _STANDS)
    told = last.join(held.with_columns(is_held=pl.lit(value=True)), on="cell", how="left")
    return told.select(*_COUNT, last="then", is_held=pl.col("is_held").fill_null(value=False)).sort(_COUNT)


def renew_counts(shown: pl.DataFrame, earlier: Earlier) -> pl.DataFrame:
    """Rows to add to `Earlier.counts`: place, node, epoch and n of the counts `shown` tonight that have moved."""
    moved = shown.select(*_COUNT, "n").unique().join(earlier.standing, on=[*_COUNT, "n"], how="anti")
    return moved.select(*_COUNT, epoch=pl.lit(earlier.next_epoch, pl.Int64), n="n").sort(_COUNT)


def last_counts(earlier: Earlier) -> pl.DataFrame:
    """place, node and last of every count that a report has shown."""
    return earlier.standing.rename({"n": "last"})


def gone_counts(cells: pl.DataFrame, earlier: Earlier) -> pl.DataFrame:
    """place, node and last of counts that were shown in a place of tonight's `cells` and are not made any more."""
    here = last_counts(earlier).join(cells.select("place").unique(), on="place", how="semi")
    return here.join(cells.select(_COUNT), on=_COUNT, how="anti")


def find_replacing(
    cells: pl.DataFrame, gone: pl.DataFrame, related: Mapping[str, frozenset[str]], earlier: Earlier, min_cell: int
) -> pl.DataFrame:
    """As `find_held`, of counts that no report has shown: those a few people from one that is `gone` and lies in them,
    or they in it. So a threshold that takes the place of another does not tell who is between the two.
    """
    named = [(node, other) for node in gone["node"].unique().sort() for other in sorted(related.get(node, ()))]
    beside = pl.DataFrame(named, schema={"gone": pl.String, "node": pl.String}, orient="row")
    pairs = gone.rename({"node": "gone"}).join(beside, on="gone").join(cells, on=_COUNT)
    new = pairs.join(earlier.counts, on=_COUNT, how="anti")
    near = new.filter(is_small((pl.col("n") - pl.col("last")).abs(), min_cell), pl.col("n") > 0)
    held = near.select(_COUNT).unique().sort(_COUNT)
    return held.select(*_COUNT, last=pl.lit(None, pl.Int64), is_held=pl.lit(value=True))


def nested_people(people: pl.DataFrame, related: Mapping[str, frozenset[str]], order: CohortOrder) -> pl.DataFrame:
    """Pairs for `find_held` of counts of people: nodes of a place that are related, and a cohort in one that holds it.

    `people` has INTERVAL, place and node.
    """
    named = [(node, other) for node, others in sorted(related.items()) for other in sorted(others) if node < other]
    schema = {"node": pl.String, "other_node": pl.String}
    beside = people.join(pl.DataFrame(named, schema=schema, orient="row"), on="node")
    beside = beside.select(*_COUNT, other_place="place", other_node="other_node")
    inside = pl.DataFrame(list(order.inside), schema={"cohort": pl.String, "other": pl.String}, orient="row")
    whole = people.select(*INTERVAL[1:], "node", other="cohort", other_place="place")
    across = people.join(inside, on="cohort").join(whole, on=[*INTERVAL[1:], "node", "other"], nulls_equal=True)
    return pl.concat([beside, across.select(*_COUNT, "other_place", other_node="node")])


def nested_columns(cells: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Pairs for `find_held` of the counts of one row."""
    named = pl.DataFrame(
        list(combinations(columns, 2)), schema={"node": pl.String, "other_node": pl.String}, orient="row"
    )
    return cells.join(named, on="node").select(*_COUNT, other_place="place", other_node="other_node")


def _pairs(free: pl.DataFrame, nested: pl.DataFrame) -> pl.DataFrame:
    """Cells `one` and `other` of pairs of which both were shown and at least one has moved."""
    last = free.filter(pl.col("until") == _STANDS).select("cell", *_COUNT, is_moved=pl.col("n") != pl.col("then"))
    moved = last.filter("is_moved")
    other = {"place": "other_place", "node": "other_node", "cell": "other", "is_moved": "other_moved"}
    places = moved.select("place").unique()
    near = pl.concat(
        [
            nested.join(places, on="place", how="semi"),
            nested.join(places, left_on="other_place", right_on="place", how="semi"),
        ]
    ).unique()
    both = near.join(last, on=_COUNT).join(last.rename(other), on=["other_place", "other_node"])
    return both.filter(pl.col("is_moved") | pl.col("other_moved")).select(one="cell", other="other")


def _lose_of_pairs(pairs: pl.DataFrame, free: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Cells that give way in pairs whose difference has moved by a few since both were shown."""
    facts = free.select("cell", "epoch", "until", "then", "n")
    stands = facts.filter(pl.col("until") == _STANDS)
    # One of both is as it was shown last: all versions of one with all of the other would be a square of the nights.
    both = pl.concat([_versions_of_pairs(pairs, stands, facts), _versions_of_pairs(pairs, facts, stands)])
    met = (pl.col("epoch") <= pl.col("until_one")) & (pl.col("epoch_one") <= pl.col("until"))
    step = (pl.col("n_one") - pl.col("n")) - (pl.col("then_one") - pl.col("then"))
    found = both.filter(met & is_small(step.abs(), min_cell))
    edges = found.select(keep=pl.min_horizontal("one", "other"), cell=pl.max_horizontal("one", "other")).unique()
    lost = edges.select("cell").clear()
    while edges.height:
        losing = edges.join(edges.select(keep="cell"), on="keep", how="anti").select("cell").unique()
        lost = pl.concat([lost, losing])
        edges = edges.join(losing, on="cell", how="anti").join(losing.rename({"cell": "keep"}), on="keep", how="anti")
    return lost


def _versions_of_pairs(pairs: pl.DataFrame, ones: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    one = ones.rename({name: f"{name}_one" for name in ones.columns if name != "cell"})
    return pairs.join(one, left_on="one", right_on="cell").join(others.rename({"cell": "other"}), on="other")
