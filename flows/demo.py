"""The simulated hospital as a command sees it: where it is written, and what is said of it."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from flows.agreement import compare_rules
from flows.errors import WrongUse
from flows.settings import Settings
from flows.simulation.hospital import SimulationRequest, simulate_hospital
from flows.site import install_page
from flows.workspace import Workspace
from reports.agreement import render_agreement
from transforms.load import load_definitions

AGREEMENT = "agreement.html"


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


def simulate_demo(workspace: Path, people: int, days: int, seed: int, *, has_truth: bool = False) -> Path:
    """The demo's extract inside the workspace, written anew; the same arguments give the same bytes.

    With `has_truth` the true episodes are written beside it.
    """
    extract = workspace.resolve() / "demo"
    shutil.rmtree(extract, ignore_errors=True)
    truth = _truth_of(extract) if has_truth else None
    simulate_extract(
        SimulationRequest(people=people, days=days, format="delimited", out=extract, seed=seed, truth=truth)
    )
    return extract


def tell_agreement(settings: Settings, extract: Path, seed: int) -> str:
    """Write the page of every episode rule against the truth of the demo into the site; a line of where it is."""
    workspace = Workspace(settings.workspace.resolve())
    true, rules = compare_rules(workspace, _truth_of(extract))
    page = render_agreement(
        [asdict(each) for each in true],
        [asdict(each) for each in rules],
        load_definitions(settings.definitions),
        seed=seed,
    )
    return f"agreement: {install_page(workspace, AGREEMENT, page)}"


def _truth_of(extract: Path) -> Path:
    return extract.with_name("demo_truth.parquet")
