"""Times the nights after the first: one that touches one person in a hundred, and one that brings nothing new.

The second night's file holds late results (a specimen of three hours later) and corrections of every seventh specimen
of the people it touches. The last night is given the first night's files once more.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

ONE_IN = 100
AIM_SHARE, AIM_SECONDS = 0.08, 5


@dataclass(frozen=True)
class LaterNight:
    """What one command took, in seconds of the clock and of the processors, and which people it touched."""

    name: str
    seconds: float
    cpu_seconds: float
    n_people: int
    stages: str = ""


Run = Callable[[Sequence[str]], tuple[str, float, float]]


def measure_later(extract: Path, folder: Path, workspace: Path, run: Run) -> tuple[LaterNight, ...]:
    """Both nights on a workspace in which the first is published. `run` gives output, seconds and CPU seconds."""
    touching, n_people = write_touching(extract, folder / f"touching_one_in_{ONE_IN}")
    found = []
    for name, files, touched, is_new in (
        (f"second night, 1 person in {ONE_IN} touched", touching, n_people, True),
        ("night with nothing new", extract, 0, False),
    ):
        before = _count_rows(workspace)
        said, seconds, cpu_seconds = run(["run", str(files), "--direct", "--json", "--workspace", str(workspace)])
        if json.loads(said)["is_new"] != is_new or (_count_rows(workspace) != before) != is_new:
            sys.exit(f"{name}: the night did not do what is measured")
        found.append(LaterNight(name, seconds, cpu_seconds, touched, _stages(workspace) if is_new else ""))
    return tuple(found)


def write_touching(extract: Path, folder: Path) -> tuple[Path, int]:
    """An extract of new lab rows of one person in a hundred; how many people that is."""
    labs = f"read_parquet('{extract / 'labs*.parquet'}')"
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            f"""CREATE TEMP TABLE labs AS SELECT * FROM {labs} SEMI JOIN (
                SELECT person_id FROM (SELECT DISTINCT person_id FROM {labs}) WHERE hash(person_id) % {ONE_IN} = 0
            ) USING (person_id)"""
        ).fetchall()
        connection.execute(
            f"""COPY (
                SELECT * REPLACE (
                    'L' || specimen_id AS specimen_id, collected_at + INTERVAL 3 HOUR AS collected_at,
                    resulted_at + INTERVAL 3 HOUR AS resulted_at
                ) FROM labs SEMI JOIN (SELECT max(specimen_id) AS specimen_id FROM labs GROUP BY person_id)
                USING (specimen_id)
                UNION ALL
                SELECT * REPLACE (
                    'corrected' AS status, resulted_at + INTERVAL 2 DAY AS resulted_at,
                    (TRY_CAST(value AS DOUBLE) / 2)::VARCHAR AS value
                ) FROM labs WHERE hash(specimen_id) % 7 = 0 AND TRY_CAST(value AS DOUBLE) IS NOT NULL
                ORDER BY person_id, specimen_id, test_code
            ) TO '{folder / "labs.parquet"}' (FORMAT parquet)"""
        ).fetchall()
        n_people = connection.execute("SELECT count(DISTINCT person_id) FROM labs").fetchall()[0][0]
    return folder, int(n_people)


def print_later(results: Sequence[tuple[int, float, Sequence[LaterNight]]]) -> None:
    """One row a night: lab rows and seconds of the first night, then what a later one took and its share of that."""
    print("\n| lab rows before | night | people touched | seconds | CPU s | of the first night | aim |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for rows, first_seconds, nights in results:
        for night in nights:
            aim = f"{AIM_SHARE:.0%}" if night.n_people else f"{AIM_SECONDS} s"
            print(
                f"| {rows:,} | {night.name} | {night.n_people:,} | {night.seconds:.1f} | {night.cpu_seconds:.1f} "
                f"| {night.seconds / first_seconds:.1%} | {aim} |"
            )
    for rows, _, nights in results:
        print("".join(f"\n{rows:,} lab rows, {night.name}: {night.stages}" for night in nights if night.stages))


def _stages(workspace: Path) -> str:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        lines = connection.execute(
            "SELECT stage, seconds FROM ops.stage JOIN ops.run USING (run_id) WHERE state = 'published' "
            "AND run_id = (SELECT max_by(run_id, started_at) FROM ops.run WHERE state = 'published')"
        ).fetchall()
    return ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in lines)


def _count_rows(workspace: Path) -> tuple[int, ...]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        counted = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in ("canonical.lab", "derived.anc", "released.prevalence")
        ]
    return tuple(counted)
