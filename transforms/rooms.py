"""Between which numbers each count lies as far as one sum after the other tells, found without solving anything.

Only sums of a count whose bounds have moved are looked at again, so that the many that tell nothing new cost nothing;
and where little is shown or hidden otherwise than a moment ago, only what followed from that is found anew.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
MOST = 2**40
_ROUNDS = 200
_KEPT = 24  # those of the steps of one closing
_FEW = 32  # so few of all are sooner sorted than marked among all


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

    `entry_of` has the entries of each cell, one cell after the other: from `cell_starts`, `cell_sizes` of them.
    """

    sums: Sums
    starts: Whole
    sizes: Whole
    entry_of: Whole
    cell_starts: Whole
    cell_sizes: Whole

    def entries_of_rows(self, row: Whole) -> Whole:
        """The entries of some rows, one row after the other."""
        return _spread(self.starts[row], self.sizes[row])

    def entries_of_cells(self, cell: Whole) -> Whole:
        """The entries of some cells, one cell after the other."""
        return self.entry_of[_spread(self.cell_starts[cell], self.cell_sizes[cell])]

    def rows_of_cells(self, cell: Whole) -> Whole:
        """The rows of any of some cells, each once, in order."""
        row = self.sums.row[self.entries_of_cells(cell)]
        if row.size < len(self.sizes) // _FEW:
            return np.unique(row)
        is_met = np.zeros(len(self.sizes), np.bool_)
        is_met[row] = True
        return np.flatnonzero(is_met)


@dataclass(frozen=True)
class Room:
    """Between which numbers each count lies."""

    lower: Whole
    upper: Whole


def lay_out(sums: Sums, n_cells: int) -> Layout:
    """Each row of `sums` must have an entry."""
    order = np.argsort(sums.row, kind="stable")
    ordered = Sums(sums.row[order], sums.cell[order], sums.factor[order], sums.is_exact)
    sizes = np.bincount(ordered.row, minlength=len(sums.is_exact))
    cell_sizes = np.bincount(ordered.cell, minlength=n_cells)
    entry_of = np.argsort(ordered.cell, kind="stable")
    return Layout(ordered, _begin(sizes), sizes, entry_of, _begin(cell_sizes), cell_sizes)


@dataclass(frozen=True)
class _Found:
    """A room, and whether another look would move nothing in it."""

    room: Room
    is_still: bool


@dataclass(frozen=True)
class _Kept:
    """A room in which nothing moves, what was `shown`, and the `ends` of each count before any sum was looked at."""

    shown: Flags
    ends: Room
    room: Room


class Rooms:
    """Finds room in one layout. It keeps what it has found, from which the next is found sooner, and is the same."""

    def __init__(self, layout: Layout) -> None:
        """Nothing is known yet."""
        self.layout = layout
        self._kept: deque[_Kept] = deque(maxlen=_KEPT)

    def find(self, cells: Cells, shown: Flags) -> Room:
        """The bounds of each count."""
        ends = Room(np.where(shown, cells.count, cells.least), np.where(shown, cells.count, MOST))
        near = min(self._kept, key=lambda kept: np.count_nonzero(kept.shown != shown), default=None)
        found = _find_again(self.layout, ends, near) if near else None
        if not found or not found.is_still:
            found = _find_from(self.layout, ends, np.flatnonzero(~shown))
        if found.is_still:
            self._kept.append(_Kept(shown.copy(), ends, found.room))
        return found.room


def bound_entries(layout: Layout, entry: Whole, room: Room) -> tuple[Whole, Whole]:
    """The least and the most that its sum alone leaves to each of `entry`: all those of some rows, in order."""
    sums, row = layout.sums, layout.sums.row[entry]
    if not row.size:
        return row, row
    is_first = np.append(True, row[1:] != row[:-1])
    starts, number = np.flatnonzero(is_first), np.cumsum(is_first) - 1
    cell, is_plus, is_exact = sums.cell[entry], sums.factor[entry] > 0, sums.is_exact[row]
    low, high = room.lower[cell], room.upper[cell]
    least, most = np.where(is_plus, low, -high), np.where(is_plus, high, -low)
    rest_most = np.add.reduceat(most, starts)[number] - most
    rest_least = np.add.reduceat(least, starts)[number] - least
    return (
        np.where(is_plus, -rest_most, np.where(is_exact, rest_least, 0)),
        np.where(is_plus, np.where(is_exact, -rest_least, MOST), rest_most),
    )


def _find_again(layout: Layout, ends: Room, near: _Kept) -> _Found:
    """The room that `ends` leave, from a near one, of which only what may not follow any more is forgotten."""
    is_closer = (ends.lower > near.ends.lower) | (ends.upper < near.ends.upper)
    is_low_open, is_high_open = _forget(layout, ends, near)
    start = Room(
        np.where(is_low_open, ends.lower, np.maximum(near.room.lower, ends.lower)),
        np.where(is_high_open, ends.upper, np.minimum(near.room.upper, ends.upper)),
    )
    return _find_from(layout, start, np.flatnonzero(is_low_open | is_high_open | is_closer))


def _forget(layout: Layout, ends: Room, near: _Kept) -> tuple[Flags, Flags]:
    """Which lower and which upper bounds may not follow any more: one with more room at its end, one that a sum gives
    in which a bound was forgotten, and so on. All others follow from what is left, as they did.
    """
    sums, room = layout.sums, near.room
    low, high = ends.lower < near.ends.lower, ends.upper > near.ends.upper
    is_low_open, is_high_open = low.copy(), high.copy()
    may_low, may_high = room.lower > near.ends.lower, room.upper < near.ends.upper
    while low.any() or high.any():
        entry = layout.entries_of_cells(np.flatnonzero(low | high))
        cell, row, is_plus = sums.cell[entry], sums.row[entry], sums.factor[entry] > 0
        is_wider, is_shorter = np.zeros((2, len(layout.sizes)), np.bool_)  # the most of the rests, and their least
        is_wider[row[np.where(is_plus, high[cell], low[cell])]] = True
        is_shorter[row[np.where(is_plus, low[cell], high[cell]) & sums.is_exact[row]]] = True
        entry = layout.entries_of_rows(np.flatnonzero(is_wider | is_shorter))
        cell, row, is_plus = sums.cell[entry], sums.row[entry], sums.factor[entry] > 0
        least, most = bound_entries(layout, entry, room)
        gives_low = np.where(is_plus, is_wider[row], is_shorter[row]) & (least == room.lower[cell])
        gives_high = np.where(is_plus, is_shorter[row], is_wider[row]) & (most == room.upper[cell])
        low, high = np.zeros_like(low), np.zeros_like(high)
        low[cell[gives_low]], high[cell[gives_high]] = True, True
        low, high = low & may_low & ~is_low_open, high & may_high & ~is_high_open
        is_low_open, is_high_open = is_low_open | low, is_high_open | high
    return is_low_open, is_high_open


def _find_from(layout: Layout, start: Room, moved: Whole) -> _Found:
    """The room that follows from `start`, in which the sums of those `moved` were not looked at."""
    room = Room(start.lower.copy(), start.upper.copy())
    for _ in range(_ROUNDS):
        if not moved.size:
            break
        entry = layout.entries_of_rows(layout.rows_of_cells(moved))
        cell, (least, most) = layout.sums.cell[entry], bound_entries(layout, entry, room)
        is_more, is_less = np.flatnonzero(least > room.lower[cell]), np.flatnonzero(most < room.upper[cell])
        more, less = cell[is_more], cell[is_less]
        np.maximum.at(room.lower, more, least[is_more])
        np.minimum.at(room.upper, less, most[is_less])
        moved = np.concatenate([more, less])
    return _Found(room, is_still=not moved.size)


def _spread(starts: Whole, sizes: Whole) -> Whole:
    """The places from each start on, as many as its size."""
    return np.repeat(starts - _begin(sizes), sizes) + np.arange(sizes.sum())


def _begin(sizes: Whole) -> Whole:
    return np.cumsum(sizes) - sizes
