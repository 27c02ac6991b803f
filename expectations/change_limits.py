"""How far a number has moved from those of comparable nights, and whether that is further than its check allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import sqrt
from statistics import median

from expectations.readings import Reading
from transforms.model.changes import ChangeCheck, Changes

SCALED = 1.4826  # a median absolute deviation times this is a standard deviation, in a normal distribution


@dataclass(frozen=True)
class Move:
    """A number that went too far: how, and what it was on the nights that it is held against."""

    how: str  # fallen, new, risen, times, above or below
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


class Still(Enum):
    """No move: all limits hold, or there is too little to tell."""

    HOLDS = auto()
    TOO_FEW = auto()


def find_move(check: ChangeCheck, tonight: Reading, nights: Sequence[Reading], changes: Changes) -> Move | Still:
    """The first limit of the check that tonight's number exceeds."""
    if not tonight.is_of(check.least):
        return Still.TOO_FEW
    fallen = _find_fall(check, tonight, nights, changes)
    found = (fallen, _find_new(check, tonight, nights), _find_far(check, tonight, nights))
    moved = next((entry for entry in found if isinstance(entry, Move)), None)
    return moved or (Still.HOLDS if Still.HOLDS in found else Still.TOO_FEW)


def _find_new(check: ChangeCheck, tonight: Reading, nights: Sequence[Reading]) -> Move | Still:
    """A share of what none of the nights had."""
    known = tuple(night.value for night in nights if night.is_of(check.least))
    if check.limits.is_new is None or not known:
        return Still.TOO_FEW
    is_much = tonight.value > check.limits.is_new and tonight.counted(tonight.value) >= check.least
    return Move("new", tonight.value, known) if is_much and max(known) == 0 else Still.HOLDS


def _find_far(check: ChangeCheck, tonight: Reading, nights: Sequence[Reading]) -> Move | Still:
    """Outside the band of the nights by more than may be."""
    limits, now = check.limits, tonight.value
    known = tuple(night.value for night in nights if night.is_of(check.least))
    if limits.is_about_falls_only or len(known) < check.least_nights:
        return Still.TOO_FEW
    highest, lowest = max(known), min(known)
    exceeded = {
        "risen": limits.rises_to is not None and highest >= check.least and now > limits.rises_to * highest,
        "times": limits.times is not None and min(now, lowest) > 0 and _is_far(now, lowest, highest, limits.times),
        "above": limits.above_highest is not None and now > highest + limits.above_highest,
        "below": limits.below_lowest is not None and now < lowest - limits.below_lowest,
    }
    how = next((name for name, is_exceeded in exceeded.items() if is_exceeded), None)
    return Move(how, now, known) if how else Still.HOLDS


def _find_fall(check: ChangeCheck, tonight: Reading, nights: Sequence[Reading], changes: Changes) -> Move | Still:
    """Below the median of the nights of the same kind of day, and where those are few, of all nights too.

    By more than its limit, and by more than the nights differ among themselves or chance alone would explain.
    """
    if check.limits.falls_by is None or len(nights) < check.least_nights:
        return Still.TOO_FEW
    same = [night for night in nights if night.is_same_kind]
    groups = [same] if len(same) >= check.least_nights else [same, nights]
    for group in groups:
        values = [night.value for night in group]
        expected = median(night.counted(night.value) for night in group) if group else 0.0
        if tonight.is_share and group:
            expected = tonight.counted(median(values))
        if expected < check.least:
            return Still.TOO_FEW
        middle = median(values)
        usual = changes.spreads * SCALED * median(abs(value - middle) for value in values)
        by_chance = changes.chances * middle / sqrt(expected)
        if tonight.value >= middle - max(check.limits.falls_by * middle, usual, by_chance):
            return Still.HOLDS
    return Move("fallen", tonight.value, tuple(night.value for night in groups[0]))


def _is_far(now: float, lowest: float, highest: float, times: float) -> bool:
    return now >= times * highest or now * times <= lowest
