"""The least and the most that unknown counts can be, where sums of them are known: linear programs, solved by HiGHS.

Single sums are followed first, one after the other; what they leave is narrowed by programs over all sums together. One
solution often holds many counts at their ends, so few programs are needed. Ends are whole numbers.

Source: linear programming as in the audit of tables with hidden cells, Hundepool et al., Statistical Disclosure Control
(2012), chapter 4.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]
_SLACK, _ROUNDS, _SEED, _TRIES = 1e-6, 200, 1, 8
_INFEASIBLE = 2  # of linprog


@dataclass(frozen=True)
class Sums:
    """Each row of `matrix` times the counts is at least `least` and at most `most`."""

    matrix: csr_array
    least: Floats
    most: Floats


def bound_counts(lower: Floats, upper: Floats, entries: pl.DataFrame, sums: pl.DataFrame) -> tuple[Floats, Floats]:
    """The narrowest whole ends of each count; infinity where there is no upper one.

    `lower` and `upper` are what is known of each alone. `sums` has sum, least and most (infinite where open),
    `entries` sum, cell (the place of a count) and factor. ValueError when no counts fulfil them.
    """
    ordered = sums.sort("sum").with_row_index("row")
    placed = entries.join(ordered.select("sum", "row"), on="sum")
    shape = (ordered.height, len(lower))
    matrix = csr_array((placed["factor"].to_numpy(), (placed["row"].to_numpy(), placed["cell"].to_numpy())), shape)
    known = Sums(matrix, ordered["least"].to_numpy(), ordered["most"].to_numpy())
    least, most = _follow(known, lower.astype(np.float64), upper.astype(np.float64))
    if (least > most + _SLACK).any():
        raise ValueError("no counts fulfil these sums")
    size = abs(matrix)
    _, part = connected_components(size.T @ size, directed=False)
    open_cells = np.flatnonzero(most - least > _SLACK)
    for number in np.unique(part[open_cells]):
        cells = np.flatnonzero(part == number)
        rows = np.unique(matrix[:, cells].nonzero()[0])
        inside = Sums(csr_array(matrix[rows][:, cells]), known.least[rows], known.most[rows])
        least[cells], most[cells] = _narrow(inside, least[cells], most[cells])
    return np.ceil(least - _SLACK), np.floor(most + _SLACK)


def _follow(sums: Sums, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Ends that follow from single sums, until nothing moves."""
    if not sums.matrix.shape[0]:
        return lower, upper
    cells = sums.matrix.tocoo()
    (row, column), factor = cells.coords, cells.data
    n_rows = sums.matrix.shape[0]
    for _ in range(_ROUNDS):
        lows = np.where(factor > 0, factor * lower[column], factor * upper[column])
        highs = np.where(factor > 0, factor * upper[column], factor * lower[column])
        rest_low, rest_high = (_rest(row, ends, n_rows) for ends in (lows, highs))
        with np.errstate(invalid="ignore"):
            a, b = (sums.least[row] - rest_high) / factor, (sums.most[row] - rest_low) / factor
        new_low, new_high = np.where(factor > 0, a, b), np.where(factor > 0, b, a)
        next_lower, next_upper = lower.copy(), upper.copy()
        np.maximum.at(next_lower, column, np.nan_to_num(new_low, nan=-np.inf, posinf=-np.inf, neginf=-np.inf))
        np.minimum.at(next_upper, column, np.nan_to_num(new_high, nan=np.inf, posinf=np.inf, neginf=np.inf))
        if np.array_equal(next_lower, lower) and np.array_equal(next_upper, upper):
            break
        lower, upper = next_lower, next_upper
    return lower, upper


def _rest(row: NDArray[Any], ends: Floats, n_rows: int) -> Floats:
    """The sum of the other terms of each term's row; infinite when one of them is."""
    is_open = np.isinf(ends)
    finite = np.bincount(row, np.where(is_open, 0.0, ends), n_rows)[row] - np.where(is_open, 0.0, ends)
    n_open = np.bincount(row, is_open, n_rows)[row] - is_open
    sign = np.bincount(row, np.where(is_open, np.sign(ends), 0.0), n_rows)[row] - np.where(is_open, np.sign(ends), 0.0)
    return np.where(n_open > 0, np.where(sign < 0, -np.inf, np.inf), finite)


def _narrow(sums: Sums, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Ends by programs; a count that some solution holds at the end that single sums leave it is not asked for."""
    rows: Any = vstack([sums.matrix, -sums.matrix]).tocsr()
    limits = np.concatenate([sums.most, -sums.least])
    is_limit = np.isfinite(limits)
    rows, limits = rows[is_limit], limits[is_limit]
    bounds = [(low, None if np.isinf(high) else high) for low, high in zip(lower, upper, strict=True)]
    lowest, highest = np.full(len(lower), np.inf), np.full(len(lower), -np.inf)

    def solve(costs: Floats) -> bool:
        found = linprog(costs, rows, limits, bounds=bounds, method="highs")
        if found.status == _INFEASIBLE:
            raise ValueError("no counts fulfil these sums")
        if found.x is None:
            return False
        np.minimum(lowest, found.x, out=lowest)
        np.maximum(highest, found.x, out=highest)
        return True

    chance = np.random.default_rng(_SEED)
    for turn in range(_TRIES):
        weights = np.ones(len(lower)) if turn == 0 else chance.random(len(lower))
        solve(np.where(lowest > lower + _SLACK, weights, 0.0))
        solve(-np.where((highest < upper - _SLACK) & np.isfinite(upper), weights, 0.0))
    for place in range(len(lower)):
        open_ends = {1.0: lowest[place] > lower[place] + _SLACK, -1.0: highest[place] < upper[place] - _SLACK}
        for sign in (sign for sign, is_open in open_ends.items() if is_open):
            costs = np.zeros(len(lower))
            costs[place] = sign
            if not solve(costs):
                (lowest if sign > 0 else highest)[place] = (lower if sign > 0 else upper)[place]  # nothing narrower
    return np.maximum(lowest, lower), np.minimum(highest, upper)
