"""The simulated hospital as a command sees it: where it is written, and what is said of it."""

import shutil
from pathlib import Path

from flows.errors import WrongUse
from flows.simulation.hospital import SimulationRequest, simulate_hospital


def simulate_extract(request: SimulationRequest) -> dict[str, object]:
    """Write one extract into an empty folder; what was written."""
    out = request.out
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise WrongUse(f"{out} is not an empty folder.", repair="Name a folder that is empty or not there.")
    summary = simulate_hospital(request)
    return {"people": summary.n_people, "lab_rows": summary.n_lab_rows, "out": str(out)}


def simulate_demo(workspace: Path, people: int, days: int, seed: int) -> Path:
    """The demo's extract inside the workspace, written anew; the same arguments give the same bytes."""
    extract = workspace.resolve() / "demo"
    shutil.rmtree(extract, ignore_errors=True)
    simulate_extract(SimulationRequest(people=people, days=days, format="delimited", out=extract, seed=seed))
    return extract
