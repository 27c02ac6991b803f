"""Disclosure rules: which counts are hidden and what else goes with them."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator

from transforms.model.base import Definition

Channel = Literal["internal", "public", "ohdsi", "opensafely", "cms"]


class DisclosureRule(Definition):
    """One rule set for one channel.

    Counts of people, episodes or tests from 1 to `min_cell` - 1 are hidden, others rounded to multiples of `round_to`.
    Digits are those of a published share, curve and number of days; null keeps all. Curves are shown at `curve_days`
    and no others. Standardised numbers keep `standardised_figures` significant figures. Estimators of durations that
    are `hidden_with_deaths` are hidden where the number of deaths is. A quantile of people is shown where at least
    `quantile_people_beyond` of them lie on either side of it. `causes_without_suspect` are the fallbacks.
    """

    rule: str
    channel: Channel
    min_cell: int = Field(ge=2)
    round_to: int = Field(1, ge=1)
    share_digits: int | None = Field(ge=1)
    standardised_figures: int = Field(ge=1)
    curve_digits: int = Field(ge=1)
    days_digits: int = Field(ge=0)
    curve_days: tuple[int, ...]
    hidden_with_deaths: tuple[str, ...] = ()
    quantile_people_beyond: int = Field(ge=1)
    shows_agents: bool
    causes_without_suspect: tuple[str, ...] = Field(min_length=1)

    @field_validator("curve_days")
    @classmethod
    def _days_rise_from_zero(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if not days or days[0] != 0 or any(one >= other for one, other in pairwise(days)):
            raise ValueError("curve_days must rise from 0")
        return days
