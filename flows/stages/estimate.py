"""Estimate: people and episodes become additive counts, and every estimate is a function of those counts alone.

Where only some people are touched, only they are counted, as they were and as they are; the counts of all follow.
"""

from pathlib import Path

import polars as pl

from flows.code_version import code_version
from flows.counts_file import Site, write_counts
from flows.handover import Derived, Estimated, RunContext
from flows.history import list_runs
from flows.own_crew import crew_of
from flows.part import STANDING
from flows.shown_before import read_told
from flows.workspace import COUNTS
from transforms.estimates import estimate_counts
from transforms.plan import plan_of
from transforms.zeros import replace_counted, with_zeros


def estimate(derived: Derived, context: RunContext) -> Estimated:
    """Write every `counts.*` and `estimate.*` table of the night as Parquet in the run's work folder."""
    dates = derived.validated.received.dates
    plan = plan_of(context.definitions, has_calendar=dates == "real", has_dates=dates != "none")
    context.progress.rows(pl.scan_parquet(derived.frames["anc"]).select(pl.len()).collect().item())
    crew = crew_of(context)
    counts = crew.count(derived.parts, plan)
    written, gone = counts, {}
    if derived.standing is not None:
        standing = {name: pl.read_parquet(path) for name, path in derived.standing.counts.items()}
        replaced = replace_counted(standing, crew.count(derived.parts, plan, before=STANDING), counts)
        counts = {name: table.rows for name, table in replaced.items()}
        written = {name: table.came for name, table in replaced.items()}
        gone = {name: _write(context.work, f"gone.{name}", table.gone) for name, table in replaced.items()}
    told = read_told(context)
    write_counts(context.work / COUNTS, counts, [_site(derived, context)], context.definitions, told)
    estimates = estimate_counts(with_zeros(counts, plan), plan, run_id=context.run_id)
    tables = {name: _write(context.work, name, rows) for name, rows in (written | estimates).items()}
    return Estimated(derived, tables, gone)


def _site(derived: Derived, context: RunContext) -> Site:
    """What a network has to know of this hospital beside its counts."""
    received = derived.validated.received
    first, last = derived.span if received.dates == "real" else (None, None)
    runs = list_runs(context.workspace, context.settings.memory_limit)
    return Site(
        workspace=runs[0].run_id if runs else context.run_id,
        result_id=received.result_id,
        code_version=code_version(),
        dates=received.dates,
        verdict=derived.validated.verdict,
        data_from=first,
        data_through=last,
        answers=derived.answers,
    )


def _write(work: Path, table: str, rows: pl.DataFrame) -> Path:
    folder, _, name = table.partition(".")
    path = work / folder / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
    return path
