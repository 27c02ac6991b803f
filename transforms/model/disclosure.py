"""Disclosure rules: which counts are hidden and what else goes with them."""

from typing import Literal

from pydantic import Field

from transforms.model.base import Definition


class DisclosureRule(Definition):
    """One rule set for one channel.

    Counts of people, episodes or tests from 1 to `min_cell` - 1 are hidden. Digits are those of a published share,
    curve and number of days; null keeps all.
    """

    rule: str
    channel: Literal["internal", "public"]
    min_cell: int = Field(ge=2)
    share_digits: int | None = Field(ge=1)
    curve_digits: int = Field(ge=1)
    days_digits: int = Field(ge=0)
    shows_agents: bool
