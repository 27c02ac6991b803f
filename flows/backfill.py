"""The backfill flow: a night for each day of a range of past data, in the order of the days.

A day that is stopped or fails has its line in the table, and the others go on. A day that is loaded already publishes
nothing new, so a backfill that was cut off is started again as it was. No `from __future__ import annotations` here, as
in `nightly`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, tags
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run
from prefect.states import Failed
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from flows.checker import SteadyWorker
from flows.errors import SourceError, guard_values
from flows.nightly import CHECKING, NightParameters, as_state, nightly

PLACE = "{date}"
SHOWN_DAYS = 10


class BackfillParameters(BaseModel):
    """Which days, and where the extract of a day lies."""

    model_config = ConfigDict(extra="forbid")

    first: date = Field(title="First day", description="first day of data, included")
    last: date = Field(title="Last day", description="last day of data, included")
    extracts: list[str] = Field(
        min_length=1,
        title="Extracts",
        description="paths of the extract of a day, with {date} where its day stands, as in 2024-01-31",
        examples=[["landing/{date}"]],
    )
    source: str = Field(
        "auto", min_length=1, title="Source", description="auto, a format's name, or the path of a source map"
    )
    accepted: list[str] = Field(
        [], title="Accepted changes", description="checks of what may change whose failure is right in all these nights"
    )
    workspace: Path = Field(Path("workspace"), title="Workspace", description="folder of the warehouse and the site")
    definitions: Path | None = Field(None, title="Definitions", description="folder laid over the shipped definitions")

    @field_validator("extracts")
    @classmethod
    def _say_where_the_day_stands(cls, extracts: list[str]) -> list[str]:
        if not all(PLACE in extract for extract in extracts):
            raise ValueError("every path needs {date}, or each day would read the same files")
        return extracts

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "BackfillParameters":
        if self.last < self.first:
            raise ValueError("the last day is before the first")
        return self

    def nights(self) -> Iterator[tuple[date, NightParameters]]:
        """Each day with what its night reads; a day of which nothing is there is left out."""
        for n in range((self.last - self.first).days + 1):
            day = self.first + timedelta(days=n)
            paths = [Path(extract.replace(PLACE, day.isoformat())) for extract in self.extracts]
            there = [path for path in paths if path.exists()]
            if there:
                yield (
                    day,
                    NightParameters(
                        extracts=there,
                        source=self.source,
                        extract_date=day,
                        accepted=self.accepted,
                        workspace=self.workspace,
                        definitions=self.definitions,
                    ),
                )


def name_backfill() -> str:
    """By its days."""
    given = flow_run.parameters.get("parameters")
    first, last = (given.get("first"), given.get("last")) if isinstance(given, dict) else (given.first, given.last)
    return f"data of {first} to {last}"


@flow(name="backfill", flow_run_name=name_backfill, validate_parameters=True, persist_result=False)
def backfill(parameters: BackfillParameters) -> Any:
    """A night for each day of past data that is there. If some were not published it fails and names those."""
    nights = list(parameters.nights())
    if not nights:
        return as_state(
            SourceError("There is no extract of any of these days.", repair="Look where {date} stands in `extracts`.")
        )
    ended: dict[date, Any] = {}
    with guard_values(), one_checker(), tags("nadir", "nightly"):  # a run within a run has no tags of a deployment
        for day, night in nights:
            ended[day] = nightly(night, return_state=True)
    rows = "".join(f"| {day} | {state.name} | {state.message or ''} |\n" for day, state in ended.items())
    create_markdown_artifact(
        f"| day of data | night | why |\n|---|---|---|\n{rows}", key="backfill", description="a line for each day"
    )
    failed = [f"{day} ({state.name.lower()})" for day, state in ended.items() if not state.is_completed()]
    if failed:
        more = f" and {len(failed) - SHOWN_DAYS} more" if len(failed) > SHOWN_DAYS else ""
        shown = ", ".join(failed[:SHOWN_DAYS])
        return Failed(message=f"{len(failed)} of {len(ended)} days were not published: {shown}{more}.")
    return f"{len(ended)} days"


@contextmanager
def one_checker() -> Iterator[None]:
    """All nights meanwhile are checked by one process, whose start takes longer than a small night."""
    worker = SteadyWorker()
    token = CHECKING.set(worker)
    try:
        yield
    finally:
        CHECKING.reset(token)
        worker.end()
