"""Turnbull's curve of durations known only between bounds, of many groups side by side: a reference, and a naive one.

A duration lies above its least and up to its most value. The curve falls only in innermost intervals, from a least
value to a most value with none of either between them, and where in such an interval it falls is not known: so its
median is an interval too. Each duration between the bounds of an episode counts as equally likely, which bounds made
of two gaps between tests do not deserve; that is why the curve is naive.

Sources: Turnbull 1976; innermost intervals, and when a curve is the likeliest, Gentleman and Geyer 1994; steps of both
kinds in turn, Wellner and Zhan 1997.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
_ENOUGH = 1e-8  # no shift of mass would make the data likelier by more than this part of their number
_TURNS = 300
_LEAST = 1e-12  # a chance below it is none
_HALVINGS = 8
_APART = 4.0  # more than Newton's steps, which are at most one, can bring two groups together
_HALF = 0.5 - 1e-5  # half of few durations is often reached exactly, and then by a hair or not


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
    """Better shares, by a step of expectation and one of the minorant; and which groups are as good as they can be."""
    one, slope = _step(problem, share)
    most = np.full(problem.n_groups, -np.inf)
    np.maximum.at(most, problem.of, slope)
    return _leap(problem, one), most <= 1 + _ENOUGH


def _leap(problem: _Problem, share: Numbers) -> Numbers:
    """The curve that fits Newton's step at every edge between masses best and still rises, or as near as is likelier.

    What one edge tells of another is left out, so the step may be too long, and is halved until it is none.
    """
    from scipy.optimize import isotonic_regression  # most commands draw no curve, and need not wait for it

    chance = _chances(problem, share)
    pull, bend = (_at_edges(problem, problem.weights / chance**power, sign) for power, sign in ((1, -1), (2, 1)))
    inner = np.flatnonzero(problem.of[1:] == problem.of[:-1]) + 1
    sums = np.cumsum(share) - problem.of  # each group adds up to one
    bend = np.maximum(bend, np.abs(pull))[inner]
    wanted = sums[inner - 1] + pull[inner] / bend
    apart = _APART * problem.of[inner]
    edges = np.append(problem.of, problem.n_groups).astype(np.float64)
    edges[inner] += np.clip(isotonic_regression(wanted + apart, weights=bend).x - apart, 0, 1)
    moved = np.diff(edges) - share
    height, length = _height(problem, chance), np.ones(problem.n_groups)
    for _ in range(_HALVINGS):
        leapt = _height(problem, _chances(problem, share + length[problem.of] * moved))
        is_worse = ~(leapt >= height)
        if not is_worse.any():
            break
        length[is_worse] /= 2
    length[is_worse] = 0
    return share + length[problem.of] * moved


def _step(problem: _Problem, share: Numbers) -> tuple[Numbers, Numbers]:
    """A step of expectation and maximisation, and how fast each mass would raise the chance of what was seen."""
    edges = _at_edges(problem, problem.weights / _chances(problem, share), -1)
    slope = -np.cumsum(edges)[:-1] / problem.total
    moved = np.maximum(share * slope, 0)
    return moved / _sums(problem.of, moved, problem.n_groups)[problem.of], slope


def _chances(problem: _Problem, share: Numbers) -> Numbers:
    before: Numbers = np.concatenate([[0.0], np.cumsum(share)])
    chance: Numbers = np.maximum(before[problem.last] - before[problem.first], _LEAST)
    return chance


def _at_edges(problem: _Problem, numbers: Numbers, sign: int) -> Numbers:
    """The sum of the numbers of durations that end at an edge between masses, and of those that begin, times `sign`."""
    size = len(problem.of) + 1
    return _sums(problem.last, numbers, size) + sign * _sums(problem.first, numbers, size)


def _height(problem: _Problem, chance: Numbers) -> Numbers:
    """The log likelihood of each group."""
    return _sums(problem.group, problem.weights * np.log(chance), problem.n_groups)


def _sums(place: Places, numbers: Numbers, n_places: int) -> Numbers:
    return np.bincount(place, numbers, n_places).astype(np.float64)
