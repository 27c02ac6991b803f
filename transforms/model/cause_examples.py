"""How the examples of causes and of scores are written: a patient by days from the first low value, and the suspect."""

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


class ResultOnDay(Part):
    """A laboratory result in the test's canonical unit, in days from the first low value."""

    analyte: str
    day: int
    value: float


class FurtherLow(Part):
    """Another episode of the same patient and rule."""

    day: int
    recovery_day: int | None = None
    ended_as: str | None = None
    nadir_cells_per_ul: int | None = Field(None, ge=0)


class Candidate(Part):
    """What is expected of one candidate cause; only what is named is compared."""

    agent: str | None = None
    category: str | None = None
    days_from_exposure: int | None = None
    dechallenge: str | None = None
    rechallenge: str | None = None
    n_competing: int | None = None
    naranjo_score: int | None = None
    naranjo_band: str | None = None
    is_window_certain: bool | None = None
    began_while_falling: bool | None = None


class ListedCandidate(Candidate):
    """A candidate found by its agent."""

    agent: str


class PrimarySuspect(Candidate):
    """The cause that is `primary`, and another candidate that must be listed beside it."""

    primary: str | None = None
    listed: ListedCandidate | None = None


class CauseExample(Part):
    """A patient with a first low value on day 0; `expect` is the primary suspect."""

    title: str
    exposures: tuple[DoseOnDay, ...] = ()
    diagnoses: tuple[CodeOnDay, ...] = ()
    counts: tuple[CountOnDay, ...] = ()
    results: tuple[ResultOnDay, ...] = ()
    age_years: int | None = Field(None, ge=0, description="at the first low value; none: not known")
    threshold_cells_per_ul: int = Field(0, ge=0, description="of the episode")
    further_lows: tuple[FurtherLow, ...] = ()
    recovery_day: int | None = None
    last_low_day: int = Field(0, ge=0)
    ended_as: str | None = None
    nadir_cells_per_ul: int | None = Field(None, ge=0)
    last_good_day: int | None = Field(None, lt=0, description="last value that is not low; none: start not seen")
    observed_from_day: int = Field(-400, description="first day under observation")
    has_drugs: bool = True
    has_diagnoses: bool = True
    expect: PrimarySuspect


class ScoreExample(Part):
    """What is known of a suspected drug, its score and the band of it."""

    risk: str
    dechallenge: str = "unknown"
    rechallenge: str = "unknown"
    n_competing: int = 0
    has_earlier: bool = False
    is_complete: bool = True
    score: int
    band: str
