"""What a profile says about each measure: the number that is compared, and the rows or people behind it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from expectations.profile import SEPARATOR, Profile
from transforms.model.changes import ChangeCheck, Changes

Meaning = Callable[[str, str], str]  # analyte and unit as sent, to what the unit stands for
TOTAL = ""


@dataclass(frozen=True)
class Reading:
    """A number of one night. `base`: the rows or people that support it, or that it is a share of; None for a count.

    `together`: how many rows come by one chance, as those of one specimen do.
    """

    value: float
    base: float | None = None
    is_share: bool = False
    together: float = 1.0
    is_same_kind: bool = True

    def is_of(self, least: int) -> bool:
        """It is a plain count, or of at least so many."""
        return self.base is None or self.base >= least

    def counted(self, value: float) -> float:
        """How many specimens or people such a number would stand for tonight."""
        rows = value * self.base if self.is_share and self.base is not None else value
        return rows / self.together


def share(part: float, whole: float) -> Reading:
    """A share with what it is of; nothing of nothing is no share."""
    return Reading(part / whole if whole else 0.0, whole, is_share=True)


@dataclass(frozen=True)
class Formula:
    """A measure made of stored facts: `value`, as a share of `base` or only supported by so many.

    `base_of`: the base of the same part, of its analyte, or of everything.
    """

    value: str
    base: str | None = None
    base_of: Literal["part", "analyte", "all"] = "all"
    is_share: bool = True


FORMULAS: Mapping[str, Formula] = {
    "rows": Formula("rows"),
    "rows_per_day": Formula("rows_per_day", "rows", is_share=False),
    "per_specimen": Formula("rows", "specimens"),
    "unit_text": Formula("unit_rows", "rows", "analyte"),
    "code": Formula("code_rows", "rows"),
    "median": Formula("median", "values", "part", is_share=False),
    "tail": Formula("tail", "values", "analyte", is_share=False),
    "low_share": Formula("low_values", "counted_values"),
    "testing_rate": Formula("specimens", "people"),
    "missing": Formula("empty", "could_be_filled", "part"),
    "refused": Formula("refused", "usable"),
    "irrelevant": Formula("irrelevant", "received"),
    "days_behind": Formula("days_behind", "rows", is_share=False),
    "late": Formula("late_rows", "rows"),
}
UNITS = "unit_rows"


class Reader:
    """Reads one measure out of profiles, under the groups of the check and the meaning of units."""

    def __init__(self, check: ChangeCheck, changes: Changes, meaning: Meaning) -> None:
        self.check = check
        self.changes = changes
        self.meaning = meaning

    def parts(self, tonight: Profile, earlier: Sequence[Profile]) -> Sequence[str]:
        """Every part that any of the profiles has and the check looks at, in order.

        A spelling of a unit is looked at where a unit of that size was there before; else the size is news enough.
        """
        formula, profiles = FORMULAS.get(self.check.measure), [tonight, *earlier]
        if self.check.measure == "unit_meaning":
            return sorted(self._meanings(profiles))
        if formula is None:
            return [TOTAL]
        found = {part for profile in profiles for part in profile.parts(formula.value) if self._is_looked_at(part)}
        if self.check.measure == "unit_text":
            known = self._meanings(earlier)
            found = {part for part in found if self.meant(part) in known}
        return sorted(found)

    def read(self, profile: Profile, part: str) -> Reading:
        """The number of that part."""
        analyte = analyte_of(part)
        if self.check.measure == "unit_meaning":
            rows = sum(n for unit, n in profile.parts(UNITS).items() if self.meant(unit) == part)
            return share(rows, profile.get("rows", analyte))
        formula = FORMULAS[self.check.measure]
        value = profile.get(formula.value, part)
        if formula.base is None:
            return Reading(value, together=rows_together(profile) if part == TOTAL else 1.0)
        base = profile.get(formula.base, {"part": part, "analyte": analyte, "all": TOTAL}[formula.base_of])
        return share(value, base) if formula.is_share else Reading(value, base, together=rows_together(profile))

    def meant(self, part: str) -> str:
        """The part of a unit as sent, with what the unit stands for in its place."""
        analyte, unit = part.split(SEPARATOR, 1)
        return f"{analyte}{SEPARATOR}{self.meaning(analyte, unit)}"

    def _meanings(self, profiles: Iterable[Profile]) -> set[str]:
        return {self.meant(part) for profile in profiles for part in profile.parts(UNITS)}

    def _is_looked_at(self, part: str) -> bool:
        groups = self.check.groups
        analyte = analyte_of(part)
        own = {name for name, analytes in self.changes.groups.items() if analyte in analytes}
        return not groups or bool((own or {"total" if part == TOTAL else "others"}) & set(groups))


def rows_together(profile: Profile) -> float:
    """Results a specimen."""
    return max(1.0, profile.get("rows") / profile.get("specimens")) if profile.get("specimens") else 1.0


def analyte_of(part: str) -> str:
    """The analyte that a part begins with."""
    return part.split(SEPARATOR, maxsplit=1)[0]


def read_known_days(tonight: Profile, before: Profile) -> tuple[Reading, Reading]:
    """Rows of the days that both deliveries cover, tonight and before; of all rows where days are not real."""
    if not tonight.rows_of_days or not before.rows_of_days:
        return Reading(tonight.get("rows")), Reading(before.get("rows"))
    start = min(before.rows_of_days) if tonight.get("is_snapshot") else tonight.oldest
    by_day_from = max(tonight.kept_by_day_from, before.kept_by_day_from)
    start = _next_month(start) if start < by_day_from and start.day > 1 else start
    return Reading(_rows(tonight, start, before.newest)), Reading(_rows(before, start, before.newest))


def _rows(profile: Profile, start: date, end: date) -> float:
    return sum(n for day, n in profile.rows_of_days.items() if start <= day <= end)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def estimate_known(tonight: Profile, before: Profile) -> float:
    """Rows of days that an earlier night had reached, where it was not looked up which rows are known."""
    return _rows(tonight, date.min, before.newest)
