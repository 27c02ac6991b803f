"""Ranges of hidden counts by linear programming, where one sum after the other does not tell enough.

Counts in a table of two directions are bound by sums that only together leave little room. Two solutions of the same
sums that hold a count far enough apart prove that it is safe, so few programs are needed.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_SLACK, _MOST = 1e-6, 1e7
_SEED, _TRIES, _PAIR = 1, 64, 2
_AT_ONCE = 16  # what is hidden for these makes room for most of the others
_KEPT = 96  # parts, of less than a megabyte each
_SUSPECT = 4  # single sums must leave less than so many times the width before they are looked at together


@dataclass(frozen=True)
class Unknowns:
    """Sparse sums over unknown counts of at least `lower`: each sum is at least `least`, or exactly that.

    `true` is one solution. `room` is how far each count can be from itself as far as single sums tell.
    """

    matrix: csr_array
    least: Floats
    is_exact: Flags
    lower: Floats
    true: Floats
    room: Whole


@dataclass
class _Solver:
    """One part of the unknowns, and how far apart solutions have held each of them."""

    rows: coo_array
    most: Floats
    bounds: Floats
    lowest: Floats
    highest: Floats

    def solve(self, costs: Floats) -> Floats:
        """How much each row binds the least cost; solutions widen what has been seen."""
        from scipy.optimize import linprog  # most commands hide nothing, and need not wait for it

        rows: Any = self.rows  # sparse: the types of SciPy know only dense ones
        bounds: Any = self.bounds
        # Simplifying first takes longer than solving: the programs are small and many.
        found = linprog(costs, rows, self.most, bounds=bounds, method="highs-ds", options={"presolve": False})
        if found.x is None:
            return np.zeros(len(self.most))
        np.minimum(self.lowest, found.x, out=self.lowest)
        np.maximum(self.highest, found.x, out=self.highest)
        binding: Floats = np.abs(found.ineqlin.marginals)
        return binding

    @property
    def ranges(self) -> Floats:
        """The widest range seen of each."""
        return self.highest - self.lowest


@dataclass(frozen=True)
class Narrowed:
    """Unknowns (by place) whose range is too small, each with the sums that hold it there; and which are safe.

    A safe one stays so when more is hidden, because what solved the sums still does. The rest was not looked at.
    """

    binding: tuple[tuple[int, Whole], ...]
    is_safe: Flags


def find_narrow(unknowns: Unknowns, width: int) -> Narrowed:
    """A few of the unknowns whose range is below `width` in each part of the sums; none only if there are none."""
    n_parts, part = connected_components(abs(unknowns.matrix.T) @ abs(unknowns.matrix), directed=False)
    part_of_row = np.full(unknowns.matrix.shape[0], -1)
    entries = coo_array(unknowns.matrix)
    part_of_row[entries.coords[0]] = part[entries.coords[1]]
    binding: list[tuple[int, Whole]] = []
    is_safe = unknowns.room >= _SUSPECT * width
    for number in range(n_parts):
        places, rows = np.flatnonzero(part == number), np.flatnonzero(part_of_row == number)
        if rows.size and not is_safe[places].all():
            narrowed = _narrow_part(_cut(unknowns, places, rows, is_safe[places]), width)
            binding += [(int(places[place]), rows[own]) for place, own in narrowed.binding]
            is_safe[places] |= narrowed.is_safe
    return Narrowed(tuple(binding), is_safe)


@dataclass(frozen=True)
class _Part:
    """Unknowns of one part of the sums, and which need no look; two are equal when they have one `digest`."""

    unknowns: Unknowns = field(compare=False)
    is_safe: Flags = field(compare=False)
    digest: bytes


def _cut(unknowns: Unknowns, places: Whole, rows: Whole, is_safe: Flags) -> _Part:
    own = csr_array(unknowns.matrix[rows][:, places])
    facts = (unknowns.least[rows], unknowns.is_exact[rows], unknowns.lower[places], unknowns.true[places])
    digest = blake2b()
    for numbers in (own.indptr, own.indices, own.data, *facts, is_safe):
        digest.update(len(numbers).to_bytes(8) + np.ascontiguousarray(numbers).tobytes())
    return _Part(Unknowns(own, *facts, unknowns.room[places]), is_safe, digest.digest())


@lru_cache(maxsize=_KEPT)  # a release closes its episodes again when few of them are decided anew
def _narrow_part(part: _Part, width: int) -> Narrowed:
    solver, is_exact = _solver(part.unknowns), part.unknowns.is_exact
    found = _narrow(solver, np.flatnonzero(~part.is_safe), width)
    binding = tuple((place, _original(is_exact, bound)) for place, bound in found)
    return Narrowed(binding, solver.ranges >= width - _SLACK)


def _solver(part: Unknowns) -> _Solver:
    return _Solver(
        rows=coo_array(vstack([-part.matrix, part.matrix[part.is_exact]])),  # as the programs are laid out in the end
        most=np.concatenate([-part.least, part.least[part.is_exact]]),
        bounds=np.stack([part.lower, np.full_like(part.lower, _MOST)], axis=1),
        lowest=part.true.copy(),
        highest=part.true.copy(),
    )


def _original(is_exact: Flags, binding: Floats) -> Whole:
    """The sums behind the rows of a solver: all, and once more those that are exact."""
    every = np.concatenate([np.arange(len(is_exact)), np.flatnonzero(is_exact)])
    return np.unique(every[binding > _SLACK])


def _narrow(solver: _Solver, left: Whole, width: int) -> list[tuple[int, Floats]]:
    n_places, signs = len(solver.lowest), np.random.default_rng(_SEED)
    for attempt in range(_TRIES):
        costs = np.zeros(n_places)
        costs[left] = signs.choice([-1.0, 1.0], len(left)) if attempt else 1.0
        solver.solve(costs)
        solver.solve(-costs)
        n_before, left = left.size, left[solver.ranges[left] < width - _SLACK]
        if n_before - left.size < _PAIR or not left.size:  # one by one, two programs settle one at least
            break
    found: list[tuple[int, Floats]] = []
    for place in left.tolist():
        if len(found) == _AT_ONCE:
            break
        costs = np.zeros(n_places)
        costs[place] = 1.0
        binding = np.maximum(solver.solve(costs), solver.solve(-costs))
        if solver.ranges[place] < width - _SLACK:
            found.append((place, binding))
    return found
