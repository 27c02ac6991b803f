"""How many people each population of an interval of a cohort holds, whoever of them was tested.

Stays that are sorted and never touch are counted by the first and the last interval that they reach, without a row for
each interval of each person. A `place` is an interval of a cohort: the number of the cohort and the first day of the
interval in one whole number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.calendar_units import ALL, Calendar, calendar_of
from transforms.model.estimation import Denominator

PLACES, EPOCH = 2**22, 2**20  # room for days beside a cohort or person; no day of history is below 0
ALWAYS = -EPOCH  # the first day of the whole extract


@dataclass(frozen=True)
class _Spans:
    """Stays that are sorted and never touch, in the intervals of a calendar."""

    calendar: Calendar
    person: np.ndarray
    cohort: np.ndarray
    started: np.ndarray
    ended: np.ndarray

    @property
    def n_cohorts(self) -> int:
        """One more than the highest number of a cohort."""
        return int(self.cohort.max()) + 1

    @property
    def first(self) -> np.ndarray:
        """The interval of the first day of each."""
        return self.calendar.place_of(self.started)

    @property
    def last(self) -> np.ndarray:
        """The interval of the last day of each."""
        return self.calendar.place_of(self.ended)


def place_of(cohort: pl.Expr, first_day: pl.Expr | None) -> pl.Expr:
    """The place of an interval of a cohort; without a first day that of the whole extract."""
    day = pl.lit(ALWAYS, pl.Int64) if first_day is None else first_day.cast(pl.Int64)
    return cohort.cast(pl.Int64) * PLACES + day + EPOCH


def cohort_of(place: pl.Expr) -> pl.Expr:
    """The number of the cohort."""
    return place // PLACES


def first_day_of_place(place: pl.Expr) -> pl.Expr:
    """The first day of the interval, since 1970; null for the whole extract."""
    day = place % PLACES - EPOCH
    return pl.when(day != ALWAYS).then(day)


def population_sizes(
    unit: str, spans: pl.DataFrame, with_drug: pl.DataFrame | None, asked: Sequence[Denominator]
) -> dict[str, pl.DataFrame]:
    """place, n_population of each population but the tested, which only tests tell.

    `spans`: stays (person_index, cohort, started, ended) sorted by person and start; `with_drug`: person_index, place
    of the exposed.
    """
    sizes: dict[str, pl.DataFrame] = {}
    arrays = [spans[name].to_numpy().astype(np.int64) for name in ("person_index", "cohort", "started", "ended")]
    stays = None
    if unit != ALL:
        stays = _Spans(calendar_of(unit, int(arrays[2].min()), int(arrays[3].max())), *arrays)
    for each in (each for each in asked if each.counts != "tested"):
        if with_drug is not None and each.counts == "exposed":
            sizes[each.id] = with_drug.group_by("place").agg(n_population=pl.len().cast(pl.Int64))
        elif stays is None:
            people = spans.group_by(place=place_of(pl.col("cohort"), None))
            sizes[each.id] = people.agg(n_population=pl.col("person_index").n_unique().cast(pl.Int64))
        else:
            cohort, interval = np.nonzero(n := _people_by_place(each, stays))
            day = stays.calendar.first_days[interval]
            found = pl.DataFrame({"cohort": cohort, "day": day, "n_population": n[cohort, interval]})
            sizes[each.id] = found.select("n_population", place=place_of(pl.col("cohort"), pl.col("day")))
    return sizes


def _people_by_place(population: Denominator, stays: _Spans) -> np.ndarray:
    """People of each cohort (a row) and interval (a column)."""
    calendar, first, last = stays.calendar, stays.first, stays.last
    after = first + (calendar.first_days[first] < stays.started)
    whole_last = last - (calendar.last_days[last] > stays.ended)
    if population.counts == "day_one":
        return _covered(after, last, stays)
    if population.counts == "whole_period":
        return _covered(after, whole_last, stays)
    if population.counts == "observed":
        is_again = (stays.person[1:] == stays.person[:-1]) & (first[1:] == last[:-1])
        return _covered(first + np.append(False, is_again), last, stays)
    whole, parts = _covered(after, whole_last, stays), _enough_in_parts(population, stays)
    return np.asarray(whole + parts, dtype=np.int64)


def _covered(first: np.ndarray, last: np.ndarray, stays: _Spans) -> np.ndarray:
    """How many of the runs of intervals from first to last hold each interval, by cohort."""
    is_any, shape = first <= last, (stays.n_cohorts, len(stays.calendar.first_days) + 1)
    row = stays.cohort[is_any] * shape[1]
    begun, over = (np.bincount(row + ends, minlength=shape[0] * shape[1]) for ends in (first[is_any], last[is_any] + 1))
    return np.asarray(np.cumsum((begun - over).reshape(shape), axis=1)[:, :-1], dtype=np.int64)


def _enough_in_parts(population: Denominator, stays: _Spans) -> np.ndarray:
    """People observed on enough days of an interval of which no stay holds all."""
    calendar, first, last = stays.calendar, stays.first, stays.last
    every, goes_on = np.full(len(first), fill_value=True), first < last
    rows = []
    for which, place in ((every, first), (goes_on, last[goes_on])):
        days = (
            np.minimum(stays.ended[which], calendar.last_days[place])
            - np.maximum(stays.started[which], calendar.first_days[place])
            + 1
        )
        cell = {"cohort": stays.cohort[which], "person": stays.person[which], "place": place}
        rows.append(pl.DataFrame({**cell, "days": days}))
    length = calendar.last_days - calendar.first_days + 1
    total = pl.concat(rows).group_by("cohort", "person", "place").agg(pl.col("days").sum())
    cohort, place, days = (total[name].to_numpy() for name in ("cohort", "place", "days"))
    is_enough = (days < length[place]) & (days >= (population.least_share_of_days or 1.0) * length[place])
    shape = (stays.n_cohorts, len(length))
    found = np.bincount(cohort[is_enough] * shape[1] + place[is_enough], minlength=shape[0] * shape[1])
    return np.asarray(found.reshape(shape), dtype=np.int64)
