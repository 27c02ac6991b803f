"""Severity scales: levels with boundaries and their strictness, and whom a scale is meant for."""

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part

NOT_APPLICABLE = "not_applicable"  # the level of people a scale is not meant for
EVERYBODY = "everybody"  # the scope of a scale that is meant for all


class Level(Part):
    """One level: from `at_least` (`above` when strict) to `below` (`at_most` when not strict), cells/uL.

    A level inside another is the more specific one; of nested levels the smallest that holds a count for certain is
    its label. `reference` parts counts by the laboratory's lower limit of normal: at least it, below it, or no limit
    known. `grade` is the place among all scales: 0 none, 1 mild, 2 moderate, 3 severe, 4 life-threatening.
    """

    name: str
    title: str
    grade: int = Field(ge=0, le=4)
    lower_cells_per_ul: int | None = Field(None, ge=0)
    lower_operator: Literal["ge", "gt"] = "ge"
    upper_cells_per_ul: int | None = Field(None, gt=0)
    upper_operator: Literal["lt", "le"] = "lt"
    inside: str | None = None
    reference: Literal["at_least", "below", "unknown"] | None = None

    @property
    def least(self) -> int:
        """The lowest whole count of this level."""
        return (self.lower_cells_per_ul or 0) + (self.lower_operator == "gt")

    @property
    def most(self) -> int | None:
        """The highest whole count of this level; None when it has no end."""
        return None if self.upper_cells_per_ul is None else self.upper_cells_per_ul - (self.upper_operator == "lt")


class AppliesTo(Part):
    """Whom a scale is meant for: ages in whole years (from, and below), and people known to be Duffy-null.

    A person of unknown age is one of them only if `unknown_age`.
    """

    age_years_from: int | None = Field(None, ge=0)
    age_years_below: int | None = Field(None, gt=0)
    unknown_age: bool = True
    duffy_null: Literal[True] | None = None

    @property
    def name(self) -> str:
        """Its id: `age_from_1`, `age_1_to_17`, `duffy_null`, or several of them."""
        first, after = self.age_years_from, self.age_years_below
        words = ["duffy_null"] if self.duffy_null else []
        if first is not None or after is not None:
            words.append(f"age_from_{first}" if after is None else f"age_{first or 0}_to_{after - 1}")
        return "_and_".join(words) or EVERYBODY


class Scale(Definition):
    """One scale: levels from least to most severe; together they hold every count exactly once, nested ones apart."""

    rule: str
    is_default: bool = False
    undecided: str
    applies_to: AppliesTo | None = None
    levels: tuple[Level, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _holds_every_count_once(self) -> Self:
        outer = sorted((level for level in self.levels if _is_outer(level)), key=lambda level: level.least)
        expected: int | None = 0
        for level in outer:
            if expected is None or level.least != expected:
                raise ValueError(f"level {level.name!r} leaves a gap or overlaps the one below it")
            expected = None if level.most is None else level.most + 1
        if expected is not None:
            raise ValueError("the highest level must have no upper end")
        for level in self.levels:
            if level.inside is not None and not _is_within(level, {other.name: other for other in self.levels}):
                raise ValueError(f"level {level.name!r} is not inside {level.inside!r}")
        return self

    @model_validator(mode="after")
    def _runs_from_mild_to_severe(self) -> Self:
        for milder, worse in pairwise(self.levels):
            if _end(worse) > _end(milder) or worse.grade < milder.grade:
                raise ValueError(f"level {worse.name!r} must be worse than {milder.name!r}, which is named before it")
        return self

    @model_validator(mode="after")
    def _parts_by_reference_in_three(self) -> Self:
        parted = [level for level in self.levels if level.reference is not None]
        kinds = [level.reference for level in parted]
        if parted and kinds != ["at_least", "unknown", "below"]:
            raise ValueError("levels by reference must be three, in this order: at_least, unknown, below")
        if len({level.least for level in parted}) > 1 or any(level.most is not None for level in parted):
            raise ValueError("levels by reference must begin at one count and have no upper end")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Labels from least to most severe, then the undecided one."""
        return (*(level.name for level in self.levels), self.undecided)

    @property
    def scope(self) -> str:
        """Id of whom the scale is meant for."""
        return EVERYBODY if self.applies_to is None else self.applies_to.name

    @property
    def uses_reference(self) -> bool:
        """Whether the laboratory's lower limit of normal takes part."""
        return any(level.reference is not None for level in self.levels)


def _is_outer(level: Level) -> bool:
    return level.inside is None and level.reference in {None, "unknown"}


def _end(level: Level) -> float:
    return float("inf") if level.most is None else level.most


def _is_within(level: Level, levels: dict[str, Level]) -> bool:
    outer = levels.get(level.inside or "")
    if outer is None or level.most is None:
        return False
    return outer.least <= level.least and (outer.most is None or level.most <= outer.most)
