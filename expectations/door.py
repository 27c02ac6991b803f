"""The checks of what was found at the door: identifiers in a standard format are worth a warning, never silence.

A local export with undecided identifiers does not come this far, so nothing of one can fail here. The checks are data
in `suites/door`; they count cells, and a night in which nothing was looked for passes none of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from transforms.errors import DefinitionError
from transforms.identifiers import ColumnFinding, Disposition, Evidence
from transforms.model.base import Part
from transforms.schemas import parse_yaml

DOOR = Path(__file__).parent / "suites" / "door" / "identifiers.yaml"


class DoorCheck(Part):
    """One check: it fails when there is a finding of one of these kinds; an empty kind fits any."""

    id: str
    title: str
    severity: Literal["warn", "stop"]
    reason: str
    repair: str
    evidence: tuple[Evidence, ...] = ()
    disposition: tuple[Disposition, ...] = ()

    def fits(self, finding: ColumnFinding) -> bool:
        """Whether the finding fails the check."""
        is_kind = not self.evidence or finding.evidence in self.evidence
        return is_kind and (not self.disposition or finding.disposition in self.disposition)


class DoorSuite(Part):
    """The file: its checks and who repairs what they find."""

    table: str
    title: str
    owner: str
    checks: tuple[DoorCheck, ...] = Field(min_length=1)


@dataclass(frozen=True)
class DoorResult:
    """How a check ended; `n_failed` of `n_rows` cells, `detail` by class of identifier."""

    check: DoorCheck
    status: Literal["not_applicable", "failed", "passed"]
    n_rows: int | None
    n_failed: int | None
    detail: str


def load_door(path: Path = DOOR) -> DoorSuite:
    """The suite; a key or value that is not valid is a DefinitionError."""
    try:
        return DoorSuite.model_validate(parse_yaml(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        details = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        keys = f"Keys of a check: {', '.join(DoorCheck.model_fields)}."
        raise DefinitionError(f"{path.name}: not a valid suite.", details=details, repair=keys) from error


def judge_door(findings: Sequence[ColumnFinding]) -> tuple[DoorResult, ...]:
    """Each check with what it found; without any finding nothing was looked into, and no check applies."""
    return tuple(_judge(check, findings) for check in load_door().checks)


def _judge(check: DoorCheck, findings: Sequence[ColumnFinding]) -> DoorResult:
    failing = [finding for finding in findings if check.fits(finding)]
    if not findings:
        return DoorResult(check, "not_applicable", None, None, "")
    if not failing:
        return DoorResult(check, "passed", None, 0, "")
    n_rows, n_failed = sum(f.n_given for f in failing), sum(f.n_rows for f in failing)
    return DoorResult(check, "failed", n_rows, n_failed, _by_class(failing))


def _by_class(failing: Iterable[ColumnFinding]) -> str:
    counts: dict[tuple[str, str], int] = {}
    for finding in failing:
        key = (finding.identifier_class.replace("_", " "), finding.column)
        counts[key] = counts.get(key, 0) + finding.n_rows
    return "; ".join(f"{column}: {name}, {n:,} cells" for (name, column), n in sorted(counts.items()))
