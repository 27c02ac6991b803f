"""How far a number has moved from those of comparable nights, and whether that is further than its check allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Literal

from expectations.readings import Reading
from transforms.model.changes import ChangeCheck, Changes

SCALED = 1.4826  # a median absolute deviation times this is a standard deviation, in a normal distribution


@dataclass(frozen=True)
class Move:
    """A number that went too far: how, and what it was on the nights that it is held against."""

    how: Literal["fallen", "risen", "times", "above", "below", "new"]
    tonight: float
    nights: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The median of the nights."""
        return median(self.nights)

    @property
    def weight(self) -> float:
        """For the order in which moves are told: the change as a share of what it was."""
        return abs(self.tonight - self.middle) / self.middle if self.middle else abs(self.tonight)


def find_move(check: ChangeCheck, tonight: Reading, nights: Sequence[Reading], changes: Changes) -> Move | None:
    """The first limit of the check that tonight's number exceeds; None when all hold or too little is known."""
    limits = check.limits
    if limits.falls_by is not None and len(nights) >= check.least_nights and tonight.is_of(check.least):
        fallen = _find_fall(limits.falls_by, check, tonight, nights, changes)
        if fallen is not None:
            return fallen
    known = tuple(night.value for night in nights if night.is_of(check.least))
    if not known or not tonight.is_of(check.least):
        return None
    if max(known) == 0 and limits.is_new is not None:
        is_new = tonight.value > limits.is_new and tonight.counted(tonight.value) >= check.least
        return Move("new", tonight.value, known) if is_new else None
    return _find_far(check, tonight.value, known) if len(known) >= check.least_nights else None


def _find_far(check: ChangeCheck, now: float, nights: tuple[float, ...]) -> Move | None:
    """Outside the band of the nights by more than may be."""
    limits, highest, lowest = check.limits, max(nights), min(nights)
    if limits.rises_to is not None and highest >= check.least and now > limits.rises_to * highest:
        return Move("risen", now, nights)
    if limits.times is not None and min(now, lowest) > 0 and _is_far(now, lowest, highest, limits.times):
        return Move("times", now, nights)
    if limits.above_highest is not None and now > highest + limits.above_highest:
        return Move("above", now, nights)
    if limits.below_lowest is not None and now < lowest - limits.below_lowest:
        return Move("below", now, nights)
    return None


def _find_fall(
    falls_by: float, check: ChangeCheck, tonight: Reading, nights: Sequence[Reading], changes: Changes
) -> Move | None:
    """Below the median of the nights of the same kind of day, and where those are few, of all nights too.

    By more than its limit, and by more than the nights differ among themselves or chance alone would explain.
    """
    same = [night for night in nights if night.is_same_kind]
    groups = [same] if len(same) >= check.least_nights else [same, nights]
    for group in groups:
        values = [night.value for night in group]
        expected = median(night.counted(night.value) for night in group) if group else 0.0
        if tonight.is_share and group:
            expected = tonight.counted(median(values))
        if expected < check.least:
            return None
        middle = median(values)
        usual = changes.spreads * SCALED * median(abs(value - middle) for value in values)
        by_chance = changes.chances * middle / sqrt(expected)
        if tonight.value >= middle - max(falls_by * middle, usual, by_chance):
            return None
    return Move("fallen", tonight.value, tuple(night.value for night in groups[0]))


def _is_far(now: float, lowest: float, highest: float, times: float) -> bool:
    return now >= times * highest or now * times <= lowest
