"""What the checking process is asked and what it answers: names and counts, never a row or a value."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

READY = "ready"  # the first line of the checking process
Expectation = Literal["flag", "query"]


@dataclass(frozen=True)
class Question:
    """One check as Great Expectations is to count it.

    The sum of `concerned` is the number of rows that the check is about. `flag`: the sum of `column` is how many of
    them are bad. `query`: `sql` gives one line for each thing that is wrong.
    """

    check_id: str
    expectation: Expectation
    concerned: str
    column: str = ""
    sql: str = ""


@dataclass(frozen=True)
class Job:
    """All questions of one night, by the view whose columns they name."""

    database: str
    memory_limit: str
    spill: str
    views: Mapping[str, Sequence[Question]]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Job":
        """Read one line."""
        content: dict[str, Any] = json.loads(line)
        views = {view: [Question(**asked) for asked in questions] for view, questions in content.pop("views").items()}
        return cls(views=views, **content)


@dataclass(frozen=True)
class Count:
    """What came out of one check: rows it concerned, rows that failed; or the kind of error that prevented it."""

    check_id: str
    n_rows: int | None = None
    n_failed: int | None = None
    error: str | None = None


def counts_to_json(counts: Sequence[Count]) -> str:
    """One line."""
    return json.dumps([asdict(count) for count in counts])


def counts_from_json(line: str) -> tuple[Count, ...]:
    """Read one line."""
    return tuple(Count(**count) for count in json.loads(line))
