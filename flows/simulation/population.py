"""Parameters of people: who they are, why they come, how their blood is while nothing ails them."""

from collections.abc import Mapping
from datetime import date

from flows.simulation.part import Part, Range


class Spread(Part):
    """A quantity that is log-normal between people and varies between visits."""

    median: float
    log_sd: float
    visit_log_sd: float
    least: float


class Baseline(Part):
    """The count of a person whom nothing ails, 10^9/L."""

    median: float
    log_sd: float
    low_normal_share: float
    low_normal_median: float
    low_normal_log_sd: float
    duffy_null_share: float
    duffy_null_tested: float
    duffy_null_median: float
    duffy_null_log_sd: float
    smoker_share: float
    smoker_factor: float
    child_until_years: int
    child_factor: float


class Viral(Part):
    """Viral dips."""

    per_person_year: float
    begins_days: Range
    log_depth: Range
    fall_days: Range
    hold_days: Range
    rise_days: Range
    seen_share: float
    coded_share: float
    visit_days: tuple[int, int]
    codes: Mapping[str, float]
    cause_group: str


class Temperature(Part):
    """Body temperature at visits, degrees Celsius."""

    mean: float
    sd: float
    fever_mean: float
    fever_sd: float
    share_of_visits: float
    sites: Mapping[str, float]


class Hospital(Part):
    """hospital.yaml."""

    title: str
    source: str
    start_on: date
    knots_per_day: int
    chunk_person_days: Mapping[str, int]
    chunk_people: int
    late_entry: Mapping[str, float]
    story_start: Mapping[str, float]
    leave_per_day: float
    death_per_day_below: Mapping[int, float]
    thresholds_cells_per_ul: tuple[int, ...]
    isolation_days: float
    baseline: Baseline
    within_person: Mapping[str, float]
    lineages: Mapping[str, Spread]
    haemoglobin_coupling: float
    bands: Mapping[str, float]
    body_surface: Mapping[str, float]
    viral: Viral
    temperature: Temperature
    fever_share_below: Mapping[int, float]
    baseline_causes: Mapping[str, str]
    driver_log_ratio: float


class NullDrug(Part):
    """A drug without any effect on neutrophils."""

    names: tuple[str, ...]
    atc: str
    weight: float
    route: str
    dose: float
    dose_unit: str
    days: Range


class Group(Part):
    """One kind of people and their reason to come."""

    id: str
    share: float
    age: tuple[float, float, float, float]
    female: float
    schedule: str
    daily_death: float
    null_drug_share: float
    baseline_factor: float = 1.0
    low_count_death: float = 1.0
    diagnoses: Mapping[str, float] = {}
    regimens: Mapping[str, float] = {}
    cause: str | None = None


class Groups(Part):
    """groups.yaml."""

    title: str
    source: str
    groups: tuple[Group, ...]
    null_drugs: tuple[NullDrug, ...]
    null_drug_evidence: Mapping[str, float]
