"""Times the search for episodes: every rule and threshold together against the default rule, on the counts of a night.

Processor seconds of one thread, the best of three, so that a machine with other work tells nearly the same.
`python -m tests.bench.rules WORKSPACE` measures the night of a workspace; `make bench` measures its own.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from transforms.codelists import read_conditions, read_drugs
from transforms.episodes import find_episodes
from transforms.exposures import recognise_drugs
from transforms.load import load_definitions
from transforms.model.episodes import EpisodeRule
from transforms.treatments import Treatments, read_treatments

ROOT = Path(__file__).parents[2]
PERSON = """(SELECT (row_number() OVER (ORDER BY source_id, person_id) - 1)::UINTEGER AS person_index, *
FROM canonical.person)"""
ROUNDS = 3
AIM = 2.0


@dataclass(frozen=True)
class RuleCosts:
    """Processor seconds of the default rule and of all rules, the counts read and the searches of all rules."""

    n_counts: int
    n_searches: int
    one_seconds: float
    all_seconds: float

    @property
    def ratio(self) -> float:
        """What all rules cost in units of one."""
        return self.all_seconds / self.one_seconds


def measure_rules(workspace: Path) -> RuleCosts:
    """In a process of its own with one thread."""
    command = [sys.executable, "-m", "tests.bench.rules", str(workspace), "--json"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | {"POLARS_MAX_THREADS": "1"}
    )
    return RuleCosts(**json.loads(done.stdout))


def print_rules(costs: Sequence[RuleCosts]) -> None:
    """One line a night."""
    for each in costs:
        print(
            f"Episodes in {each.n_counts:,} counts, one thread: the default rule {each.one_seconds:.2f} s, "
            f"all {each.n_searches} rules and thresholds {each.all_seconds:.2f} s, {each.ratio:.1f} times as much "
            f"(aim: {AIM:g})."
        )


def _measure(workspace: Path) -> RuleCosts:
    definitions = load_definitions()
    anc, treatments = _read(workspace)
    default = [rule for rule in definitions.rules if rule.is_default]
    return RuleCosts(
        anc.height,
        sum(len(rule.thresholds) for rule in definitions.rules),
        _time(anc, default, treatments),
        _time(anc, definitions.rules, treatments),
    )


def _read(workspace: Path) -> tuple[pl.DataFrame, Treatments]:
    definitions = load_definitions()
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:

        def rows(table: str) -> pl.DataFrame:
            keyed = f"SELECT p.person_index, r.* FROM {table} r JOIN {PERSON} p USING (source_id, person_id)"
            return connection.sql(keyed).pl()

        anc, exposure, diagnosis, person = (
            rows(table) for table in ("derived.anc", "canonical.exposure", "canonical.diagnosis", "canonical.person")
        )
    recognised = recognise_drugs(
        exposure.lazy(), diagnosis.lazy(), read_drugs(definitions), read_conditions(definitions), definitions.exposures
    )
    deaths = person.lazy().filter(pl.col("died_on").is_not_null()).select("person_index", "died_on")
    return anc, read_treatments(recognised.collect().lazy(), deaths, definitions.exposures, definitions.rules)


def _time(anc: pl.DataFrame, rules: Sequence[EpisodeRule], treatments: Treatments) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        find_episodes(anc.lazy(), rules, treatments).collect()
        best = min(best, time.process_time() - started)
    return best


if __name__ == "__main__":
    found = _measure(Path(sys.argv[1]))
    print(json.dumps(vars(found))) if "--json" in sys.argv else print_rules([found])
