"""How long episodes last when both their ends lie between two tests, allowing for those too short to be seen.

An episode is known by three times: from the last value that is not low to the first low (`before`), from the first to
the last low (`inside`), from the last low to the first recovered value (`after`, open when no recovery was seen). Its
onset may lie anywhere in `before`, with equal chance, and its duration does not depend on where: so the chance of what
was seen is an area under the curve of durations, and it is taken among the episodes that a test could have met at all,
because one that began and ended between two tests is not in the data. Visits must be ignorable: why a test was done
may depend on every value seen before, and on nothing else. All groups are fitted side by side.

Source: De Gruttola and Lagakos 1989 (doubly interval-censored data), with truncation by detection; what each cluster of
people moves, Mancl and DeRouen 2001.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.duration_families import Family, Numbers
from transforms.interval_groups import Groups, Places
from transforms.interval_likelihood import likelihood_of

_EVEN = 1e-9  # heights this close are one height
_ENOUGH = 1e-3  # a step this small moves a median by a thousandth of it, and leaves a millionth to go
_NEAR = 0.01  # from such a step on, the rest is for the triples as they are
_TRIES = 40
_DAMPING = 1e-4  # at first
_WHOLE = 1 - 1e-6  # of the information of a group: what is left is none
_NARROWEST = np.log(0.02)  # below this all durations are equal as far as the tests can tell, and there is no peak


@dataclass(frozen=True)
class Fits:
    """The likeliest parameters of each group, NaN where none were found.

    `slopes` has a row for each triple: first differentials of its log likelihood (place, spread) and second ones (place
    twice, both, spread twice).
    """

    place: Numbers
    spread: Numbers
    slopes: Numbers


def fit_durations(groups: Groups, family: Family) -> Fits:
    """The parameters that make the triples of each group likeliest.

    They are looked for among triples that are rounded first, of which there are few; from there all need a step or two.
    """
    once, number = groups.once()
    start = _start(once)
    rough = _climb(once.rounded(), family, start, _NEAR)
    climbed = _climb(once, family, np.where(rough.is_found[:, None], rough.at, start), _ENOUGH)
    place, spread = (np.where(climbed.is_found, climbed.at[:, parameter], np.nan) for parameter in (0, 1))
    return Fits(place, spread, climbed.each[1:].T[number])


@dataclass(frozen=True)
class _Climbed:
    """Where a climb ended in each group, whether that is a peak, and what `Likelihood.at` tells there."""

    at: Numbers
    is_found: NDArray[np.bool_]
    each: Numbers


def _climb(groups: Groups, family: Family, start: Numbers, enough: float) -> _Climbed:
    """Newton's steps, shortened where they overshoot (Levenberg and Marquardt), in all groups at once.

    A group is done when its step is below `enough`.
    """
    likelihood = likelihood_of(groups, family)
    at, each = start.copy(), likelihood.at(start)
    height, pull, bend = _sums(groups, each)
    is_done: NDArray[np.bool_] = ~np.isfinite(height)
    damping = np.full(groups.n_groups, _DAMPING)
    for _ in range(_TRIES):
        left = np.flatnonzero(~is_done)
        if not len(left):
            break
        part, rows = likelihood.only(left)  # the others need not wait for a few
        step = _step(pull[left], bend[left], damping[left])
        told = part.at(at[left] + step)
        found = _sums(part.groups, told)
        is_better = found[0] >= height[left] - _EVEN
        better = left[is_better]
        at[better] += step[is_better]
        height[better], pull[better], bend[better] = (numbers[is_better] for numbers in found)
        if is_better.all():
            each[:, rows] = told
        else:
            is_moved = is_better[part.groups.group]
            each[:, rows[is_moved]] = told[:, is_moved]
        damping[left] = np.clip(damping[left] * np.where(is_better, 0.1, 10.0), 1e-9, 1e9)
        is_done[left] = is_better & (np.abs(step).max(axis=1) < enough)
    is_peak = (np.linalg.det(bend) > 0) & (bend[:, 0, 0] > 0)
    return _Climbed(at, is_done & is_peak & (at[:, 1] > _NARROWEST) & np.isfinite(height), each)


def resample(groups: Groups, fits: Fits, cluster: Places, weights: Numbers) -> tuple[Numbers, Numbers]:
    """(place, spread) of each group (rows) in each replicate (columns), NaN where all hangs on one cluster.

    A cluster that is drawn once more moves the fit by the step of Newton that undoes leaving it out. `cluster` says to
    which cluster of people each triple belongs; `weights` has a row a cluster, a column a replicate.
    """
    shape = groups.n_groups, len(weights)
    cell = groups.group * len(weights) + cluster
    sums = [np.bincount(cell, groups.weights * slope, shape[0] * shape[1]).reshape(shape) for slope in fits.slopes.T]
    pull, own = (np.stack(part).astype(np.float64) for part in (sums[:2], sums[2:]))
    held = _held(pull, -own, np.isfinite(fits.place))
    steps = held @ (weights - 1)
    return fits.place[:, None] + steps[0], fits.spread[:, None] + steps[1]


def _held(pull: Numbers, own: Numbers, is_found: NDArray[np.bool_]) -> Numbers:
    """How far each cluster (columns) holds the fit of each group: what leaving it out would move, with the sign turned.

    `pull` and `own` are sums over clusters: first differentials, and second ones with the sign turned. A direction in
    which a cluster bends the other way is one that it tells nothing of. NaN where the others alone have no peak.
    Source: Mancl and DeRouen 2001.
    """
    first, both, second = own.sum(axis=2, keepdims=True)
    with np.errstate(all="ignore"):
        # Axes along which the information of the whole group is one, so that a cluster's own is its part of it.
        right = 1 / np.sqrt(first)
        tall = 1 / np.sqrt(second - both**2 / first)
        turn = -both / first * tall
        pulls = right * pull[0], turn * pull[0] + tall * pull[1]
        a = right**2 * own[0]
        b = right * (turn * own[0] + tall * own[1])
        c = turn**2 * own[0] + 2 * turn * tall * own[1] + tall**2 * own[2]
        middle, reach = (a + c) / 2, np.hypot((a - c) / 2, b)
        least, most = middle - reach, middle + reach
        kept = np.where(least >= 0, 1, np.where(most > 0, most / (2 * reach), 0))
        moved = np.minimum(least, 0)
        a, b, c = 1 - kept * (a - moved), -kept * b, 1 - kept * (c - moved)  # the part of the others
        across = np.where((most < _WHOLE) & is_found[:, None], a * c - b**2, np.nan)
        one, two = (c * pulls[0] - b * pulls[1]) / across, (a * pulls[1] - b * pulls[0]) / across
        return np.stack([right * one + turn * two, tall * two])


def chances_of_detection(groups: Groups, days: Numbers) -> Numbers:
    """For each group, the chance that an episode of so many days meets a test, if tests lie as its gaps do."""
    chance = np.minimum(1.0, days[groups.group] / groups.triples.before)
    return groups.add_up(chance) / groups.add_up(np.ones(len(chance)))


def _start(groups: Groups) -> Numbers:
    """Middles of the bounds of episodes that ended, as if they were the durations; NaN for a group without an end."""
    triples = groups.triples
    has_end = np.isfinite(triples.after)
    middle = np.log(triples.inside + (triples.before + np.where(has_end, triples.after, 0.0)) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        ended = groups.add_up(has_end.astype(float))
        place = groups.add_up(has_end * middle) / ended
        spread = np.sqrt(groups.add_up(has_end * (middle - place[groups.group]) ** 2) / ended)
    return np.stack([place, np.log(np.maximum(spread, 0.1))], axis=1)


def _sums(groups: Groups, each: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Of each group: log likelihood, its first differentials, and the matrix of second ones with the sign turned."""
    height, right, wide, *bends = (groups.add_up(row) for row in each)
    bend = -np.nan_to_num(np.stack([bends[0], bends[1], bends[1], bends[2]], axis=1)).reshape(-1, 2, 2)
    return np.where(np.isnan(height), -np.inf, height), np.nan_to_num(np.stack([right, wide], axis=1)), bend


def _step(pull: Numbers, bend: Numbers, damping: Numbers) -> Numbers:
    """The step of each group, at most 1 in either parameter."""
    first, second = (bend[:, i, i] + damping * np.abs(bend[:, i, i]) for i in (0, 1))
    both = bend[:, 0, 1]
    with np.errstate(all="ignore"):
        across = first * second - both**2
        step = np.stack([second * pull[:, 0] - both * pull[:, 1], first * pull[:, 1] - both * pull[:, 0]], axis=1)
        return np.nan_to_num(np.clip(step / across[:, None], -1, 1))
