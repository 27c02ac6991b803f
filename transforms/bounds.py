"""The least and the most that unknown counts can be, where sums of them are known: linear programs, solved by HiGHS.

Single sums are followed first, one after the other; what they leave is narrowed by programs over all sums together that
can bind. One solution often holds many counts at their ends, so few programs are needed. Ends are whole numbers.

Source: linear programming as in the audit of tables with hidden cells, Hundepool et al., Statistical Disclosure Control
(2012), chapter 4.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from transforms.programs import Program

Floats = NDArray[np.float64]
_SLACK, _ROUNDS, _SEED = 1e-6, 200, 1
_TRIES, _WORTH = 32, 8  # programs over all open ends at once, as long as each closes so many


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
    binding = _bind(known, least, most)
    if binding.matrix.shape[0]:
        least, most = _narrow(binding, least, most)
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


def _bind(sums: Sums, lower: Floats, upper: Floats) -> Sums:
    """The sums that some counts within their ends would break."""
    cells = sums.matrix.tocoo()
    (row, column), factor = cells.coords, cells.data
    lows = np.where(factor > 0, factor * lower[column], factor * upper[column])
    highs = np.where(factor > 0, factor * upper[column], factor * lower[column])
    n_rows = sums.matrix.shape[0]
    is_kept = (np.bincount(row, lows, n_rows) < sums.least - _SLACK) | (
        np.bincount(row, highs, n_rows) > sums.most + _SLACK
    )
    return Sums(csr_array(sums.matrix[is_kept]), sums.least[is_kept], sums.most[is_kept])


class _Seen:
    """The least and the most of each count in the solutions that were seen."""

    def __init__(self, sums: Sums, lower: Floats, upper: Floats) -> None:
        """No solution was seen yet."""
        self._lower, self._upper = lower, upper
        self.lowest, self.highest = np.full(len(lower), np.inf), np.full(len(lower), -np.inf)
        self._program = Program(sums.matrix, sums.least, sums.most, lower, upper)

    def see(self, costs: Floats) -> bool:
        """See the solution of the least cost; False when none is found. ValueError when there can be none."""
        values = self._program.solve(costs)
        if values is None:
            if self._program.is_impossible:
                raise ValueError("no counts fulfil these sums")
            return False
        np.minimum(self.lowest, values, out=self.lowest)
        np.maximum(self.highest, values, out=self.highest)
        self._program.solve_as_given()
        self._program.go_by(primal=True)  # few steps lead from one solution to the next
        return True

    @property
    def is_open(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which counts no solution has yet held at the lower, and which at the upper end."""
        is_far = self.highest < self._upper - _SLACK
        return self.lowest > self._lower + _SLACK, is_far & np.isfinite(self._upper)


def _narrow(sums: Sums, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Ends by programs; a count that some solution holds at the end that single sums leave it is not asked for."""
    seen = _Seen(sums, lower, upper)
    _try_at_once(seen, len(lower))
    lowest, highest = lower.copy(), upper.copy()
    for side, (sign, ends, found) in enumerate(((1.0, lowest, seen.lowest), (-1.0, highest, seen.highest))):
        for place in np.flatnonzero(seen.is_open[side]).tolist():
            if seen.is_open[side][place]:
                costs = np.zeros(len(lower))
                costs[place] = sign
                if seen.see(costs):
                    ends[place] = found[place]
    return lowest, highest


def _try_at_once(seen: _Seen, n_counts: int) -> None:
    """Solutions that hold as many of the open ends as they can, until another one holds few more."""
    chance = np.random.default_rng(_SEED)
    n_open = 2 * n_counts + _WORTH
    for turn in range(_TRIES):
        weights = np.ones(n_counts) if turn == 0 else chance.random(n_counts)
        for sign, is_open in zip((1.0, -1.0), seen.is_open, strict=True):
            if is_open.any():
                seen.see(np.where(is_open, sign * weights, 0.0))
        n_before, n_open = n_open, sum(int(is_open.sum()) for is_open in seen.is_open)
        if n_before - n_open < _WORTH:
            break
