"""One night from start to end: the workspace held, the attempt on record, six stages in a line, a clean end.

`open_night` is what a night needs around its stages, whoever calls them: `run_night` here, or the Prefect flow.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from flows.attempts import begin_attempt, end_attempt, enter_state
from flows.changes import Against, refuse_unknown_checks
from flows.checker import Worker
from flows.errors import IdentifiersFound, UserError, ValidationStop, guard_values
from flows.handover import Published, Received, Request, RunContext, Validated
from flows.housekeeping import back_up_night, keep_house
from flows.interruption import ending_of, interrupting_when_told
from flows.journal import Journal
from flows.lock import hold_workspace
from flows.own_crew import gather_crew
from flows.packages import refuse_wrong_packages
from flows.progress import Progress
from flows.recovery import recover
from flows.settings import Settings
from flows.stages.derive import derive
from flows.stages.estimate import estimate
from flows.stages.publish import publish, show_latest
from flows.stages.receive import receive
from flows.stages.release import release
from flows.stages.validate import stop_message, validate, warm_up
from flows.suite_trial import refuse_wrong_checks
from flows.workspace import Workspace, make_private
from transforms.load import load_definitions
from transforms.unknown_names import refuse_unknown_names

# The last two states come with the transaction of the night and with its pages.
REACHED = {"receive": "received", "validate": "validated", "derive": "derived", "estimate": "estimated"}


@dataclass
class Night:
    """A run under way. `seen` is the newest hand-over, so that a stopped night is recorded with what is known."""

    context: RunContext
    worker: Worker
    seen: Received | Validated | None = field(default=None)


def run_night(request: Request, settings: Settings, progress: Progress, worker: Worker | None = None) -> Published:
    """The six stages without Prefect; the same functions that the flow wraps. A `worker` given is used and closed."""
    refuse_unknown_checks(request.accepted, settings)
    with guard_values(), open_night(settings, progress, worker) as night:
        context = night.context
        with run_stage(context, "receive"):
            received = night.seen = receive(request, context)
        if received.is_unchanged:
            return end_unchanged(night)
        with run_stage(context, "validate"):
            validated = night.seen = validate(received, context, night.worker, Against(request.accepted))
        refuse_stopped(validated)
        with run_stage(context, "derive"):
            derived = derive(validated, context)
        with run_stage(context, "estimate"):
            estimated = estimate(derived, context)
        with run_stage(context, "release"):
            released = release(estimated, context)
        with run_stage(context, "publish"):
            return publish(released, context)


@contextmanager
def run_stage(context: RunContext, stage: str) -> Iterator[None]:
    """A stage that shows itself, is timed, and leaves in `ops.run` how far the run has come."""
    with context.progress.stage(stage):
        yield
    if stage in REACHED:
        enter_state(context, REACHED[stage])


def end_unchanged(night: Night) -> Published:
    """The same inputs, definitions and code as before: nothing is computed, the attempt is on record."""
    end_attempt(night.context, "unchanged", night=night.seen)
    return show_latest(night.context)


def refuse_stopped(validated: Validated) -> None:
    """Raise `ValidationStop` when a check says that this night must not be published."""
    if validated.verdict == "stop":
        raise stop_message(validated)


@contextmanager
def open_night(settings: Settings, progress: Progress, worker: Worker | None = None) -> Iterator[Night]:
    """Hold the workspace, mend what a killed run left, put the attempt on record, and close it however it ends."""
    workspace = Workspace(settings.workspace.resolve()).create()
    with interrupting_when_told(), worker or warm_up() as checking, hold_workspace(workspace):
        definitions = load_definitions(settings.definitions)
        refuse_unknown_names(definitions)
        refuse_wrong_packages()
        refuse_wrong_checks(definitions.own_suites)
        recover(workspace, settings.memory_limit)
        started_at = datetime.now(UTC)
        run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        crew = gather_crew(settings, f"{name_workspace(workspace)}/{run_id}")
        context = RunContext(run_id, started_at, workspace, settings, definitions, progress, crew)
        make_private(context.work)
        begin_attempt(context)
        progress.journal = Journal(settings.log_file, run_id)
        progress.journal.write("run began")
        night = Night(context, checking)
        try:
            yield night
        except BaseException as error:
            _close_failed(night, error)
            raise
        finally:
            if crew is not None:
                crew.close()
            keep_house(context)
            shutil.rmtree(context.work, ignore_errors=True)
        back_up_night(context)


def name_workspace(workspace: Workspace) -> str:
    """A name of a workspace where several share a folder."""
    return sha256(str(workspace.root).encode()).hexdigest()[:12]


def _close_failed(night: Night, error: BaseException) -> None:
    is_stop = isinstance(error, ValidationStop)
    message = error.what if isinstance(error, UserError) else f"Unexpected {type(error).__name__}."
    if ending_of(error):
        message = "The process was told to end before the run did."
    found = error.findings if isinstance(error, IdentifiersFound) else ()
    state = "stopped" if is_stop else "failed"
    end_attempt(night.context, state, night=night.seen, message=message, identifiers=found)
