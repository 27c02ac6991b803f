"""How a night is compared with the last good ones: what is measured, how far it may move, and what happens then."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part

Measure = Literal[
    "rows",
    "rows_per_day",
    "rows_of_known_days",
    "per_specimen",
    "unit_meaning",
    "unit_text",
    "code",
    "median",
    "tail",
    "low_share",
    "testing_rate",
    "missing",
    "refused",
    "irrelevant",
    "days_behind",
    "late",
]
Dates = Literal["real", "shifted", "relative", "none"]
CHANGE = "change_"  # what the id of each check begins with
LIMITS = ("falls_by", "rises_to", "times", "above_highest", "below_lowest", "is_new")


class Limits(Part):
    """How far a number may go. `falls_by`: that share below the median of comparable nights; `rises_to`: that many
    times their highest; `times`: that many times the highest, or as small a part of the lowest; `above_highest`,
    `below_lowest`: in points of a share (0.2) or in days; `is_new`: that share of what none of them had.
    """

    falls_by: float | None = Field(None, gt=0, lt=1)
    rises_to: float | None = Field(None, gt=1)
    times: float | None = Field(None, gt=1)
    above_highest: float | None = Field(None, gt=0)
    below_lowest: float | None = Field(None, gt=0)
    is_new: float | None = Field(None, gt=0, lt=1)

    @property
    def is_about_falls_only(self) -> bool:
        """Nothing else is limited."""
        return all(getattr(self, name) is None for name in LIMITS if name != "falls_by")

    @model_validator(mode="after")
    def _limits_something(self) -> "Limits":
        if all(getattr(self, name) is None for name in LIMITS):
            raise ValueError(f"needs one of {', '.join(LIMITS)}")
        return self


class ChangeCheck(Part):
    """One check. `groups` narrows it to the total or to groups of analytes; none looks at all there is.

    `least`: specimens (people, for a rate by person; rows, for a share of rows) below which a number says nothing.
    `least_nights`: earlier good nights that it needs; one is enough for `is_new`. `deliveries: new` compares nights
    that bring new rows, and leaves out those that send known rows again; `extent: similar` leaves out nights that
    cover many more days, or many fewer.
    """

    id: str = Field(pattern=rf"^{CHANGE}[a-z0-9_]+$")
    title: str
    severity: Literal["warn", "stop"]
    reason: str
    repair: str
    owner: str
    table: str = "canonical.lab"
    measure: Measure
    groups: tuple[str, ...] = ()
    limits: Limits
    least: int = Field(ge=1)
    least_nights: int = Field(ge=1)
    deliveries: Literal["any", "new", "repeated"] = "any"
    extent: Literal["any", "similar"] = "any"
    dates: tuple[Dates, ...] | None = None
    shown_as: Literal["count", "number", "share", "days"]
    noun: str


class ChangeExample(Part):
    """A number of tonight and of earlier nights, those of the same kind of day apart where that matters."""

    case: str
    check: str
    tonight: float
    base: float | None = None
    nights: tuple[float, ...]
    same_kind: tuple[float, ...] | None = None
    fails: bool


class Changes(Definition):
    """All of it. `nights_back` good nights are looked at. Besides its own limit a fall must exceed `spreads` times the
    usual spread (median absolute deviation, scaled to a standard deviation) and `chances` times the standard deviation
    that chance alone gives to so many specimens.

    `repeated_share`: a night whose rows are known to that share sends them again. `similar_extent`: how many times as
    many days a comparable night may cover. `rest_days`: 1 Monday to 7 Sunday. `recent_days` are kept day by day, older
    ones by month. `quiet_day_share`: a day with fewer rows than that part of a usual day does not count as reached.
    `oldest_share`: the part of the rows that may be older than what the night covers. `shown_people` and `shown_text`:
    text of an extract is shown if it has that shape and at least so many people share it.
    """

    rule: str
    nights_back: int = Field(ge=3)
    spreads: float = Field(gt=0)
    chances: float = Field(gt=0)
    repeated_share: float = Field(gt=0, lt=1)
    similar_extent: float = Field(gt=1)
    rest_days: tuple[int, ...]
    recent_days: int = Field(ge=7)
    late_days: int = Field(ge=1)
    quiet_day_share: float = Field(gt=0, lt=1)
    oldest_share: float = Field(gt=0, lt=1)
    shown_people: int = Field(ge=11)
    shown_text: str
    groups: Mapping[str, tuple[str, ...]]
    tails: tuple[float, ...] = Field(min_length=1)
    counted_low: tuple[str, ...]
    filled: tuple[str, ...]
    checks: tuple[ChangeCheck, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> "Changes":
        ids = [check.id for check in self.checks]
        if len(set(ids)) < len(ids):
            raise ValueError("checks: an id is used twice")
        for check in self.checks:
            if unknown := set(check.groups) - {"total", "others", *self.groups}:
                raise ValueError(f"{check.id}.groups: there is no group called {sorted(unknown)}")
        return self

    def check(self, check_id: str) -> ChangeCheck:
        """The check of that id."""
        return next(check for check in self.checks if check.id == check_id)
