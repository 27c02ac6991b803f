"""Cohorts: who is in, from when to when, as criteria joined by and, or and not."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.errors import DefinitionError
from transforms.model.base import Definition, Part

Setting = Literal["inpatient", "emergency", "outpatient", "other"]
DATED = ("diagnosis", "exposure", "setting", "testing", "low", "index")


class AgeBand(Part):
    """Completed years, both ends included; an open end is left out."""

    at_least_years: int | None = Field(None, ge=0)
    at_most_years: int | None = Field(None, ge=0)


class DiagnosisCriterion(Part):
    """Codes of the condition lists, or own prefixes (without dots) by code system.

    In from the code on; for `lasts_days` after each code, or to the end of observation when that is left out.
    """

    cause_groups: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    except_subgroups: tuple[str, ...] = ()
    prefixes: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    lasts_days: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.cause_groups or self.subgroups or self.prefixes):
            raise ValueError("name cause_groups, subgroups or prefixes")
        return self


class ExposureCriterion(Part):
    """Drugs of the drug list; in from each exposure's first day to its last day + `at_risk_days`.

    `indication: malignancy` leaves out dual-use drugs without a malignancy code near the dose.
    """

    drugs: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    cause_groups: tuple[str, ...] = ()
    is_cytotoxic: bool | None = None
    indication: Literal["any", "malignancy"] = "any"
    at_risk_days: int = Field(ge=0)


class SettingCriterion(Part):
    """Stays or visits of these settings; in from the first day of each to its last day + `lasts_days`."""

    settings: tuple[Setting, ...] = Field(min_length=1)
    lasts_days: int = Field(0, ge=0)


class TestingCriterion(Part):
    """In on days on which the last `within_days` days hold at least so many tests; without it, from that test on.

    What is a test is said by `definitions/denominators/tested.yaml`; two specimens of a day are two tests.
    """

    at_least_tests: int = Field(ge=1)
    within_days: int | None = Field(None, ge=1)


class LowCriterion(Part):
    """In from each day with a test certainly below, for `lasts_days` after it, or to the end of observation."""

    below_cells_per_ul: int = Field(ge=1)
    lasts_days: int | None = Field(None, ge=0)


class IndexCriterion(Part):
    """In from `from_days` to `until_days` (left out: no end) after the index event.

    The event is the first observed day on which `of` holds, if the person was observed without a break for
    `clean_days` before it.
    """

    of: "Criterion"
    clean_days: int = Field(0, ge=0)
    from_days: int = Field(0, ge=0)
    until_days: int | None = Field(None, ge=0)


class Criterion(Part):
    """Exactly one of these. `race_ethnicity` names words as the extract has them."""

    observed: Literal[True] | None = None
    age: AgeBand | None = None
    sex: Literal["female", "male", "other"] | None = None
    duffy_null: bool | None = None
    race_ethnicity: tuple[str, ...] | None = None
    diagnosis: DiagnosisCriterion | None = None
    exposure: ExposureCriterion | None = None
    setting: SettingCriterion | None = None
    testing: TestingCriterion | None = None
    low: LowCriterion | None = None
    index: IndexCriterion | None = None
    all_of: tuple["Criterion", ...] | None = None
    any_of: tuple["Criterion", ...] | None = None
    none_of: tuple["Criterion", ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        named = sorted(self.model_fields_set)
        if len(named) != 1 or getattr(self, named[0]) is None:
            raise ValueError(f"a criterion is exactly one of {', '.join(type(self).model_fields)}; it has {named}")
        if () in (self.all_of, self.any_of, self.none_of):
            raise ValueError("all_of, any_of and none_of need at least one criterion")
        return self

    @property
    def parts(self) -> tuple["Criterion", ...]:
        """The criteria that this one is made of; none if it is made of no others."""
        of_index = () if self.index is None else (self.index.of,)
        return (*(self.all_of or ()), *(self.any_of or ()), *(self.none_of or ()), *of_index)

    @property
    def kind(self) -> str:
        """Its one key."""
        return next(iter(self.model_fields_set))

    def asks_for(self, *kinds: str) -> bool:
        """Whether it, or a part of it, is of one of these kinds."""
        return self.kind in kinds or any(part.asks_for(*kinds) for part in self.parts)


class Cohort(Definition):
    """One cohort: the observed days on which the criterion holds."""

    rule: str
    criterion: Criterion

    @property
    def needs_dates(self) -> bool:
        """Whether nobody can be placed in it, or outside it, in an extract without dates."""
        return self.criterion.asks_for(*DATED)


class Shelf(Part):
    """Which cohorts take part: a site that asks about five need not compute, protect and read the others."""

    cohorts: tuple[str, ...] = Field(min_length=1)
    why: str

    def choose(self, every: tuple[Cohort, ...]) -> tuple[Cohort, ...]:
        """The named ones among `every`; DefinitionError where a name is of none."""
        if unknown := sorted(set(self.cohorts) - {cohort.id for cohort in every}):
            valid = ", ".join(cohort.id for cohort in every)
            raise DefinitionError("The shelf names no such cohorts.", details=unknown, repair=f"Cohorts: {valid}.")
        return tuple(cohort for cohort in every if cohort.id in self.cohorts)
