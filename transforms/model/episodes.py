"""Episode rules: seven named parameters and the thresholds they run at."""

from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part


class Threshold(Part):
    """Low below (or at, with `le`) one count; recovered at or above another, which may be higher. Cells/uL."""

    low_cells_per_ul: int = Field(gt=0)
    low_operator: Literal["lt", "le"] = "lt"
    recovered_cells_per_ul: int = Field(gt=0)

    @model_validator(mode="after")
    def _recovers_above_low(self) -> Self:
        if self.recovered_cells_per_ul < self.low_cells_per_ul:
            raise ValueError("recovered_cells_per_ul must not lie below low_cells_per_ul")
        return self

    @property
    def highest_low(self) -> int:
        """The highest whole count that is low."""
        return self.low_cells_per_ul - (self.low_operator == "lt")


class Confirmation(Part):
    """An episode is confirmed by `values` lows on different days within `within_days`, or by one value in another way.

    `or_below_cells_per_ul`: one value below it. `or_days_after_dose`: one low that many days after a dose.
    """

    values: int = Field(ge=1)
    within_days: int | None = Field(None, ge=1)
    or_below_cells_per_ul: int | None = Field(None, gt=0)
    or_days_after_dose: tuple[int, int] | None = None


class Minimum(Part):
    """Episodes with fewer low values, or a shorter time from first to last low, are not episodes."""

    low_values: int = Field(1, ge=1)
    days: int = Field(0, ge=0)


class CycleSplit(Part):
    """A dose after a recovered value starts a new episode if it starts a cycle: no dose in the days before it."""

    new_cycle_after_days: int = Field(ge=0)


class EpisodeRule(Definition):
    """One rule. Days are elapsed time; "different days" are calendar days.

    `takes`: one value per person and day (the last for the state, the lowest for the nadir) or every specimen.
    `uses_bounds`: a count known only within bounds takes part where its bounds decide. `recovered_values`: so many
    consecutive recovered values on different days end an episode, dated at the first of them. `gap_days`: a longer
    time without a decided value before another low ends the episode unseen. `join_days`: a new low sooner after the
    recovery belongs to the same episode.
    """

    rule: str
    is_default: bool = False
    thresholds: tuple[Threshold, ...] = Field(min_length=1)
    takes: Literal["day", "specimen"]
    uses_bounds: bool
    recovered_values: int = Field(ge=1)
    confirmed_by: Confirmation
    gap_days: int | None = Field(None, ge=1)
    join_days: int | None = Field(None, ge=1)
    minimum: Minimum = Minimum()
    cycle_split: CycleSplit | None = None
    look_back_days: int = Field(ge=1)
    gcsf_days: int = Field(ge=0)

    @model_validator(mode="after")
    def _has_distinct_thresholds(self) -> Self:
        lows = [threshold.low_cells_per_ul for threshold in self.thresholds]
        if len(lows) != len(set(lows)):
            raise ValueError("a threshold is listed twice")
        return self
