"""How long derive and estimate take on this machine alone, and on one and two workers of a Dask cluster.

`make scaling`, or `python -m tests.bench.scaling --rows 10000000`. Workers are processes with one thread each, on this
machine, so two of them and the night itself share its cores; parts lie in the workspace.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tests.bench.night import ROOT, print_machine, write_extract
from tests.flows.dask_cluster import start_cluster
from tests.flows.ports import free_port

STAGES = ("derive", "estimate")


def main() -> None:
    """Measure each and print one table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench")
    arguments = parser.parse_args()
    print_machine()
    extract = write_extract(arguments.rows, arguments.folder / f"{arguments.rows}")
    workspace = arguments.folder / "scaling"
    print("| lab rows | who | threads | derive s | estimate s | rows/s of both |\n|---:|---|---:|---:|---:|---:|")
    _print("this machine alone", 1, _spend(extract, workspace, "--direct", threads=1), extract)
    _print("this machine alone", os.cpu_count() or 1, _spend(extract, workspace, "--direct"), extract)
    for n_workers in (1, 2):
        with _cluster(n_workers) as address:
            cost = _spend(extract, workspace, "--runner", "dask", "--address", address)
        _print(f"{n_workers} Dask worker{'s' if n_workers > 1 else ''}", n_workers, cost, extract)


def _print(who: str, threads: int, cost: Mapping[str, float], extract: Path) -> None:
    with duckdb.connect() as connection:
        files = str(extract / "labs*.parquet")
        rows = connection.execute("SELECT count(*) FROM read_parquet(?)", [files]).fetchall()[0][0]
    seconds = [cost[stage] for stage in STAGES]
    told = " | ".join(f"{each:.1f}" for each in seconds)
    print(f"| {rows:,} | {who} | {threads} | {told} | {rows / sum(seconds):,.0f} |", flush=True)


def _spend(extract: Path, workspace: Path, *options: str, threads: int = 0) -> Mapping[str, float]:
    """Seconds of each stage of a first night."""
    shutil.rmtree(workspace, ignore_errors=True)
    own = {"POLARS_MAX_THREADS": str(threads)} if threads else {}
    command = [sys.executable, "-m", "flows.cli", "run", str(extract), *options, "--workspace", str(workspace)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        lines = connection.execute("SELECT stage, seconds FROM ops.stage").fetchall()
    shutil.rmtree(workspace)
    return dict(lines)


@contextmanager
def _cluster(n_workers: int) -> Iterator[str]:
    port = free_port()
    address, dask = f"tcp://127.0.0.1:{port}", str(Path(sys.executable).with_name("dask"))
    commands = [
        [dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        [
            dask,
            "worker",
            address,
            "--nworkers",
            str(n_workers),
            "--nthreads",
            "1",
            "--no-dashboard",
            "--preload",
            "flows.dask_crew",
        ],
    ]
    with start_cluster(commands, address, n_workers, ROOT, {"POLARS_MAX_THREADS": "1"}):
        yield address
