"""Ranges of hidden counts by linear programming, where one sum after the other does not tell enough.

Counts in a table of two directions are bound by sums that only together leave little room. Two solutions of the same
sums that hold a count far enough apart prove that it is safe, so few programs are needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Solved = dict[tuple[bytes, ...], tuple[tuple[int, Floats], ...]]
_SLACK, _MOST = 1e-6, 1e7
_SEED, _TRIES, _STUCK = 1, 12, 0.9
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

    rows: csr_array
    most: Floats
    bounds: Floats
    room: Whole
    lowest: Floats
    highest: Floats

    def solve(self, costs: Floats) -> Floats:
        """How much each row binds the least cost; solutions widen what has been seen."""
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

    def as_key(self) -> tuple[bytes, ...]:
        """The same for parts that are the same but for the places of their rows and unknowns."""
        rows = self.rows
        parts = (rows.indptr, rows.indices, rows.data, self.most, self.bounds, self.room, self.lowest)
        return tuple(part.tobytes() for part in parts)

    @property
    def ranges(self) -> Floats:
        """The widest range seen of each."""
        return self.highest - self.lowest


def find_binding(unknowns: Unknowns, width: int, solved: Solved) -> Iterator[tuple[int, Whole]]:
    """Each unknown whose range is below `width`, with the sums that hold it there.

    `solved` keeps what came of each part, for the next round, in which most parts are as they were.
    """
    n_parts, part = connected_components(abs(unknowns.matrix.T) @ abs(unknowns.matrix), directed=False)
    part_of_row = np.full(unknowns.matrix.shape[0], -1)
    entries = coo_array(unknowns.matrix)
    part_of_row[entries.coords[0]] = part[entries.coords[1]]
    for number in range(n_parts):
        places, rows = np.flatnonzero(part == number), np.flatnonzero(part_of_row == number)
        if rows.size:
            solver = _solver(unknowns, places, rows)
            key = solver.as_key()
            if key not in solved:
                solved[key] = tuple(_narrow(solver, width))
            for place, binding in solved[key]:
                yield int(places[place]), _original(rows, unknowns.is_exact[rows], binding)


def _solver(unknowns: Unknowns, places: Whole, rows: Whole) -> _Solver:
    own = unknowns.matrix[rows][:, places]
    is_exact = unknowns.is_exact[rows]
    least = unknowns.least[rows]
    lower = unknowns.lower[places]
    return _Solver(
        rows=csr_array(vstack([-own, own[is_exact]])),
        most=np.concatenate([-least, least[is_exact]]),
        bounds=np.stack([lower, np.full_like(lower, _MOST)], axis=1),
        room=unknowns.room[places],
        lowest=unknowns.true[places],
        highest=unknowns.true[places],
    )


def _original(rows: Whole, is_exact: Flags, binding: Floats) -> Whole:
    """The sums behind the rows of a solver: all, and once more those that are exact."""
    every = np.concatenate([rows, rows[is_exact]])
    return np.unique(every[binding > _SLACK])


def _narrow(solver: _Solver, width: int) -> Iterator[tuple[int, Floats]]:
    n_places, signs = len(solver.lowest), np.random.default_rng(_SEED)
    left = np.flatnonzero(solver.room < _SUSPECT * width)
    for attempt in range(_TRIES):
        if not left.size:
            return
        costs = np.zeros(n_places)
        costs[left] = signs.choice([-1.0, 1.0], len(left)) if attempt else 1.0
        solver.solve(costs)
        solver.solve(-costs)
        n_before, left = left.size, left[solver.ranges[left] < width - _SLACK]
        if left.size > _STUCK * n_before:
            break
    for place in left.tolist():
        binding = np.zeros(len(solver.most))
        for sign in (1.0, -1.0):
            costs = np.zeros(n_places)
            costs[place] = sign
            binding = np.maximum(binding, solver.solve(costs))
        if solver.ranges[place] < width - _SLACK:
            yield place, binding
