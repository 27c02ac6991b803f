"""What a chemotherapy cycle is, when its nadir may be told, and what a day of severe neutropenia is."""

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part


class NearDaily(Part):
    """Tests are near-daily when no gap is longer from the first value below a limit to the first recovered one."""

    from_below_cells_per_ul: int = Field(gt=0)
    recovered_cells_per_ul: int = Field(gt=0)
    gap_at_most_days: int = Field(ge=1)


class SevereDays(Part):
    """Days below a limit. None below it counts as 0 days where tests were near-daily from one day to another."""

    below_cells_per_ul: int = Field(gt=0)
    none_from_day: int = Field(ge=0)
    none_until_day: int = Field(ge=1)


class CycleRules(Definition):
    """How cycles are made of cytotoxic doses.

    A dose starts a cycle when none was given in the `new_cycle_after_days` before. Values of its first
    `first_value_day` to `last_value_day` days count, none later than the day of the next cycle's first dose.
    Another antineoplastic belongs to the cycle from `beside_days` before its first dose.
    """

    rule: str
    new_cycle_after_days: int = Field(ge=0)
    beside_days: int = Field(ge=0)
    first_value_day: int = Field(ge=0)
    last_value_day: int = Field(ge=1)
    near_daily: NearDaily
    severe: SevereDays

    @model_validator(mode="after")
    def _days_and_limits_agree(self) -> "CycleRules":
        if not self.first_value_day <= self.severe.none_from_day < self.severe.none_until_day <= self.last_value_day:
            raise ValueError("days must rise: first_value_day, none_from_day, none_until_day, last_value_day")
        if not self.severe.below_cells_per_ul <= self.near_daily.from_below_cells_per_ul:
            raise ValueError("severe.below_cells_per_ul must not lie above near_daily.from_below_cells_per_ul")
        if self.near_daily.recovered_cells_per_ul < self.severe.below_cells_per_ul:
            raise ValueError("near_daily.recovered_cells_per_ul must not lie below severe.below_cells_per_ul")
        return self
