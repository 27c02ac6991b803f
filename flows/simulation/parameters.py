"""Every rate, agent, code and spelling of the simulated hospital, read from the YAML beside this file.

An unknown or missing key is an error when the files are read, never a silent default.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

HERE = Path(__file__).parent
Range = tuple[float, float]

P = TypeVar("P", bound="Part")


class Part(BaseModel):
    """A frozen piece of the parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class DoseOfAgent(Part):
    """How much of an agent, and how strongly it acts at full dose."""

    mg_per_m2: float
    slope: float


class DoseDay(Part):
    """One day of a cycle on which something is given."""

    day: int
    is_checked: bool
    agents: Mapping[str, DoseOfAgent]


class Regimen(Part):
    """A chemotherapy regimen and the marrow it acts on."""

    mtt_hours: float
    gamma: float
    cycles: int
    cycle_days: int
    prophylaxis_share: float
    lymphocyte_coupling: float
    doses: tuple[DoseDay, ...]


class Agent(Part):
    """A cytotoxic as it is written and how long it stays."""

    names: tuple[str, ...]
    atc: str
    route: str
    half_life_hours: float | None = None
    kinetics: Literal["docetaxel"] | None = None


class Docetaxel(Part):
    """Two-compartment kinetics and the Emax effect of docetaxel."""

    clearance_l_per_h: float
    distribution_l_per_h: float
    central_l: float
    peripheral_l: float
    log_sd: Mapping[str, float]
    infusion_hours: float
    mg_per_umol: float
    emax: float
    ec50_um: float
    acts_hours: int
    points_per_step: int


class DoseRules(Part):
    """What doctors do on an observed count."""

    minimum_cells_per_ul: int
    delay_days: tuple[int, int]
    give_up_after_delays: int
    reduce_below_cells_per_ul: int
    reduction: float
    least_dose: float
    rescue_below_cells_per_ul: int
    rescue_share: float
    rescue_until_cells_per_ul: int
    rescue_most_days: int
    prophylaxis_days: int


class GivenDrug(Part):
    """A drug given at a fixed dose."""

    names: tuple[str, ...]
    atc: str
    route: str
    dose: float
    dose_unit: str
    weight: float = 1.0
    generic: str = ""


class Coded(Part):
    """A diagnosis recorded with some probability."""

    code: str
    share: float


class Regimens(Part):
    """regimens.yaml."""

    title: str
    source: str
    step_hours: int
    between_people: Mapping[str, float]
    docetaxel: Docetaxel
    follow_hours: int
    settle_days: float
    gcsf: Mapping[str, float]
    rules: DoseRules
    filgrastim: GivenDrug
    pegfilgrastim: GivenDrug
    cause_group: str
    coded: Coded
    agents: Mapping[str, Agent]
    regimens: Mapping[str, Regimen]


class Onset(Part):
    """Days from anchor to the first fall: log-normal, with a late tail."""

    median_days: float
    log_sd: float
    late_share: float
    late_days: Range


class Floor(Part):
    """A share of events and the counts that they reach, 10^9/L."""

    share: float
    between: Range


class Cause(Part):
    """A cause of neutropenia other than chemotherapy."""

    cause_group: str
    agent: str
    event_share: float
    published_share: float
    anchor: Literal["story", "before_story", "last_dose", "after_chemotherapy", "cyclic"] = "story"
    drugs: tuple[GivenDrug, ...] = ()
    dose_days: tuple[int, ...] = ()
    course_days: Range | None = None
    onset: Onset
    floor: tuple[Floor, ...]
    fall_days: Range
    stop_below: int | None = None
    lag_days: Range
    rise_days: Range
    hold_days: Range
    period_days: Range | None = None
    other_lineages: float = 0.0
    detected_codes: Mapping[str, float] = {}
    coded: Coded | None = None
    evidence: str = "ordered"
    has_low_b12: bool = False


class VitaminB12(Part):
    """The vitamin B12 test."""

    code: str
    name: str
    unit: str
    specimen: str
    low: Range
    normal: Range
    ordered_below: int
    order_share: float
    mimic_itemid: int


class Causes(Part):
    """causes.yaml."""

    title: str
    source: str
    causes: Mapping[str, Cause]
    vitamin_b12: VitaminB12


class Regime(Part):
    """Who decides when the next count is."""

    reacts: bool
    fever: bool
    every_days: int | None = None


class Phase(Part):
    """Days between visits until a day of the story."""

    until: int
    every: float


class Schedule(Part):
    """The visits of a group while nothing happens."""

    is_random: bool
    phases: tuple[Phase, ...]


class Reaction(Part):
    """Days to the next count after an observed low one."""

    below: int
    days: tuple[int, int]


class Admission(Part):
    """When people are taken in and let out."""

    below: int
    share: float
    leave_at: int
    febrile_share: float
    most_days: int


class Visits(Part):
    """visits.yaml."""

    title: str
    source: str
    first_minute: int
    last_minute: int
    regimes: Mapping[str, Regime]
    background_days: float
    baseline_visit_days: tuple[int, int]
    schedules: Mapping[str, Schedule]
    jitter: float
    mid_cycle_share: float
    mid_cycle_days: tuple[int, int]
    reaction: tuple[Reaction, ...]
    recheck_share: float
    recheck_days: tuple[int, int]
    patience: int
    admission: Admission


class Test(Part):
    """How a test is coded and written by one laboratory."""

    __test__ = False
    code: str
    name: str
    unit: str = ""


class MimicItem(Part):
    """A test in MIMIC-IV."""

    mimic_itemid: int
    label: str
    unit: str


class Laboratory(Part):
    """One laboratory: its unit and what it reports of a differential."""

    id: str
    share: float
    unit: str
    cells_per_unit: int
    decimals: int
    reports: Literal["anc", "percent", "manual"]
    wbc: Test
    anc: Test
    neutrophils: Test
    segs: Test | None = None
    bands: Test | None = None
    anc_low: float
    wbc_low: float
    percent_also: float


class Urine(Part):
    """White cells in urine, which are no blood count."""

    share: float
    code: str
    name: str
    unit: str
    most: int
    specimen: str
    mimic_itemid: int


class NotDone(Part):
    """What is written when a differential cannot be done."""

    at_or_below_wbc: float
    share: float
    text: str


class Laboratories(Part):
    """laboratories.yaml."""

    title: str
    source: str
    analyser_log_sd: float
    percent_sd: float
    cells_counted: int
    result_minutes: tuple[int, int]
    differential_share: Mapping[str, float]
    not_done: NotDone
    low_limit: float
    corrected_share: float
    corrected_minutes: tuple[int, int]
    wrong_factor: Range
    duplicate_share: float
    preliminary_share: float
    urine: Urine
    home_share: float
    tests: Mapping[str, MimicItem]
    haemoglobin: Test
    platelets: Test
    lymphocytes: Test
    laboratories: tuple[Laboratory, ...]


class Parameters(Part):
    """All of it."""

    hospital: Hospital
    groups: Groups
    regimens: Regimens
    causes: Causes
    visits: Visits
    laboratories: Laboratories


@cache
def load_parameters() -> Parameters:
    """Read and check the shipped parameters, once a process."""
    return Parameters(
        hospital=_read("hospital", Hospital),
        groups=_read("groups", Groups),
        regimens=_read("regimens", Regimens),
        causes=_read("causes", Causes),
        visits=_read("visits", Visits),
        laboratories=_read("laboratories", Laboratories),
    )


def _read(name: str, kind: type[P]) -> P:
    return kind.model_validate(yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8")))
