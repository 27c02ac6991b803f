"""The marrow of many people at once: a proliferating pool, three maturing ones and the blood, with feedback.

Friberg 2002 (doi:10.1200/JCO.2002.02.140). All five pools are shares of the person's own baseline, so that the
baseline itself never enters. The drug effect acts on proliferation as (1 - effect); G-CSF speeds maturation and
proliferation and slows the loss from blood, so that a count falls when it is stopped. The proliferating pool moves by
its exact exponential over a step, the others by the trapezoid rule, so that an effect of many times one at the end of
an infusion needs no smaller step.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.simulation.arrays import Floats

PROLIFERATING, TRANSIT_1, TRANSIT_2, TRANSIT_3, BLOOD = range(5)
POOLS = 5
Stimulus = tuple[Floats, Floats, Floats]
TINY = 1e-9  # keeps logarithms and quotients finite; no count is that small
MATURATION_STEPS = 4  # three transit pools and the way from proliferation: ktr = 4 / MTT


@dataclass(frozen=True)
class MarrowTraits:
    """Rates of each person; `transit_per_hour` is ktr."""

    transit_per_hour: Floats
    gamma: Floats

    @classmethod
    def from_maturation(cls, mtt_hours: Floats, gamma: Floats) -> "MarrowTraits":
        """Traits from the mean maturation time in hours."""
        return cls(MATURATION_STEPS / mtt_hours, gamma)

    def of(self, people: NDArray[np.intp]) -> "MarrowTraits":
        """Traits of some of the people."""
        return MarrowTraits(self.transit_per_hour[people], self.gamma[people])


def rested(n_people: int) -> Floats:
    """Pools of people at their baseline, shape (5, people)."""
    return np.ones((POOLS, n_people))


def step(pools: Floats, traits: MarrowTraits, effect: Floats, hours: float, stimulus: Stimulus | None = None) -> Floats:
    """Pools `hours` later under the mean `effect` of that time.

    `stimulus`: factors on maturation, proliferation and loss from blood while G-CSF acts.
    """
    transit = growth = loss = traits.transit_per_hour
    if stimulus is not None:
        transit, loss = loss * stimulus[0], loss * stimulus[2]
        growth = transit * stimulus[1]
    middle = pools[BLOOD] + 0.5 * hours * (transit * pools[TRANSIT_3] - loss * pools[BLOOD])
    feedback = np.exp(-traits.gamma * np.log(np.maximum(middle, TINY)))
    exponent = hours * (growth * (1.0 - effect) * feedback - transit)
    exponent = np.where(np.abs(exponent) < TINY, TINY, exponent)
    moved = np.empty_like(pools)
    moved[PROLIFERATING] = np.maximum(pools[PROLIFERATING] * np.exp(exponent), TINY)
    inflow = pools[PROLIFERATING] * np.expm1(exponent) / exponent
    half = 0.5 * hours * transit
    kept, gain = (1.0 - half) / (1.0 + half), 2.0 * half / (1.0 + half)
    for pool in (TRANSIT_1, TRANSIT_2, TRANSIT_3):
        moved[pool] = pools[pool] * kept + gain * inflow
        inflow = 0.5 * (pools[pool] + moved[pool])
    half_loss = 0.5 * hours * loss
    moved[BLOOD] = (pools[BLOOD] * (1.0 - half_loss) + hours * transit * inflow) / (1.0 + half_loss)
    return moved
