"""Calendar intervals by number: which of them a day lies in, and where each begins and ends.

Weeks begin on Monday. Days are whole numbers since 1970; an interval is known by its first day.
"""

from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

EVERY = {"week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}
ALL = "all"
Days = NDArray[np.int64]


@dataclass(frozen=True)
class Calendar:
    """Intervals of one unit without a gap, from the first to the last that is needed."""

    unit: str
    first_days: Days

    @cached_property
    def last_days(self) -> Days:
        """The last day of each."""
        return np.append(self.first_days[1:], first_days_after(self.first_days[-1:], self.unit)) - 1

    def place_of(self, days: Days) -> Days:
        """The place of the interval that holds each day."""
        return np.asarray(np.searchsorted(self.first_days, days, side="right") - 1, dtype=np.int64)


@lru_cache(maxsize=64)
def calendar_of(unit: str, first: int, last: int) -> Calendar:
    """The intervals of a unit that hold the days from `first` to `last`."""
    begin, end = (pl.select(first_day_of(pl.lit(day, pl.Int32), unit)).item() for day in (first, last))
    days = pl.date_range(_date(begin), _date(end), EVERY[unit], eager=True).to_physical()
    return Calendar(unit, days.to_numpy().astype(np.int64))


def first_day_of(day: pl.Expr, unit: str) -> pl.Expr:
    """The first day of the interval in which a day lies."""
    return day.cast(pl.Date).dt.truncate(EVERY[unit]).to_physical()


def first_days_after(first_days: Days, unit: str) -> Days:
    """The first day of the interval after each."""
    days = pl.Series(first_days).cast(pl.Int32).cast(pl.Date)
    return days.dt.offset_by(EVERY[unit]).to_physical().to_numpy().astype(np.int64)


def last_day_of(first_day: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """The last date of an interval known by its first date and its unit."""
    length = unit.replace_strict(EVERY, default="1d")
    return first_day.dt.offset_by(length).dt.offset_by("-1d")


def _date(day: int) -> date:
    found: date = pl.select(pl.lit(day, pl.Int32).cast(pl.Date)).item()
    return found
