"""How the examples of chemotherapy cycles and of days below a threshold are written: what was on which day."""

from collections.abc import Mapping

from transforms.model.base import Part
from transforms.model.examples import Count


class CycleExpected(Part):
    """What is expected of one chemotherapy cycle; `started` and `ended` count from day 0, only named facts compare."""

    number: int | None = None
    started: int | None = None
    ended: int | None = None
    regimen: str | None = None
    agents: str | None = None
    n_tests: int | None = None
    nadir: int | None = None
    nadir_day: int | None = None
    largest_gap: int | None = None
    is_near_daily: bool | None = None
    severe_days: int | None = None
    severe_status: str | None = None


class CycleExample(Part):
    """Antineoplastics of one person by day, their counts by day, and the cycles in them."""

    case: str
    doses: Mapping[int, tuple[str, ...]]
    counts: Mapping[float, Count]
    cycles: tuple[CycleExpected, ...]


class DaysExpected(Part):
    """Days of observation that are low, not low and unknown."""

    low: int
    not_low: int
    unknown: int


class PersonDaysExample(Part):
    """First and last day of observation of one person, counts by day, and how the days divide at a threshold."""

    case: str
    observed: tuple[int, int]
    threshold: int
    counts: Mapping[float, Count]
    expect: DaysExpected
