"""Times the suspects of a hundred thousand episodes with a million exposures, beside the search for those episodes.

The people of a night are taken so often that they have as many episodes, and their doses are repeated on the days after
until there are as many exposures. `python -m tests.bench.attribution WORKSPACE` measures the night of a workspace;
`make bench` measures its own. Processor seconds of one thread, so that a machine with other work tells nearly the same,
and memory, at half the size and at all of it; each step is a process of its own.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl

from transforms.anc import choose_anc, list_candidates, measure_specimens
from transforms.attribution import Evidence, Judgement, attribute_causes
from transforms.codelists import read_conditions, read_drugs
from transforms.episodes import find_episodes
from transforms.exposures import recognise_drugs
from transforms.findings import list_findings
from transforms.load import Definitions, load_definitions
from transforms.treatments import read_treatments

ROOT = Path(__file__).parents[2]
EPISODES, EXPOSURES = 100_000, 1_000_000
PERSON = """(SELECT (row_number() OVER (ORDER BY source_id, person_id) - 1)::UINTEGER AS person_index, *
FROM canonical.person)"""
TABLES = {
    "anc": "derived.anc",
    "exposure": "canonical.exposure",
    "diagnosis": "canonical.diagnosis",
    "observation": "canonical.observation",
    "person": "canonical.person",
    "episode": "derived.episode",
    "result": "canonical.lab",
    "lab": "canonical.lab",
}
ROUNDS = 3
Rows = Mapping[str, pl.LazyFrame]
STEPS = ("counts", "episodes", "recognition", "attribution")


@dataclass(frozen=True)
class Cost:
    """Processor seconds, the best of ROUNDS, and memory in MB of a step."""

    seconds: float
    peak_mb: float


def print_attribution(workspace: Path) -> None:
    """One row a step at half the size and at all of it, and the ratio of suspects to episodes."""
    print("\n| episodes | exposures | step | seconds | peak MB |\n|---:|---:|---|---:|---:|")
    for share in (0.5, 1.0):
        with TemporaryDirectory() as name:
            folder = Path(name)
            sizes = write_rows(workspace, folder, share)
            costs = {step: _measure(folder, step) for step in STEPS}
        for step, cost in costs.items():
            print(
                f"| {sizes['episode']:,} | {sizes['exposure']:,} | {step} | {cost.seconds:.1f} | {cost.peak_mb:,.0f} |"
            )
    suspects = costs["recognition"].seconds + costs["attribution"].seconds
    whole = costs["counts"].seconds + costs["episodes"].seconds
    print(
        f"\nSuspects take {suspects / whole:.2f} times what it takes from results to episodes (aim 1), and "
        f"{suspects / costs['episodes'].seconds:.1f} times the search for episodes in finished counts."
    )


def write_rows(workspace: Path, folder: Path, share: float) -> dict[str, int]:
    """NAME.parquet of each of TABLES, repeated to size; rows of each."""
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:

        def count(table: str) -> int:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])

        people, episodes = count("canonical.person"), max(count("derived.episode"), 1)
        times = -(-EPISODES // episodes)
        part = share * EPISODES / (times * episodes)
        doses = max(1, round(share * EXPOSURES / max(part * times * count("canonical.exposure"), 1)))
        definitions = load_definitions()
        analytes = {
            "result": {one.analyte for one in list_findings(definitions.causes)},
            "lab": set(definitions.anc.analytes),
        }
        sizes = {}
        for name, table in TABLES.items():
            kept = f"WHERE p.person_index < {part * people}"
            if name in analytes:
                kept += " AND r.analyte IN ({})".format(", ".join(f"'{each}'" for each in sorted(analytes[name])))
            if name == "result":
                kept += " AND hash(r.record_key) % 10 = 0"  # about as many as are beyond a limit
            repeated = "p.person_index + again.i * " + str(people)
            columns = f"({repeated})::UINTEGER AS person_index, r.* EXCLUDE (person_id, source_id)"
            if name == "exposure":
                columns += (
                    " REPLACE (r.started_at + dose.i * INTERVAL 1 DAY AS started_at,"
                    " r.ended_at + dose.i * INTERVAL 1 DAY AS ended_at)"
                )
            more = f", range({doses}) dose(i)" if name == "exposure" else ""
            query = f"""SELECT {columns} FROM {table} r JOIN {PERSON} p USING (source_id, person_id),
                range({times}) again(i){more} {kept}"""
            path = folder / f"{name}.parquet"
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION snappy)").fetchall()
            sizes[name] = int(connection.execute(f"SELECT count(*) FROM '{path}'").fetchall()[0][0])
    return sizes


def _measure(folder: Path, step: str) -> Cost:
    command = [sys.executable, "-m", "tests.bench.attribution", str(folder), step]
    environment = os.environ | {"POLARS_MAX_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
    return Cost(**json.loads(done.stdout))


def _do(folder: Path, step: str) -> None:
    """One step, the best of ROUNDS, on what the step before it left."""
    definitions = load_definitions()
    rows = {name: pl.scan_parquet(folder / f"{name}.parquet") for name in TABLES}
    does = {"counts": _count, "episodes": _search, "recognition": _recognise, "attribution": _attribute}[step]
    best = float("inf")
    for _ in range(ROUNDS):
        best = min(best, does(folder, rows, definitions))
    print(json.dumps({"seconds": best, "peak_mb": _read_peak_mb()}))


def _read_peak_mb() -> float:
    """Of this process alone: what `getrusage` tells is at least that of the process that began it."""
    told = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(told.split()[1]) / 1024


def _count(folder: Path, rows: Rows, definitions: Definitions) -> float:
    scale = next(scale for scale in definitions.scales if scale.is_default)
    started = time.process_time()
    specimens = measure_specimens(rows["lab"], definitions.anc)
    pl.collect_all([list_candidates(specimens), choose_anc(specimens, definitions.anc, scale)])
    return time.process_time() - started


def _search(_: Path, rows: Rows, definitions: Definitions) -> float:
    drugs, conditions = read_drugs(definitions), read_conditions(definitions)
    nothing = rows["exposure"].head(0), rows["diagnosis"].head(0)
    deaths = rows["person"].filter(pl.col("died_on").is_not_null()).select("person_index", "died_on")
    none = recognise_drugs(*nothing, drugs, conditions, definitions.exposures).collect().lazy()
    treatments = read_treatments(none, deaths, definitions.exposures, definitions.rules)
    started = time.process_time()
    find_episodes(rows["anc"], definitions.rules, treatments).collect()
    return time.process_time() - started


def _recognise(folder: Path, rows: Rows, definitions: Definitions) -> float:
    started = time.process_time()
    drugs, conditions = read_drugs(definitions), read_conditions(definitions)
    found = recognise_drugs(rows["exposure"], rows["diagnosis"], drugs, conditions, definitions.exposures)
    found.sink_parquet(folder / "recognised.parquet", compression="snappy")
    return time.process_time() - started


def _attribute(folder: Path, rows: Rows, definitions: Definitions) -> float:
    started = time.process_time()
    names = ("diagnosis", "observation", "anc", "result", "person")
    evidence = Evidence(pl.scan_parquet(folder / "recognised.parquet"), *(rows[name] for name in names))
    judgement = Judgement(definitions.causes, read_conditions(definitions), definitions.naranjo)
    attribute_causes(rows["episode"], evidence, judgement).collect()
    return time.process_time() - started


if __name__ == "__main__":
    _do(Path(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 2 else print_attribution(Path(sys.argv[1]))
