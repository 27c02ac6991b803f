"""The simulated truth: on counts without noise, every true onset and recovery lies inside the bounds that nadir gives."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flows.handover import Published
from flows.simulation.hospital import SimulationRequest, simulate_hospital

# True episodes that were seen and stand alone, each with the episode of ours that they overlap.
MATCHED = """
SELECT t.onset_at, t.end_at, e.onset_after, e.first_low_at, e.last_low_at, e.recovery_by, e.rule, e.ended_as
FROM read_csv('{truth}', types={{'person_id': 'VARCHAR'}}) t JOIN w.derived.episode e
  ON e.person_id = t.person_id AND e.threshold_cells_per_ul = t.threshold_cells_per_ul
 AND e.first_low_at <= t.end_at AND e.last_low_at >= t.onset_at
WHERE t.is_detectable AND t.is_isolated
"""


def _matched(workspace: Path, truth: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{workspace / 'warehouse.duckdb'}' AS w (READ_ONLY)").fetchall()
    connection.execute(f"CREATE TABLE matched AS {MATCHED.format(truth=truth)}").fetchall()
    return connection


@pytest.fixture(scope="module")
def without_noise(
    tmp_path_factory: pytest.TempPathFactory, run_directly: Callable[..., Published]
) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("truth")
    simulate_hospital(
        SimulationRequest(
            people=1500,
            days=500,
            format="parquet",
            out=folder / "extract",
            seed=5,
            truth=folder / "truth.csv",
            is_noise_free=True,
        )
    )
    run_directly(folder / "workspace", folder / "extract")
    return folder / "workspace", folder / "truth.csv"


@pytest.mark.parametrize("rule", ["clinical", "simple_run"])
def test_without_noise_every_true_onset_and_recovery_lies_inside_the_bounds(
    without_noise: tuple[Path, Path], rule: str
) -> None:
    matched = _matched(*without_noise)
    total = matched.execute("SELECT count(*) FROM matched WHERE rule = ?", [rule]).fetchall()[0][0]
    outside = matched.execute(
        "SELECT count(*) FROM matched WHERE rule = ? AND ("
        "onset_at > first_low_at OR (onset_after IS NOT NULL AND onset_at <= onset_after) "
        "OR end_at <= last_low_at OR (recovery_by IS NOT NULL AND end_at > recovery_by))",
        [rule],
    ).fetchall()[0][0]
    assert total >= 100
    assert outside == 0


def test_without_noise_every_detectable_isolated_episode_is_found(without_noise: tuple[Path, Path]) -> None:
    workspace, truth = without_noise
    matched = _matched(workspace, truth)
    seen = matched.execute(
        f"SELECT count(*) FROM read_csv('{truth}') WHERE is_detectable AND is_isolated"
    ).fetchall()[0][0]
    found = matched.execute("SELECT count(*) FROM matched WHERE rule = 'simple_run'").fetchall()[0][0]
    assert found == seen
