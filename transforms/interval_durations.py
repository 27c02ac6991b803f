"""How long episodes last when both their ends lie between two tests, allowing for those too short to be seen.

An episode is known by three times: from the last value that is not low to the first low (`before`), from the first to
the last low (`inside`), from the last low to the first recovered value (`after`, open when no recovery was seen). Its
onset may lie anywhere in `before`, with equal chance, and its duration does not depend on where: so the chance of what
was seen is an area under the curve of durations, and it is taken among the episodes that a test could have met at all,
because one that began and ended between two tests is not in the data. Visits must be ignorable: why a test was done
may depend on every value seen before, and on nothing else.

Source: De Gruttola and Lagakos 1989 (doubly interval-censored data), with truncation by detection.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from transforms.duration_families import Family, Numbers

_TINY = 1e-300
_STEP = 1e-3  # of a central difference in the two parameters, which are logarithms
_SEARCH = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 2000, "maxfev": 4000}


@dataclass(frozen=True)
class Triples:
    """Episodes in days: `before` above 0, `inside` at least 0, `after` above 0 or infinite where no end was seen."""

    before: Numbers
    inside: Numbers
    after: Numbers

    def __len__(self) -> int:
        return len(self.before)


@dataclass(frozen=True)
class Fit:
    """The likeliest parameters of a family; `curvature` is the matrix of second differences of the log likelihood.

    `scores` has a row for each triple: how its log likelihood moves with each parameter.
    """

    family: Family
    place: float
    spread: float
    scores: NDArray[np.float64]
    curvature: NDArray[np.float64]


def log_likelihood(triples: Triples, family: Family, place: Numbers, spread: Numbers) -> Numbers:
    """Of each triple, given that a test met the episode at all."""
    seen = _area_between(triples, family, place, spread)
    met = _met(triples.before, family, place, spread)
    return np.log(np.maximum(seen, _TINY)) - np.log(np.maximum(met, _TINY))


def fit_durations(triples: Triples, weights: Numbers, family: Family) -> Fit | None:
    """The parameters that make the weighted triples likeliest; None where no end was seen or the search does not settle."""
    ends = np.isfinite(triples.after) & (weights > 0)
    if not ends.any():
        return None

    def cost(at: Numbers) -> float:
        return -float(weights @ log_likelihood(triples, family, at[0], at[1]))

    found = optimize.minimize(cost, _start(triples, weights, ends), method="Nelder-Mead", options=_SEARCH)
    place, spread = (float(number) for number in found.x)
    scores, curvature = _differences(triples, weights, family, place, spread)
    is_peak = bool(found.success) and bool(np.isfinite(curvature).all()) and np.linalg.eigvalsh(curvature).max() < 0
    return Fit(family, place, spread, scores, curvature) if is_peak else None


def resample(fit: Fit, weights: NDArray[np.int64], total: Numbers) -> tuple[Numbers, Numbers]:
    """(place, spread) of each replicate: one step of Newton from the fit, by the replicate's own weights.

    `weights` has a row for each triple and a column for each replicate; `total` are the weights that were fitted.
    """
    moved = fit.scores.T @ (weights - total[:, None])
    steps = -np.linalg.solve(fit.curvature, moved)
    return fit.place + steps[0], fit.spread + steps[1]


def chance_of_detection(days: float, gaps: Numbers, weights: Numbers) -> float:
    """The chance that an episode of so many days meets a test, where tests lie these `gaps` apart."""
    return float(np.average(np.minimum(1.0, days / gaps), weights=weights))


def _area_between(triples: Triples, family: Family, place: Numbers, spread: Numbers) -> Numbers:
    """The mean, over every possible onset, of the chance that the duration ends between the last low and recovery.

    A second difference of areas; from the median on the areas above are used, because those below then differ too
    little to be told apart.
    """
    least, most = triples.inside, triples.inside + triples.before
    is_late = triples.inside > family.quantile(np.asarray(0.5), place, spread)
    has_end = np.isfinite(triples.after)
    after = np.where(has_end, triples.after, 0.0)

    def ramp(start: Numbers, end: Numbers) -> Numbers:
        late = family.above(start, place, spread) - family.above(end, place, spread)
        early = (end - start) - (family.below(end, place, spread) - family.below(start, place, spread))
        return np.where(is_late, late, early)

    beyond_least = ramp(least, most)
    beyond_end = np.where(has_end, ramp(least + after, most + after), 0.0)
    return (beyond_least - beyond_end) / triples.before


def _met(before: Numbers, family: Family, place: Numbers, spread: Numbers) -> Numbers:
    """The chance that an episode whose onset lies in a gap of this length lasts until the test that ends the gap."""
    return 1 - family.below(before, place, spread) / before


def _start(triples: Triples, weights: Numbers, ends: NDArray[np.bool_]) -> Numbers:
    """Middles of the bounds of episodes that ended, as if they were the durations."""
    middles = np.log(triples.inside[ends] + (triples.before[ends] + triples.after[ends]) / 2)
    place = np.average(middles, weights=weights[ends])
    spread = np.sqrt(np.average((middles - place) ** 2, weights=weights[ends]))
    return np.array([place, np.log(max(spread, 0.1))])


def _differences(
    triples: Triples, weights: Numbers, family: Family, place: float, spread: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First differences for each triple and second ones of their weighted sum."""

    def at(place_steps: int, spread_steps: int) -> Numbers:
        moved = np.asarray(place + place_steps * _STEP), np.asarray(spread + spread_steps * _STEP)
        return log_likelihood(triples, family, *moved)

    here, up, down, wide, narrow = at(0, 0), at(1, 0), at(-1, 0), at(0, 1), at(0, -1)
    scores = np.stack([up - down, wide - narrow], axis=1) / (2 * _STEP)
    mixed = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    second = np.stack([up - 2 * here + down, mixed, wide - 2 * here + narrow], axis=1)
    along, across, spreads = (weights @ second) / _STEP**2
    return scores, np.array([[along, across], [across, spreads]])
