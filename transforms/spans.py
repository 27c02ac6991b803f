"""Spans of days per person: joined, cut with one another, taken away. Both ends belong to a span.

A span is (person_index, start_day, end_day), days since 1970 as Int32. What these functions give is disjoint, never
touching, and sorted, whatever the order and overlap of what they were given.
"""

from collections.abc import Sequence
from functools import reduce

import polars as pl

SPAN = ("person_index", "start_day", "end_day")
_DAYS = 2**32  # more than there are, with their sign


def to_spans(observation: pl.LazyFrame) -> pl.LazyFrame:
    """Observation (started_on, ended_on) as merged spans."""
    return merge_spans(
        [
            observation.select(
                "person_index",
                pl.col("started_on").to_physical().alias("start_day"),
                pl.col("ended_on").to_physical().alias("end_day"),
            )
        ]
    )


def merge_spans(spans: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """The union: overlapping and touching spans become one; a span that ends before it starts is none."""
    every = pl.concat([part.select(SPAN) for part in spans]).filter(pl.col("start_day") <= pl.col("end_day"))
    # One number for person and day, so that one sort and one running maximum over all rows do for those of each person.
    person = pl.col("person_index").cast(pl.Int64) * _DAYS
    ordered = every.with_columns(at=person + pl.col("start_day"), until=person + pl.col("end_day")).sort("at")
    reached = ordered.with_columns(reached=pl.col("until").cum_max())
    is_new = (pl.col("at") > pl.col("reached").shift(1) + 1).fill_null(value=True)
    told = reached.with_columns(
        start_day=pl.when(is_new).then("start_day").forward_fill(), is_last=is_new.shift(-1).fill_null(value=True)
    )
    return told.filter("is_last").select(
        "person_index", "start_day", end_day=(pl.col("reached") - person).cast(pl.Int32)
    )


def intersect_spans(spans: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """The days that lie in every one of the merged sets."""
    return reduce(_intersect, spans)


def subtract_spans(spans: pl.LazyFrame, taken: pl.LazyFrame) -> pl.LazyFrame:
    """The days of the merged `spans` that lie in no span of the merged `taken`."""
    outer = spans.with_columns(pl.col("start_day").alias("outer_start"), pl.col("end_day").alias("outer_end"))
    inside = (
        outer.select("person_index", "outer_start", "outer_end")
        .join(taken.select(SPAN), on="person_index")
        .filter((pl.col("start_day") <= pl.col("outer_end")) & (pl.col("end_day") >= pl.col("outer_start")))
    )
    before = inside.select(
        "person_index",
        "outer_start",
        "outer_end",
        pl.col("end_day").alias("free_from"),
        pl.col("start_day").alias("to"),
    )
    edge = outer.select(
        "person_index",
        "outer_start",
        "outer_end",
        (pl.col("outer_start") - 1).alias("free_from"),
        pl.lit(None, pl.Int32).alias("to"),
    )
    group = ("person_index", "outer_start", "outer_end")
    ordered = pl.concat([edge, before]).sort(*group, "to", "free_from", nulls_last=False)
    next_taken = pl.col("to").shift(-1).over(group).fill_null(pl.col("outer_end") + 1)
    gaps = ordered.with_columns((pl.col("free_from") + 1).alias("start_day"), (next_taken - 1).alias("end_day"))
    return merge_spans([gaps])


def _intersect(left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
    other = right.select("person_index", pl.col("start_day").alias("from_day"), pl.col("end_day").alias("to_day"))
    both = left.join(other, on="person_index").select(
        "person_index",
        pl.max_horizontal("start_day", "from_day").alias("start_day"),
        pl.min_horizontal("end_day", "to_day").alias("end_day"),
    )
    return merge_spans([both])
