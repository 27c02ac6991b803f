"""Cause groups: which evidence, in which window, how it is judged, and which cause comes before which.

A cause is evidence from drugs, codes, laboratory tests or the pattern of the counts, or a fallback for an episode that
has none. Every piece of evidence says, for each category it can end in, where it stands in the order of suspects
(`precedence`: low first).
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part

Category = Literal["expected", "certain", "probable", "possible", "unlikely", "unassessable", "supported", "none"]
Precedence = dict[Category, int]


class Challenge(Part):
    """What counts as recovery after stopping, as going on with the drug, and as begun while the count was falling.

    Falling: the last count by the start of the course is `falling_percent` or more below one of the days before it,
    as many as `falling_within_days`. `least_fall_percent`: how far the nadir must lie below the
    highest of those counts.
    """

    recovered_at_or_above_cells_per_ul: int = Field(gt=0)
    within_days: int = Field(ge=0)
    is_continued_within_days: int = Field(ge=0)
    falling_percent: int = Field(gt=0, le=100)
    falling_within_days: int = Field(ge=0)
    least_fall_percent: int = Field(gt=0, lt=100)


class DrugEvidence(Part):
    """Which drugs of the drug list count, and when the first low value must lie.

    `any_dose`: each dose is an anchor, onset between `earliest_after_dose_days` (or the drug's own minimum if that
    is lower) and the drug's window maximum + `beyond_max_days`. `by_anchor`: the drug's own anchor decides; where it
    is each_dose the tail of the drug, if it has one, takes the place of the maximum + `beyond_max_days`.
    `indication` splits dual-use drugs: `malignancy` leaves out those without a malignancy code, `other` keeps only
    those.
    """

    cause_groups: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    is_cytotoxic: bool | None = None
    indication: Literal["any", "malignancy", "other"] = "any"
    window: Literal["any_dose", "by_anchor"]
    earliest_after_dose_days: int = Field(ge=0)
    beyond_max_days: int = Field(ge=0)
    default_tail_days: int = Field(ge=0)
    judged: Literal["expected", "who_umc"]
    challenge: Challenge | None = None
    precedence: Precedence

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.judged == "who_umc" and self.challenge is None:
            raise ValueError("evidence judged by who_umc needs `challenge`")
        needed = {"expected"} if self.judged == "expected" else {"certain", "probable", "possible", "unlikely"}
        if missing := sorted(needed - set(self.precedence)):
            raise ValueError(f"precedence is missing for {missing}")
        return self


class OwnCode(Part):
    """A code that only this cause uses: prefix without dots, its system, and its window in days."""

    prefix: str = Field(pattern=r"^[A-Z0-9]+$")
    code_system: Literal["icd10cm", "icd10gm", "icd10who", "icd9cm"]
    subgroup: str
    lookback_days: int | None = Field(None, ge=0, description="null: ever before")
    lookahead_days: int = Field(ge=0)


class Finding(Part):
    """A result of a laboratory test that counts: below a limit or above one, in the test's canonical unit."""

    analyte: str
    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("a finding needs `below` or `above`, one of them")
        return self


class Contrary(Part):
    """A result within [onset - lookback, onset + lookahead] that speaks against what was coded."""

    finding: Finding
    lookback_days: int = Field(ge=0)
    lookahead_days: int = Field(ge=0)


class CodeEvidence(Part):
    """Which diagnosis codes count. A code is dated within [onset - lookback, onset + lookahead] of its code list row.

    `max_*` narrow that window; `at_least_days_before` asks for that much time between code and onset. Evidence that
    does not compete (a coder's own attribution, weak codes) does not cast doubt on a drug; evidence that does not
    decide is listed but never the primary suspect. `oldest_years`: people of at most this age at the first low value.
    `unless_dosed_within_days`: not where a drug of the cause was given in so many days before or after the first low
    value; then the doses decide. `unless_found`: not where such a result was found.
    """

    cause_groups: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    except_subgroups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    own_codes: tuple[OwnCode, ...] = ()
    max_lookback_days: int | None = Field(None, ge=0)
    max_lookahead_days: int | None = Field(None, ge=0)
    at_least_days_before: int | None = Field(None, ge=0)
    oldest_years: int | None = Field(None, ge=0)
    unless_dosed_within_days: int | None = Field(None, ge=0)
    unless_found: Contrary | None = None
    competes: bool = True
    decides: bool = True
    precedence: int

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.cause_groups or self.subgroups or self.own_codes):
            raise ValueError("name cause_groups, subgroups or own_codes")
        return self


class LabEvidence(Part):
    """Findings that count when each of them is there within [onset - lookback, onset + lookahead]; `agent` names them.

    A result with bounds counts when all that it may be is beyond the limit.
    """

    agent: str
    findings: tuple[Finding, ...] = Field(min_length=1)
    lookback_days: int = Field(ge=0)
    lookahead_days: int = Field(ge=0)
    competes: bool = True
    decides: bool = True
    precedence: int


class Returns(Part):
    """So many episodes in a row, each beginning so many days after the one before.

    `below_cells_per_ul`: the nadir of each lies below it, and all but the last were seen to recover.
    """

    episodes: int = Field(ge=2)
    apart_days: tuple[int, int]
    below_cells_per_ul: int | None = Field(None, gt=0)


class PatternEvidence(Part):
    """What the counts tell by themselves: an episode that lasts, or one that returns.

    `lasts_days`: at least so many from the first to the last low value; an episode that ended in a gap of tests goes on
    in the next. `below_cells_per_ul`: and the lowest of them lies below it. `oldest_years`: people of at most this age
    at the first low value; who has no known age is left out.
    """

    agent: str
    lasts_days: int | None = Field(None, gt=0)
    below_cells_per_ul: int | None = Field(None, gt=0)
    returns: Returns | None = None
    oldest_years: int | None = Field(None, ge=0)
    competes: bool = False
    decides: bool = True
    precedence: int

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.lasts_days is None) == (self.returns is None):
            raise ValueError("a pattern needs `lasts_days` or `returns`, one of them")
        return self


class Fallback(Part):
    """The cause of an episode without any deciding candidate, if so much was observed before it."""

    observed_days_before: int | None = Field(None, ge=0)
    needs: tuple[Literal["drugs", "diagnoses"], ...] = ()
    precedence: int


class Cause(Definition):
    """One cause group; `id` is the value of `cause_group`."""

    rule: str
    wording: str
    drug_evidence: tuple[DrugEvidence, ...] = ()
    code_evidence: tuple[CodeEvidence, ...] = ()
    lab_evidence: tuple[LabEvidence, ...] = ()
    pattern_evidence: tuple[PatternEvidence, ...] = ()
    fallback: Fallback | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every result that this cause asks for."""
        contrary = [code.unless_found.finding for code in self.code_evidence if code.unless_found]
        return (*contrary, *(one for evidence in self.lab_evidence for one in evidence.findings))

    @property
    def signs(self) -> tuple[CodeEvidence | LabEvidence, ...]:
        """Evidence of codes and then of laboratory tests; its number follows those of drugs."""
        return (*self.code_evidence, *self.lab_evidence)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.drug_evidence or self.signs or self.pattern_evidence or self.fallback):
            raise ValueError("a cause needs evidence of drugs, codes, laboratory tests or patterns, or a fallback")
        return self
