"""Severity scales: grades with boundaries and their strictness."""

from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part


class Level(Part):
    """One level: from `at_least` (`above` when strict) to `below` (`at_most` when not strict), cells/uL.

    A level inside another is the more specific one; of nested levels the smallest that holds a count for certain is
    its label.
    """

    name: str
    title: str
    lower_cells_per_ul: int | None = Field(None, ge=0)
    lower_operator: Literal["ge", "gt"] = "ge"
    upper_cells_per_ul: int | None = Field(None, gt=0)
    upper_operator: Literal["lt", "le"] = "lt"
    inside: str | None = None

    @property
    def least(self) -> int:
        """The lowest whole count of this level."""
        return (self.lower_cells_per_ul or 0) + (self.lower_operator == "gt")

    @property
    def most(self) -> int | None:
        """The highest whole count of this level; None when it has no end."""
        return None if self.upper_cells_per_ul is None else self.upper_cells_per_ul - (self.upper_operator == "lt")


class Scale(Definition):
    """One scale: levels from least to most severe; together they hold every count exactly once, nested ones apart."""

    rule: str
    is_default: bool = False
    undecided: str
    levels: tuple[Level, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _holds_every_count_once(self) -> Self:
        outer = sorted((level for level in self.levels if level.inside is None), key=lambda level: level.least)
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

    @property
    def names(self) -> tuple[str, ...]:
        """Labels from least to most severe, then the undecided one."""
        return (*(level.name for level in self.levels), self.undecided)


def _is_within(level: Level, levels: dict[str, Level]) -> bool:
    outer = levels.get(level.inside or "")
    if outer is None or level.most is None:
        return False
    return outer.least <= level.least and (outer.most is None or level.most <= outer.most)
