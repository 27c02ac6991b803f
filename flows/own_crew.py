"""The parts of a night in this process, one after the other: no more memory is needed than one of them takes."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from flows.crew import Crew
from flows.errors import WrongUse
from flows.handover import RunContext
from flows.part import Deriving, count_part, derive_part
from flows.settings import Settings
from transforms.counting import add_counts
from transforms.model.estimation import Plan
from transforms.schemas import load_tables
from transforms.zeros import without_zeros

Counts = dict[str, pl.DataFrame]
COUNTED_HERE = "counted"
ROWS_OF_A_PART = 20_000_000  # lab rows; 9.5 million took 1.7 GB of memory


class Alone:
    """This process, one part after the other."""

    def __init__(self, n_parts: int = 0) -> None:
        """`n_parts`: 0 for as many as there are rows for."""
        self.n_parts = n_parts

    def choose_parts(self, n_rows: int) -> int:
        """One for a night of usual size."""
        return self.n_parts or max(1, -(-n_rows // ROWS_OF_A_PART))

    def derive(self, parts: Sequence[Path], deriving: Deriving) -> None:
        """Beside what was handed over."""
        for folder in parts:
            derive_part(folder, deriving)

    def count(self, parts: Sequence[Path], plan: Plan, *, before: str = "") -> Counts:
        """One part in memory at a time."""
        if len(parts) == 1:
            return count_part(parts[0], plan, before=before)
        folders = [folder / f"{before}{COUNTED_HERE}" for folder in parts]
        for part, folder in zip(parts, folders, strict=True):
            folder.mkdir(exist_ok=True)
            keep_counts(count_part(part, plan, before=before), folder)
        return add_parts(folders)

    def close(self) -> None:
        """Nothing was sent anywhere."""


def keep_counts(counts: Counts, folder: Path) -> None:
    """Write counts as NAME.parquet into `folder`: those of several parts at once would take much memory."""
    for name, rows in counts.items():
        rows.write_parquet(folder / f"{name}.parquet", compression="lz4")


def add_parts(folders: Sequence[Path]) -> Counts:
    """The counts of people in different parts, each kept in a folder, together."""
    names = [name for name in load_tables() if name.startswith("counts.")]
    return without_zeros(
        {name: add_counts(name, [pl.scan_parquet(folder / f"{name}.parquet") for folder in folders]) for name in names}
    )


def crew_of(context: RunContext) -> Crew:
    """Who works on this night."""
    return context.crew or Alone(context.settings.parts)


def gather_crew(settings: Settings, night: str) -> Crew | None:
    """Others, if the settings say so. `night` names workspace and run. WrongUse when Dask is not installed."""
    if settings.runner == "here":
        return None
    if not settings.dask_address:
        raise WrongUse(
            "The runner dask needs the address of a scheduler.",
            repair="Give --address tcp://HOST:8786, or dask_address in nadir.toml.",
        )
    try:
        from flows.dask_crew import DaskCrew
    except ImportError as error:
        raise WrongUse(
            "The runner dask needs packages that are not installed.", repair="pip install 'nadir[dask]'"
        ) from error
    return DaskCrew(settings, night)
