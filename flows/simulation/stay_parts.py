"""Parameters of stays in hospital that no low count brings about: why, how often, how long, how often counted."""

from collections.abc import Mapping

from flows.simulation.part import Part, Range


class Length(Part):
    """Days of a stay, log-normal."""

    median_days: float
    log_sd: float
    most_days: int


class Rise(Part):
    """More neutrophils than usual around a stay: some people's log ratio climbs, stays and falls again."""

    share: float
    log_ratio: Range
    begins_days: Range  # since the first day of the stay
    rise_days: Range
    hold_days: Range
    fall_days: Range


class Reason(Part):
    """Why people are in hospital, and what is done with them there."""

    length: Length
    counted_every_days: int
    codes: Mapping[str, float]
    is_once: bool = False
    fever_share: float = 0.0
    fever_days: tuple[int, int] = (0, 0)
    rise: Rise | None = None


class AgeStays(Part):
    """Stays a person-year by reason, below an age."""

    until_years: int
    per_person_year: Mapping[str, float]


class Births(Part):
    """Which women give birth in hospital, and how often."""

    reason: str
    per_person_year: float
    years: tuple[int, int]
    groups: tuple[str, ...]


class GroupStays(Part):
    """Stays a person-year by reason that a group has more than its age, for a time from the beginning of its story."""

    for_days: int
    per_person_year: Mapping[str, float]


class PlannedStay(Part):
    """A stay of a share of a group some days from the beginning of its story, of all or of those on some regimens."""

    group: str
    regimens: tuple[str, ...] = ()
    reason: str
    share: float
    days: tuple[int, int]


class Stays(Part):
    """stays.yaml."""

    title: str
    source: str
    reasons: Mapping[str, Reason]
    of_population: float  # how many times as often as the population people known to a hospital are in it
    by_age: tuple[AgeStays, ...]
    births: Births
    by_group: Mapping[str, GroupStays]
    planned: tuple[PlannedStay, ...]
