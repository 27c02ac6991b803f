"""Between which numbers each count lies as far as one sum after the other tells, found without solving anything.

Only sums of a count whose bounds have moved are looked at again, so that the many that tell nothing new cost nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
MOST = 2**40
_ROUNDS = 200


@dataclass(frozen=True)
class Cells:
    """Counts; those not `is_shown` are known to be at least `least`. Those of little `weight` are hidden first."""

    count: Whole
    is_shown: Flags
    least: Whole
    weight: Whole


@dataclass(frozen=True)
class Sums:
    """Entries of sparse sums: in sum `row`, the count of `cell` times `factor` (1 or -1); each sum is at least 0.

    A sum that is exactly 0 has `is_exact`.
    """

    row: Whole
    cell: Whole
    factor: Whole
    is_exact: Flags


@dataclass(frozen=True)
class Layout:
    """Sums with their entries ordered by row, where each row begins, and how many entries it has.

    `row_of` has the rows of each cell, one cell after the other: from `cell_starts`, `cell_sizes` of them.
    """

    sums: Sums
    starts: Whole
    sizes: Whole
    row_of: Whole
    cell_starts: Whole
    cell_sizes: Whole


@dataclass(frozen=True)
class Room:
    """What is known of each count, and for some entries of the sums (`entry`) the bound that their sum alone gives."""

    lower: Whole
    upper: Whole
    entry: Whole
    entry_lower: Whole
    entry_upper: Whole


def lay_out(sums: Sums, n_cells: int) -> Layout:
    """Each row of `sums` must have an entry."""
    order = np.argsort(sums.row, kind="stable")
    ordered = Sums(sums.row[order], sums.cell[order], sums.factor[order], sums.is_exact)
    sizes = np.bincount(ordered.row, minlength=len(sums.is_exact))
    cell_sizes = np.bincount(ordered.cell, minlength=n_cells)
    row_of = ordered.row[np.argsort(ordered.cell, kind="stable")]
    return Layout(ordered, _begin(sizes), sizes, row_of, _begin(cell_sizes), cell_sizes)


def find_room(cells: Cells, layout: Layout, shown: Flags) -> Room:
    """The bounds of each count, and those that each sum with a hidden count gives."""
    lower = np.where(shown, cells.count, cells.least)
    upper = np.where(shown, cells.count, MOST)
    every = _entries(layout, _rows_of(layout, np.flatnonzero(~shown)))
    entry = every
    for _ in range(_ROUNDS):
        if not entry.size:
            break
        cell, (least, most) = layout.sums.cell[entry], _bound(layout, entry, lower, upper)
        is_more, is_less = np.flatnonzero(least > lower[cell]), np.flatnonzero(most < upper[cell])
        more, less = cell[is_more], cell[is_less]
        np.maximum.at(lower, more, least[is_more])
        np.minimum.at(upper, less, most[is_less])
        entry = _entries(layout, _rows_of(layout, np.concatenate([more, less])))
    return Room(lower, upper, every, *_bound(layout, every, lower, upper))


def _bound(layout: Layout, entry: Whole, lower: Whole, upper: Whole) -> tuple[Whole, Whole]:
    """The least and the most that its sum alone leaves to each of `entry`: all those of some rows, in order."""
    sums, row = layout.sums, layout.sums.row[entry]
    if not row.size:
        return row, row
    is_first = np.append(True, row[1:] != row[:-1])
    starts, number = np.flatnonzero(is_first), np.cumsum(is_first) - 1
    cell, is_plus, is_exact = sums.cell[entry], sums.factor[entry] > 0, sums.is_exact[row]
    low, high = lower[cell], upper[cell]
    least, most = np.where(is_plus, low, -high), np.where(is_plus, high, -low)
    rest_most = np.add.reduceat(most, starts)[number] - most
    rest_least = np.add.reduceat(least, starts)[number] - least
    return (
        np.where(is_plus, -rest_most, np.where(is_exact, rest_least, 0)),
        np.where(is_plus, np.where(is_exact, -rest_least, MOST), rest_most),
    )


def _rows_of(layout: Layout, cell: Whole) -> Whole:
    """The rows of any of some cells, each once, in order."""
    is_met = np.zeros(len(layout.sums.is_exact), np.bool_)
    is_met[layout.row_of[_spread(layout.cell_starts[cell], layout.cell_sizes[cell])]] = True
    return np.flatnonzero(is_met)


def _entries(layout: Layout, row: Whole) -> Whole:
    return _spread(layout.starts[row], layout.sizes[row])


def _spread(starts: Whole, sizes: Whole) -> Whole:
    """The places from each start on, as many as its size."""
    return np.repeat(starts - _begin(sizes), sizes) + np.arange(sizes.sum())


def _begin(sizes: Whole) -> Whole:
    return np.cumsum(sizes) - sizes
