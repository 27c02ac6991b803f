"""How many ordinary nights are stopped for a change, and how many nights that lost four specimens in ten are not.

Run with `python -m tests.bench.changes`: a simulated hospital with quiet weekends, a back-load, then night by night.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from expectations.profile import Profile, profiles_of
from flows.changes import Before, judge_changes
from flows.handover import LedgerLine, Received, ReceivedInput, Request, RunContext
from flows.night import run_night
from flows.profiling import profile_files, profile_rows
from flows.progress import Progress
from flows.settings import Settings
from flows.simulation.hospital import SimulationRequest, simulate_hospital
from flows.workspace import Workspace
from transforms.load import load_definitions

FIRST = date(2023, 2, 1)
LAB = "canonical.lab"
FILE = ReceivedInput("bench", "site", "labs", 1, "x", 1, "long", dates="real")
QUIET = "isodow(collected_at) <= 5 OR hash(specimen_id) % 3 = 0"  # a third of the specimens on days of rest
SHORT = "hash(specimen_id, 1) % 10 < 6"


class Nights:
    """Staged rows of one simulated hospital, cut into nights."""

    def __init__(self, people: int, folder: Path) -> None:
        extract, workspace = folder / "extract", folder / "workspace"
        request = SimulationRequest(people=people, days=500, format="parquet", out=extract, seed=5, truth=None)
        simulate_hospital(request)
        run_night(Request((extract,)), Settings(workspace=workspace, steady_seconds=0), Progress(is_quiet=True))
        self.folder = folder
        self.definitions = load_definitions()
        self.connection = duckdb.connect()
        staged = workspace / "staged" / "*" / "lab*.parquet"
        self.connection.execute(
            f"""CREATE TABLE lab AS SELECT * REPLACE ('bench' AS input_id, 'site' AS source_id)
            FROM read_parquet('{staged}') WHERE {QUIET}"""
        ).fetchall()

    def profile(self, night: date, condition: str) -> Profile:
        """What a night counts that is sent the rows for which the condition holds."""
        path = self.folder / "night.parquet"
        self.connection.execute(f"COPY (SELECT * FROM lab WHERE {condition}) TO '{path}' (FORMAT parquet)").fetchall()
        started_at = datetime(night.year, night.month, night.day, 2, tzinfo=UTC)
        workspace = Workspace(self.folder / "counted")
        context = RunContext("r", started_at, workspace, Settings(), self.definitions, Progress(is_quiet=True))
        ledger = (LedgerLine("bench", LAB, 1, 1),)
        nothing = self.folder / "nothing"
        received = Received((FILE,), {LAB: (path,)}, nothing, nothing, ledger, "real", "x", fresh=frozenset({"bench"}))
        facts = profile_rows(received, context)
        if isinstance(facts, str):
            raise SystemExit(facts)
        (profile,) = profiles_of((*profile_files(received, ledger, frozenset()), *facts), night)
        return profile

    def failed(self, tonight: Profile, earlier: Sequence[Profile]) -> dict[str, str]:
        """Checks that fail, with their severity."""
        back = self.definitions.changes.nights_back
        checks, _ = judge_changes([tonight], Before({"site": earlier[:back]}), self.definitions)
        return {check.check_id: check.severity for check in checks if check.status == "failed"}


def main() -> None:
    """Print what failed on ordinary nights, and how many of the short ones were stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=9000)
    parser.add_argument("--nights", type=int, default=420)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        nights = Nights(arguments.people, Path(folder))
        earlier = [nights.profile(FIRST, f"collected_at < DATE '{FIRST}'")]
        false: Counter[tuple[str, str]] = Counter()
        short: Counter[str] = Counter()
        stopped: Counter[str] = Counter()
        for day in (FIRST + timedelta(days=n) for n in range(arguments.nights)):
            own = f"collected_at::DATE = DATE '{day}'"
            tonight = nights.profile(day + timedelta(days=1), own)
            false.update(nights.failed(tonight, earlier).items())
            kind = "working days" if day.isoweekday() <= 5 else "days of rest"
            if len(earlier) > 4 and day.toordinal() % 3 == 0:
                cut = nights.failed(nights.profile(day + timedelta(days=1), f"{own} AND {SHORT}"), earlier)
                short[kind] += 1
                stopped[kind] += "stop" in cut.values()
            earlier.insert(0, tonight)
    print(f"{arguments.nights} ordinary nights: " + (", ".join(f"{k[1]} {k[0]} {n}" for k, n in false.items()) or "-"))
    print("\n".join(f"40 % short, {kind}: {stopped[kind]} of {n} stopped" for kind, n in sorted(short.items())))


if __name__ == "__main__":
    main()
