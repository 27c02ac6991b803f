"""The examples of causes and cohorts: small patients with what is expected of them."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import Field

from transforms.model.base import Part


class DoseOnDay(Part):
    """An exposure, in days from the first low value."""

    agent: str
    day: int
    until: int | None = None
    atc: str | None = None
    route: str | None = None
    status: str | None = None
    evidence: str = "administered"


class CodeOnDay(Part):
    """A diagnosis, in days from the first low value."""

    code: str
    code_system: str
    day: int


class CountOnDay(Part):
    """A count, in days from the first low value."""

    day: int
    cells_per_ul: int


class FurtherLow(Part):
    """Another episode of the same patient and rule."""

    day: int
    recovery_day: int | None = None


class CauseExample(Part):
    """A patient with a first low value on day 0; `expect` is the primary suspect, its `listed` another candidate."""

    title: str
    exposures: tuple[DoseOnDay, ...] = ()
    diagnoses: tuple[CodeOnDay, ...] = ()
    counts: tuple[CountOnDay, ...] = ()
    further_lows: tuple[FurtherLow, ...] = ()
    recovery_day: int | None = None
    observed_from_day: int = Field(-400, description="first day under observation")
    has_drugs: bool = True
    has_diagnoses: bool = True
    expect: Mapping[str, Any]


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


class CohortExample(Part):
    """A patient and the spans of membership expected; none: not in the cohort."""

    title: str
    person: PersonFacts = PersonFacts()
    observed: tuple[tuple[date, date], ...]
    exposures: tuple[DoseOnDate, ...] = ()
    diagnoses: tuple[CodeOnDate, ...] = ()
    expect: tuple[tuple[date, date], ...]


class NameExample(Part):
    """An exposure as sent and the drugs it is."""

    agent: str = ""
    atc: str = ""
    rxnorm: str = ""
    route: str = ""
    status: str = ""
    expect: tuple[str, ...]


class CodeExample(Part):
    """A code and the group it belongs to; null: none."""

    code: str
    code_system: str
    expect: str | None
