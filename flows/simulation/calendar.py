"""When people come: by the schedule of their group, sooner after an observed low count, not at all after recovery.

Nothing here knows the true count. People whom a low count brought into hospital are counted every day, others as often
as the reason for their stay asks for, and every day while their count is low.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from flows.simulation.arrays import Bools, Floats, Ints
from flows.simulation.chemotherapy import Courses
from flows.simulation.parameters import Parameters
from flows.simulation.people import Illnesses, People
from flows.simulation.reporting import Regime, Visits
from flows.simulation.stays import NO_FEVER, DrawnStays

NEVER_COMES = 1 << 30
NOON = 0.5
MINUTES_PER_DAY = 1440


@dataclass
class Calendar:
    """One entry a person; days count from the start of the hospital."""

    visits: Visits
    regime: Regime
    story_on: Ints
    every: Floats  # [group phase table] looked up by schedule
    until: Ints
    schedule: Ints
    is_random: Bools
    has_story: Bools
    own_share: Floats  # of differentials, by schedule; NaN: the usual one
    next_on: Ints
    is_concerned: Bools  # the last count was low, or the visit is about one that was
    n_low: Ints
    is_inpatient: Bools
    admitted_at: Floats
    held_until: Ints  # a drawn stay lasts at least until this day
    counted_every: Ints  # days, while in hospital
    count_on: Ints
    last_seen: Floats  # cells/uL; infinite: nothing that would keep somebody in hospital
    fever_until: Ints
    ill_person: Ints
    ill_seen_on: Ints
    drawn: DrawnStays
    stays: list[tuple[Ints, Floats, int]] = field(default_factory=list)  # whose, since when, until noon of which day

    def admit(self, day: int, is_present: Bools) -> None:
        """Take in those whose drawn stay begins today, when the first people come; who is inside stays on."""
        stays = self.drawn.beginning(day)
        is_here = is_present[self.drawn.person[stays]]
        person, until, every, fever = (
            column[stays][is_here]
            for column in (self.drawn.person, self.drawn.until_day, self.drawn.every_days, self.drawn.fever_until)
        )
        is_new = ~self.is_inpatient[person]
        self.admitted_at[person[is_new]] = day + self.visits.first_minute / MINUTES_PER_DAY
        self.counted_every[person[is_new]] = every[is_new]
        self.is_inpatient[person] = True
        self.count_on[person] = day
        self.counted_every[person] = np.minimum(self.counted_every[person], every)
        self.held_until[person] = np.maximum(self.held_until[person], until)
        self.fever_until[person] = np.maximum(self.fever_until[person], fever)

    def is_febrile(self, day: int) -> Bools:
        """Whose drawn stay is one with a fever today."""
        return self.is_inpatient & (day <= self.fever_until)

    def due(self, day: int) -> Bools:
        """Who comes today."""
        is_due = (self.next_on <= day) | (self.is_inpatient & (self.count_on <= day))
        is_due[self.ill_person[self.ill_seen_on == day]] = True
        return is_due

    def differential_share(self, person: Ints, usual: Mapping[str, float]) -> Floats:
        """Chance that a differential is asked for: the schedule's own, or more when the last count was low."""
        own = self.own_share[self.schedule[person]]
        routine = np.where(np.isnan(own), usual["routine"], own)
        return np.where(self.is_concerned[person], np.fmax(usual["reacting"], own), routine)

    def plan(self, rng: np.random.Generator, day: int, person: Ints, observed: Floats) -> None:
        """Set the next visit of those who came today, on what was seen."""
        gap = self._usual_gap(rng, day, person)
        if self.regime.every_days is not None:
            self.next_on[person] = day + self.regime.every_days
            return
        self.next_on[person] = day + gap
        if not self.regime.reacts:
            return
        was_concerned = self.is_concerned[person]
        is_low = observed < max(level.below for level in self.visits.reaction)
        self.n_low[person] = np.where(is_low, self.n_low[person] + 1, 0)
        patience = np.maximum(self.n_low[person] / self.visits.patience, 1.0) ** 2
        soon = np.full(len(person), NEVER_COMES, dtype=np.float64)
        for level in self.visits.reaction:
            days = rng.integers(level.days[0], level.days[1] + 1, len(person)) * patience
            soon = np.where((observed < level.below) & (soon >= NEVER_COMES), days, soon)
        rechecked = was_concerned & ~is_low & (rng.random(len(person)) < self.visits.recheck_share)
        recheck_days = rng.integers(self.visits.recheck_days[0], self.visits.recheck_days[1] + 1, len(person))
        soon = np.where(rechecked, recheck_days, soon)
        self.next_on[person] = day + np.minimum(gap, soon).astype(np.int64)
        self.is_concerned[person] = is_low
        self.last_seen[person] = observed
        self.count_on[person] = day + np.where(is_low, 1, self.counted_every[person])
        was_outside = ~self.is_inpatient[person]
        self._discharge(day)
        self._admit_low(rng, day, person, was_outside & (observed < self.visits.admission.below))

    def plan_cycles(self, rng: np.random.Generator, day: int, courses: Courses) -> None:
        """After a dose, most are counted once in the middle of the cycle; others come back for the next dose."""
        if self.regime.every_days is not None:
            return
        given = np.flatnonzero((courses.last_on == day) & ~courses.is_over)
        person = courses.person[given]
        first, last = self.visits.mid_cycle_days
        middle = day + rng.integers(first, last + 1, len(given))
        has_middle = rng.random(len(given)) < self.visits.mid_cycle_share
        usual = np.where(has_middle & (middle < courses.next_on[given]), middle, courses.next_on[given])
        self.next_on[person] = np.where(self.is_concerned[person], np.minimum(self.next_on[person], usual), usual)

    def _usual_gap(self, rng: np.random.Generator, day: int, person: Ints) -> Ints:
        since = day - self.story_on[person]
        before = (since < 0) & self.has_story[person]
        rows = self.until[self.schedule[person]]
        phase = np.minimum((np.maximum(since, 0)[:, None] >= rows).sum(axis=1), rows.shape[1] - 1)
        mean = np.where(before, self.visits.background_days, self.every[self.schedule[person], phase])
        free = rng.exponential(1.0, len(person))
        bound = 1.0 + self.visits.jitter * rng.standard_normal(len(person))
        gap = mean * np.where(self.is_random[self.schedule[person]] | before, free, np.maximum(bound, 0.0))
        to_story = np.where(before, np.maximum(-since - self._lead(rng, len(person)), 1), NEVER_COMES)
        at_story = np.where(before & (-since <= self.visits.baseline_visit_days[1]), -since, NEVER_COMES)
        days: Ints = np.maximum(np.minimum(np.minimum(np.rint(gap), to_story), at_story), 1).astype(np.int64)
        return days

    def _lead(self, rng: np.random.Generator, n_people: int) -> Ints:
        return rng.integers(self.visits.baseline_visit_days[0], self.visits.baseline_visit_days[1] + 1, n_people)

    def _discharge(self, day: int) -> None:
        """Let out at noon who was held long enough and whose last count allows it, or lets nobody wait any longer."""
        rules = self.visits.admission
        too_long = day - np.floor(self.admitted_at) >= rules.most_days
        is_over = (self.held_until <= day) & ((self.last_seen >= rules.leave_at) | too_long)
        leaves = np.flatnonzero(self.is_inpatient & is_over)
        self.stays.append((leaves, self.admitted_at[leaves], day))
        self.is_inpatient[leaves] = False

    def _admit_low(self, rng: np.random.Generator, day: int, person: Ints, may_enter: Bools) -> None:
        enters = person[may_enter & (rng.random(len(person)) < self.visits.admission.share)]
        enters = enters[self.n_low[enters] <= self.visits.patience]
        self.is_inpatient[enters] = True
        self.admitted_at[enters] = day + NOON
        self.held_until[enters] = day
        self.counted_every[enters] = 1


def draw_calendar(
    rng: np.random.Generator, whose: tuple[People, Illnesses, DrawnStays], parameters: Parameters, visits: str
) -> Calendar:
    """The first visit of everyone; later ones are planned as they come."""
    people, illnesses, drawn = whose
    rules = parameters.visits
    names = list(rules.schedules)
    n_phases = max(len(schedule.phases) for schedule in rules.schedules.values())
    every, until = np.ones((len(names), n_phases)), np.full((len(names), n_phases), NEVER_COMES)
    for row, schedule in enumerate(rules.schedules.values()):
        for column, phase in enumerate(schedule.phases):
            every[row, column], until[row, column] = phase.every, phase.until
    of_group = np.array([names.index(group.schedule) for group in parameters.groups.groups])
    regime = rules.regimes[visits]
    has_story = np.array([bool(group.regimens or group.cause or group.diagnoses) for group in parameters.groups.groups])
    late = rng.exponential(rules.background_days, people.n)
    early = rng.integers(0, regime.every_days or rules.baseline_visit_days[1], people.n)
    comes_early = has_story[people.group] | (regime.every_days is not None)
    first = people.entered_on + np.where(comes_early, early, late).astype(np.int64)
    seen = illnesses.seen_on >= 0
    return Calendar(
        visits=rules,
        regime=regime,
        story_on=people.story_on,
        every=every,
        until=until,
        schedule=of_group[people.group],
        is_random=np.array([schedule.is_random for schedule in rules.schedules.values()]),
        has_story=has_story[people.group],
        own_share=np.array([s.differential_share or np.nan for s in rules.schedules.values()]),
        next_on=first,
        is_concerned=np.zeros(people.n, dtype=bool),
        n_low=np.zeros(people.n, dtype=np.int64),
        is_inpatient=np.zeros(people.n, dtype=bool),
        admitted_at=np.zeros(people.n),
        held_until=np.zeros(people.n, dtype=np.int64),
        counted_every=np.ones(people.n, dtype=np.int64),
        count_on=np.zeros(people.n, dtype=np.int64),
        last_seen=np.full(people.n, np.inf),
        fever_until=np.full(people.n, NO_FEVER),
        ill_person=illnesses.person[seen],
        ill_seen_on=illnesses.seen_on[seen],
        drawn=drawn,
    )
