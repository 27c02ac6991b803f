"""Complications of an episode: signs (a temperature or a code), the low count beside them, and when they must come.

A complication follows the first low value; an infection that comes before it is a candidate cause.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part
from transforms.model.causes import OwnCode

Kind = Literal["febrile_neutropenia", "infection", "mouth"]
Look = Literal["temperatures", "codes"]


class Fever(Part):
    """A temperature, `ge` or `gt` so many degrees Celsius; if `lasting_minutes`, in all readings of that time.

    Readings further apart than `most_hours_between_readings` say nothing of the time between them.
    """

    celsius: float = Field(gt=30, lt=45)
    operator: Literal["ge", "gt"]
    lasting_minutes: int | None = Field(None, gt=0)
    lasting_operator: Literal["ge", "gt"] = "ge"
    most_hours_between_readings: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.lasting_minutes is None) != (self.most_hours_between_readings is None):
            raise ValueError("lasting_minutes and most_hours_between_readings go together")
        return self


class CodeGroup(Part):
    """Any diagnosis of these groups of the condition lists, or of these codes."""

    cause_groups: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    except_subgroups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    own_codes: tuple[OwnCode, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.cause_groups or self.subgroups or self.own_codes):
            raise ValueError("name cause_groups, subgroups or own_codes")
        return self


class LowCount(Part):
    """What must lie near a sign, from so many days before it to so many after: a count certainly below, or a code."""

    below_cells_per_ul: int | None = Field(None, gt=0)
    codes: CodeGroup | None = None
    days_before: int = Field(ge=0)
    days_after: int = Field(ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.below_cells_per_ul is None and self.codes is None:
            raise ValueError("name below_cells_per_ul, codes or both")
        return self


class Complication(Definition):
    """One named complication. A sign counts from `from_day` of the first low value to `days_after_end` of the end.

    The end of an episode is its first recovered value, else its last low one. `settings`: only during such stays.
    """

    rule: str
    wording: str
    kind: Kind
    place: int = Field(description="order among those of its kind")
    temperatures: tuple[Fever, ...] = ()
    codes: CodeGroup | None = None
    low: LowCount | None = None
    settings: tuple[Literal["inpatient", "emergency", "outpatient"], ...] = ()
    from_day: int
    days_after_end: int = Field(ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.temperatures or self.codes):
            raise ValueError("a complication needs temperatures or codes")
        return self

    @property
    def looks(self) -> tuple[Look, ...]:
        """What an extract must have of an episode for the complication to be seen."""
        looks: list[Look] = []
        looks += ["temperatures"] if self.temperatures else []
        looks += ["codes"] if self.codes else []
        return tuple(looks)
