"""Neutropenia from causes other than chemotherapy: a fall, a floor that lasts, and a rise.

Everyone has at most one such event. Its fall and floor are drawn beforehand; when it ends depends on doctors: a drug
is stopped, or a deficiency treated, on an OBSERVED count. What nobody observes ends by itself after the drawn time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.simulation.arrays import Bools, Floats, Ints
from flows.simulation.parameters import Parameters
from flows.simulation.people import People, choose
from flows.simulation.treatment import Cause

NEVER = np.inf


@dataclass
class Events:
    """One entry a person. Times are days since the start of the hospital; `depth` is a log ratio, at most 0."""

    cause: Ints  # index of causes.yaml, -1: none
    drug: Ints  # index of the cause's drugs, -1: none
    has_event: Bools
    falls_at: Floats
    fall_days: Floats
    depth: Floats
    released_at: Floats
    rise_days: Floats
    lag_days: Floats
    pending_days: Floats  # from the last dose of chemotherapy, while that is not known yet
    period_days: Floats  # 0: not cyclic
    drug_on: Floats
    drug_off: Floats
    stop_below: Ints
    lineage_share: Floats

    def log_ratio(self, person: NDArray[np.intp], at: float) -> Floats:
        """Log of count over baseline, of some people at one time."""
        released, falls_at = self.released_at[person], self.falls_at[person]
        fallen = np.clip((np.minimum(at, released) - falls_at) / self.fall_days[person], 0.0, 1.0)
        left = np.clip(1.0 - (at - released) / self.rise_days[person], 0.0, 1.0)
        period = self.period_days[person]
        is_cyclic = period > 0
        turns = np.where(is_cyclic, at - np.where(is_cyclic, falls_at, 0.0), 0.0) / np.where(is_cyclic, period, 1.0)
        wave = np.maximum(np.cos(2.0 * np.pi * turns), 0.0)
        return self.depth[person] * np.where(is_cyclic, wave, fallen * left)

    def react(self, person: NDArray[np.intp], observed: Floats, now: float) -> NDArray[np.intp]:
        """Stop drugs or treat where the observed count (cells/uL) asks for it; returns whom it concerned."""
        open_until = np.where(self.drug[person] >= 0, self.drug_off[person], self.released_at[person])
        is_open = (open_until > now) & ((self.drug[person] < 0) | (self.drug_on[person] <= now))
        stopped = person[is_open & (observed < self.stop_below[person])]
        is_drug = self.drug[stopped] >= 0
        self.drug_off[stopped[is_drug]] = now
        has_begun = self.has_event[stopped] & (self.falls_at[stopped] <= now)
        begun = stopped[has_begun]
        self.released_at[begun] = np.minimum(self.released_at[begun], now + self.lag_days[begun])
        self.falls_at[stopped[is_drug & ~has_begun]] = NEVER
        return stopped

    def chemotherapy_ended(self, person: NDArray[np.intp], last_dose_on: Ints) -> None:
        """Set off what follows the last dose of a course."""
        waits = self.pending_days[person] < NEVER
        who, last = person[waits], last_dose_on[waits]
        held = self.released_at[who]
        self.falls_at[who] = last + self.pending_days[who]
        self.released_at[who] = self.falls_at[who] + held
        self.pending_days[who] = NEVER

    def support(self, person: NDArray[np.intp], factor: float) -> None:
        """G-CSF: the rise that is to come is quicker."""
        self.rise_days[person] *= factor


def draw_events(rng: np.random.Generator, people: People, parameters: Parameters) -> Events:
    """The event of everyone whose group has a cause."""
    names = list(parameters.causes.causes)
    of_group = np.array([names.index(g.cause) if g.cause else -1 for g in parameters.groups.groups])
    n_people = people.n
    events = Events(
        cause=of_group[people.group],
        drug=np.full(n_people, -1),
        has_event=np.zeros(n_people, dtype=bool),
        falls_at=np.full(n_people, NEVER),
        fall_days=np.ones(n_people),
        depth=np.zeros(n_people),
        released_at=np.full(n_people, NEVER),
        rise_days=np.ones(n_people),
        lag_days=np.zeros(n_people),
        pending_days=np.full(n_people, NEVER),
        period_days=np.zeros(n_people),
        drug_on=np.full(n_people, NEVER),
        drug_off=np.full(n_people, NEVER),
        stop_below=np.zeros(n_people, dtype=np.int64),
        lineage_share=np.zeros(n_people),
    )
    for index, cause in enumerate(parameters.causes.causes.values()):
        _draw_cause(rng, events, (people, np.flatnonzero(events.cause == index)), cause)
    return events


def _draw_cause(rng: np.random.Generator, events: Events, whose: tuple[People, NDArray[np.intp]], cause: Cause) -> None:
    people, person = whose
    n_people = len(person)

    def between(limits: tuple[float, float]) -> Floats:
        return limits[0] + (limits[1] - limits[0]) * rng.random(n_people)

    story_on = people.story_on[person].astype(np.float64)
    onset = cause.onset.median_days * np.exp(cause.onset.log_sd * rng.standard_normal(n_people))
    onset = np.where(rng.random(n_people) < cause.onset.late_share, between(cause.onset.late_days), onset)
    floors = np.array([floor.between for floor in cause.floor])
    floor = floors[choose(rng, np.array([floor.share for floor in cause.floor]), n_people)]
    target = floor[:, 0] + (floor[:, 1] - floor[:, 0]) * rng.random(n_people)
    has_event = rng.random(n_people) < cause.event_share
    events.has_event[person] = has_event
    events.depth[person] = np.where(has_event, np.minimum(np.log(target / people.baseline[person]), 0.0), 0.0)
    events.fall_days[person] = between(cause.fall_days)
    events.rise_days[person] = between(cause.rise_days)
    events.lag_days[person] = between(cause.lag_days)
    events.lineage_share[person] = cause.other_lineages
    events.stop_below[person] = cause.stop_below or 0
    if cause.period_days is not None:
        events.period_days[person] = np.where(has_event, between(cause.period_days), 0.0)
    held = events.fall_days[person] + between(cause.hold_days)
    if cause.anchor == "after_chemotherapy":
        events.pending_days[person] = np.where(has_event, onset, NEVER)
        events.released_at[person] = held
        return
    last_dose = float(cause.dose_days[-1]) if cause.dose_days else 0.0
    since = {"before_story": -onset, "last_dose": last_dose + onset}.get(cause.anchor, onset)
    events.falls_at[person] = np.where(has_event, story_on + since, NEVER)
    events.released_at[person] = np.where(has_event, story_on + since + held, NEVER)
    _draw_course(rng, events, person, cause, story_on)


def _draw_course(
    rng: np.random.Generator, events: Events, person: NDArray[np.intp], cause: Cause, story_on: Floats
) -> None:
    """When the drug is taken: it begins at noon, and lasts at least until its event would end unobserved."""
    if not cause.drugs or cause.course_days is None:
        return
    shortest, longest = cause.course_days
    days = shortest + (longest - shortest) * rng.random(len(person))
    events.drug[person] = choose(rng, np.array([drug.weight for drug in cause.drugs]), len(person))
    events.drug_on[person] = story_on + 0.5
    planned = story_on + 0.5 + days
    if not cause.dose_days:
        unobserved = events.released_at[person] - events.lag_days[person]
        planned = np.where(events.has_event[person], np.maximum(unobserved, story_on + 1.0), planned)
    events.drug_off[person] = planned
