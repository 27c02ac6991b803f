"""What a page may know of a night beside its released numbers: files, rows, checks and dates, and no people.

Every field is plain and small. Row counts are rows of files, never people, and rounded up before a page tells them
(`flows/coarse_facts.py`); text that came with an extract (file names, reasons) is shown escaped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Verdict = Literal["go", "warn", "stop"]
Severity = Literal["quarantine", "warn", "stop"]
Status = Literal["error", "not_applicable", "failed", "passed"]


@dataclass(frozen=True)
class InputFact:
    """One file received; `rows` is None where they are people."""

    name: str
    bytes: int
    rows: int | None
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
    """Rows of one table of one file that one rule set aside; `n_received` are all rows of that file for that table."""

    rule: str
    reason: str
    table_name: str
    n_rows: int
    source_id: str = ""
    input_name: str = ""
    n_received: int | None = None
    repair: str = ""


@dataclass(frozen=True)
class CheckFact:
    """One check and how it ended: `detail` says what came out beyond the counts, `repair` what to do."""

    check_id: str
    reason: str
    table_name: str
    severity: Severity
    status: Status
    n_rows: int | None = None
    n_failed: int | None = None
    title: str = ""
    detail: str = ""
    repair: str = ""


@dataclass(frozen=True)
class TrendNight:
    """One night that got as far as a verdict."""

    run_id: str
    started_at: datetime
    verdict: Verdict


@dataclass(frozen=True)
class CheckMark:
    """How one check ended on one night."""

    status: Status
    n_rows: int | None = None
    n_failed: int | None = None


@dataclass(frozen=True)
class RefusedMark:
    """Rows that one rule set aside on one night, of the rows received."""

    n_rows: int
    n_received: int | None = None


@dataclass(frozen=True)
class RefusedKey:
    """What is followed over nights: a rule on a table of a source, whatever its files are called."""

    source_id: str
    table_name: str
    rule: str


@dataclass(frozen=True)
class Trend:
    """The last nights of the same sources, oldest first; the last one is the night itself.

    Each series has one mark for each night: None where the check was not made, or the source sent nothing for the
    table.
    """

    nights: tuple[TrendNight, ...] = ()
    checks: Mapping[str, tuple[CheckMark | None, ...]] = field(default_factory=dict)
    refused: Mapping[RefusedKey, tuple[RefusedMark | None, ...]] = field(default_factory=dict)

    @property
    def has_earlier(self) -> bool:
        """There is a night before the last one."""
        return bool(self.nights[:-1])


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
class Break:
    """A day on which a trend over calendar time may break for another reason than people.

    `name` is a source that begins in its month (`source_from`) or ends in it (`source_until`), or the definitions with
    their versions before and from that night on (`definitions`).
    """

    on: date
    kind: Literal["source_from", "source_until", "definitions"]
    name: str


@dataclass(frozen=True)
class AnswerFact:
    """Whether one question can be answered from this extract, and why."""

    question: str
    status: Literal["answerable", "partly", "not_answerable"]
    reason: str


@dataclass(frozen=True)
class Earlier:
    """The last night of the same sources and channel, whatever its definitions: what it was, and what differs now.

    `definitions` lists those that are new, gone or of another version, as (id, version before, version now); a version
    is empty where there is none.
    """

    run_id: str
    started_at: str
    n_new_files: int = 0
    is_other_definitions: bool = False
    is_other_code: bool = False
    definitions: tuple[tuple[str, str, str], ...] = ()

    @property
    def movers(self) -> tuple[str, ...]:
        """Which of data, definitions and code differ."""
        differs = {"data": self.n_new_files, "definitions": self.is_other_definitions, "code": self.is_other_code}
        return tuple(name for name, is_other in differs.items() if is_other)


@dataclass(frozen=True)
class WordsFact:
    """Of a kind (drug, diagnosis): distinct names or codes as sent, those on a list, rows, and rows of those."""

    kind: str
    n_words: int
    n_known_words: int
    n_rows: int
    n_known_rows: int


@dataclass(frozen=True)
class NightFacts:
    """One night. `dates` is the date policy; `data_from` and `data_through` are None unless dates mean something.

    They are the day from which and the day until which enough people were observed, not the first and the last of all.
    `previous_key_numbers` maps the id of a key number to the number of the last comparable run, `previous_periods` to
    what it was of; both are empty where none of the `n_earlier_runs` is comparable. `versions` names the libraries that
    made the numbers, `identifier_classes` what was looked for.
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
    verdict_why: str = ""
    breaks: tuple[Break, ...] = ()
    trend: Trend = Trend()
    identifiers: tuple[IdentifierFact, ...] = ()
    identifier_classes: tuple[str, ...] = ()
    words: tuple[WordsFact, ...] = ()
    n_earlier_runs: int = 0
    earlier: Earlier | None = None
    previous_run_id: str = ""
    previous_key_numbers: Mapping[str, float | None] = field(default_factory=dict)
    previous_periods: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
