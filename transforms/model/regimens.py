"""Chemotherapy regimens: antineoplastics given together, and on how many days where that tells two apart."""

from collections import Counter
from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part


class Regimen(Part):
    """One regimen: all of `agents`, and of other cytotoxics none but those of `with_or_without`.

    `days_at_least` and `days_at_most` ask on how many days of the cycle an agent was given.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    agents: tuple[str, ...] = Field(min_length=2)
    with_or_without: tuple[str, ...] = ()
    days_at_least: Mapping[str, int] = {}
    days_at_most: Mapping[str, int] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if other := sorted({*self.days_at_least, *self.days_at_most} - set(self.agents)):
            raise ValueError(f"days are asked of {other}, which are not among its agents")
        return self


class RegimenList(Definition):
    """Regimens, and what a cycle that is none of them is called: one cytotoxic alone, or any other combination."""

    rule: str
    one_agent: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    other_combination: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    regimens: tuple[Regimen, ...] = Field(min_length=1)

    @property
    def drugs(self) -> tuple[str, ...]:
        """Every drug that some regimen names, in order."""
        named = {drug for one in self.regimens for drug in (*one.agents, *one.with_or_without)}
        return tuple(sorted(named))

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = Counter([self.one_agent, self.other_combination, *(regimen.id for regimen in self.regimens)])
        if doubled := sorted(name for name, n in names.items() if n > 1):
            raise ValueError(f"these ids are used twice: {doubled}")
        return self
