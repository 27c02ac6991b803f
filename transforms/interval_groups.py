"""Episodes known by three times, counted in groups: what durations are estimated from.

From the last value that is not low to the first low (`before`), from the first to the last low (`inside`), from the
last low to the first recovered value (`after`, open when no recovery was seen).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.duration_families import Numbers

Places = NDArray[np.int64]
_ROUGH = 0.15  # of the logarithm of a day more than the time


@dataclass(frozen=True)
class Triples:
    """Episodes in days: `before` above 0, `inside` at least 0, `after` above 0 or infinite where no end was seen."""

    before: Numbers
    inside: Numbers
    after: Numbers

    def __len__(self) -> int:
        return len(self.before)

    @property
    def sides(self) -> tuple[Numbers, Numbers, Numbers]:
        """Its three columns."""
        return self.before, self.inside, self.after


@dataclass(frozen=True)
class Groups:
    """Triples that are counted: the group of each and how many there are of it."""

    triples: Triples
    weights: Numbers
    group: Places
    n_groups: int

    def add_up(self, numbers: Numbers) -> Numbers:
        """The weighted sum over each group of a number of each triple."""
        return np.bincount(self.group, self.weights * numbers, self.n_groups).astype(np.float64)

    def only(self, chosen: Places) -> tuple["Groups", Places]:
        """These groups alone, numbered in their order, and where their triples stand among all."""
        if len(chosen) == self.n_groups:
            return self, np.arange(len(self.group))
        number = np.full(self.n_groups, -1)
        number[chosen] = np.arange(len(chosen))
        rows = np.flatnonzero(number[self.group] >= 0)
        triples = Triples(*(side[rows] for side in self.triples.sides))
        return Groups(triples, self.weights[rows], number[self.group[rows]], len(chosen)), rows

    def once(self) -> tuple["Groups", Places]:
        """Triples that are the same as the one before them, of one group, as one; and where each stands among these."""
        sides = (self.group, *self.triples.sides)
        is_new = np.append(True, np.any([side[1:] != side[:-1] for side in sides], axis=0))[: len(self.group)]
        place, first = np.cumsum(is_new) - 1, np.flatnonzero(is_new)
        weights = np.bincount(place, self.weights, len(first)).astype(np.float64)
        triples = Triples(*(side[first] for side in self.triples.sides))
        return Groups(triples, weights, self.group[first], self.n_groups), place

    def rounded(self) -> "Groups":
        """Triples of a group that are nearly the same as one: their means, with the weight of all of them."""
        key = self.group
        for side in self.triples.sides:
            step = np.where(np.isfinite(side), 1 + np.round(np.log1p(side) / _ROUGH), 0).astype(np.int64)
            key = key * (step.max(initial=0) + 1) + step
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        weights = np.bincount(place, self.weights, len(first)).astype(np.float64)
        means = (np.bincount(place, self.weights * side, len(first)) / weights for side in self.triples.sides)
        return Groups(Triples(*means), weights, self.group[first], self.n_groups)
