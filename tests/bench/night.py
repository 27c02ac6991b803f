"""Times nights at one and at ten million lab rows: the first against DuckDB reading the same files, later ones to it.

Run with `make bench`. Floor and night are processes of their own, of one run on one machine; a machine that does
other work beside it is said so, because its figures mean little.
"""

import argparse
import json
import math
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import duckdb

from tests.bench.attribution import print_attribution
from tests.bench.later_nights import LaterNight, measure_later, print_later
from tests.bench.rules import RuleCosts, measure_rules, print_rules

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
SIZES = {"1M": 1_000_000, "10M": 10_000_000}
PROBE_PEOPLE = 1000
CPU = re.compile(r"^(\w+) .*, CPU ([\d.]+) s$", re.MULTILINE)
WAITED = re.compile(r"^waited\s+([\d.]+) s", re.MULTILINE)
DERIVE_AIM = 1.5
BUSY_LOAD = 0.5  # of the cores, before the first measurement


@dataclass(frozen=True)
class Cost:
    """What one step took; CPU seconds are those of its own process, and of its children if it is a command."""

    name: str
    seconds: float
    peak_mb: float
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Measured:
    """Floor, first and later nights on one extract. `waited` is the part of validate that is the child's start-up."""

    rows: int
    floor: Cost
    night: Cost
    stages: tuple[Cost, ...]
    waited: float
    later: tuple[LaterNight, ...]
    rules: RuleCosts

    @property
    def work_seconds(self) -> float:
        """The six stages without the wait for the checking process to start."""
        return sum(stage.seconds for stage in self.stages) - self.waited


def main() -> None:
    """Measure each size and print one table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench")
    arguments = parser.parse_args()
    print_machine()
    results = [measure(SIZES[size], arguments.folder / size) for size in arguments.sizes]
    print_table(results)
    print_rules([result.rules for result in results])
    print_later([(result.rows, result.night.seconds, result.later) for result in results])


def print_machine() -> None:
    """What was measured on, and whether it was free."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = os.cpu_count() or 1
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "great-expectations"))
    print(f"{platform.machine()}, {cores} cores, {memory_gb:.0f} GB, Python {platform.python_version()}, {versions}\n")
    load = os.getloadavg()[0]
    if load > BUSY_LOAD * cores:
        print(f"The machine is busy (load {load:.1f} on {cores} cores): read the seconds with care.\n", flush=True)


def measure(rows: int, folder: Path) -> Measured:
    """Floor and night on the same simulated extract."""
    extract = write_extract(rows, folder)
    workspace, floor_file = folder / "workspace", folder / "floor.duckdb"
    for leftover in (floor_file, floor_file.with_suffix(".duckdb.wal")):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(workspace, ignore_errors=True)
    said, _, floor_cost = _run("floor", [sys.executable, "-c", FLOOR, str(extract), str(floor_file)])
    found = json.loads(said)
    floor = Cost(
        "floor: DuckDB reads the files into tables", found["seconds"], found["peak_mb"], floor_cost.cpu_seconds
    )
    floor_file.unlink()
    command = ["-m", "flows.cli", "run", str(extract), "--direct", "--workspace", str(workspace)]
    _, log, night = _run("night", [sys.executable, *command])
    waited = sum(float(seconds) for seconds in WAITED.findall(log))
    stages = _stages(workspace, {name: float(seconds) for name, seconds in CPU.findall(log)})
    rules = measure_rules(workspace)
    print_attribution(workspace)
    later = measure_later(extract, folder, workspace, _run_command)
    measured = Measured(_lab_rows(extract), floor, night, stages, waited, later, rules)
    shutil.rmtree(workspace)
    return measured


def write_extract(rows: int, folder: Path) -> Path:
    """The simulated extract with about `rows` lab rows, made once and kept for the next measurement."""
    extract, aside, probe = folder / "extract", folder / "extract.part", folder / "probe"
    if not extract.exists():
        for leftover in (probe, aside):
            shutil.rmtree(leftover, ignore_errors=True)
        _simulate(PROBE_PEOPLE, probe)
        people = round(PROBE_PEOPLE * rows / _lab_rows(probe))
        shutil.rmtree(probe)
        _simulate(people, aside)
        aside.rename(extract)
    return extract


def print_table(results: Sequence[Measured]) -> None:
    """One row a step and size; then what ten times the rows cost."""
    print("| lab rows | step | seconds | CPU s | rows/s | peak MB | x floor |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for result in results:
        _print_line(result, result.floor)
        for stage in result.stages:
            _print_line(result, stage)
        peak = max(stage.peak_mb for stage in result.stages)
        _print_line(result, Cost("six stages, less the wait for the checks to start", result.work_seconds, peak))
        beside = result.night.seconds - result.work_seconds
        print(
            f"| {result.rows:,} | start-up (of it waited for in validate: {result.waited:.1f}) | {beside:.1f} | | | | |"
        )
        print(
            f"| {result.rows:,} | whole command, largest process | {result.night.seconds:.1f} | "
            f"{result.night.cpu_seconds or 0:.1f} | | {result.night.peak_mb:,.0f} | |"
        )
    print()
    for result in results:
        costs = {stage.name: stage for stage in result.stages}
        derive, receive = costs["derive"], costs["receive"]
        in_cpu, in_time = (derive.cpu_seconds or 0) / (receive.cpu_seconds or 1), derive.seconds / receive.seconds
        compared = f"{in_cpu:.2f} times the CPU seconds of receive (aim: {DERIVE_AIM})"
        print(f"At {result.rows:,} lab rows derive took {compared}, and {in_time:.1f} times the seconds.")
    if len(results) > 1:
        first, last = results[0], results[-1]
        print(
            f"{last.rows / first.rows:.1f} times the rows took {last.work_seconds / first.work_seconds:.1f} times "
            f"the seconds. Growth as a log-log slope (1 is in step with the rows): {_tell_slopes(first, last)}."
        )


def _tell_slopes(first: Measured, last: Measured) -> str:
    grown = math.log(last.rows / first.rows)
    before = {stage.name: stage.seconds for stage in first.stages}
    slopes = {s.name: math.log(s.seconds / max(before[s.name], 0.001)) / grown for s in last.stages}
    slopes["six stages"] = math.log(last.work_seconds / first.work_seconds) / grown
    return ", ".join(f"{name} {slope:.2f}" for name, slope in slopes.items())


def _print_line(result: Measured, cost: Cost) -> None:
    cpu = "" if cost.cpu_seconds is None else f"{cost.cpu_seconds:.1f}"
    print(
        f"| {result.rows:,} | {cost.name} | {cost.seconds:.1f} | {cpu} | {result.rows / max(cost.seconds, 0.01):,.0f} "
        f"| {cost.peak_mb:,.0f} | {cost.seconds / result.floor.seconds:.1f} |",
        flush=True,
    )


def _simulate(people: int, out: Path) -> None:
    options = ["--people", str(people), "--days", "730", "--format", "parquet", "--seed", "7", "--out", str(out)]
    _run("simulate", [sys.executable, "-m", "flows.cli", "simulate", *options])


def _stages(workspace: Path, cpu_seconds: Mapping[str, float]) -> tuple[Cost, ...]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        lines = connection.execute("SELECT stage, seconds, peak_memory_mb FROM ops.stage").fetchall()
    return tuple(Cost(stage, seconds, peak, cpu_seconds.get(stage)) for stage, seconds, peak in lines)


def _lab_rows(extract: Path) -> int:
    with duckdb.connect() as connection:
        found = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(extract / "labs*.parquet")]).fetchall()
    return int(found[0][0])


def _run_command(arguments: Sequence[str]) -> tuple[str, float, float]:
    said, _, cost = _run("night", [sys.executable, "-m", "flows.cli", *arguments])
    return said, cost.seconds, cost.cpu_seconds or 0


def _run(name: str, command: Sequence[str]) -> tuple[str, str, Cost]:
    """Output, log and cost of a process and its children; the peak is that of the largest process until now."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} ended with {done.returncode}\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, done.stderr, Cost(name, seconds, after.ru_maxrss / 1024, cpu)


if __name__ == "__main__":
    main()
