"""Words of the report and the tables (`glossary.yaml`), and what an extract can be asked (`answers.yaml`)."""

from typing import Literal

from pydantic import Field

from transforms.model.base import Part

Words = dict[str | int, str]
Sentences = dict[str, tuple[Literal["answerable", "partly", "not_answerable"], str]]


class DefaultView(Part):
    """What a report shows before anything is chosen: ids."""

    cohort: str
    measure: str
    denominator: str


class Held(Part):
    """How a number is marked that an earlier report showed and this one holds."""

    sign: str = Field(min_length=1)
    word: str
    note: str


class Lost(Part):
    """The table of what is hidden or held."""

    title: str
    headings: tuple[str, ...] = Field(min_length=5, max_length=5)
    note: str


class CalibrationTable(Part):
    """The table of how far estimates lie from the truth: its columns by name."""

    title: str
    lead: str
    columns: dict[str, str]


class Glossary(Part):
    """Words by kind of name and id; an id without a word is shown as it is written."""

    default_view: DefaultView
    held: Held
    lost: Lost
    calibration: CalibrationTable
    verdict: dict[Literal["go", "warn", "stop"], tuple[str, str]]
    network: Words
    network_counted: Words
    network_columns: Words
    neutral: tuple[str, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    marks: Words | None = None
    marks_long: Words | None = None
    thresholds: Words | None = None
    unit: Words | None = None
    denominator: Words | None = None
    denominator_long: Words | None = None
    population: Words | None = None
    counted_as: Words | None = None
    low_as: Words | None = None
    interval_unit: Words | None = None
    measure: Words | None = None
    measure_long: Words | None = None
    rule: Words | None = None
    bounds: Words | None = None
    word_kind: Words | None = None
    several: Words | None = None
    certainty: Words | None = None
    scale: Words | None = None
    severity: Words | None = None
    grade: Words | None = None
    change: Words | None = None
    applied_to: Words | None = None
    ended_as: Words | None = None
    cause_group: Words | None = None
    kind: Words | None = None
    band: Words | None = None
    agent: Words | None = None
    regimen: Words | None = None
    severe_status: Words | None = None
    table_name: Words | None = None
    estimator: Words | None = None
    estimand: Words | None = None
    status: Words | None = None
    onset: Words | None = None
    standard: Words | None = None
    drug_class: Words | None = None
    anchor: Words | None = None
    window: Words | None = None
    pre_check: Words | None = None
    outcome: Words | None = None
    method: Words | None = None
    reliability: Words | None = None
    answer: Words | None = None
    breaks: Words | None = None
    movers: Words | None = None
    look_first: Words | None = None
    check_status: Words | None = None
    check_severity: Words | None = None
    disposition: Words | None = None
    identifier_evidence: Words | None = None
    question: Words | None = None
    dates: Words | None = None
    step: Words | None = None


class Answers(Part):
    """Each question with a sentence for every finding, and what that finding means for the question."""

    anc: Sentences
    prevalence: Sentences
    weighted_prevalence: Sentences
    duration: Sentences
    cause_by_drug: Sentences
    cause_by_diagnosis: Sentences
    complications: Sentences
    after_cell_therapy: Sentences
    calendar_trend: Sentences
