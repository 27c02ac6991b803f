"""Ranges of hidden counts by linear programming, where one sum after the other does not tell enough.

Counts in a table of two directions are bound by sums that only together leave little room. Two solutions of the same
sums that hold a count far enough apart prove that it is safe, so few programs are needed.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components

from transforms.programs import Program

if TYPE_CHECKING:
    from highspy import HighsBasis

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_SLACK, _MOST = 1e-6, 1e7
_SEED, _TRIES, _WORTH = 1, 64, 32
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


class _Solver:
    """One part of the unknowns, and how far apart solutions have held each of them."""

    def __init__(self, part: Unknowns) -> None:
        """Nothing is solved yet: `true` is the one solution that was seen."""
        self._is_exact = part.is_exact
        self.lowest, self.highest = part.true.copy(), part.true.copy()
        self._program = _program(part)
        self._program.solve_as_given()  # takes longer than solving: programs are small and many
        self._start: HighsBasis | None = None

    def widen(self, costs: Floats) -> bool:
        """See one more solution, that of the least cost, from where the last one ended; False when there is none."""
        values = self._program.solve(costs)
        if values is None:
            return False
        np.minimum(self.lowest, values, out=self.lowest)
        np.maximum(self.highest, values, out=self.highest)
        return True

    def bind(self, place: int, width: int) -> Whole:
        """The sums that bind the least and the most of one; which of several reasons are told hangs on nothing else.

        They count for nothing where a range of `width` is seen on the way.
        """
        if self._start is None:  # a few steps lead from there to the least of any count
            self._program.start_from(None)
            self.widen(np.zeros_like(self.lowest))
            self._start = self._program.basis
        self._program.go_by(primal=True)
        binding = np.zeros(0)
        for sign in (1.0, -1.0):
            costs = np.zeros_like(self.lowest)
            costs[place] = sign
            self._program.start_from(self._start)
            if self.widen(costs):
                if self.ranges[place] >= width - _SLACK:
                    break
                marginals = self._program.marginals
                binding = np.maximum(binding, marginals) if binding.size else marginals
        self._program.go_by(primal=False)
        every = np.concatenate([np.arange(len(self._is_exact)), np.flatnonzero(self._is_exact)])
        return np.unique(every[np.flatnonzero(binding > _SLACK)])

    @property
    def ranges(self) -> Floats:
        """The widest range seen of each."""
        return self.highest - self.lowest


def _program(part: Unknowns) -> Program:
    """The sums as one program: all of them, and once more those that are exact, the other way round."""
    rows = vstack([-part.matrix, part.matrix[part.is_exact]])
    most = np.concatenate([-part.least, part.least[part.is_exact]])
    return Program(rows, np.full_like(most, -np.inf), most, part.lower, np.full_like(part.lower, _MOST))


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
    solver = _Solver(part.unknowns)
    found = _narrow(solver, np.flatnonzero(~part.is_safe), width)
    return Narrowed(tuple(found), solver.ranges >= width - _SLACK)


def _narrow(solver: _Solver, left: Whole, width: int) -> list[tuple[int, Whole]]:
    n_places, signs = len(solver.lowest), np.random.default_rng(_SEED)
    for attempt in range(_TRIES if left.size > _AT_ONCE else 0):
        costs = np.zeros(n_places)
        costs[left] = signs.choice([-1.0, 1.0], len(left)) if attempt else 1.0
        solver.widen(costs)
        solver.widen(-costs)
        n_before, left = left.size, left[solver.ranges[left] < width - _SLACK]
        if n_before - left.size < _WORTH or not left.size:  # one by one, from the same start, is sooner done
            break
    found: list[tuple[int, Whole]] = []
    for place in left.tolist():
        if len(found) == _AT_ONCE:
            break
        if solver.ranges[place] < width - _SLACK:
            binding = solver.bind(place, width)
            if solver.ranges[place] < width - _SLACK:
                found.append((place, binding))
    return found
