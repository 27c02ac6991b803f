"""What one stage hands to the next: small frozen facts and paths to Parquet, never frames of patients.

Every path lies below the run's own work folder or below `staged`; nothing of a run reaches the warehouse or the site
before `publish` commits it, so a run that fails anywhere leaves both as they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from expectations.profile import Fact
from flows.crew import Crew
from flows.progress import Progress
from flows.settings import Settings
from flows.unknown_words import UnknownWord
from flows.workspace import Workspace
from transforms.identifiers import ColumnFinding
from transforms.load import Definitions

if TYPE_CHECKING:
    from transforms.release import Released  # it brings solvers, which only the last stages need

DatePolicy = Literal["real", "shifted", "relative", "none"]


@dataclass(frozen=True)
class RunContext:
    """What every stage may use beside its input. `started_at` is the only reading of the clock."""

    run_id: str
    started_at: datetime
    workspace: Workspace
    settings: Settings
    definitions: Definitions
    progress: Progress
    crew: Crew | None = None  # others than this process, who work on parts

    @property
    def work(self) -> Path:
        """The run's own folder."""
        return self.workspace.work(self.run_id)

    def staged_again(self, input_id: str) -> Path:
        """Canonical rows of a file that tonight reads again, until the night is committed."""
        return self.work / "staged" / input_id


@dataclass(frozen=True)
class Request:
    """What the user asked for: paths of the extract and how to read them (`auto`, an adapter's name, a source map).

    `extract_date` and `is_snapshot` declare what source maps can declare too (transforms/model/sources.py). `accepted`
    names checks of definitions/changes whose failure is known to be right. With `release`, no extract is read: rows
    that these rules have set aside are judged again, or of all rules if empty. `lists_words`: also tell which words are
    not known, for `nadir check`.
    """

    extracts: tuple[Path, ...]
    source: str = "auto"
    extract_date: date | None = None
    is_snapshot: bool = False
    release: tuple[str, ...] | None = None
    accepted: frozenset[str] = frozenset()
    lists_words: bool = False


@dataclass(frozen=True)
class ReceivedInput:
    """One file, as `ops.input` keeps it."""

    input_id: str
    source_id: str
    name: str
    bytes: int
    sha256: str
    rows: int
    source_format: str
    extract_date: date | None = None
    is_snapshot: bool = False
    map_hash: str = ""
    dates: DatePolicy | None = None


@dataclass(frozen=True)
class LedgerLine:
    """One line of `ops.row_ledger`."""

    input_id: str
    table_name: str
    n_received: int
    n_accepted: int
    n_duplicate: int = 0
    n_superseded: int = 0
    n_quarantined: int = 0
    n_irrelevant: int = 0

    def plus(self, other: "LedgerLine") -> "LedgerLine":
        """Both lines of one input and table added."""
        numbers = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.type is int}
        return replace(self, **numbers)


@dataclass(frozen=True)
class Answer:
    """One line of `ops.answerable`."""

    question: str
    status: Literal["answerable", "partly", "not_answerable"]
    reason: str


@dataclass(frozen=True)
class CheckResult:
    """One line of `ops.check`. `detail` says what came out beyond the counts, such as what moved and by how much."""

    check_id: str
    table_name: str
    severity: Literal["quarantine", "warn", "stop"]
    status: Literal["error", "not_applicable", "failed", "passed"]
    reason: str
    n_rows: int | None = None
    n_failed: int | None = None
    detail: str = ""
    repair: str = ""
    title: str = ""


@dataclass(frozen=True)
class Received:
    """Tonight's rows, staged. `staged` maps a canonical table (`canonical.lab`) to its Parquet files of tonight.

    `dropped` is Parquet of set-aside rows: table_name, input_id, row_number, column_number, outcome
    (duplicate, superseded, quarantined), rule, reason. Rows that could not be parsed are in `dropped` but not in
    `staged`; duplicates and superseded rows are in both. `replaced` is Parquet of the people all of whose canonical
    rows are replaced tonight: source_id, person_id. Their rows of earlier nights are in `staged` again, with the input
    that they came from; `again` is Parquet of where those are, and whether they were accepted (table_name, input_id,
    row_number, column_number, was_accepted). `contested` is Parquet of the rows that share a key, by table, with what
    decides between them. `words` are unknown ones, if the request asked for them. `fresh` names the inputs that were
    read tonight, `wide` those of them whose rows hold several results. On a night that `is_release`, `standing` counts
    the rows of people who are not touched, where they stand. `identifiers` is what was found that identifies people,
    in these inputs and in files beside them that are not read, by names that may be shown.
    """

    inputs: tuple[ReceivedInput, ...]
    staged: Mapping[str, tuple[Path, ...]]
    dropped: Path
    replaced: Path
    ledger: tuple[LedgerLine, ...]
    dates: DatePolicy
    result_id: str
    is_unchanged: bool = False
    wide: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    again: tuple[Path, ...] = ()
    contested: Mapping[str, Path] = field(default_factory=dict)
    standing: tuple[LedgerLine, ...] = ()
    is_release: bool = False
    words: tuple[UnknownWord, ...] = ()
    identifiers: tuple[ColumnFinding, ...] = ()


@dataclass(frozen=True)
class Validated:
    """The verdict. `set_aside` has the columns of `Received.dropped`: rows that a row rule quarantined. `profile` is
    what later nights are compared with.
    """

    received: Received
    verdict: Literal["go", "warn", "stop"]
    checks: tuple[CheckResult, ...]
    set_aside: Path
    ledger: tuple[LedgerLine, ...]
    profile: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Standing:
    """What the warehouse holds before tonight: `counts` of everybody, by table; rows of the touched are in parts."""

    counts: Mapping[str, Path]


@dataclass(frozen=True)
class SourceSpan:
    """The day from which and the day until which enough people of a source have been observed to show it."""

    source_id: str
    first: date | None
    last: date | None


@dataclass(frozen=True)
class CountedWords:
    """Of a kind (drug, diagnosis) as sent: distinct names or codes, those on a list, and rows of both."""

    kind: str
    n_words: int
    n_known_words: int
    n_rows: int
    n_known_rows: int


@dataclass(frozen=True)
class Derived:
    """Derived rows of the touched people after tonight, as Parquet by table name, keyed by `person_index`.

    `people` maps person_index to (source_id, person_id); who has no row left is among them. `frames` has: person,
    observation, encounter (canonical content), anc_candidate, anc, episode, episode_cause, cause_window, complication,
    complication_look, drug_block, cohort_member, cohort_entry. `standing` is None when everybody is touched. `span` is
    the day from which and the day until which enough people have been observed to show it, `source_spans` those of each
    of several sources, `words` what lists know of all rows after tonight. `parts` are the folders in which the touched
    people were worked on, with what was known of them before where there is a `standing`.
    """

    validated: Validated
    people: Path
    frames: Mapping[str, Path]
    standing: Standing | None
    answers: tuple[Answer, ...]
    span: tuple[date | None, date | None]
    source_spans: tuple[SourceSpan, ...] = ()
    words: tuple[CountedWords, ...] = ()
    parts: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Estimated:
    """Counts and estimates as Parquet by full table name (`counts.person_interval`, `estimate.prevalence`).

    With counts that stand, `tables` has only the rows that are new or have changed, and `gone` says which rows they
    replace, by what those count.
    """

    derived: Derived
    tables: Mapping[str, Path]
    gone: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class ReleasedNight:
    """The safe numbers, and what they came from."""

    estimated: Estimated
    released: "Released"


@dataclass(frozen=True)
class Published:
    """Where the report is, and what a command prints of the night."""

    run_id: str
    verdict: Literal["go", "warn", "stop"]
    report: Path
    catalogue: Path
    is_new: bool
    key_numbers: Mapping[str, str] = field(default_factory=dict)
