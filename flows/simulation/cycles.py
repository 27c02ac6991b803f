"""The regimens as arrays: what is given on which day of a cycle, and how fast each agent leaves.

Docetaxel has kinetics of its own and so a column of its own; the other agents that act fill slots.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.simulation.arrays import Floats, Ints
from flows.simulation.treatment import Regimen, Regimens

DOSES_PER_CYCLE = 100  # above any number of dose days: regimen and dose day make one number


@dataclass(frozen=True)
class Plan:
    """Arrays over [regimen], [regimen, dose of the cycle] or [regimen, dose, slot]."""

    names: tuple[str, ...]
    given: Floats  # slope of the agent in a slot, 0 where it is not given
    rates: Floats  # [regimen, slot] per hour
    docetaxel_mg_per_m2: Floats
    offset: Ints  # days since the cycle began
    is_checked: NDArray[np.bool_]
    n_doses: Ints
    cycles: Ints
    cycle_days: Ints


def make_plan(parameters: Regimens) -> Plan:
    """Arrays of all regimens, in the order of the file."""
    regimens = list(parameters.regimens.values())
    slots = [_acting(regimen, parameters) for regimen in regimens]
    n_doses = np.array([len(regimen.doses) for regimen in regimens])
    shape = (len(regimens), int(n_doses.max()))
    given, rates = np.zeros((*shape, max(map(len, slots)))), np.ones((len(regimens), max(map(len, slots))))
    docetaxel, offset = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    is_checked = np.zeros(shape, dtype=bool)
    for row, regimen in enumerate(regimens):
        for slot, name in enumerate(slots[row]):
            rates[row, slot] = np.log(2.0) / (parameters.agents[name].half_life_hours or 1.0)
        for dose, on in enumerate(regimen.doses):
            offset[row, dose], is_checked[row, dose] = on.day - regimen.doses[0].day, on.is_checked
            for name, amount in on.agents.items():
                if name in slots[row]:
                    given[row, dose, slots[row].index(name)] = amount.slope
                if parameters.agents[name].kinetics is not None:
                    docetaxel[row, dose] = amount.mg_per_m2
    return Plan(
        names=tuple(parameters.regimens),
        given=given,
        rates=rates,
        docetaxel_mg_per_m2=docetaxel,
        offset=offset,
        is_checked=is_checked,
        n_doses=n_doses,
        cycles=np.array([regimen.cycles for regimen in regimens]),
        cycle_days=np.array([regimen.cycle_days for regimen in regimens]),
    )


def _acting(regimen: Regimen, parameters: Regimens) -> list[str]:
    names: dict[str, None] = {}
    for on in regimen.doses:
        for name, amount in on.agents.items():
            if amount.slope > 0 and parameters.agents[name].kinetics is None:
                names[name] = None
    return list(names)
