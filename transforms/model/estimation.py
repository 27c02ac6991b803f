"""What estimates need: confidence level, horizons, methods, named denominators, and the plan of one night.

A definition holds what a reader may want to argue with. A `Plan` is what remains of all definitions once the
extract's dates are known: which cuts are counted, in which intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import polars as pl
from pydantic import Field, model_validator

from transforms.errors import DefinitionError
from transforms.model.base import Definition, Part
from transforms.model.cohorts import Cohort, Criterion
from transforms.model.complications import Complication
from transforms.model.drugs import DrugRules
from transforms.model.episodes import EpisodeRule
from transforms.model.person_days import PersonDaysRule
from transforms.model.scales import Scale
from transforms.model.standards import Standard, Standardisation
from transforms.model.survey import SurveyRule

Operator = Literal["lt", "le"]
DEFAULT_WINDOW = "default"
ANY_VALUE = "any_value"  # the rule of any_low: no episode rule takes part


class Denominator(Definition):
    """One named denominator: whom a prevalence is a part of.

    `upper_bound_below_cells_per_ul` and `uninformative_routes` say which count without a number is still a test;
    `least_share_of_days` which part of an interval is enough time under observation.
    """

    rule: str
    counts: Literal["observed", "tested", "day_one", "whole_period", "sufficient_time", "exposed"]
    least_share_of_days: float | None = Field(None, gt=0, le=1)
    upper_bound_below_cells_per_ul: int | None = Field(None, gt=0)
    uninformative_routes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_how_much_time_is_enough(self) -> "Denominator":
        if (self.counts == "sufficient_time") != (self.least_share_of_days is not None):
            raise ValueError("least_share_of_days belongs to `counts: sufficient_time`, and to nothing else")
        return self


class IntervalMethod(Part):
    """Intervals of a share: `usual` unless min(x, n - x) is at most `exact_at_most`, then `exact`."""

    usual: Literal["wilson"]
    exact: Literal["clopper_pearson"]
    exact_at_most: int = Field(ge=0)


class IntervalCensoring(Part):
    """The estimate that takes both ends of an episode as intervals: its family, and when it may be given.

    `recoveries_at_least`: so many episodes seen to recover. `detection_at_least`: the chance that an episode of median
    length is seen at all. `gap_at_most_of_median`: the median gap between tests inside an episode, as a part of the
    median. Intervals come from `replicates` in which groups of people, `person_groups` of them, are drawn again.
    `patient_estimand` names the estimates in which each person counts once, however many episodes they have.
    """

    estimator: str
    patient_estimand: str
    family: Literal["log_normal", "weibull", "gamma"]
    recoveries_at_least: int = Field(ge=1)
    detection_at_least: float = Field(gt=0, le=1)
    gap_at_most_of_median: float = Field(gt=0)
    person_groups: int = Field(ge=2)
    replicates: int = Field(ge=2)


class DurationPlan(Part):
    """The naive duration curve and how far it is drawn; references beside it; the estimate from ends of intervals.

    Restricted means go to each of `horizons_days`, shortest first.
    """

    estimator: str
    competing_estimator: str
    bounds_estimator: str
    estimand: str
    horizons_days: tuple[int, ...]
    curve_days: int = Field(gt=0)
    intervals: IntervalCensoring

    @model_validator(mode="after")
    def _horizons_rise_from_above_zero(self) -> "DurationPlan":
        if not self.horizons_days or any(low >= high for low, high in pairwise((0, *self.horizons_days))):
            raise ValueError("horizons_days must rise from above 0")
        if self.horizons_days[-1] > self.curve_days:
            raise ValueError("curve_days must reach the last of horizons_days")
        return self


class DurationBand(Part):
    """Episodes that lasted up to `most_days` days from the first low to the first recovered value; null: any longer."""

    id: str
    title: str
    most_days: int | None = Field(None, ge=0)


class DurationBands(Part):
    """Bands from the shortest to an open one, and the band of episodes whose end was not seen."""

    days: tuple[DurationBand, ...] = Field(min_length=1)
    not_seen: DurationBand

    @model_validator(mode="after")
    def _bands_rise(self) -> "DurationBands":
        closed = [band.most_days for band in self.days if band.most_days is not None]
        is_open = self.days[-1].most_days is None and len(closed) == len(self.days) - 1
        if not is_open or any(one >= other for one, other in pairwise(closed)):
            raise ValueError("days must rise by most_days and end with a band that has none")
        return self

    @property
    def all(self) -> tuple[DurationBand, ...]:
        """Every band in order."""
        return (*self.days, self.not_seen)


class IncidencePlan(Part):
    """New episodes for time at risk: a value that is not low within `washout_days` before, and no open episode.

    Rates are for `years` of `days_a_year`. `replicates` in which groups of people are drawn again give the interval of
    episodes that come back; the groups are those of durations. Cumulative incidence is counted in steps of `step_days`
    and told on each of `curve_days`, of which each is a multiple of a step.
    """

    washout_days: int = Field(ge=1)
    days_a_year: float = Field(gt=0)
    years: int = Field(ge=1)
    replicates: int = Field(ge=2)
    step_days: int = Field(ge=1)
    curve_days: tuple[int, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _days_are_ends_of_steps(self) -> "IncidencePlan":
        if any(low >= high or high % self.step_days for low, high in pairwise((0, *self.curve_days))):
            raise ValueError("curve_days must rise from above 0, each a multiple of step_days")
        return self


class Step(Part):
    """One step of the attrition: what its people have."""

    id: Literal["known", "observed", "counted", "tested", "low", "confirmed", "incident", "recovered"]
    title: str
    reason: str


class EntryWords(Part):
    """What the people of a step into a cohort have, and why those of the step before may not."""

    title: str
    reason: str


class Estimation(Definition):
    """How estimates are made."""

    confidence_level: float = Field(gt=0.5, lt=1)
    prevalence_interval: IntervalMethod
    default_rule: str
    severity_scale: str
    attribution_windows: dict[str, float]
    duration: DurationPlan
    duration_bands: DurationBands
    incidence: IncidencePlan
    standardisation: Standardisation
    gap_days_at_most: int = Field(gt=0)
    anc_bins_cells_per_ul: tuple[int, ...]
    attrition: tuple[Step, ...]
    attrition_of_cohorts: dict[str, EntryWords]

    @model_validator(mode="after")
    def _windows_hold_the_default(self) -> "Estimation":
        if self.attribution_windows.get(DEFAULT_WINDOW) != 1 or min(self.attribution_windows.values()) <= 0:
            raise ValueError("attribution_windows must hold default: 1, and factors above 0")
        return self

    @model_validator(mode="after")
    def _every_criterion_has_words(self) -> "Estimation":
        if lacking := sorted(set(Criterion.model_fields) - set(self.attrition_of_cohorts)):
            raise ValueError(f"attrition_of_cohorts lacks {', '.join(lacking)}")
        return self

    @model_validator(mode="after")
    def _bins_rise_from_zero(self) -> "Estimation":
        bins = self.anc_bins_cells_per_ul
        if not bins or bins[0] != 0 or any(low >= high for low, high in pairwise(bins)):
            raise ValueError("anc_bins_cells_per_ul must rise from 0")
        return self


@dataclass(frozen=True)
class Cut:
    """One measure at one threshold: `any_low` of any value, or `confirmed` by an episode rule."""

    measure: Literal["any_low", "confirmed"]
    rule: str
    threshold_cells_per_ul: int
    operator: Operator

    def is_low(self, value: pl.Expr) -> pl.Expr:
        """Whether a count lies below the threshold, as the operator says."""
        return value < self.threshold_cells_per_ul if self.operator == "lt" else value <= self.threshold_cells_per_ul


@dataclass(frozen=True)
class Plan:
    """What one night counts. The default of `scales` is graded by month too; `has_calendar` allows months.

    Without `survey` no share is weighted, without `standards` none is standardised, without `person_days` no days are
    counted, without `chronic` no tracks.
    Without `drugs` nothing is counted after a drug, without `rules` none are compared; only `cohorts` have attrition.
    """

    estimation: Estimation
    denominators: tuple[Denominator, ...]
    cuts: tuple[Cut, ...]
    scales: tuple[Scale, ...]
    has_calendar: bool
    has_dates: bool = True
    survey: SurveyRule | None = None
    complications: tuple[Complication, ...] = ()
    person_days: PersonDaysRule | None = None
    chronic: tuple[EpisodeRule, ...] = ()
    standards: tuple[Standard, ...] = ()
    drugs: DrugRules | None = None
    rules: tuple[EpisodeRule, ...] = ()
    cohorts: tuple[Cohort, ...] = ()

    @property
    def any_low(self) -> tuple[Cut, ...]:
        """Cuts of any value, highest threshold first."""
        found = [cut for cut in self.cuts if cut.measure == "any_low"]
        return tuple(sorted(found, key=lambda cut: -cut.threshold_cells_per_ul))

    @property
    def reported_rules(self) -> frozenset[str]:
        """Episode rules of which everything is counted; of all others, number and length alone."""
        return frozenset(cut.rule for cut in self.cuts if cut.measure == "confirmed")

    @property
    def default_scale(self) -> Scale:
        """The scale of the headline."""
        return next(each for each in self.scales if each.id == self.estimation.severity_scale)

    @property
    def main_denominators(self) -> tuple[Denominator, ...]:
        """The observed and the tested; the others are counted by `counts.population` alone."""
        return tuple(each for each in self.denominators if each.counts in {"observed", "tested"})

    @property
    def tested(self) -> Denominator:
        """The denominator that says what a test is."""
        return next(each for each in self.denominators if each.counts == "tested")


def require_denominators(denominators: Sequence[Denominator]) -> None:
    """Stop when `tested` or `observed` is not defined, or anything twice."""
    found = sorted(each.counts for each in denominators)
    if len(set(found)) < len(found) or not {"observed", "tested"} <= set(found):
        raise DefinitionError(
            "definitions/denominators must define one that counts the observed, one the tested, and none twice.",
            details=found,
            repair="Each file names one of the words of `counts`, and no two files the same.",
        )
