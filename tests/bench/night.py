"""Times the first night at one and at ten million lab rows against the floor: DuckDB reading the same files.

Run with `make bench`. Every figure is a process of its own; ratios are of one run on one machine.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
FLOOR = """
import duckdb, json, pathlib, resource, sys, time
files = sorted(pathlib.Path(sys.argv[1]).glob('*.parquet'))
target = pathlib.Path(sys.argv[2])
started = time.perf_counter()
connection = duckdb.connect(str(target), config={'memory_limit': '3GB'})
connection.execute("SET enable_progress_bar=false").fetchall()
for number, path in enumerate(files):
    connection.execute(f"CREATE TABLE t{number} AS SELECT * FROM read_parquet('{path}')").fetchall()
connection.execute('CHECKPOINT').fetchall()
print(json.dumps({'seconds': time.perf_counter() - started,
                  'peak_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
# About 68 lab rows a person in two simulated years; measured, and checked against the rows that were written.
SIZES = {"1M": 1_000_000, "10M": 10_000_000}


def main() -> None:
    """Measure each size and print one table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, duckdb {duckdb.__version__}\n")
    results = [measure(SIZES[size], arguments.folder / size) for size in arguments.sizes]
    print_table(results)


def measure(rows: int, folder: Path) -> dict[str, object]:
    """Floor and night on the same simulated extract."""
    extract = write_extract(rows, folder)
    workspace, floor_file = folder / "workspace", folder / "floor.duckdb"
    for leftover in (floor_file, floor_file.with_suffix(".duckdb.wal")):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(workspace, ignore_errors=True)
    floor = json.loads(_run([sys.executable, "-c", FLOOR, str(extract), str(floor_file)]))
    floor_file.unlink()
    started = time.perf_counter()
    command = [sys.executable, "-m", "flows.cli", "run", str(extract), "--direct", "--json", "--workspace", str(workspace)]
    _run(command)
    wall = time.perf_counter() - started
    stages = _stages(workspace)
    lab_rows = _lab_rows(extract)
    shutil.rmtree(workspace)
    return {"rows": lab_rows, "floor": floor, "wall": wall, "stages": stages}


def write_extract(rows: int, folder: Path) -> Path:
    """The simulated extract with about `rows` lab rows, made once and kept for the next measurement."""
    extract = folder / "extract"
    if not extract.exists():
        probe = folder / "probe"
        shutil.rmtree(probe, ignore_errors=True)
        _simulate(1000, probe)
        people = round(1000 * rows / _lab_rows(probe))
        shutil.rmtree(probe)
        _simulate(people, extract)
    return extract


def print_table(results: list[dict[str, object]]) -> None:
    """One row a stage and size."""
    print("| lab rows | stage | seconds | rows/s | peak MB | x floor |")
    print("|---:|---|---:|---:|---:|---:|")
    for result in results:
        rows, floor, stages = result["rows"], result["floor"], result["stages"]
        print(f"| {rows:,} | floor: DuckDB reads the files into tables | {floor['seconds']:.1f} | "
              f"{rows / floor['seconds']:,.0f} | {floor['peak_mb']:,.0f} | 1.0 |")
        for name, seconds, peak in stages:
            print(f"| {rows:,} | {name} | {seconds:.1f} | {rows / max(seconds, 0.01):,.0f} | {peak:,.0f} | "
                  f"{seconds / floor['seconds']:.1f} |")
        total = sum(seconds for _, seconds, _ in stages)
        peak = max(peak for _, _, peak in stages)
        print(f"| {rows:,} | six stages together | {total:.1f} | {rows / total:,.0f} | {peak:,.0f} | "
              f"{total / floor['seconds']:.1f} |")
        print(f"| {rows:,} | start-up beside them | {result['wall'] - total:.1f} | | | |")
    if len(results) > 1:
        totals = [sum(seconds for _, seconds, _ in result["stages"]) for result in results]
        print(f"\n{results[-1]['rows'] / results[0]['rows']:.1f} times the rows took "
              f"{totals[-1] / totals[0]:.1f} times the seconds.")


def _simulate(people: int, out: Path) -> None:
    options = ["--people", str(people), "--days", "730", "--format", "parquet", "--seed", "7", "--out", str(out)]
    _run([sys.executable, "-m", "flows.cli", "simulate", *options])


def _stages(workspace: Path) -> list[tuple[str, float, float]]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute("SELECT stage, seconds, peak_memory_mb FROM ops.stage").fetchall()


def _lab_rows(extract: Path) -> int:
    with duckdb.connect() as connection:
        found = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(extract / "labs*.parquet")]).fetchall()
    return int(found[0][0])


def _run(command: list[str]) -> str:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} ended with {done.returncode}\n{done.stderr}")
    assert before >= 0
    return done.stdout


if __name__ == "__main__":
    main()
