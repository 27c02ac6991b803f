"""Times receive against DuckDB reading the same files into tables: Parquet, CSV and packed CSV of one extract.

Each is a process of its own; floor and receive take turns, and the least of each counts. Part of `make bench`.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from tests.bench.night import ROOT, SIZES, print_machine, write_extract

AIM = 2.0
TURNS = 2
FLOOR = """
import duckdb, json, pathlib, sys, tempfile, time
read = 'read_parquet' if sys.argv[2] == 'parquet' else 'read_csv'
with tempfile.TemporaryDirectory(dir=pathlib.Path(sys.argv[1]).parent) as folder:
    started, cpu = time.perf_counter(), time.process_time()
    connection = duckdb.connect(folder + '/floor.duckdb', config={'memory_limit': '3GB'})
    connection.execute('SET enable_progress_bar=false').fetchall()
    for number, path in enumerate(sorted(pathlib.Path(sys.argv[1]).iterdir())):
        connection.execute(f"CREATE TABLE t{number} AS SELECT * FROM {read}('{path}')").fetchall()
    connection.execute('CHECKPOINT').fetchall()
    print(json.dumps([time.perf_counter() - started, time.process_time() - cpu]))
"""
RECEIVE = """
import json, pathlib, sys, tempfile, time
from datetime import datetime
from flows.handover import Request, RunContext
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.receive import receive
from flows.workspace import Workspace
from transforms.load import load_definitions
extract = pathlib.Path(sys.argv[1])
with tempfile.TemporaryDirectory(dir=extract.parent) as folder:
    workspace, definitions = Workspace(pathlib.Path(folder)).create(), load_definitions()
    context = RunContext('bench', datetime(2026, 1, 1), workspace, Settings(), definitions, Progress(is_quiet=True))
    started, cpu = time.perf_counter(), time.process_time()
    receive(Request((extract,)), context)
    print(json.dumps([time.perf_counter() - started, time.process_time() - cpu]))
"""
Cost = tuple[float, float]


def main() -> None:
    """Measure each format and print one table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["10M"])
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench")
    arguments = parser.parse_args()
    print_machine()
    print("| lab rows | format | floor s | receive s | x floor | floor CPU s | receive CPU s | x floor CPU | aim |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for size in arguments.sizes:
        extract = write_extract(SIZES[size], arguments.folder / size)
        with duckdb.connect() as connection:
            rows = connection.execute(f"SELECT count(*) FROM '{extract}/labs*.parquet'").fetchall()[0][0]
        for kind in ("parquet", "csv", "csv.gz"):
            _print_line(kind, write_copy(extract, kind), rows)


def write_copy(extract: Path, kind: str) -> Path:
    """The extract in another format, beside it, made once."""
    copy = extract.with_name(f"extract_{kind.replace('.', '_')}")
    if kind == "parquet" or copy.exists():
        return extract if kind == "parquet" else copy
    aside = copy.with_suffix(".part")
    aside.mkdir(exist_ok=True)
    packed = ", COMPRESSION gzip" if kind == "csv.gz" else ""
    with duckdb.connect() as connection:
        for path in sorted(extract.glob("*.parquet")):
            target = aside / f"{path.stem}.{kind}"
            connection.execute(f"COPY (FROM '{path}') TO '{target}' (FORMAT csv, HEADER{packed})").fetchall()
    return aside.rename(copy)


def _print_line(kind: str, extract: Path, rows: int) -> None:
    floors, nights = [], []
    for _ in range(TURNS):
        floors.append(_measure(FLOOR, [str(extract), kind]))
        nights.append(_measure(RECEIVE, [str(extract)]))
    (floor, floor_cpu), (night, night_cpu) = (
        (min(c[0] for c in costs), min(c[1] for c in costs)) for costs in (floors, nights)
    )
    print(
        f"| {rows:,} | {kind} | {floor:.1f} | {night:.1f} | {night / floor:.2f} | {floor_cpu:.1f} | {night_cpu:.1f} "
        f"| {night_cpu / floor_cpu:.2f} | {AIM:.1f} |",
        flush=True,
    )


def _measure(program: str, arguments: Sequence[str]) -> Cost:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    seconds, cpu_seconds = json.loads(done.stdout)
    return seconds, cpu_seconds


if __name__ == "__main__":
    main()
