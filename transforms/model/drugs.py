"""What is counted after a drug: blocks of doses, windows, days and bins of the curve, and the self-controlled ratio."""

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part

Anchor = Literal["each_dose", "course_start", "last_dose"]


class DrugClass(Part):
    """Which drugs are a class. `malignancy` leaves out dual-use drugs of people without a malignancy code."""

    id: str
    cause_groups: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    is_cytotoxic: bool | None = None
    indication: Literal["malignancy", "any"] = "any"


class DrugWindow(Part):
    """What a drug's own window lacks, as in the evidence of causes; days."""

    earliest_after_dose_days: int = Field(ge=0)
    beyond_max_days: int = Field(ge=0)
    default_tail_days: int = Field(ge=0)


class CurveDays(Part):
    """The days of a curve: from, until (both held) and how many are one step."""

    from_days: int
    until_days: int = Field(ge=0)
    step_days: int = Field(gt=0)


class RatioRule(Part):
    """How weeks around the first course are divided, and who is compared."""

    classes: tuple[str, ...]
    threshold_cells_per_ul: int = Field(gt=0)
    week_days: int = Field(gt=0)
    pre_exposure_days: int = Field(gt=0)
    around_start_days: tuple[int, int] = Field(description="from, until, counted from the start of the course")
    risk_days_at_most: int = Field(gt=0)
    reference_after_days: int = Field(ge=0)
    people_at_least: int = Field(ge=1)
    confidence_level: float = Field(gt=0.5, lt=1)
    shrinkage: float = Field(gt=0, description="added to episodes and to those expected, in the disproportion")


class DrugRules(Definition):
    """One set of rules for all drugs; the first of `classes` that fits is a drug's own."""

    rule: str
    block_gap_days: int = Field(ge=0)
    classes: tuple[DrugClass, ...]
    other_use: str
    window: DrugWindow
    curve: dict[Anchor, CurveDays]
    bins_cells_per_ul: tuple[int, ...]
    quantiles: dict[str, float]
    ratio: RatioRule

    @model_validator(mode="after")
    def _check(self) -> Self:
        bins = self.bins_cells_per_ul
        if not bins or bins[0] != 0 or any(low >= high for low, high in pairwise(bins)):
            raise ValueError("bins_cells_per_ul must rise from 0")
        if set(self.curve) != {"each_dose", "course_start", "last_dose"}:
            raise ValueError("curve needs each_dose, course_start and last_dose")
        if unknown := sorted(set(self.ratio.classes) - {each.id for each in self.classes}):
            raise ValueError(f"ratio names classes that are not there: {unknown}")
        return self


class RatioExample(Part):
    """Events and weeks inside a window and outside, the ratio of their rates and its limits."""

    inside: int = Field(ge=0)
    inside_weeks: int = Field(gt=0)
    outside: int = Field(ge=0)
    outside_weeks: int = Field(gt=0)
    ratio: float
    lo: float
    hi: float
