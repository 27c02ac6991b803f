"""A workspace after a first night, a second night's extract, and how both end when nothing happens."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.simulation.hospital import SimulationRequest, simulate_hospital
from tests.faults.judging import (
    broken_links,
    leftovers,
    read_downloads,
    read_released,
    read_results,
)
from tests.faults.killing import spend


@dataclass(frozen=True)
class Undisturbed:
    """Two nights without a fault: `before` is the workspace after the first, `extract` what the second reads."""

    before: Path
    extract: Path
    first_extract: Path
    results_before: Mapping[str, Any]
    results: Mapping[str, Any]
    released: Mapping[str, Any]
    downloads: Mapping[str, bytes]
    seconds: float

    def faults_of(self, workspace: Path) -> list[str]:
        """After a fault the site opens and tables are whole; after the next night all is as if nothing had happened."""
        found = [f"a link that leads nowhere: {link}" for link in broken_links(workspace / "site")]
        is_settled = (workspace / "warehouse.duckdb").exists() and not (workspace / "warehouse.duckdb.wal").exists()
        if is_settled and read_results(workspace) not in (self.results_before, self.results):
            found.append("tables are neither those before the night nor those after it")
        ended = spend(workspace, self.extract)
        if ended.endswith(("Error", "Fault", "Later", "Busy", "Stop")):
            found.append(f"the next night ended with {ended}")
        found += [
            f"after the next night, a link that leads nowhere: {link}" for link in broken_links(workspace / "site")
        ]
        found += [f"left behind: {name}" for name in leftovers(workspace)]
        same = {
            "results": read_results(workspace) == self.results,
            "released tables": read_released(workspace) == self.released,
            "downloads": read_downloads(workspace) == self.downloads,
        }
        return found + [f"the next night has other {name}" for name, is_same in same.items() if not is_same]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    extracts = []
    for number in (1, 2):
        out = folder / f"night_{number}"
        simulate_hospital(
            SimulationRequest(people=120, days=120 + 60 * number, format="parquet", out=out, seed=5, truth=None)
        )
        extracts.append(out)
    before, after = folder / "before", folder / "after"
    assert not spend(before, extracts[0]).endswith("Error")
    shutil.copytree(before, after)
    started = time.perf_counter()
    spend(after, extracts[1])
    seconds = time.perf_counter() - started
    return Undisturbed(
        before,
        extracts[1],
        extracts[0],
        read_results(before),
        read_results(after),
        read_released(after),
        read_downloads(after),
        seconds,
    )


@pytest.fixture
def disturbed(tmp_path: Path, undisturbed: Undisturbed) -> Callable[[], Path]:
    """A new copy of the workspace after the first night, to do harm to."""
    made = []

    def copy() -> Path:
        workspace = tmp_path / f"workspace_{len(made)}"
        made.append(workspace)
        shutil.copytree(undisturbed.before, workspace)
        return workspace

    return copy
