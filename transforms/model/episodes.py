"""Episode rules: seven named parameters, the thresholds they run at, and what a published rule needs beside them."""

from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part


class Threshold(Part):
    """Low below (or at, with `le`) one count; recovered at or above another, which may be higher. Cells/uL.

    A count above `recovered_at_most_cells_per_ul`, if there is one, is neither low nor recovered.
    """

    low_cells_per_ul: int = Field(gt=0)
    low_operator: Literal["lt", "le"] = "lt"
    recovered_cells_per_ul: int = Field(gt=0)
    recovered_at_most_cells_per_ul: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _recovers_above_low(self) -> Self:
        most = self.recovered_at_most_cells_per_ul
        if self.recovered_cells_per_ul < self.low_cells_per_ul:
            raise ValueError("recovered_cells_per_ul must not lie below low_cells_per_ul")
        if most is not None and most < self.recovered_cells_per_ul:
            raise ValueError("recovered_at_most_cells_per_ul must not lie below recovered_cells_per_ul")
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


class Anchor(Part):
    """Only counts of so many calendar days after a dose of one of these drugs take part, both ends included.

    A dose is an anchor if none was given in the `new_after_days` before it. The next anchor ends the days of the one
    before; without `to_days` nothing else does.
    """

    drugs: tuple[str, ...] = Field(min_length=1)
    from_days: int = Field(ge=0)
    to_days: int | None = Field(None, ge=0)
    new_after_days: int = Field(ge=0)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.to_days is not None and self.to_days < self.from_days:
            raise ValueError("to_days must not lie below from_days")
        return self


class RunGrade(Part):
    """The grade of an episode at a threshold that lasts `at_least_days`, its first and last low day counted.

    `never_above`: only if no other count of the anchor's days is anything but low.
    """

    grade: int = Field(ge=1)
    threshold_cells_per_ul: int = Field(gt=0)
    at_least_days: int = Field(ge=1)
    never_above: bool = False


class EpisodeRule(Definition):
    """One rule. Days are elapsed time; "different days" are calendar days.

    `takes`: one value per person and day (the last for the state, the lowest for the nadir) or every specimen.
    `uses_bounds`: a count known only within bounds takes part where its bounds decide. `recovered_values`: so many
    consecutive recovered values on different days end an episode, dated at the first of them. `gap_days`: a longer
    time without a decided value before another low ends the episode unseen. `join_days`: a new low sooner after the
    recovery belongs to the same episode.

    What only some published rules have: `ignores_below_cells_per_ul`, a count that may lie below it takes no part;
    `exit_days`, so long after its last low an episode ends by the clock, seen or not; `length_unit_days`, lengths are
    told in whole units of so many days; `anchor` and `grades`. A rule `is_compared_only` when nothing is made of its
    episodes but their number and length; `differs` says beside those in a sentence what is different about it.
    `gcsf_days` and `raising_days`: growth factors, and drugs that raise the count, are flagged from so many days before
    the first low.
    """

    rule: str
    differs: str = ""
    is_default: bool = False
    is_compared_only: bool = False
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
    raising_days: int = Field(ge=0)
    ignores_below_cells_per_ul: int | None = Field(None, gt=0)
    exit_days: int | None = Field(None, ge=1)
    length_unit_days: int | None = Field(None, ge=1)
    anchor: Anchor | None = None
    grades: tuple[RunGrade, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        lows = [threshold.low_cells_per_ul for threshold in self.thresholds]
        if len(lows) != len(set(lows)):
            raise ValueError("a threshold is listed twice")
        if self.exit_days is not None and self.gap_days is not None:
            raise ValueError("exit_days takes the place of gap_days: name one of them")
        if self.grades and self.anchor is None:
            raise ValueError("grades need an anchor")
        if unknown := {each.threshold_cells_per_ul for each in self.grades} - set(lows):
            raise ValueError(f"grades name thresholds that the rule has not: {sorted(unknown)}")
        return self
