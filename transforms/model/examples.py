"""How the examples of definitions are written: a small case and what is expected of it, one type for each kind.

Those of receiving, units, laboratory codes and source maps are in `source_examples.py`, those of episode rules in
`episode_examples.py`, those of causes in `cause_examples.py`.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from transforms.model.anc import Route
from transforms.model.base import Part
from transforms.model.cause_examples import CodeOnDay, CountOnDay
from transforms.model.cohorts import Setting


def _written(value: Any) -> Any:
    """YAML reads 900 as a number and "<100" as text; both are results as written."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Result = Annotated[
    str,
    BeforeValidator(_written, json_schema_input_type=str | int | float),
    Field(pattern=r"^(<=|>=|<|>)?\s*\d+(\.\d+)?$"),
]
Count = Annotated[
    str, BeforeValidator(_written, json_schema_input_type=str | int | float), Field(pattern=r"^\d+(-\d*)?$")
]


class PersonFacts(Part):
    """What is known of the person."""

    sex: Literal["female", "male", "other"] | None = None
    birth_year: int | None = None
    age_years: int | None = None
    age_at: date | None = None
    duffy_null: bool | None = None


class DoseOnDate(Part):
    """An exposure on a date."""

    agent: str
    given_on: date
    until: date | None = None


class CodeOnDate(Part):
    """A diagnosis on a date."""

    code: str
    code_system: str
    recorded_on: date


class StayOnDate(Part):
    """A stay or visit, from one date to another."""

    started_on: date
    ended_on: date | None = None
    setting: Setting


class CountOnDate(Part):
    """A neutrophil count of a date, in cells/uL."""

    tested_on: date
    cells_per_ul: int


class CohortExample(Part):
    """A patient and the spans of membership expected; none: not in the cohort."""

    title: str
    person: PersonFacts = PersonFacts()
    observed: tuple[tuple[date, date], ...]
    exposures: tuple[DoseOnDate, ...] = ()
    diagnoses: tuple[CodeOnDate, ...] = ()
    stays: tuple[StayOnDate, ...] = ()
    counts: tuple[CountOnDate, ...] = ()
    expect: tuple[tuple[date, date], ...]


class NameExample(Part):
    """An exposure as sent and the drugs it is."""

    agent: str = ""
    atc: str = ""
    rxnorm: str = ""
    route: str = ""
    status: str = ""
    expect: tuple[str, ...]


class Reading(Part):
    """A temperature, in hours and minutes from the first low value at midnight of day 0."""

    hour: int
    minute: int = Field(0, ge=0, lt=60)
    celsius: float


class Stay(Part):
    """A stay or visit, in days from the first low value."""

    day: int
    until: int | None = None
    setting: Setting


class ComplicationExample(Part):
    """An episode with its first low value on day 0, and whether it has the complication."""

    title: str
    temperatures: tuple[Reading, ...] = ()
    diagnoses: tuple[CodeOnDay, ...] = ()
    counts: tuple[CountOnDay, ...] = ()
    stays: tuple[Stay, ...] = ()
    recovery_day: int = 7
    expect: bool


class RegimenExample(Part):
    """Drugs of the drug list by the days of a cycle on which they were given, and its regimen; none: no cycle."""

    given: Mapping[str, int]
    expect: str


class CodeExample(Part):
    """A code and the group it belongs to; null: none."""

    code: str
    code_system: str
    expect: str | None


class AncExpected(Part):
    """The count of a specimen in cells/uL; without bounds of its own it is known exactly.

    What a sample of cells, or red cells among the white ones, leave possible is compared where it is named.
    """

    cells_per_ul: int | None
    lower: int | None = None
    upper: int | None = None
    route: Route | None = None
    bands_assumed_zero: bool = False
    is_discordant: bool = False
    possible_lower: int | None = None
    possible_upper: int | None = None
    has_uncorrected_nrbc: bool | None = None


class AncExample(Part):
    """Results of one specimen by `analyte method`, counts in cells/uL and shares in %, and its count; null: none."""

    case: str
    results: Mapping[str, Result] = Field(min_length=1)
    anc: AncExpected | None


class ScaleExample(Part):
    """A count between two bounds in cells/uL (null: no upper one) and its level; `not_applicable` by age or Duffy.

    `reference_low` is the laboratory's lower limit of normal.
    """

    lower: int = Field(ge=0)
    upper: int | None
    reference_low: int | None = None
    age_years: int | None = None
    duffy_null: bool | None = None
    severity: str


class SpecimenExample(Part):
    """A count of one specimen and whether it is a test."""

    anc_cells_per_ul: int | None
    lower_cells_per_ul: int
    upper_cells_per_ul: int | None
    route: Route
    is_test: bool


class PersonExample(Part):
    """A person observed and tested so often in a month of 31 days, and whether the denominator counts them.

    They are observed, and exposed, from the first day of the month on.
    """

    observed_days_in_interval: int = Field(ge=0, le=31)
    n_tests: int = Field(ge=0)
    exposed_days: int = Field(0, ge=0, le=31)
    is_counted: bool


class ShareExample(Part):
    """x of n, and the interval of that share."""

    x: int = Field(ge=0)
    n: int = Field(ge=0)
    lo: float
    hi: float
    method: str


class PsuWeights(Part):
    """People of one primary sampling unit, the low among them, and the weights of both."""

    stratum: str
    psu: str
    n: int = Field(ge=0)
    n_low: int = Field(ge=0)
    weight: float = Field(ge=0)
    weight_low: float = Field(ge=0)


class WeightedExpected(Part):
    """The weighted share, its limits, degrees of freedom, and whether it may be relied on."""

    share: float
    lo: float
    hi: float
    degrees_of_freedom: int
    reliability: str


class SurveyExample(Part):
    """A survey by its primary sampling units, and the weighted share expected of it."""

    title: str
    psus: tuple[PsuWeights, ...]
    expect: WeightedExpected


class CellExample(Part):
    """A count, what is shown of it, and its mark."""

    count: int = Field(ge=0)
    shown: int | None
    mark: str | None
