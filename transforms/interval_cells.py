"""Tests of people by interval, and of which populations a person is part in one: cells, sorted by person and interval.

A cell is a person and the first day of an interval in one whole number, as a place is a cohort and such a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms.calendar_units import ALL, EVERY, calendar_of
from transforms.model.estimation import Denominator
from transforms.person_time import Stays
from transforms.population_sizes import ALWAYS, EPOCH, PLACES

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
_LONGER = {"quarter": "month", "year": "quarter"}  # units whose intervals are made of whole ones of another


@dataclass(frozen=True)
class _Tests:
    """Rows that are sorted by person and day: tests, the lowest value, and the first one (`index`)."""

    person: Numbers
    cohort: Numbers
    day: Numbers
    n_tests: Numbers
    lowest: Numbers
    index: Numbers

    def by_interval(self, unit: str) -> "_Tests":
        """One row per person and interval, whose first day is `day`."""
        if not len(self.day):
            return self
        day = np.full_like(self.day, ALWAYS)
        if unit != ALL:
            calendar = calendar_of(unit, int(self.day.min()), int(self.day.max()))
            lengths = calendar.last_days - calendar.first_days + 1
            day = np.repeat(calendar.first_days, lengths)[self.day - calendar.first_days[0]]
        is_new = (np.diff(self.person) != 0) | (np.diff(day) != 0)
        first = np.flatnonzero(np.append(True, is_new))
        tests, lowest = np.add.reduceat(self.n_tests, first), np.minimum.reduceat(self.lowest, first)
        return _Tests(self.person[first], self.cohort[first], day[first], tests, lowest, self.index[first])

    def cells(self) -> pl.DataFrame:
        """cell, person_index, place, n_tests, lowest, index."""
        since = np.where(self.day == ALWAYS, 0, self.day + EPOCH)
        numbers = {"n_tests": self.n_tests, "lowest": self.lowest, "index": self.index}
        cell, place = self.person * PLACES + since, self.cohort * PLACES + since
        return pl.DataFrame({"cell": cell, "person_index": self.person.astype(np.uint32), "place": place, **numbers})


def find_cells(stays: Stays, units: Sequence[str]) -> Mapping[str, pl.DataFrame]:
    """For each unit cell, person_index, place, n_tests, lowest, index: tests of a person in an interval, the lowest
    value and the first one.
    """
    tested = stays.days.filter(pl.col("n_tests") > 0)
    every = _read(tested)
    dated = _read(tested.filter(pl.col("day").is_not_null())) if tested["day"].null_count() else every
    found = {"day": dated, ALL: every.by_interval(ALL)}
    for unit in (unit for unit in EVERY if unit in units):
        shorter = _LONGER.get(unit, "day")
        found[unit] = found[shorter if shorter in found else "day"].by_interval(unit)
    return {unit: found[unit].cells() for unit in units}


def flag_cells(
    cells: pl.DataFrame, unit: str, stays: Stays, exposed: pl.DataFrame | None, asked: Sequence[Denominator]
) -> pl.DataFrame:
    """`cells` with in_POPULATION for each that is asked about; `exposed`: cells with a drug."""
    always = [each for each in asked if each.counts in {"observed", "tested"}]
    flags: dict[str, pl.Expr | Flags] = {each.id: pl.lit(value=True) for each in always}
    timed = [each for each in asked if each.counts in {"day_one", "whole_period", "sufficient_time"}]
    if timed:
        flags |= _flag_by_days(cells, unit, stays, timed)
    for each in (each for each in asked if each.counts == "exposed"):
        is_exposed = pl.lit(value=False) if exposed is None else pl.col("cell").is_in(exposed["cell"].implode())
        flags[each.id] = is_exposed
    named = {
        f"in_{name}": flag if isinstance(flag, pl.Expr) else pl.lit(pl.Series(flag)) for name, flag in flags.items()
    }
    return cells.with_columns(**named)


def _read(days: pl.DataFrame) -> _Tests:
    lowest = days["lowest_cells_per_ul"].to_numpy().astype(np.int64)
    person, cohort, n_tests = (days[name].to_numpy().astype(np.int64) for name in ("person_index", "cohort", "n_tests"))
    return _Tests(person, cohort, days["day"].fill_null(ALWAYS).to_numpy().astype(np.int64), n_tests, lowest, lowest)


def _flag_by_days(
    cells: pl.DataFrame, unit: str, stays: Stays, timed: Sequence[Denominator]
) -> dict[str, Flags | pl.Expr]:
    """Of each population that goes by days in the cohort: whether each cell is of it."""
    if cells.is_empty():
        return {each.id: pl.lit(value=False) for each in timed}
    first = cells["place"].to_numpy() % PLACES - EPOCH
    calendar = calendar_of(unit, int(first.min()), int(first.max()))
    last = calendar.last_days[calendar.place_of(first)]
    on_first, on_all, days = _days_inside(cells["person_index"].to_numpy(), first, last, stays.spans)
    known: dict[str, Flags | pl.Expr] = {}
    for each in timed:
        if each.counts == "sufficient_time":
            known[each.id] = (days > 0) & (days >= (each.least_share_of_days or 1.0) * (last - first + 1))
        else:
            known[each.id] = on_first if each.counts == "day_one" else on_all
    return known


def _days_inside(person: Numbers, first: Numbers, last: Numbers, spans: pl.DataFrame) -> tuple[Flags, Flags, Numbers]:
    """Whether a stay holds the first day of each cell, whether one holds all of it, and the days in any: one stay of
    everybody at a time.
    """
    whose, started, ended = (spans[name].to_numpy() for name in ("person_index", "started", "ended"))
    at, until = (np.searchsorted(whose, person, side=side) for side in ("left", "right"))
    on_first, on_all = (np.zeros(len(person), np.bool_) for _ in range(2))
    days = np.zeros(len(person), np.int64)
    left = np.flatnonzero(at < until)
    while len(left):
        stay = at[left]
        begin, end = np.maximum(started[stay], first[left]), np.minimum(ended[stay], last[left])
        inside = np.maximum(end.astype(np.int64) - begin + 1, 0)
        on_first[left] |= (inside > 0) & (begin == first[left])
        on_all[left] |= inside == last[left] - first[left] + 1
        days[left] += inside
        at[left] += 1
        left = left[at[left] < until[left]]
    return on_first, on_all, days
