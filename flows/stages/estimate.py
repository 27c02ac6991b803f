"""Estimate: people and episodes become additive counts, and every estimate is a function of those counts alone."""

from pathlib import Path

import polars as pl

from flows.handover import Derived, Estimated, RunContext
from transforms.counting import count_people
from transforms.estimates import estimate_counts
from transforms.plan import plan_of

FRAMES = ("person", "observation", "anc", "episode", "episode_cause", "cohort_member")


def estimate(derived: Derived, context: RunContext) -> Estimated:
    """Write every `counts.*` and `estimate.*` table of the night as Parquet in the run's work folder."""
    dates = derived.validated.received.dates
    plan = plan_of(context.definitions, has_calendar=dates == "real", has_dates=dates != "none")
    frames = {name: pl.scan_parquet(derived.frames[name]) for name in FRAMES}
    context.progress.rows(frames["anc"].select(pl.len()).collect().item())
    counts = count_people(frames, plan)
    estimates = estimate_counts(counts, plan, run_id=context.run_id)
    return Estimated(derived, {name: _write(context.work, name, rows) for name, rows in (counts | estimates).items()})


def _write(work: Path, table: str, rows: pl.DataFrame) -> Path:
    folder, _, name = table.partition(".")
    path = work / folder / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
    return path
