"""Parameters of what is seen: visits, laboratories, and how an extract spells them."""

from collections.abc import Mapping
from typing import Literal

from flows.simulation.part import Part, Range


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
    differential_share: float | None = None
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


class NotDone(Part):
    """What is written when a differential cannot be done."""

    below_wbc: float
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
    haemoglobin: Test
    platelets: Test
    lymphocytes: Test
    laboratories: tuple[Laboratory, ...]


class MimicItem(Part):
    """A test in MIMIC-IV."""

    itemid: int
    label: str
    fluid: str
    category: str
    unit: str


class Mimic(Part):
    """mimic_iv.yaml: the same tests and codes in MIMIC-IV's words."""

    title: str
    source: str
    first_subject_id: int
    first_hadm_id: int
    greatest_age: int
    age_of_older: int
    items: Mapping[str, MimicItem]
    not_done_comment: str
    admission_types: Mapping[str, str]
    administered: str
    icd_titles: Mapping[str, str]
