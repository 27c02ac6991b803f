"""Counts in time order, and what each proves at a threshold: low, recovered, between, or nothing.

A count whose bounds straddle the threshold proves nothing: it neither opens, extends nor ends an episode. Values of
one minute are ordered by specimen. Extracts without dates have no order and so no values here.
"""

from collections.abc import Sequence

import polars as pl

from transforms.frames import settle
from transforms.model.episodes import EpisodeRule, Threshold

LOW, RECOVERED, BETWEEN = 0, 1, 2
ROW_BITS = 32


def order_values(anc: pl.LazyFrame, rules: Sequence[EpisodeRule]) -> pl.DataFrame:
    """Values of people with at least one value that is low for any rule, in order: row, person_index, at, day, ...

    Columns: person_index, at, day (date), is_day (only the day is known), number, lower, upper (cells/uL), least (the
    lowest upper bound of the person).
    """
    highest = max((threshold.highest_low for rule in rules for threshold in rule.thresholds), default=0)
    dated = anc.filter(pl.col("collected_at").is_not_null())
    upper = pl.col("upper_cells_per_ul")
    people = dated.filter(upper <= highest).group_by("person_index").agg(least=upper.min())
    return (
        dated.join(people, on="person_index")
        .select(
            "person_index",
            "specimen_id",
            "least",
            at="collected_at",
            day=pl.col("collected_at").dt.date(),
            is_day=pl.col("time_precision") == "day",
            number="anc_cells_per_ul",
            lower="lower_cells_per_ul",
            upper="upper_cells_per_ul",
        )
        .sort("person_index", "at", "specimen_id", "lower", "upper", nulls_last=True)
        .drop("specimen_id")
        .collect(engine="in-memory")
    )


def prove(values: pl.DataFrame, rule: EpisodeRule, threshold: Threshold) -> pl.DataFrame:
    """The values with row, kind and n_undecided.

    row (UInt32) is the place among the values, by which later steps point at one; kind is LOW, RECOVERED, BETWEEN or
    null (undecided, or of a person who is never low here); n_undecided is a running count of those.
    """
    # Nobody is left out, so that a row is the same value at every threshold and what is summed once serves all.
    is_used = pl.col("least") <= threshold.highest_low
    if not rule.uses_bounds:
        is_used &= pl.col("number").is_not_null()
    if rule.ignores_below_cells_per_ul is not None:
        is_used &= pl.col("lower") >= rule.ignores_below_cells_per_ul
    is_low = (pl.col("upper") <= threshold.highest_low).fill_null(False)
    is_above = pl.col("lower") > threshold.highest_low
    is_recovered = is_above & (pl.col("lower") >= threshold.recovered_cells_per_ul)
    if threshold.recovered_at_most_cells_per_ul is not None:
        is_recovered &= (pl.col("upper") <= threshold.recovered_at_most_cells_per_ul).fill_null(False)
    kind = (
        pl.when(is_used & is_low)
        .then(LOW)
        .when(is_used & is_recovered)
        .then(RECOVERED)
        .when(is_used & is_above)
        .then(BETWEEN)
        .cast(pl.Int8)
    )
    proven = values.lazy().with_columns(kind=kind).drop("least")
    n_undecided = pl.col("kind").is_null().cum_sum().cast(pl.Int64)
    return settle(proven.with_columns(n_undecided=n_undecided).with_row_index("row"))


def collapse(proven: pl.DataFrame, rule: EpisodeRule) -> pl.DataFrame:
    """One state per day or specimen, as the rule takes them, in order; undecided values are left out.

    Columns: person_index, day, at, row, kind of the state (the last decided value of the day); first_low_row,
    first_low_at and lowest (its count above its row, so that the earliest of equal counts is the lowest) of the day.
    """
    is_low = pl.col("kind") == LOW
    decided = (
        proven.lazy()
        .filter(pl.col("kind").is_not_null())
        .select(
            "person_index",
            "day",
            "at",
            "row",
            "kind",
            first_low_row=pl.when(is_low).then("row"),
            first_low_at=pl.when(is_low).then("at"),
            lowest=pl.when(is_low).then(pl.col("upper") * 2**ROW_BITS + pl.col("row")),
        )
    )
    states = decided.collect(engine="in-memory")
    return states if rule.takes == "specimen" else _one_a_day(states)


def _one_a_day(states: pl.DataFrame) -> pl.DataFrame:
    """The days of several values made one each; most days have one and are left as they are."""
    day = ("person_index", "day")
    is_same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in day).fill_null(False)
    is_shared = is_same | is_same.shift(-1).fill_null(False)
    shared = states.select(is_shared).to_series()
    if not shared.any():
        return states
    last, least = pl.col("at", "row", "kind").last(), pl.col("first_low_row", "first_low_at", "lowest").min()
    made = states.filter(shared).group_by(day, maintain_order=True).agg(last, least)
    return pl.concat([states.filter(~shared), made.select(states.columns)]).sort("row")
