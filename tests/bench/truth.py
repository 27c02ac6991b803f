"""How often nadir's bounds hold the simulated truth: without noise always, with measurement noise as printed.

Run with `make truth`. A true episode counts when it was seen by at least one visit and stands alone, so that its onset
and its end are unambiguous; of rules that are only compared nothing of the kind is promised. An onset is inside when it
lies after the last value before that is not low and not after the first low one; an end when it lies after the last low
value and not after the first recovered one.
"""

import sys
import tempfile
from pathlib import Path

import duckdb

from flows.handover import Request
from flows.settings import Settings
from flows.simulation.hospital import SimulationRequest, simulate_hospital
from tests.counted_night import count_night

MATCHED = """
SELECT t.person_id, t.threshold_cells_per_ul, t.onset_at, t.end_at, e.rule,
       e.onset_after, e.first_low_at, e.last_low_at, e.recovery_by, e.ended_as
FROM read_csv('{truth}', types={{'person_id': 'VARCHAR'}}) t JOIN w.derived.episode e
  ON e.person_id = t.person_id AND e.threshold_cells_per_ul = t.threshold_cells_per_ul
 AND e.first_low_at <= coalesce(t.end_at, '2999-01-01') AND e.last_low_at >= coalesce(t.onset_at, '1900-01-01')
WHERE t.is_detectable AND t.is_isolated AND e.rule IN ('clinical', 'simple_run')
"""
INSIDE = """
SELECT rule, threshold_cells_per_ul, count(*) AS n,
       avg((onset_at <= first_low_at AND (onset_after IS NULL OR onset_at > onset_after))::INT) AS onset,
       avg((end_at > last_low_at AND (recovery_by IS NULL OR end_at <= recovery_by))::INT) AS recovery
FROM matched WHERE onset_at IS NOT NULL AND end_at IS NOT NULL GROUP BY ALL ORDER BY rule, threshold_cells_per_ul DESC
"""


def match_truth(workspace: Path, truth: Path) -> duckdb.DuckDBPyConnection:
    """A connection with table `matched`: each true episode, seen and alone, beside ours that overlaps it."""
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{workspace / 'warehouse.duckdb'}' AS w (READ_ONLY)").fetchall()
    connection.execute(f"CREATE TABLE matched AS {MATCHED.format(truth=truth)}").fetchall()
    return connection


def simulate_and_run(folder: Path, people: int, *, is_noise_free: bool, seed: int = 5) -> tuple[Path, Path]:
    """What is counted of a simulated hospital; its workspace and the file of true episodes."""
    truth = folder / "truth.csv"
    simulate_hospital(
        SimulationRequest(
            people=people,
            days=500,
            format="parquet",
            out=folder / "extract",
            seed=seed,
            truth=truth,
            is_noise_free=is_noise_free,
        )
    )
    request = Request((folder / "extract",))
    count_night(request, Settings(workspace=folder / "workspace"))
    return folder / "workspace", truth


def main(people: int) -> None:
    """Print the shares as Markdown."""
    print("| counts | rule | threshold, cells/µL | episodes found | onset inside | recovery inside |")
    print("|---|---|---:|---:|---:|---:|")
    for is_noise_free in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            matched = match_truth(*simulate_and_run(Path(folder), people, is_noise_free=is_noise_free))
            for rule, threshold, n, onset, recovery in matched.execute(INSIDE).fetchall():
                counts = "without noise" if is_noise_free else "with noise"
                print(f"| {counts} | {rule} | {threshold:,} | {n:,} | {onset:.1%} | {recovery:.1%} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
