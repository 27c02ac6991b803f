"""What a page may know of a night beside its released numbers: files, rows, checks and dates, and no people.

Every field is plain and small. Row counts are rows of files, never people; text that came with an extract (file
names, reasons) is shown escaped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Verdict = Literal["go", "warn", "stop"]


@dataclass(frozen=True)
class InputFact:
    """One file received."""

    name: str
    bytes: int
    rows: int
    sha256: str
    source_format: str
    source_id: str = ""


@dataclass(frozen=True)
class LedgerFact:
    """One line of the row ledger: received is the sum of the five counts after it."""

    input_name: str
    table_name: str
    n_received: int
    n_accepted: int
    n_duplicate: int
    n_superseded: int
    n_quarantined: int
    n_irrelevant: int


@dataclass(frozen=True)
class RefusedFact:
    """Rows set aside by one rule, of one table."""

    rule: str
    reason: str
    table_name: str
    n_rows: int


@dataclass(frozen=True)
class CheckFact:
    """One check and how it ended."""

    check_id: str
    reason: str
    table_name: str
    severity: str
    status: str
    n_rows: int | None = None
    n_failed: int | None = None


@dataclass(frozen=True)
class IdentifierFact:
    """One class of identifier in one column: what was done about it, and how many cells of those given it concerns."""

    file: str
    column: str
    identifier_class: str
    disposition: str
    evidence: str
    n_rows: int
    n_given: int


@dataclass(frozen=True)
class AnswerFact:
    """Whether one question can be answered from this extract, and why."""

    question: str
    status: Literal["answerable", "partly", "not_answerable"]
    reason: str


@dataclass(frozen=True)
class NightFacts:
    """One night. `dates` is the date policy; `data_from` and `data_through` are None unless dates mean something.

    `previous_key_numbers` maps the id of a key number to the number of the last comparable run; both are empty where
    none of the `n_earlier_runs` is comparable. `versions` names the libraries that made the numbers,
    `identifier_classes` what was looked for.
    """

    run_id: str
    result_id: str
    started_at: datetime
    verdict: Verdict
    channel: str
    dates: Literal["real", "shifted", "relative", "none"]
    definitions_hash: str
    code_version: str
    data_from: date | None = None
    data_through: date | None = None
    inputs: tuple[InputFact, ...] = ()
    ledger: tuple[LedgerFact, ...] = ()
    refused: tuple[RefusedFact, ...] = ()
    checks: tuple[CheckFact, ...] = ()
    answers: tuple[AnswerFact, ...] = ()
    identifiers: tuple[IdentifierFact, ...] = ()
    identifier_classes: tuple[str, ...] = ()
    n_earlier_runs: int = 0
    previous_run_id: str = ""
    previous_key_numbers: Mapping[str, float | None] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
