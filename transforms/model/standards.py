"""Standard populations, and when a share or rate may be standardised to one."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part

_ROUNDED = 1e-6  # weights are published with eight decimals


class Standard(Definition):
    """A standard population: what share of it each band of ages holds, by the first age of the band, in years."""

    weights: Mapping[int, float]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if 0 not in self.weights or min(self.weights.values()) <= 0:
            raise ValueError("weights must begin at age 0, and each must be above 0")
        if abs(sum(self.weights.values()) - 1) > _ROUNDED:
            raise ValueError(f"weights must add up to 1; they add up to {sum(self.weights.values()):.8f}")
        return self


class Standardisation(Part):
    """Counts are kept by sex and by `age_bands_from_years`; sexes weigh as `sex_shares`.

    Nothing is standardised with fewer than `events_at_least` events in all.
    """

    events_at_least: int = Field(ge=1)
    age_bands_from_years: tuple[int, ...]
    sex_shares: Mapping[Literal["female", "male"], float]

    @model_validator(mode="after")
    def _check(self) -> Self:
        bands = self.age_bands_from_years
        if bands[:1] != (0,) or list(bands) != sorted(set(bands)):
            raise ValueError("age_bands_from_years must rise from 0")
        if abs(sum(self.sex_shares.values()) - 1) > _ROUNDED:
            raise ValueError("sex_shares must add up to 1")
        return self


class StratumCount(Part):
    """People of one age and sex, and the events among them."""

    age: int = Field(ge=0)
    sex: Literal["female", "male", "unknown"]
    people: int = Field(ge=0)
    events: int = Field(ge=0)


class StandardExample(Part):
    """Counts of strata; their standardised share with its limits, and the limits of the same as a rate."""

    title: str
    strata: tuple[StratumCount, ...]
    status: str
    share: float | None = None
    lo: float | None = None
    hi: float | None = None
    rate_lo: float | None = None
    rate_hi: float | None = None
