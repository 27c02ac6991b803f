"""Nights up to their counts, for tests of what is derived and counted: as `run_night`, without release and report."""

from dataclasses import dataclass

from flows.attempts import close_line
from flows.changes import Against
from flows.commit import commit_night
from flows.handover import ReleasedNight, Request
from flows.night import open_night, refuse_stopped
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.derive import derive
from flows.stages.estimate import estimate
from flows.stages.receive import receive
from flows.stages.validate import validate
from flows.warehouse import open_known
from tests.plain_checker import PlainChecker
from transforms.release import reopen


@dataclass(frozen=True)
class Counted:
    """What such a night tells."""

    run_id: str
    verdict: str


def count_night(request: Request, settings: Settings) -> Counted:
    """The warehouse is as a whole night leaves it, but that its `released` tables are empty and there is no site."""
    with open_night(settings, Progress(is_quiet=True), PlainChecker()) as night:
        context = night.context
        received = night.seen = receive(request, context)
        validated = night.seen = validate(received, context, night.worker, Against(request.accepted))
        refuse_stopped(validated)
        estimated = estimate(derive(validated, context), context)
        commit_night(ReleasedNight(estimated, reopen({}, settings.channel)), context)
        with open_known(context.workspace.warehouse, memory_limit=settings.memory_limit) as connection:
            close_line(connection, context.run_id, "published")
    return Counted(context.run_id, validated.verdict)
