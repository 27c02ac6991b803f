"""CPU seconds of estimate and release against those of derive: 40 cohorts, 60 months, 3 thresholds, all denominators.

Run with `make bench`. Nights of two sizes are measured. What derive and estimate take grows with the people, so a
million follows from the line through both. Release has no such line: it grows with people as long as counts are small,
and takes seconds where none is; that of the larger night stands for it, which may be too little.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import duckdb
import yaml

from tests.bench.night import CPU, ROOT, print_machine
from transforms.load import load_definitions

PEOPLE, WHOLE, DAYS, COHORTS, AIM = (2_000, 8_000), 1_000_000, 1826, 40, 0.5
SEXES = ("female", "male")
BANDS = ((0, 17), (18, 39), (40, 64), (18, 64), (65, None), (75, None))
STAGES = ("derive", "estimate", "release")


def main() -> None:
    """Measure both sizes, and print what a million people would take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", nargs=2, type=int, default=list(PEOPLE))
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench" / "estimating")
    arguments = parser.parse_args()
    print_machine()
    folder: Path = arguments.folder
    definitions = write_cohorts(folder / "definitions")
    nights = {people: measure(people, folder / str(people), definitions) for people in sorted(arguments.people)}
    print_nights(nights)


def write_cohorts(folder: Path) -> Path:
    """Definitions that add bands of age of either sex to the shipped cohorts, 40 in all."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "cohorts").mkdir(parents=True)
    missing = COHORTS - len(load_definitions().cohorts)
    for sex, (first, last) in list(product(SEXES, BANDS))[:missing]:
        band = {"at_least_years": first} | ({} if last is None else {"at_most_years": last})
        name = f"{sex}_{first}_{last or 'and_over'}"
        about = {"id": name, "version": "1", "title": name.replace("_", " "), "rule": "by age and sex"}
        about |= {"source": "a measurement", "why": "a measurement", "caveats": ["a measurement"], "examples": []}
        criterion = {"criterion": {"all_of": [{"sex": sex}, {"age": band}]}}
        (folder / "cohorts" / f"{name}.yaml").write_text(yaml.safe_dump(about | criterion), encoding="utf-8")
    return folder


def measure(people: int, folder: Path, definitions: Path) -> Mapping[str, float]:
    """CPU seconds of each stage of one night on simulated people."""
    extract, workspace = folder / "extract", folder / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    if not extract.exists():
        size = ("--people", str(people), "--days", str(DAYS), "--format", "parquet", "--seed", "7")
        _call("simulate", *size, "--out", str(extract))
    told = _call("run", str(extract), "--direct", "--workspace", str(workspace), "--definitions", str(definitions))
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        cohorts, months, thresholds, denominators = connection.execute(
            "SELECT count(DISTINCT cohort), count(DISTINCT interval_start) FILTER (interval_unit = 'month'), "
            "count(DISTINCT threshold_cells_per_ul) FILTER (measure = 'any_low'), count(DISTINCT denominator_name) "
            "FROM released.population"
        ).fetchall()[0]
    print(
        f"{people:,} people: {cohorts} cohorts with people, {months} months, {thresholds} thresholds, "
        f"{denominators} denominators.",
        flush=True,
    )
    shutil.rmtree(workspace)
    seconds = dict(CPU.findall(told))
    return {stage: float(seconds[stage]) for stage in STAGES}


def print_nights(nights: Mapping[int, Mapping[str, float]]) -> None:
    """A row a size, one of a million, and the ratio."""
    (few, one), (many, other) = sorted(nights.items())
    whole = {
        stage: other[stage] + (other[stage] - one[stage]) / (many - few) * (WHOLE - many)
        for stage in ("derive", "estimate")
    } | {"release": other["release"]}
    print("\n| people | derive s | estimate s | release s |\n|---:|---:|---:|---:|")
    rows: Sequence[tuple[str, Mapping[str, float]]] = (
        (f"{few:,}", one),
        (f"{many:,}", other),
        (f"{WHOLE:,} (by the line through both; release as above)", whole),
    )
    for name, seconds in rows:
        print(f"| {name} | " + " | ".join(f"{seconds[stage]:.1f}" for stage in STAGES) + " |")
    ratio = (whole["estimate"] + whole["release"]) / whole["derive"]
    print(f"\nEstimate and release take {ratio:.2f} times what derive takes (aim: {AIM:g}).")


def _call(*arguments: str) -> str:
    command = [sys.executable, "-m", "flows.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments[:2])} ended with {done.returncode}\n{done.stderr}")
    return done.stdout + done.stderr


if __name__ == "__main__":
    main()
