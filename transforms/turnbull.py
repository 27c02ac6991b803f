"""Turnbull's curve of durations known only between bounds, of many groups side by side: a reference, and a naive one.

A duration lies above its least and up to its most value. The curve falls only in innermost intervals, from a least
value to a most value with none of either between them, and where in such an interval it falls is not known: so its
median is an interval too. Each duration between the bounds of an episode counts as equally likely, which bounds made
of two gaps between tests do not deserve; that is why the curve is naive.

Sources: Turnbull 1976; innermost intervals, and when a curve is the likeliest, Gentleman and Geyer 1994; longer steps,
Varadhan and Roland 2008.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
_ENOUGH = 1e-4  # no shift of mass would make the data likelier by more than this part of their number
_TURNS = 300
_LEAST = 1e-12  # mass that no longer counts, kept so that it may come back
_HALF = 0.5 - 1e-7


@dataclass(frozen=True)
class Bounds:
    """Durations above `least` and up to `most` (infinite: no end was seen), `weights` of them, in numbered groups."""

    least: Numbers
    most: Numbers
    weights: Numbers
    group: Places
    n_groups: int


@dataclass(frozen=True)
class Masses:
    """The share of durations in each innermost interval, above `left` and up to `right`, in order of group and time."""

    group: Places
    left: Numbers
    right: Numbers
    share: Numbers


@dataclass(frozen=True)
class _Problem:
    """Each duration covers innermost intervals from `first` to before `last`; `of` is the group of an interval.

    `total` has the durations of the group of each interval.
    """

    first: Places
    last: Places
    weights: Numbers
    group: Places
    of: Places
    n_groups: int

    @cached_property
    def total(self) -> Numbers:
        return _sums(self.group, self.weights, self.n_groups)[self.of]


def turnbull(bounds: Bounds) -> Masses:
    """The likeliest curve of every group that has a duration."""
    masses, problem = _innermost(bounds)
    problem = _once(problem)
    share = 1.0 / np.bincount(problem.of, minlength=problem.n_groups)[problem.of]
    groups = np.unique(problem.group)
    part, places = _only(problem, groups)
    is_open = np.ones(len(groups), np.bool_)
    for _ in range(_TURNS):
        if not is_open.any():
            break
        if is_open.sum() <= len(groups) / 2:  # few groups take long, and the others need not wait for them
            groups, is_open = groups[is_open], is_open[is_open]
            part, places = _only(problem, groups)
        better, is_done = _turn(part, share[places])
        share[places] = np.where(is_open[part.of], better, share[places])
        is_open &= ~is_done
    return Masses(masses.group, masses.left, masses.right, share)


def turnbull_medians(bounds: Bounds) -> tuple[Numbers, Numbers]:
    """Between what and what the median of each group lies; NaN without durations, an infinite end if not reached."""
    masses = turnbull(bounds)
    before = np.concatenate([[0.0], np.cumsum(masses.share)])
    begins = np.searchsorted(masses.group, masses.group)
    reached = before[1:] - before[begins] >= _HALF
    groups, at = np.unique(masses.group[reached], return_index=True)
    low, high = np.full(bounds.n_groups, np.nan), np.full(bounds.n_groups, np.nan)
    low[groups], high[groups] = masses.left[reached][at], masses.right[reached][at]
    return low, high


def _innermost(bounds: Bounds) -> tuple[Masses, _Problem]:
    size = len(bounds.least)
    time, group = np.concatenate([bounds.most, bounds.least]), np.concatenate([bounds.group, bounds.group])
    is_least = np.arange(2 * size) >= size  # a duration that ends at a time lies before one that begins above it
    order = np.lexsort((is_least, time, group))
    time, group, is_least = time[order], group[order], is_least[order]
    left = np.flatnonzero(is_least[:-1] & ~is_least[1:] & (group[:-1] == group[1:]))
    masses = Masses(group[left], time[left], time[left + 1], np.zeros(len(left)))
    rank = np.empty(2 * size, np.int64)
    rank[order] = np.arange(2 * size)
    first = np.searchsorted(left, rank[size:])
    last = np.searchsorted(left + 1, rank[:size], side="right")
    return masses, _Problem(first, last, bounds.weights, bounds.group, masses.group, bounds.n_groups)


def _once(problem: _Problem) -> _Problem:
    """Durations that cover the same innermost intervals say the same: once, with all their weight."""
    covered = problem.first * (len(problem.of) + 1) + problem.last
    _, at, same = np.unique(covered, return_index=True, return_inverse=True)
    weights = _sums(same, problem.weights, len(at))
    return _Problem(problem.first[at], problem.last[at], weights, problem.group[at], problem.of, problem.n_groups)


def _only(problem: _Problem, groups: Places) -> tuple[_Problem, Places]:
    """The durations of these groups alone, with their innermost intervals and where these stand among all."""
    number = np.full(problem.n_groups, -1)
    number[groups] = np.arange(len(groups))
    rows, places = np.flatnonzero(number[problem.group] >= 0), np.flatnonzero(number[problem.of] >= 0)
    moved = np.searchsorted(places, problem.first[rows])
    last = moved + problem.last[rows] - problem.first[rows]
    part = _Problem(
        moved, last, problem.weights[rows], number[problem.group[rows]], number[problem.of[places]], len(groups)
    )
    return part, places


def _turn(problem: _Problem, share: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Better shares, by two plain steps and a longer one along them; and which groups are as good as they can be."""
    one, chance, slope = _step(problem, share)
    two, _, _ = _step(problem, one)
    moved, bent = one - share, two - 2 * one + share
    lengths = [np.sqrt(_sums(problem.of, each**2, problem.n_groups)) for each in (moved, bent)]
    with np.errstate(invalid="ignore", divide="ignore"):
        far = np.maximum(np.nan_to_num(lengths[0] / lengths[1], nan=1.0, posinf=1.0), 1.0)[problem.of]
    leapt = np.maximum(share + 2 * far * moved + far**2 * bent, _LEAST)
    leapt /= _sums(problem.of, leapt, problem.n_groups)[problem.of]
    after, leapt_chance, _ = _step(problem, leapt)
    is_better = (_height(problem, leapt_chance) >= _height(problem, chance))[problem.of]
    most = np.full(problem.n_groups, -np.inf)
    np.maximum.at(most, problem.of, slope)
    return np.where(is_better, after, two), most <= 1 + _ENOUGH


def _step(problem: _Problem, share: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """A step of expectation and maximisation, chances of durations before it, and how fast each mass would raise it."""
    before = np.concatenate([[0.0], np.cumsum(share)])
    chance = np.maximum(before[problem.last] - before[problem.first], _LEAST)
    each = problem.weights / chance
    edges = np.bincount(problem.first, each, len(share) + 1) - np.bincount(problem.last, each, len(share) + 1)
    slope = np.cumsum(edges)[:-1] / problem.total
    moved = np.maximum(share * slope, 0)
    return moved / _sums(problem.of, moved, problem.n_groups)[problem.of], chance, slope


def _height(problem: _Problem, chance: Numbers) -> Numbers:
    """The log likelihood of each group."""
    return _sums(problem.group, problem.weights * np.log(chance), problem.n_groups)


def _sums(place: Places, numbers: Numbers, n_places: int) -> Numbers:
    return np.bincount(place, numbers, n_places).astype(np.float64)
