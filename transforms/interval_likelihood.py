"""How likely each episode is, known between tests, at the durations of its group, and how that moves with them.

An onset may lie anywhere before the first low value, so what was seen is an area under the curve of durations between
four times, and what a test could have met is an area up to one. Tests lie whole hours apart, so episodes of a group
share most of these times: each time of a group is looked up once, and its area is told to all episodes that need it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from transforms.duration_families import Family, Numbers, Told
from transforms.interval_groups import Groups, Places, Triples

Flags = NDArray[np.bool_]
_TINY = 1e-300
_BLOCK, _ROWS = 8192, 6
_HALF = np.asarray(0.5)


def log_likelihood(triples: Triples, family: Family, place: float, spread: float) -> Numbers:
    """Of each triple, given that a test met the episode at all."""
    groups = Groups(triples, np.ones(len(triples)), np.zeros(len(triples), np.int64), 1)
    chances: Numbers = likelihood_of(groups, family).at(np.array([[place, spread]]))[0]
    return chances


def likelihood_of(groups: Groups, family: Family) -> "Likelihood":
    """Of the triples of `groups`, when the durations of each group are of `family`."""
    before, inside, after = groups.triples.sides
    most = inside + before
    times = _find_times(groups, [inside, most, inside + after, most + after])
    return Likelihood(groups, family, times, _find_times(groups, [before]))


@dataclass(frozen=True)
class Likelihood:
    """Of the triples of `groups`, with each time and each gap before an onset that they need.

    `times`: from the first and the last moment of onset to the last low value, and to the first recovered one.
    """

    groups: Groups
    family: Family
    times: "_Times"
    gaps: "_Times"

    def only(self, chosen: Places) -> tuple["Likelihood", Places]:
        """Of these groups alone, as `Groups.only`."""
        if len(chosen) == self.groups.n_groups:
            return self, np.arange(len(self.groups.triples))
        groups, rows = self.groups.only(chosen)
        times, gaps = (each.only(chosen, self.groups.group, rows) for each in (self.times, self.gaps))
        return Likelihood(groups, self.family, times, gaps), rows

    def at(self, parameters: Numbers) -> Numbers:
        """The log likelihood of each triple and its slopes, in rows as `Family.slopes` has them.

        `parameters` has place and spread of each group. Triples are taken a block at a time, so that what is between
        stays in the cache.
        """
        size = len(self.groups.triples)
        found, both = np.empty((_ROWS, size)), (parameters[:, 0], parameters[:, 1])
        with np.errstate(all="ignore"):
            is_late = self.groups.triples.inside > self.family.quantile(_HALF, *both)[self.groups.group]
            told = self.family.told(*both)
            areas, met = self._areas(told, is_late), self._met(told)
            for block in _blocks(size):
                seen = _log(self._seen(block, areas, is_late[block]))
                np.subtract(seen, _rows_of(met, self.gaps.used[0, block]).T, out=found[:, block])
        return found

    def _areas(self, told: Told, is_late: Flags) -> Numbers:
        """The area below each time that is needed, and its slopes; then the area above each. Without an end, 0.

        From the median on the areas above are used, because those below then differ too little to be told apart.
        """
        times, size = self.times, len(self.times.days)
        areas, is_needed = np.zeros((2 * size, _ROWS)), np.zeros(2 * size, np.bool_)
        for block in _blocks(len(is_late)):
            is_needed[times.used[:, block] + is_late[block] * size] = True
        for late, needed in zip((False, True), is_needed.reshape(2, size), strict=True):
            wanted = np.flatnonzero(needed & np.isfinite(times.days))
            for block in _blocks(len(wanted)):
                some = wanted[block]
                areas[some + late * size] = self._slopes(times, some, told, is_late=late).T
        return areas

    def _met(self, told: Told) -> Numbers:
        """The logarithm of the chance that an episode whose onset lies in a gap lasts until the test that ends it."""
        days = self.gaps.days
        found = np.empty((len(days), _ROWS))
        for block in _blocks(len(days)):
            chance = -self._slopes(self.gaps, block, told, is_late=False) / days[block]
            chance[0] += 1
            found[block] = _log(chance).T
        return found

    def _slopes(self, times: "_Times", some: Places | slice, told: Told, *, is_late: bool) -> Numbers:
        group = times.group[some]
        return self.family.slopes(times.days[some], tuple(each[group] for each in told), is_late)

    def _seen(self, some: slice, areas: Numbers, is_late: Flags) -> Numbers:
        """The mean, over every possible onset, of the chance that the duration ends between the last low and recovery.

        A second difference of areas, and its slopes.
        """
        least, most, least_after, most_after = self.times.used[:, some] + is_late * len(self.times.days)
        area = _rows_of(areas, least)
        area -= _rows_of(areas, most)
        area -= _rows_of(areas, least_after) - _rows_of(areas, most_after)
        before, after = self.groups.triples.before[some], self.groups.triples.after[some]
        seen = np.ascontiguousarray(area.T)
        seen[0] += np.where(~is_late & np.isinf(after), before, 0.0)
        seen /= before
        return seen


@dataclass(frozen=True)
class _Times:
    """Times of each group in days, each once; `used` says for each triple (a column) where those that it needs stand.

    Those of a group stand together, from its place in `begins` on.
    """

    days: Numbers
    group: Places
    begins: Places
    used: Places

    def only(self, chosen: Places, group: Places, rows: Places) -> "_Times":
        """Those of `chosen` groups, whose triples are the `rows` of all; `group` is that of each of all triples."""
        kept = np.diff(self.begins)[chosen]
        begins = np.append(0, np.cumsum(kept))
        moved = np.repeat(self.begins[chosen] - begins[:-1], kept)
        shift = np.zeros(len(self.begins) - 1, np.int64)
        shift[chosen] = begins[:-1] - self.begins[chosen]
        used = self.used[:, rows] + shift[group[rows]]
        days = self.days[np.arange(len(moved)) + moved]
        return _Times(days, np.repeat(np.arange(len(chosen)), kept), begins, used)


def _find_times(groups: Groups, sides: Sequence[Numbers]) -> _Times:
    """Of times that each triple needs, one group after the other: few numbers are sorted faster than many."""
    order = np.argsort(groups.group, kind="stable")
    ends = np.searchsorted(groups.group[order], np.arange(groups.n_groups + 1))
    used = np.empty((len(sides), len(order)), np.int64)
    days: list[Numbers] = [np.empty(0)]
    begins = np.zeros(groups.n_groups + 1, np.int64)
    for number, (begin, end) in enumerate(pairwise(ends)):
        rows = order[begin:end]
        found, place = np.unique(np.stack([side[rows] for side in sides]), return_inverse=True)
        used[:, rows] = place.reshape(len(sides), -1) + begins[number]
        days.append(found)
        begins[number + 1] = begins[number] + len(found)
    return _Times(np.concatenate(days), np.repeat(np.arange(groups.n_groups), np.diff(begins)), begins, used)


def _blocks(size: int) -> Iterator[slice]:
    return (slice(begin, begin + _BLOCK) for begin in range(0, size, _BLOCK))


def _rows_of(table: Numbers, places: Places) -> Numbers:
    """Rows of a table. All places are inside it; not to look saves two thirds of the time."""
    return table.take(places, axis=0, mode="clip")


def _log(chance: Numbers) -> Numbers:
    """The logarithm of a chance, with its slopes; flat where nothing is left of the chance."""
    height = chance[0]
    is_left = height > _TINY
    told = np.where(is_left, chance / np.where(is_left, height, 1.0), 0.0)
    right, wide = told[1], told[2]
    told[3] -= right * right
    told[4] -= right * wide
    told[5] -= wide * wide
    told[0] = np.log(np.maximum(height, _TINY))
    return told
