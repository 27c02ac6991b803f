"""The Naranjo score: points of the questions that an extract can answer, and the bands of their sum."""

from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part


class Points(Part):
    """Points of an answer; a question that is not answered has none."""

    yes: int = 0
    no: int = 0


class Band(Part):
    """Scores from `least` up to the next band; the lowest band has no `least`."""

    name: str
    least: int | None = None


class Naranjo(Definition):
    """Questions by what answers them; `known_risks` of the drug list make a reaction a known one."""

    rule: str
    known_risks: tuple[str, ...]
    known_reaction: Points
    after_drug: Points
    dechallenge: Points
    rechallenge: Points
    other_cause: Points
    earlier_reaction: Points
    objective_evidence: Points
    bands: tuple[Band, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _bands_fall(self) -> Self:
        least = [band.least for band in self.bands if band.least is not None]
        if self.bands[-1].least is not None or len(least) != len(self.bands) - 1:
            raise ValueError("only the last band has no `least`")
        if any(one <= other for one, other in pairwise(least)):
            raise ValueError("bands must fall by `least`")
        return self
