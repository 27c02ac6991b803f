"""How deep and how long at once: the area between a threshold and the count below it, for every episode.

The count runs in a straight line from each value to the next, from the last value before the episode to its recovery;
where that line is above the threshold it adds nothing. Unknown when either end was not seen, or when any value on the
way is known within bounds only. At 500 cells/µL this is the D-index of Portugal and others (2009).
"""

from collections.abc import Iterable, Mapping

import polars as pl

_MICROSECONDS_A_SECOND = 10**6
_HALVES = 2 * 24 * 60 * 60  # areas are added as twice cells x seconds, whole numbers, so that no order changes a sum


def add_up_depths(values: pl.DataFrame, limits: Iterable[int]) -> Mapping[int, pl.DataFrame]:
    """For each limit (cells/uL) and each of the values, over all up to it: the area, and how many lines are unknown.

    `values` are those of `order_values`. A line is unknown when a value at one of its ends is. Lines between people are
    added too, and fall out of every difference.
    """
    number, at = pl.col("number"), pl.col("at")
    lines = values.select(
        above=pl.max_horizontal(number.shift(1), number),
        below=pl.min_horizontal(number.shift(1), number),
        seconds=(at - at.shift(1)).dt.total_microseconds() // _MICROSECONDS_A_SECOND,
        is_line=number.is_not_null() & number.shift(1).is_not_null(),
    )
    return {limit: _run_up(lines, limit) for limit in sorted(set(limits))}


def measure_depth(episodes: pl.DataFrame, depths: pl.DataFrame) -> pl.DataFrame:
    """`episodes` with depth_duration (days x cells/uL, null where unknown); needs onset_row and recovery_row.

    `depths` are those of `add_up_depths` at the limit of the episodes.
    """
    begin, end = episodes["onset_row"], episodes["recovery_row"]  # null where it was not seen
    area, unknown = pl.col("area"), pl.col("unknown")
    is_known = unknown.gather(begin) == unknown.gather(end)
    depth = pl.when(is_known).then((area.gather(end) - area.gather(begin)) / _HALVES)
    return episodes.hstack(depths.select(depth_duration=depth))


def _run_up(lines: pl.DataFrame, limit: int) -> pl.DataFrame:
    above, below, seconds, is_line = (pl.col(name) for name in ("above", "below", "seconds", "is_line"))
    crossed = (limit - below) ** 2 * seconds // (above - below)
    doubled = (
        pl.when(below >= limit)
        .then(0)
        .when(above <= limit)
        .then((2 * limit - above - below) * seconds)
        .otherwise(crossed)
    )
    return lines.select(
        area=pl.when(is_line).then(doubled).otherwise(0).cum_sum(),
        unknown=(~is_line).cast(pl.Int64).cum_sum(),
    )
