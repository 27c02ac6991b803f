"""Parameters of what lowers counts: regimens of chemotherapy, drugs, and other causes."""

from collections.abc import Mapping
from typing import Literal

from flows.simulation.part import Part, Range


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


class Causes(Part):
    """causes.yaml."""

    title: str
    source: str
    causes: Mapping[str, Cause]
    vitamin_b12: VitaminB12
