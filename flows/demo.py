"""The simulated hospital as a command sees it: where it is written, and what is said of it."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from flows.errors import WrongUse
from flows.simulation.hospital import SimulationRequest, simulate_hospital


@dataclass(frozen=True)
class WrittenExtract:
    """What was written, and what its layout has no place for, with what stands there instead."""

    people: int
    lab_rows: int
    out: str
    left_out: Mapping[str, str]

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return asdict(self)

    def as_text(self) -> str:
        """For the terminal."""
        lines = [f"{self.lab_rows:,} lab rows of {self.people:,} people in {self.out}"]
        if self.left_out:
            lines.append("This layout has no place for all of the hospital:")
        return "\n".join([*lines, *(f"  - {feature}: {instead}" for feature, instead in self.left_out.items())])


def simulate_extract(request: SimulationRequest) -> WrittenExtract:
    """Write one extract into an empty folder; what was written."""
    out = request.out
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise WrongUse(f"{out} is not an empty folder.", repair="Name a folder that is empty or not there.")
    summary = simulate_hospital(request)
    return WrittenExtract(summary.n_people, summary.n_lab_rows, str(out), summary.left_out)


def simulate_demo(workspace: Path, people: int, days: int, seed: int) -> Path:
    """The demo's extract inside the workspace, written anew; the same arguments give the same bytes."""
    extract = workspace.resolve() / "demo"
    shutil.rmtree(extract, ignore_errors=True)
    simulate_extract(SimulationRequest(people=people, days=days, format="delimited", out=extract, seed=seed))
    return extract
