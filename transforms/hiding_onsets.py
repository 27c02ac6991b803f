"""Which rows of cumulative incidence must be hidden: columns `hide_VALUE`; a row is shown or hidden as a whole, but for
counts between two shown days that count the same, which cannot be hidden.

People with an episode, dead, still followed and no longer followed are parts of the people at the start, on every day;
what comes between two shown days is a count as well. A row is held against the people tested and those with a new
episode at any time, against the same day in a cohort that holds it, and against cohorts without people in common: where
one of them is hidden another is too.
"""

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.hiding import ALL, with_hidden
from transforms.nested import INTERVAL
from transforms.nested_pairs import OBSERVED, TESTED
from transforms.suppression import hide_sums, is_held, is_small

_CURVE = ["cohort", "rule", "threshold_cells_per_ul"]
_AT = ["rule", "threshold_cells_per_ul", "day"]
_COUNTS = ("n_people", "n_episodes", "n_died", "n_followed", "n_left")
_STEPS = ("n_episodes", "n_died", "n_left")
VALUES = ("n_people", "n_episodes", "n_died", "n_followed", "cumulative_share", "cumulative_lo", "cumulative_hi")


def hide_onsets(rows: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """`people` is what `shown_people` gave."""
    gone = pl.col("n_people") - pl.col("n_episodes") - pl.col("n_died") - pl.col("n_followed")
    known = rows.with_columns(n_left=gone, interval_unit=pl.lit(ALL), interval_start=pl.lit(None, pl.Date))
    hide = pl.any_horizontal(is_small(pl.col(name), min_cell) for name in _COUNTS) | is_held(rows.columns)
    known = known.with_columns(hide=hide | _near_people(known, people, min_cell))
    while True:
        n_hidden = known["hide"].sum()
        known = _hide_steps(_hide_beside(known, order, min_cell), min_cell)
        if known["hide"].sum() == n_hidden:
            break
    flags = {f"hide_{name}": pl.col("hide") for name in VALUES}
    flags |= {f"hide_{name}": pl.col("hide") & ~_is_between_equals(name) for name in _COUNTS if name in VALUES}
    return known.sort(*_CURVE, "day").with_columns(**flags).select(*rows.columns, *flags)


def _is_between_equals(name: str) -> pl.Expr:
    """Whether the last shown day before and the first one after count the same, which says what is between them."""
    shown = pl.when(~pl.col("hide")).then(name)
    before, after = shown.forward_fill().over(_CURVE), shown.backward_fill().over(_CURVE)
    return (before == after).fill_null(value=False)


def _near_people(rows: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.Series:
    new = pl.format("new|{}|{}", "rule", "threshold_cells_per_ul")
    nodes = {"new": new, TESTED: pl.lit(TESTED), OBSERVED: pl.lit(OBSERVED)}
    known = with_hidden(rows, people, nodes)
    for name, node in nodes.items():
        found = people.select(*INTERVAL, node="node", **{name: "n_shown"})
        known = known.with_columns(node=node).join(
            found, on=[*INTERVAL, "node"], how="left", nulls_equal=True, maintain_order="left"
        ).drop("node")  # fmt: skip
    has_episodes = pl.col("n_episodes") > 0
    near = [is_small((pl.col(name) - pl.col("n_people")).abs(), min_cell) for name in (TESTED, OBSERVED)]
    of_new = has_episodes & (pl.col("hide_new") | is_small(pl.col("new") - pl.col("n_episodes"), min_cell))
    return known.select(pl.any_horizontal(*near, of_new, f"hide_{TESTED}")).to_series()


def _hide_steps(rows: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """A day goes when a few people had an episode, died or left since the last day that is shown."""
    shown = rows.filter(~pl.col("hide")).sort(*_CURVE, "day")
    while True:
        moved = [pl.col(name) - pl.col(name).shift(1).over(_CURVE).fill_null(0) for name in _STEPS]
        few = shown.filter(pl.any_horizontal(is_small(each, min_cell) for each in moved))
        first = few.sort("day").unique(_CURVE, keep="first")
        if first.is_empty():
            break
        shown = shown.join(first.select(*_CURVE, "day"), on=[*_CURVE, "day"], how="anti", maintain_order="left")
    kept = shown.select(*_CURVE, "day", is_kept=pl.lit(value=True))
    joined = rows.join(kept, on=[*_CURVE, "day"], how="left", maintain_order="left")
    return joined.with_columns(hide=pl.col("is_kept").is_null()).drop("is_kept")


def _hide_beside(rows: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """Parts of a whole that have nobody in common, and cohorts that lie in one another."""
    for whole, parts in order.apart:
        of_family = pl.col("cohort").is_in([whole, *parts])
        family, others = rows.filter(of_family), rows.filter(~of_family)
        for name in _COUNTS:
            flagged = family.with_columns(pl.col("hide").alias(f"hide_{name}"))
            summed = hide_sums(
                flagged, is_total=pl.col("cohort") == whole, by=_AT, key=["cohort"], value=name, min_cell=min_cell
            )
            family = summed.with_columns(hide=pl.col("hide") | pl.col(f"hide_{name}")).select(rows.columns)
        rows = pl.concat([others, family])
    if not order.inside:
        return rows
    inside = pl.DataFrame(list(order.inside), schema={"cohort": pl.String, "whole": pl.String}, orient="row")
    wholes = rows.filter(~pl.col("hide")).select(*_AT, *_COUNTS, whole="cohort")
    both = rows.filter(~pl.col("hide")).join(inside, on="cohort").join(wholes, on=[*_AT, "whole"], suffix="_whole")
    near = pl.any_horizontal(is_small((pl.col(f"{n}_whole") - pl.col(n)).abs(), min_cell) for n in _COUNTS)
    lost = both.filter(near).select("cohort", *_AT).unique().with_columns(is_lost=pl.lit(value=True))
    joined = rows.join(lost, on=["cohort", *_AT], how="left", maintain_order="left")
    return joined.with_columns(hide=pl.col("hide") | pl.col("is_lost").fill_null(value=False)).drop("is_lost")
