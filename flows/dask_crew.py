"""Parts of a night on a Dask cluster, as tasks on Prefect's own Dask runner; needs the extra `nadir[dask]`.

Rows travel as Parquet through a folder that all workers reach, paths and frozen definitions through Dask. What a worker
writes has a name of its own, which only a task that has ended tells: so a part that Dask gives to another worker,
because its first one died or was slow to answer, is never read half done, nor mixed.
"""

import pickle
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.scheduler import KilledWorker
from prefect import Task, task
from prefect.context import TaskRunContext
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_dask import DaskTaskRunner

from flows.code_version import code_version
from flows.errors import TryAgainLater, WrongUse, guard_values
from flows.own_crew import ROWS_OF_A_PART, Counts, add_parts, keep_counts
from flows.part import COUNTED, DERIVED, HANDED_OVER, Deriving, count_part, derive_part
from flows.places import Place
from flows.retrying import OPTIONS
from flows.scratch import scratch_folder
from flows.settings import Settings
from transforms.model.estimation import Plan
from transforms.schemas import load_tables

GIVEN = "given"  # what was handed over, in the folder of a part
ANSWER_SECONDS = 20
PARTS_OF_A_WORKER = 2  # so that one that is slow, or dies, holds up little
LOST = (KilledWorker, CancelledError, OSError, TimeoutError)


Fetched = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Job:
    """One part: which files of which of its folders are worked on, how, and by which code.

    It travels pickled, as Dask would do itself, because Prefect looks into and rebuilds what it passes on.
    """

    place: str
    fetched: Fetched
    how: Any  # Deriving or Plan
    code: str
    before: str = ""


@task(name="derive part", task_run_name="derive part {number}", **OPTIONS)
def derive_remotely(number: int, packed: bytes) -> str:  # noqa: ARG001 - the number names the task
    """The name of the folder with the derived rows, beside that with the rows they were made of."""
    with guard_values(), _at_work(packed) as (job, folder):
        derive_part(folder, job.how)
        return _send(job, folder, "derived", DERIVED)


@task(name="count part", task_run_name="count part {number}", **OPTIONS)
def count_remotely(number: int, packed: bytes) -> str:  # noqa: ARG001 - the number names the task
    """The name of the folder with the counts."""
    with guard_values(), _at_work(packed) as (job, folder):
        counts = count_part(folder, job.how, before=job.before)
        keep_counts(counts, folder)
        return _send(job, folder, "counts", tuple(counts))


class DaskCrew:
    """Workers of a Dask cluster."""

    def __init__(self, settings: Settings, night: str) -> None:
        """`night` names the workspace and the run. TryAgainLater when no scheduler answers, or one without workers."""
        own, run_id = night.split("/")
        root = settings.parts_folder or str(settings.workspace.resolve() / "work" / run_id / "sent")
        self._address, self._place = settings.dask_address, Place(root).inside(own)
        self._least = settings.parts or PARTS_OF_A_WORKER * count_workers(self._address)
        self._is_told = bool(settings.parts)
        self._derived: dict[Path, str] = {}

    def choose_parts(self, n_rows: int) -> int:
        """As many as the settings say; else a few for each worker, and more where a part would be too large."""
        return self._least if self._is_told else max(self._least, -(-n_rows // ROWS_OF_A_PART))

    def derive(self, parts: Sequence[Path], deriving: Deriving) -> None:
        """Rows go out, derived rows come back into the same folders."""
        self._place.clear()  # of a night that was killed; who holds the workspace is alone here
        for part in parts:
            self._of(part).inside(GIVEN).send(part, [path.name for path in sorted(part.glob("*.parquet"))])
        answers = self._spread(derive_remotely, [(part, ((GIVEN, HANDED_OVER),)) for part in parts], deriving)
        for part, answer in zip(parts, answers, strict=True):
            self._derived[part] = answer
            self._of(part).inside(answer).fetch(part, _files(DERIVED))

    def count(self, parts: Sequence[Path], plan: Plan, *, before: str = "") -> Counts:
        """Counts come back and are added."""
        derived = tuple(name for name in COUNTED if name in DERIVED)
        given = tuple(name for name in COUNTED if name not in DERIVED)
        standing = ((GIVEN, tuple(f"{before}{name}" for name in COUNTED)),)
        asked = [(part, standing if before else ((GIVEN, given), (self._derived[part], derived))) for part in parts]
        answers = self._spread(count_remotely, asked, plan, before)
        return add_parts([self._fetch(part, answer) for part, answer in zip(parts, answers, strict=True)])

    def close(self) -> None:
        """Nothing of any patient stays where workers reach it."""
        with suppress(*LOST):
            self._place.clear()

    def _of(self, part: Path) -> Place:
        return self._place.inside(part.name)

    def _fetch(self, part: Path, answer: str) -> Path:
        names = [name for name in load_tables() if name.startswith("counts.")]
        self._of(part).inside(answer).fetch(part / answer, _files(names))
        return part / answer

    def _spread(
        self, work: "Task[..., str]", asked: Sequence[tuple[Path, Fetched]], how: Deriving | Plan, before: str = ""
    ) -> list[str]:
        """What the tasks of all parts answer."""
        jobs = [Job(self._of(part).url, fetched, how, code_version(), before) for part, fetched in asked]
        with (
            _told_as_passing(self._address),
            _reachable_server(),
            _without_parameters(),
            DaskTaskRunner(address=self._address) as runner,
        ):
            submitted = [
                runner.submit(work, {"number": number, "packed": pickle.dumps(job)})
                for number, job in enumerate(jobs, start=1)
            ]
            return [str(future.result()) for future in submitted]


def count_workers(address: str) -> int:
    """How many workers a scheduler has; TryAgainLater when it has none, or does not answer."""
    with _told_as_passing(address), Client(address, timeout=ANSWER_SECONDS, set_as_default=False) as client:
        found = len(client.scheduler_info(n_workers=-1)["workers"])
    if not found:
        raise TryAgainLater(
            f"The Dask scheduler at {address} has no workers.", repair="Start some: dask worker ADDRESS."
        )
    return found


@contextmanager
def _told_as_passing(address: str) -> Iterator[None]:
    try:
        yield
    except LOST as error:
        raise TryAgainLater(
            f"The Dask cluster at {address} does not answer, or lost its workers again and again.",
            repair="See whether scheduler and workers run and have enough memory, then try again.",
        ) from error


@contextmanager
def _reachable_server() -> Iterator[None]:
    """Workers report to the server of this run, embedded ones on this machine too, and start none of their own."""
    embedded = SubprocessASGIServer()
    if PREFECT_API_URL.value() or not embedded.running:
        yield
        return
    with temporary_settings({PREFECT_API_URL: embedded.api_url}):
        yield


@contextmanager
def _without_parameters() -> Iterator[None]:
    """Prefect sends workers the task that they work for, with what it was given; of a stage that stays here."""
    stage = TaskRunContext.get()
    with nullcontext() if stage is None else stage.model_copy(update={"parameters": {}}):
        yield


@contextmanager
def _at_work(packed: bytes) -> Iterator[tuple[Job, Path]]:
    """The job, and a private folder with its rows, gone at the end. WrongUse when the worker has other code."""
    job: Job = pickle.loads(packed)  # noqa: S301 - made by us, and passed as Dask passes functions
    if job.code != code_version():
        raise WrongUse(
            f"A Dask worker has another version of nadir ({code_version()}) than this run ({job.code}).",
            repair="Install the same version on all machines.",
        )
    with scratch_folder("part") as folder:
        for name, files in job.fetched:
            Place(job.place).inside(name).fetch(folder, _files(files))
        yield job, folder


def _send(job: Job, folder: Path, kind: str, names: Sequence[str]) -> str:
    answer = f"{kind}_{secrets.token_hex(4)}"
    Place(job.place).inside(answer).send(folder, _files(names))
    return answer


def _files(names: Sequence[str]) -> list[str]:
    return [f"{name}.parquet" for name in names]
