"""When a day of observation is known to be low or not low."""

from pydantic import Field

from transforms.model.base import Definition


class PersonDaysRule(Definition):
    """Days between two days of the same kind at most so many days apart are of that kind."""

    rule: str
    low_between_days: int = Field(ge=1)
    not_low_between_days: int = Field(ge=1)
    days_a_year: float = Field(gt=0)
