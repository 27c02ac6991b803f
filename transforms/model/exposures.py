"""How a drug exposure is recognised: what is no exposure, what is not systemic, what joins into a course."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from transforms.model.base import Definition, Part


class NotGiven(Part):
    """A status that says the drug was not given: the whole status, or words anywhere in it."""

    exact: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class NotSystemic(Part):
    """What does not reach the marrow: routes (whole, or words in them), forms named in the drug, ATC groups.

    A code that the drug list itself names is systemic, whatever its ATC group.
    """

    routes: tuple[str, ...] = ()
    route_words: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    atc_prefixes: tuple[str, ...] = ()


class NotAbsorbed(Part):
    """Drugs that stay where they are put, by these routes or in these forms."""

    drugs: tuple[str, ...]
    routes: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()


class Malignancy(Part):
    """The codes near a dose that make a dual-use drug chemotherapy."""

    cause_groups: tuple[str, ...]
    subgroups: tuple[str, ...]
    lookback_days: int = Field(ge=0)
    lookahead_days: int = Field(ge=0)


class Spellings(Part):
    """How languages write one drug name: what is put for what in each word, in order, before names are held together.

    Only names with as many letters afterwards are, so that short words of another meaning are none.
    """

    fewest_letters: int = Field(ge=1)
    each_word: tuple[tuple[str, str], ...]


class ExposureRules(Definition):
    """One set of rules for all exposures; `evidence_order` has the best evidence first.

    `raising_drugs` raise the count as long as they are taken, and so can hide an episode or seem to end it.
    """

    rule: str
    evidence_order: tuple[str, ...]
    course_gap_days: int = Field(ge=0)
    strength_units: tuple[str, ...]
    spellings: Spellings
    never_causes: tuple[str, ...]
    growth_factor_subgroups: tuple[str, ...]
    raising_drugs: Mapping[Literal["steroid", "lithium"], tuple[str, ...]]
    not_given: NotGiven
    not_systemic: NotSystemic
    not_absorbed: tuple[NotAbsorbed, ...] = ()
    malignancy: Malignancy
