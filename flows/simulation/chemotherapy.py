"""Courses of chemotherapy: when a dose is given, delayed, reduced or given up, and what it does to the marrow.

A dose falls at noon of its day, after the count of the morning. Decisions follow the observed count; the marrow follows
the doses. Only people under treatment, or within weeks of it, are moved in time.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.simulation.arrays import Bools, Floats, Ints
from flows.simulation.cycles import DOSES_PER_CYCLE, Plan, make_plan
from flows.simulation.kinetics import docetaxel_effect, docetaxel_traits, mean_amount_factor
from flows.simulation.marrow import BLOOD, MarrowTraits, Stimulus, rested, step
from flows.simulation.people import People
from flows.simulation.treatment import Regimens

NOT_YET = 1 << 30
HOURS_PER_DAY = 24


@dataclass
class Courses:
    """One entry a treated person, in the order of `person`."""

    parameters: Regimens
    plan: Plan
    person: Ints
    regimen: Ints
    traits: MarrowTraits
    pools: Floats
    amounts: Floats
    rates: Floats
    strength: Floats
    docetaxel: dict[str, Floats]
    emax_ec50: tuple[Floats, Floats]
    profile: Floats
    profile_at: Ints
    surface: Floats
    next_on: Ints
    dose_number: Ints
    fraction: Floats
    n_delays: Ints
    lowest: Floats
    first_on: Ints
    last_on: Ints
    is_over: Bools
    has_prophylaxis: Bools
    stimulus_from: Ints
    stimulus_until: Ints
    rescue_until: Ints
    log_ratio: Floats
    given: list[tuple[Ints, Ints, Floats, int]] = field(default_factory=list)
    protected: list[tuple[Ints, int]] = field(default_factory=list)

    @property
    def n(self) -> int:
        """How many people."""
        return len(self.person)

    def checked_on(self, day: int) -> NDArray[np.intp]:
        """Who needs a count this morning before a dose."""
        dose = self.dose_number % self.plan.n_doses[self.regimen]
        return np.flatnonzero((self.next_on == day) & ~self.is_over & self.plan.is_checked[self.regimen, dose])

    def move(self, day: int, hour: int, hours: int) -> None:
        """Let the marrow run from `hour` of `day`, and set `log_ratio` at the end."""
        end = self.last_on + self.parameters.follow_hours // HOURS_PER_DAY
        moving = np.flatnonzero((self.last_on < NOT_YET) & (day <= end))
        if len(moving):
            self._run(moving, day, hours)
        settling = np.flatnonzero((self.last_on < NOT_YET) & (day > end))
        if len(settling):
            at = day + (hour + hours) / HOURS_PER_DAY
            left = np.clip(1.0 - (at - end[settling] - 1.0) / self.parameters.settle_days, 0.0, 1.0)
            self.log_ratio[settling] = np.log(self.pools[BLOOD, settling]) * left

    def _run(self, moving: NDArray[np.intp], day: int, hours: int) -> None:
        width = self.parameters.step_hours
        traits, pools = self.traits.of(moving), self.pools[:, moving]
        mean, rest = mean_amount_factor(self.rates[:, moving], width)
        amounts, at = self.amounts[:, moving], self.profile_at[moving]
        active = (self.stimulus_from[moving] <= day) & (day < self.stimulus_until[moving])
        stimulus = self._stimulus(active) if active.any() else None
        last = self.profile.shape[1] - 1  # always 0: nothing left to act
        for _ in range(hours // width):
            effect = (amounts * mean).sum(axis=0) + self.profile[moving, at]
            pools = step(pools, traits, effect, width, stimulus)
            amounts *= rest
            at = np.minimum(at + 1, last)
        self.pools[:, moving], self.amounts[:, moving], self.profile_at[moving] = pools, amounts, at
        self.log_ratio[moving] = np.log(np.maximum(pools[BLOOD], 1e-6))

    def _stimulus(self, active: Bools) -> Stimulus:
        factors = self.parameters.gcsf
        transit, growth, loss = (
            np.where(active, factors[name], 1.0) for name in ("transit_factor", "proliferation_factor", "loss_factor")
        )
        return transit, growth, loss

    def observe(self, course: NDArray[np.intp], observed: Floats) -> None:
        """Remember the lowest count seen since the last cycle began."""
        self.lowest[course] = np.fmin(self.lowest[course], observed)

    def decide(self, rng: np.random.Generator, day: int, observed: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Give, delay or give up today's doses on `observed` (one a person, NaN: none); returns given and over."""
        rules = self.parameters.rules
        due = np.flatnonzero((self.next_on == day) & ~self.is_over)
        dose = self.dose_number[due] % self.plan.n_doses[self.regimen[due]]
        is_low = self.plan.is_checked[self.regimen[due], dose] & (observed[due] < rules.minimum_cells_per_ul)
        delayed = due[is_low]
        self.next_on[delayed] += rng.integers(rules.delay_days[0], rules.delay_days[1] + 1, len(delayed))
        self.n_delays[delayed] += 1
        given_up = delayed[self.n_delays[delayed] > rules.give_up_after_delays]
        self.is_over[given_up] = True
        given = due[~is_low]
        starts_cycle = dose[~is_low] == 0
        reduced = given[starts_cycle & (self.lowest[given] < rules.reduce_below_cells_per_ul)]
        self.fraction[reduced] = np.maximum(self.fraction[reduced] * rules.reduction, rules.least_dose)
        self.lowest[given[starts_cycle]] = np.inf
        self.n_delays[given] = 0
        self._give(given, dose[~is_low], day)
        finished = given[self.is_over[given]]
        return given, np.concatenate([given_up, finished])

    def _give(self, course: NDArray[np.intp], dose: Ints, day: int) -> None:
        regimen, drug = self.regimen[course], self.parameters.docetaxel
        self.given.append((self.person[course], regimen * DOSES_PER_CYCLE + dose, self.fraction[course].copy(), day))
        self.amounts[:, course] += self.plan.given[regimen, dose].T * (self.fraction * self.strength)[course]
        docetaxel_mg = self.plan.docetaxel_mg_per_m2[regimen, dose] * self.fraction[course] * self.surface[course]
        treated = np.flatnonzero(docetaxel_mg > 0)
        if len(treated):
            who = course[treated]
            traits = {name: value[who] for name, value in self.docetaxel.items()}
            limits = (self.emax_ec50[0][who], self.emax_ec50[1][who])
            effect = docetaxel_effect(docetaxel_mg[treated], traits, limits, self.parameters.step_hours, drug)
            self.profile[who, :-1] = effect
            self.profile_at[who] = 0
        self.first_on[course] = np.minimum(self.first_on[course], day)
        self.last_on[course] = day
        protected = course[(dose == 0) & self.has_prophylaxis[course]]
        self.protected.append((self.person[protected], day))
        self.stimulus_from[protected] = day + 2
        self.stimulus_until[protected] = day + 2 + self.parameters.rules.prophylaxis_days
        self._plan_next(course, dose)

    def _plan_next(self, course: NDArray[np.intp], dose: Ints) -> None:
        regimen = self.regimen[course]
        n_doses, length = self.plan.n_doses[regimen], self.plan.cycle_days[regimen]
        after = (dose + 1) % n_doses
        gap = self.plan.offset[regimen, after] - self.plan.offset[regimen, dose] + np.where(after == 0, length, 0)
        self.next_on[course] += gap
        self.dose_number[course] += 1
        self.is_over[course] = self.dose_number[course] >= n_doses * self.plan.cycles[regimen]


def draw_courses(rng: np.random.Generator, people: People, group_regimens: Floats, parameters: Regimens) -> Courses:
    """The course of everyone whose group has regimens; `group_regimens` are shares [group, regimen]."""
    person = np.flatnonzero(group_regimens[people.group].sum(axis=1) > 0)
    n_people, between, drug = len(person), parameters.between_people, parameters.docetaxel
    regimen = _draw_regimens(rng, group_regimens[people.group[person]])
    plan = make_plan(parameters)
    regimens = list(parameters.regimens.values())

    def vary(name: str) -> Floats:
        return np.exp(between[name] * rng.standard_normal(n_people))

    strength = vary("slope")
    never = np.full(n_people, NOT_YET)
    return Courses(
        parameters=parameters,
        plan=plan,
        person=person,
        regimen=regimen,
        traits=MarrowTraits.from_maturation(
            np.array([r.mtt_hours for r in regimens])[regimen] * vary("mtt"),
            np.array([r.gamma for r in regimens])[regimen] * vary("gamma"),
        ),
        pools=rested(n_people),
        amounts=np.zeros((plan.rates.shape[1], n_people)),
        rates=plan.rates[regimen].T,
        strength=strength,
        docetaxel=docetaxel_traits(rng, n_people, drug),
        emax_ec50=(drug.emax * strength, drug.ec50_um * vary("ec50")),
        profile=np.zeros((n_people, drug.acts_hours // parameters.step_hours + 1)),
        profile_at=np.full(n_people, drug.acts_hours // parameters.step_hours),
        surface=people.body_surface[person],
        next_on=people.story_on[person].copy(),
        dose_number=np.zeros(n_people, dtype=np.int64),
        fraction=np.ones(n_people),
        n_delays=np.zeros(n_people, dtype=np.int64),
        lowest=np.full(n_people, np.inf),
        first_on=never.copy(),
        last_on=never.copy(),
        is_over=np.zeros(n_people, dtype=bool),
        has_prophylaxis=rng.random(n_people) < np.array([r.prophylaxis_share for r in regimens])[regimen],
        stimulus_from=never.copy(),
        stimulus_until=never.copy(),
        rescue_until=np.full(n_people, -1),
        log_ratio=np.zeros(n_people),
    )


def _draw_regimens(rng: np.random.Generator, shares: Floats) -> Ints:
    edges = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)[:, :-1]
    drawn: Ints = (rng.random(len(shares))[:, None] >= edges).sum(axis=1)
    return drawn
