"""Stays in hospital that no low count brings about: drawn before the first day, from a stream of their own.

They depend on who somebody is and never on a count. What brings people in often raises their neutrophils for some
days, and then the true path rises, so that the truth holds for what is counted in hospital too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.simulation.arrays import Floats, Ints
from flows.simulation.parameters import Parameters
from flows.simulation.part import Range
from flows.simulation.people import People, choose
from flows.simulation.stay_parts import Reason, Rise

NO_FEVER = -1
DAYS_PER_YEAR = 365.0
Begins = tuple[Ints, Ints]  # persons and the first days of their stays


@dataclass(frozen=True)
class DrawnStays:
    """One entry a stay, in order of its first day and then of the person. Days count from the start of the hospital."""

    person: Ints
    from_day: Ints
    until_day: Ints
    every_days: Ints
    fever_until: Ints  # NO_FEVER: none
    code: NDArray[np.str_]

    def beginning(self, day: int) -> slice:
        """The stays that begin on a day."""
        first, last = np.searchsorted(self.from_day, [day, day + 1])
        return slice(int(first), int(last))


def no_stays() -> DrawnStays:
    """Nobody is taken in but for a low count."""
    none = np.empty(0, dtype=np.int64)
    return DrawnStays(none, none, none, none, none, np.empty(0, dtype=np.str_))


def draw_stays(
    rng: np.random.Generator, people: People, regimen: NDArray[np.str_], shape: tuple[int, int], parameters: Parameters
) -> tuple[DrawnStays, NDArray[np.float32]]:
    """The stays, and by how much the log count is higher at every knot (knots, people); `regimen` by person, or ""."""
    per_day = parameters.hospital.knots_per_day
    rises = np.zeros(shape, dtype=np.float32)
    nobody = np.empty(0, dtype=np.int64)
    begins: dict[str, list[Begins]] = {name: [(nobody, nobody)] for name in parameters.stays.reasons}
    for name, begun in [
        *_by_chance(rng, people, shape[0] // per_day, parameters),
        *_planned(rng, people, regimen, parameters),
    ]:
        begins[name].append(begun)
    parts = []
    for name, reason in parameters.stays.reasons.items():
        begun = _kept(begins[name], reason, people)
        parts.append(_detailed(rng, begun, reason))
        if reason.rise is not None:
            _lift(rng, rises, begun, reason.rise, per_day)
    joined = [np.concatenate([getattr(part, field) for part in parts]) for field in DrawnStays.__dataclass_fields__]
    order = np.lexsort((joined[2], joined[0], joined[1]))
    return DrawnStays(*(column[order] for column in joined)), rises


def _by_chance(
    rng: np.random.Generator, people: People, n_days: int, parameters: Parameters
) -> Iterator[tuple[str, Begins]]:
    """Stays at a rate: by age, births, and what a group has more from the beginning of its story."""
    stays, births = parameters.stays, parameters.stays.births
    group = np.array([one.id for one in parameters.groups.groups])[people.group]

    def happen(who: Ints, rate: float, since: Ints, days: int) -> Begins:
        n_stays = rng.poisson(rate * days / DAYS_PER_YEAR, len(who))
        person = np.repeat(who, n_stays)
        return person, since[person] + rng.integers(0, days, len(person))

    opened, from_years = np.zeros(people.n, dtype=np.int64), 0
    for band in stays.by_age:
        of_age = np.flatnonzero((from_years <= people.age) & (people.age < band.until_years))
        from_years = band.until_years
        for reason, rate in band.per_person_year.items():
            yield reason, happen(of_age, rate * stays.of_population, opened, n_days)
    first, last = births.years
    may_bear = people.is_female & (first <= people.age) & (people.age <= last) & np.isin(group, births.groups)
    yield births.reason, happen(np.flatnonzero(may_bear), births.per_person_year, opened, n_days)
    for name, more in stays.by_group.items():
        for reason, rate in more.per_person_year.items():
            yield reason, happen(np.flatnonzero(group == name), rate, people.story_on, min(more.for_days, n_days))


def _planned(
    rng: np.random.Generator, people: People, regimen: NDArray[np.str_], parameters: Parameters
) -> Iterator[tuple[str, Begins]]:
    group = np.array([one.id for one in parameters.groups.groups])[people.group]
    for planned in parameters.stays.planned:
        is_meant = (group == planned.group) & (np.isin(regimen, planned.regimens) | (not planned.regimens))
        meant = np.flatnonzero(is_meant)
        person = meant[rng.random(len(meant)) < planned.share]
        yield (
            planned.reason,
            (person, people.story_on[person] + rng.integers(*planned.days, len(person), endpoint=True)),
        )


def _kept(begins: list[Begins], reason: Reason, people: People) -> Begins:
    """The stays that begin while the person is here."""
    person, from_day = (np.concatenate([begun[column] for begun in begins]) for column in (0, 1))
    is_here = (people.entered_on[person] <= from_day) & (from_day <= people.leaves_on[person])
    person, from_day = person[is_here], from_day[is_here]
    if not reason.is_once:
        return person, from_day
    _, first = np.unique(person, return_index=True)
    return person[first], from_day[first]


def _detailed(rng: np.random.Generator, begun: Begins, reason: Reason) -> DrawnStays:
    person, from_day = begun
    n_stays, length, fever = len(person), reason.length, reason.fever_days
    days = np.exp(np.log(length.median_days) + length.log_sd * rng.standard_normal(n_stays))
    has_fever = rng.random(n_stays) < reason.fever_share
    fever_until = from_day + rng.integers(*fever, n_stays, endpoint=True)
    code = choose(rng, np.array(list(reason.codes.values())), n_stays)
    return DrawnStays(
        person=person,
        from_day=from_day,
        until_day=from_day + np.clip(np.rint(days), 1, length.most_days).astype(np.int64),
        every_days=np.full(n_stays, reason.counted_every_days),
        fever_until=np.where(has_fever, fever_until, NO_FEVER),
        code=np.array(list(reason.codes))[code],
    )


def _lift(rng: np.random.Generator, rises: NDArray[np.float32], begun: Begins, rise: Rise, per_day: int) -> None:
    """Lift the log counts around the stays; of two reasons at once the greater lifts."""
    is_raised = rng.random(len(begun[0])) < rise.share
    person, from_day = begun[0][is_raised], begun[1][is_raised]

    def between(limits: Range) -> Floats:
        return limits[0] + (limits[1] - limits[0]) * rng.random(len(person))

    begins, climb, hold, fall = map(between, (rise.begins_days, rise.rise_days, rise.hold_days, rise.fall_days))
    height = between(rise.log_ratio)
    span = rise.rise_days[1] + rise.hold_days[1] + rise.fall_days[1] + rise.begins_days[1] - rise.begins_days[0]
    first = (from_day + int(np.floor(rise.begins_days[0]))) * per_day
    knots = first[:, None] + np.arange(int(span + 2) * per_day)
    since = knots / per_day - (from_day + begins)[:, None]
    extent = np.minimum(since / climb[:, None], ((climb + hold + fall)[:, None] - since) / fall[:, None])
    lifted = (height[:, None] * np.clip(extent, 0.0, 1.0)).astype(np.float32)
    inside = (knots >= 0) & (knots < rises.shape[0])
    np.maximum.at(rises, (knots[inside], np.broadcast_to(person[:, None], knots.shape)[inside]), lifted[inside])
