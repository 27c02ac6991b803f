"""Drug exposure as the mean effect on the marrow in each step after a dose.

Docetaxel: two compartments and a one-hour infusion, in closed form, then Emax; the effect is averaged over many points
within a step because it moves by a factor of ten in the first hour. Any other agent: one compartment, effect = slope x
amount, whose mean over a step is exact.
"""

import numpy as np

from flows.simulation.arrays import Floats
from flows.simulation.treatment import Docetaxel


def docetaxel_traits(rng: np.random.Generator, n_people: int, drug: Docetaxel) -> dict[str, Floats]:
    """Kinetic constants of each person."""
    typical = {
        "clearance": drug.clearance_l_per_h,
        "distribution": drug.distribution_l_per_h,
        "central": drug.central_l,
        "peripheral": drug.peripheral_l,
    }
    return {name: value * np.exp(drug.log_sd[name] * rng.standard_normal(n_people)) for name, value in typical.items()}


def docetaxel_um(hours: Floats, dose_mg: Floats, traits: dict[str, Floats], drug: Docetaxel) -> Floats:
    """Plasma concentration in uM, shape (people, hours), after one infusion that starts at hour 0."""
    out = traits["clearance"] / traits["central"]
    to_tissue = traits["distribution"] / traits["central"]
    back = traits["distribution"] / traits["peripheral"]
    total = out + to_tissue + back
    root = np.sqrt(total * total - 4.0 * out * back)
    rates = ((total + root) / 2.0, (total - root) / 2.0)
    per_hour = dose_mg / drug.infusion_hours / traits["central"] / drug.mg_per_umol
    concentration = np.zeros((len(dose_mg), len(hours)))
    for rate, other in (rates, rates[::-1]):
        share = (back - rate) / (other - rate) / rate
        during = 1.0 - np.exp(-np.outer(rate, np.minimum(hours, drug.infusion_hours)))
        after = np.exp(-np.outer(rate, np.maximum(hours - drug.infusion_hours, 0.0)))
        concentration += (per_hour * share)[:, None] * during * after
    return concentration


def docetaxel_effect(
    dose_mg: Floats, traits: dict[str, Floats], emax_ec50: tuple[Floats, Floats], step_hours: int, drug: Docetaxel
) -> Floats:
    """Mean effect in each step after the dose, shape (people, steps)."""
    n_steps = drug.acts_hours // step_hours
    width = step_hours / drug.points_per_step
    points = (np.arange(n_steps * drug.points_per_step) + 0.5) * width
    concentration = docetaxel_um(points, dose_mg, traits, drug)
    effect = emax_ec50[0][:, None] * concentration / (emax_ec50[1][:, None] + concentration)
    mean: Floats = effect.reshape(len(dose_mg), n_steps, drug.points_per_step).mean(axis=2)
    return mean


def mean_amount_factor(rate_per_hour: Floats, hours: float) -> tuple[Floats, Floats]:
    """For a one-compartment agent: mean over a step and rest after it, as shares of the amount at its start."""
    rest = np.exp(-rate_per_hour * hours)
    return (1.0 - rest) / (rate_per_hour * hours), rest
