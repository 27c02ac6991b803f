"""Every number of a night on a simulated hospital is the one that was told; who moves one does it knowingly.

The rows come as a hospital sends them and go through all stages but the checks, which have tests of their own and
change nothing here.
"""

from collections.abc import Mapping

import polars as pl
import pytest

from expectations.job import Count, Job
from flows.checker import Worker
from flows.handover import Request
from flows.night import open_night
from flows.progress import Progress
from flows.settings import Settings
from flows.simulation.hospital import SimulationRequest, simulate_hospital
from flows.stages.derive import derive
from flows.stages.estimate import estimate
from flows.stages.receive import receive
from flows.stages.release import release
from flows.stages.validate import validate
from tests.numbers.telling import MOVED, find_moved

Tables = Mapping[str, pl.DataFrame]


class NothingFails(Worker):
    """In the place of the checking process: no row breaks a rule."""

    def __init__(self) -> None:
        """Start nothing."""

    def ask(self, job: Job) -> None:
        """All that is asked passes."""

    def await_ready(self) -> float:
        """At once."""
        return 0.0

    def answer(self) -> tuple[Count, ...]:
        """Nothing counted, nothing failed."""
        return ()

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Tables]:
    """All tables of a night, by the schema that they belong to."""
    folder = tmp_path_factory.mktemp("numbers")
    simulate_hospital(SimulationRequest(people=160, days=300, format="delimited", out=folder / "extract", seed=29))
    settings = Settings(workspace=folder / "workspace")
    with open_night(settings, Progress(is_quiet=True), NothingFails()) as night:
        received = receive(Request((folder / "extract",)), night.context)
        validated = validate(received, night.context, night.worker)
        derived = derive(validated, night.context)
        estimated = estimate(derived, night.context)
        released = release(estimated, night.context).released
        staged = {name: pl.read_parquet(paths) for name, paths in received.staged.items()}
        people = {f"derived.{name}": pl.read_parquet(path) for name, path in derived.frames.items()}
        counted = {name: pl.read_parquet(path) for name, path in estimated.tables.items()}
    return {"canonical": staged, "derived": people, "counted": counted, "released": released.tables}


@pytest.mark.parametrize("stage", ["canonical", "derived", "counted", "released"])
def test_a_number_of_a_night_is_the_one_that_was_told(stages: Mapping[str, Tables], stage: str) -> None:
    assert find_moved(f"night_{stage}", stages[stage], by_column=True) == [], MOVED
