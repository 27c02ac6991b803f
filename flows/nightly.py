"""The nightly Prefect flow: six tasks in a line around the plain stage functions, retried only on transient errors.

Hand-overs between tasks are paths and counts and stay in the process; Prefect stores none of them. No
`from __future__ import annotations` here: the deployed flow could not resolve its parameter types.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from typing import Any, Literal

from prefect import flow, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.runtime import deployment, flow_run
from prefect.states import Failed
from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.changes import Against, refuse_unknown_checks
from flows.checker import Worker
from flows.errors import (
    DisclosureStop,
    IdentifiersFound,
    UserError,
    ValidationStop,
    guard_values,
)
from flows.handover import (
    Derived,
    Estimated,
    Published,
    Received,
    ReleasedNight,
    Request,
    RunContext,
    Validated,
)
from flows.night import Night, end_unchanged, open_night, refuse_stopped, run_stage
from flows.night_verdict import judge_night
from flows.progress import Progress
from flows.quiet_exit import quieten_exit
from flows.retrying import OPTIONS, TRANSIENT, WAITS_SECONDS
from flows.settings import Settings, read_settings
from flows.stages.derive import derive
from flows.stages.estimate import estimate
from flows.stages.publish import publish
from flows.stages.receive import receive
from flows.stages.release import release
from flows.stages.validate import validate

LONGEST_NIGHT_SECONDS = 20 * 3600  # one that hangs must be over when the next one begins
# What a check, the guard at the door or the release says no to is a night that was stopped, not one that broke down.
STOPS = (ValidationStop, IdentifiersFound, DisclosureStop)
# A checking process that serves several nights of one flow; by default each night has its own.
CHECKING: ContextVar[Worker | None] = ContextVar("CHECKING", default=None)


class NightParameters(BaseModel):
    """What a night reads and where it works; shown and checked in Prefect's own pages."""

    model_config = ConfigDict(extra="forbid")

    extracts: list[Path] = Field(
        default_factory=list,
        title="Extracts",
        description="files or folders of the extract",
        examples=[["landing"]],
    )
    source: str = Field(
        "auto", min_length=1, title="Source", description="auto, a format's name, or the path of a source map"
    )
    extract_date: date | None = Field(
        None, title="Extract date", description="day the extract was made; else what its source map says"
    )
    is_snapshot: bool = Field(
        False, title="Snapshot", description="the extract is everything there is: what it lacks is gone"
    )
    release: list[str] | None = Field(
        None,
        title="Release",
        description="judge set-aside rows of these rules again, of all if empty, in place of reading an extract",
    )
    accepted: list[str] = Field(
        [],
        title="Accepted changes",
        description="checks of what may change whose failure is known to be right tonight",
        examples=[["change_unit"]],
    )
    workspace: Path = Field(Path("workspace"), title="Workspace", description="folder of the warehouse and the site")
    definitions: Path | None = Field(None, title="Definitions", description="folder laid over the shipped definitions")

    runner: Literal["here", "dask"] | None = Field(
        None, title="Runner", description="where derive and estimate work on people; else what the settings say"
    )
    address: str | None = Field(
        None, title="Address", description="scheduler of the runner dask", examples=["tcp://host:8786"]
    )

    @model_validator(mode="after")
    def _reads_or_releases(self) -> "NightParameters":
        if bool(self.extracts) is (self.release is not None):
            raise ValueError("a night reads extracts or releases set-aside rows")
        return self

    def as_request(self) -> Request:
        """What the stages are asked for."""
        release = None if self.release is None else tuple(self.release)
        declared = (self.extract_date, self.is_snapshot)
        return Request(tuple(self.extracts), self.source, *declared, release, frozenset(self.accepted))


@task(name="receive", **OPTIONS)
def receive_task(request: Request, context: RunContext) -> Received:
    """Files as sent become staged rows."""
    with guard_values(), run_stage(context, "receive"):
        return receive(request, context)


@task(name="validate", **OPTIONS)
def validate_task(received: Received, context: RunContext, worker: Worker, against: Against) -> Validated:
    """Staged rows get a verdict."""
    with guard_values(), run_stage(context, "validate"):
        validated = validate(received, context, worker, against)
        verdict = judge_night(validated, context).as_markdown()
    create_markdown_artifact(verdict, key="verdict", description="what was checked, what was set aside, what to do")
    return validated


@task(name="derive", **OPTIONS)
def derive_task(validated: Validated, context: RunContext) -> Derived:
    """Accepted rows become counts, episodes and causes."""
    with guard_values(), run_stage(context, "derive"):
        return derive(validated, context)


@task(name="estimate", **OPTIONS)
def estimate_task(derived: Derived, context: RunContext) -> Estimated:
    """Episodes become additive counts and estimates."""
    with guard_values(), run_stage(context, "estimate"):
        return estimate(derived, context)


@task(name="release", **OPTIONS)
def release_task(estimated: Estimated, context: RunContext) -> ReleasedNight:
    """Estimates become safe numbers."""
    with guard_values(), run_stage(context, "release"):
        return release(estimated, context)


@task(name="publish", **OPTIONS)
def publish_task(night: ReleasedNight, context: RunContext) -> Published:
    """Safe numbers become a report."""
    with guard_values(), run_stage(context, "publish"):
        published = publish(night, context)
    rows = "".join(f"| {label} | {value} |\n" for label, value in published.key_numbers.items())
    create_markdown_artifact(f"| key number | value |\n|---|---|\n{rows}", key="key-numbers")
    create_link_artifact(published.report.as_uri(), key="report", link_text="report of the night")
    return published


def name_night() -> str:
    """A run by the day of its data, else by when it was meant to begin, instead of by words drawn at random."""
    given = flow_run.parameters.get("parameters")
    day = given.get("extract_date") if isinstance(given, dict) else getattr(given, "extract_date", None)
    return f"data of {day}" if day else f"night of {flow_run.scheduled_start_time:%Y-%m-%d %H:%M}"


@flow(
    name="nightly",
    flow_run_name=name_night,
    timeout_seconds=LONGEST_NIGHT_SECONDS,
    validate_parameters=True,
    persist_result=False,
)
def nightly(parameters: NightParameters) -> Published:
    """One night from the files to the report. What stops it is one line of the failed state, and raised to a caller."""
    try:
        with guard_values():
            return run_tasks(parameters)
    except UserError as error:
        return as_state(error)  # type: ignore[no-any-return]  # Prefect takes the state as the end


def as_state(error: UserError) -> Any:
    """The end of a flow run: `Stopped` where a check said no, `Failed` otherwise; automations tell them apart."""
    return Failed(name="Stopped" if isinstance(error, STOPS) else "Failed", message=error.what, data=error)


@contextmanager
def open_patiently(settings: Settings, worker: Worker | None) -> Iterator[Night]:
    """A night in the workspace. A run of a deployment waits for what passes, such as another run that holds it."""
    waits = WAITS_SECONDS if deployment.id else ()
    with ExitStack() as opened:
        for seconds in (*waits, None):
            try:
                night = opened.enter_context(open_night(settings, Progress(), worker))
                break
            except TRANSIENT:
                if seconds is None:
                    raise
            time.sleep(seconds)
        yield night


def run_tasks(parameters: NightParameters) -> Published:
    """The six tasks in a line."""
    quieten_exit()
    settings = read_settings(
        workspace=parameters.workspace,
        definitions=parameters.definitions,
        runner=parameters.runner,
        dask_address=parameters.address,
    )
    request = parameters.as_request()
    refuse_unknown_checks(request.accepted, settings)
    with open_patiently(settings, CHECKING.get()) as night:
        context = night.context
        received = night.seen = receive_task(request, context)
        if received.is_unchanged:
            return end_unchanged(night)
        validated = night.seen = validate_task(received, context, night.worker, Against(request.accepted))
        refuse_stopped(validated)
        derived = derive_task(validated, context)
        released = release_task(estimate_task(derived, context), context)
        return publish_task(released, context)
