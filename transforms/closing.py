"""Hides more shown counts until no hidden one can be narrowed by what is still shown.

It is told which sums of counts lie between which numbers (`Sums`), and finds for every hidden count the least and the
most that these allow, one sum after the other. Where less room is left than a small count has, the smallest shown count
that takes the room (the one of least weight) is hidden as well. Integers only; the same counts hide the same cells.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from transforms.narrowing import Unknowns, find_narrow
from transforms.rooms import MOST, Cells, Flags, Room, Sums, Whole, find_room, lay_out

_STEPS_BACK = 8


@dataclass(frozen=True)
class Closed:
    """Which cells may stay shown, and between which numbers each lies as far as one sum after the other tells."""

    is_shown: Flags
    lower: Whole
    upper: Whole


def close_sums(cells: Cells, sums: Sums, min_cell: int, *, together: bool) -> Closed:
    """Which cells may still be shown. `together`: also where only several sums together leave little room."""
    shown, settled = cells.is_shown.copy(), np.zeros_like(cells.is_shown)
    layout = lay_out(sums, len(shown))
    while True:
        room = find_room(cells, layout, shown)
        # What a shown zero holds at zero tells of nobody.
        is_narrow = ~shown & (room.upper > 0) & (room.upper - room.lower < min_cell - 2)
        settled |= room.upper == 0
        more = np.zeros(0, np.int64)
        if is_narrow.any() or together:
            met = _only(layout.sums, room.entry)
            if is_narrow.any():
                more = _find_light_takers(cells, met, shown, room, is_narrow)
            if not more.size and together:
                more = _find_together(cells, met, shown, room, min_cell, settled)
        if not more.size:
            return Closed(shown, room.lower, room.upper)
        shown[more] = False


def _only(sums: Sums, entry: Whole) -> Sums:
    """The sums that have a hidden count; all others tell nothing."""
    return Sums(sums.row[entry], sums.cell[entry], sums.factor[entry], sums.is_exact)


def _total(row: Whole, values: Whole, n_sums: int) -> Whole:
    totals = np.zeros(n_sums, np.int64)
    np.add.at(totals, row, values)
    return totals


def _find_light_takers(cells: Cells, sums: Sums, shown: Flags, room: Room, is_narrow: Flags) -> Whole:
    """Takers, but of the heaviest counts only where no lighter one is to be had, near or far."""
    light = _find_takers(cells, sums, shown, cells.weight < cells.weight.max() // 2, room, is_narrow)
    return light if light.size else _find_takers(cells, sums, shown, np.ones_like(shown), room, is_narrow)


def _find_takers(cells: Cells, sums: Sums, shown: Flags, light: Flags, room: Room, is_narrow: Flags) -> Whole:
    """For each narrow cell the lightest shown one above zero in the sums that bound it, or behind; of `light` ones."""
    n_sums = len(sums.is_exact)
    takers: list[int] = []
    waiting = is_narrow.copy()
    may_go = shown & light & (cells.count > 0)
    size = np.where(may_go, cells.weight, MOST)[sums.cell]
    smallest, first = np.full(n_sums, MOST, np.int64), np.zeros(n_sums, np.int64)
    starts = np.flatnonzero(np.append(True, sums.row[1:] != sums.row[:-1]))
    smallest[sums.row[starts]] = np.minimum.reduceat(size, starts)
    is_smallest = size == smallest[sums.row]
    first[sums.row[starts]] = np.minimum.reduceat(np.where(is_smallest, sums.cell, MOST), starts)
    is_binding = (room.entry_lower == room.lower[sums.cell]) | (room.entry_upper == room.upper[sums.cell])
    is_binding &= ~shown[sums.cell]
    for _ in range(_STEPS_BACK):
        binding = is_binding & waiting[sums.cell]
        rows = sums.row[binding]
        has_taker = smallest[rows] < MOST
        best = np.full(len(shown), MOST, np.int64)
        np.minimum.at(best, sums.cell[binding][has_taker], smallest[rows][has_taker])
        chosen = has_taker & (smallest[rows] == best[sums.cell[binding]])
        takers += first[rows[chosen]].tolist()
        found = np.unique(sums.cell[binding][chosen])
        left = np.setdiff1d(np.flatnonzero(waiting), found)
        if not left.size:
            break
        behind = np.isin(sums.row, rows[np.isin(sums.cell[binding], left)])
        waiting = np.zeros_like(waiting)
        waiting[sums.cell[behind & ~shown[sums.cell]]] = True
        waiting[left] = False
        if takers:
            break
    return np.unique(np.array(takers, dtype=np.int64))


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
