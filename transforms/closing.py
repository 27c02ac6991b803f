"""Hides more shown counts until no hidden one can be narrowed by what is still shown.

It is told which sums of counts lie between which numbers (`Rooms`), and finds for every hidden count the least and the
most that these allow, one sum after the other. Where less room is left than a small count has, the smallest shown count
that takes the room (the one of least weight) is hidden as well. Integers only; the same counts hide the same cells.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from transforms.narrowing import Unknowns, find_narrow
from transforms.rooms import MOST, Cells, Flags, Layout, Room, Rooms, Sums, Whole, bound_entries

_STEPS_BACK = 8


@dataclass(frozen=True)
class Closed:
    """Which cells may stay shown, and between which numbers each lies as far as one sum after the other tells."""

    is_shown: Flags
    lower: Whole
    upper: Whole


def close_sums(cells: Cells, rooms: Rooms, min_cell: int, *, together: bool) -> Closed:
    """Which cells may still be shown. `together`: also where only several sums together leave little room."""
    shown, settled = cells.is_shown.copy(), np.zeros_like(cells.is_shown)
    layout = rooms.layout
    while True:
        room = rooms.find(cells, shown)
        # What a shown zero holds at zero tells of nobody.
        is_narrow = ~shown & (room.upper > 0) & (room.upper - room.lower < min_cell - 2)
        settled |= room.upper == 0
        more = np.zeros(0, np.int64)
        if is_narrow.any():
            more = _find_light_takers(cells, layout, shown, room, is_narrow)
        if not more.size and together:
            more = _find_together(cells, _only_open(layout, shown), shown, room, min_cell, settled)
        if not more.size:
            return Closed(shown, room.lower, room.upper)
        shown[more] = False


def _only_open(layout: Layout, shown: Flags) -> Sums:
    """The sums that have a hidden count; all others tell nothing."""
    sums, entry = layout.sums, layout.entries_of_rows(layout.rows_of_cells(np.flatnonzero(~shown)))
    return Sums(sums.row[entry], sums.cell[entry], sums.factor[entry], sums.is_exact)


def _total(row: Whole, values: Whole, n_sums: int) -> Whole:
    totals = np.zeros(n_sums, np.int64)
    np.add.at(totals, row, values)
    return totals


def _find_light_takers(cells: Cells, layout: Layout, shown: Flags, room: Room, is_narrow: Flags) -> Whole:
    """Takers, but of the heaviest counts only where no lighter one is to be had, near or far."""
    may_go, narrow = shown & (cells.count > 0), np.flatnonzero(is_narrow)
    is_light = cells.weight < cells.weight.max() // 2
    light = _find_takers(cells.weight, layout, may_go & is_light, shown, room, narrow)
    return light if light.size else _find_takers(cells.weight, layout, may_go, shown, room, narrow)


def _find_takers(weight: Whole, layout: Layout, may_go: Flags, shown: Flags, room: Room, narrow: Whole) -> Whole:
    """For each narrow cell the lightest that `may_go` in the sums that bound it, or behind."""
    takers, waiting = np.zeros(0, np.int64), narrow
    for _ in range(_STEPS_BACK):
        entry = layout.entries_of_rows(layout.rows_of_cells(waiting))
        cell, (least, most) = layout.sums.cell[entry], bound_entries(layout, entry, room)
        is_binding = np.isin(cell, waiting) & ((least == room.lower[cell]) | (most == room.upper[cell]))
        cell, row = cell[is_binding], layout.sums.row[entry[is_binding]]
        smallest, first = _find_lightest(weight, layout, may_go, row)
        best = np.full(len(shown), MOST, np.int64)
        np.minimum.at(best, cell, smallest)
        is_chosen = (smallest < MOST) & (smallest == best[cell])
        takers = np.unique(first[is_chosen])
        left = np.setdiff1d(waiting, cell[is_chosen])
        if takers.size or not left.size:
            break
        behind = layout.sums.cell[layout.entries_of_rows(np.unique(row[np.isin(cell, left)]))]
        waiting = np.setdiff1d(behind[~shown[behind]], left)
    return takers


def _find_lightest(weight: Whole, layout: Layout, may_go: Flags, row: Whole) -> tuple[Whole, Whole]:
    """The least weight of those that `may_go` in each of some rows, MOST where there is none, and whose it is."""
    rows, place = np.unique(row, return_inverse=True)
    if not rows.size:
        return row, row
    cell = layout.sums.cell[layout.entries_of_rows(rows)]
    sizes = layout.sizes[rows]
    starts = np.cumsum(sizes) - sizes
    size = np.where(may_go[cell], weight[cell], MOST)
    smallest = np.minimum.reduceat(size, starts)
    first = np.minimum.reduceat(np.where(size == np.repeat(smallest, sizes), cell, MOST), starts)
    return smallest[place], first[place]


def _find_together(cells: Cells, sums: Sums, shown: Flags, room: Room, min_cell: int, settled: Flags) -> Whole:
    """For each cell that several sums narrow, the lightest shown one above zero in any of them.

    Marks in `settled` cells that need no second look: they have room, or nothing is shown that could give them any.
    """
    hidden = np.flatnonzero(~shown)
    unknowns = _unknowns(cells, sums, shown, hidden)
    while True:
        width = (room.upper - room.lower)[hidden]
        narrowed = find_narrow(replace(unknowns, room=np.where(settled[hidden], MOST, width)), min_cell - 2)
        settled[hidden[narrowed.is_safe]] = True
        takers = []
        for place, rows in narrowed.binding:
            cells_there = sums.cell[np.isin(sums.row, rows)]
            shown_there = cells_there[shown[cells_there] & (cells.count[cells_there] > 0)]
            if shown_there.size:
                takers.append(shown_there[np.lexsort((shown_there, cells.weight[shown_there]))[0]])
            else:
                settled[hidden[place]] = True
        if takers or not narrowed.binding:
            return np.unique(np.array(takers, dtype=np.int64))


def _unknowns(cells: Cells, sums: Sums, shown: Flags, hidden: Whole) -> Unknowns:
    n_sums = len(sums.is_exact)
    place = np.full(len(shown), -1)
    place[hidden] = np.arange(len(hidden))
    is_open = ~shown[sums.cell]
    known = _total(sums.row[~is_open], (sums.factor * cells.count[sums.cell])[~is_open], n_sums)
    entries = (sums.factor[is_open].astype(float), (sums.row[is_open], place[sums.cell[is_open]]))
    return Unknowns(
        matrix=csr_array(entries, shape=(n_sums, len(hidden))),
        least=-known.astype(float),
        is_exact=sums.is_exact,
        lower=cells.least[hidden].astype(float),
        true=cells.count[hidden].astype(float),
        room=np.zeros(len(hidden), np.int64),
    )
