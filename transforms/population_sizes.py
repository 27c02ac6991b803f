"""How many people each population of an interval holds, whoever of them was tested.

Stays that are sorted and never touch are counted by the first and the last interval that they reach, without a row for
each interval of each person.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.calendar_units import ALL, Calendar, calendar_of
from transforms.model.estimation import Denominator

ALWAYS = -(10**9)  # the place of the whole extract among first days


def population_sizes(
    unit: str, spans: pl.DataFrame, with_drug: pl.DataFrame | None, asked: Sequence[Denominator]
) -> dict[str, pl.DataFrame]:
    """place, n_population of each population but the tested, which only tests tell.

    `spans`: stays of a cohort (person_index, started, ended); `with_drug`: person_index, place of the exposed.
    """
    sizes: dict[str, pl.DataFrame] = {}
    spans = spans.sort("person_index", "started")
    person, started, ended = (spans[name].to_numpy().astype(np.int64) for name in ("person_index", "started", "ended"))
    calendar = None if unit == ALL else calendar_of(unit, int(started.min()), int(ended.max()))
    for each in (each for each in asked if each.counts != "tested"):
        if with_drug is not None and each.counts == "exposed":
            sizes[each.id] = with_drug.group_by("place").agg(n_population=pl.len().cast(pl.Int64))
        elif calendar is None:
            whole = {"place": [ALWAYS], "n_population": [spans["person_index"].n_unique()]}
            sizes[each.id] = pl.DataFrame(whole, schema={"place": pl.Int64, "n_population": pl.Int64})
        else:
            n = _people_by_place(each, calendar, person, started, ended)
            sizes[each.id] = pl.DataFrame({"place": calendar.first_days, "n_population": n}).filter(n > 0)
    return sizes


def _people_by_place(
    population: Denominator, calendar: Calendar, person: np.ndarray, started: np.ndarray, ended: np.ndarray
) -> np.ndarray:
    """People of each interval, from stays that are sorted and never touch."""
    first, last = calendar.place_of(started), calendar.place_of(ended)
    after = first + (calendar.first_days[first] < started)
    whole_last = last - (calendar.last_days[last] > ended)
    if population.counts == "day_one":
        return _covered(after, last, calendar)
    if population.counts == "whole_period":
        return _covered(after, whole_last, calendar)
    if population.counts == "observed":
        is_again = (person[1:] == person[:-1]) & (first[1:] == last[:-1])
        return _covered(first + np.append(False, is_again), last, calendar)
    whole = _covered(after, whole_last, calendar)
    parts = _enough_in_parts(population, calendar, person, (started, ended, first, last))
    return np.asarray(whole + parts, dtype=np.int64)


def _covered(first: np.ndarray, last: np.ndarray, calendar: Calendar) -> np.ndarray:
    """How many of the runs of places from first to last hold each place."""
    is_any, size = first <= last, len(calendar.first_days) + 1
    steps = np.bincount(first[is_any], minlength=size) - np.bincount(last[is_any] + 1, minlength=size)
    return np.asarray(np.cumsum(steps)[:-1], dtype=np.int64)


def _enough_in_parts(
    population: Denominator, calendar: Calendar, person: np.ndarray, stays: tuple[np.ndarray, ...]
) -> np.ndarray:
    """People observed on enough days of an interval of which no stay holds all."""
    started, ended, first, last = stays
    parts = [(person, first), (person[first < last], last[first < last])]
    ends = [(started, ended), (started[first < last], ended[first < last])]
    rows = []
    for (who, place), (begin, end) in zip(parts, ends, strict=True):
        days = np.minimum(end, calendar.last_days[place]) - np.maximum(begin, calendar.first_days[place]) + 1
        rows.append(pl.DataFrame({"person": who, "place": place, "days": days}))
    length = calendar.last_days - calendar.first_days + 1
    total = pl.concat(rows).group_by("person", "place").agg(pl.col("days").sum())
    place, days = total["place"].to_numpy(), total["days"].to_numpy()
    is_enough = (days < length[place]) & (days >= (population.least_share_of_days or 1.0) * length[place])
    return np.bincount(place[is_enough], minlength=len(length)).astype(np.int64)
