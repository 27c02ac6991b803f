"""How deep and how long at once: the area between a threshold and the count below it, for every episode.

The count runs in a straight line from each value to the next, from the last value before the episode to its recovery;
where that line is above the threshold it adds nothing. Unknown when either end was not seen, or when any value on the
way is known within bounds only. At 500 cells/µL this is the D-index of Portugal and others (2009).
"""

import polars as pl

from transforms.model.episodes import Threshold

_MICROSECONDS_A_SECOND = 10**6
_HALVES = 2 * 24 * 60 * 60  # areas are added as twice cells x seconds, whole numbers, so that no order changes a sum


def measure_depth(episodes: pl.DataFrame, proven: pl.DataFrame, threshold: Threshold) -> pl.DataFrame:
    """`episodes` with depth_duration (days x cells/µL, null where unknown); needs onset_row and recovery_row.

    `proven` is all values of the people in order: row, at, number.
    """
    running = _run_up(proven, threshold.low_cells_per_ul)
    found = episodes
    for row, name in (("onset_row", "from"), ("recovery_row", "until")):
        named = running.select(pl.col("row").alias(row), *(pl.col(c).alias(f"{name}_{c}") for c in ("area", "unknown")))
        found = found.join(named, on=row, how="left", maintain_order="left")
    is_known = pl.col("until_unknown") == pl.col("from_unknown")
    area = (pl.col("until_area") - pl.col("from_area")) / _HALVES
    return found.with_columns(depth_duration=pl.when(is_known).then(area)).drop("^(from|until)_(area|unknown)$")


def _run_up(proven: pl.DataFrame, limit: int) -> pl.DataFrame:
    """Per row, over all rows up to it: the area, and how many of the lines up to it have an unknown end."""
    earlier, later = pl.col("number").shift(1), pl.col("number")
    seconds = (pl.col("at") - pl.col("at").shift(1)).dt.total_microseconds() // _MICROSECONDS_A_SECOND
    above, below = pl.max_horizontal(earlier, later), pl.min_horizontal(earlier, later)
    crossed = (limit - below) ** 2 * seconds // (above - below)
    doubled = (
        pl.when(below >= limit)
        .then(0)
        .when(above <= limit)
        .then((2 * limit - above - below) * seconds)
        .otherwise(crossed)
    )
    is_line = later.is_not_null() & earlier.is_not_null()
    return proven.select(
        "row",
        area=pl.when(is_line).then(doubled).otherwise(0).cum_sum(),
        unknown=(~is_line).cast(pl.Int64).cum_sum(),
    )
