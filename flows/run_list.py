"""Every attempt in a workspace on a line: its rows, seconds and memory, and how these moved over the last nights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import duckdb

from flows.history import RunLine, list_runs
from flows.settings import Settings
from flows.warehouse import open_warehouse
from flows.workspace import Workspace

BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
N_NIGHTS = 30
FEWEST_NIGHTS = 3  # fewer show no trend
COSTS = """SELECT run_id, sum(seconds), max(peak_memory_mb), max(rows) FILTER (stage = 'receive')
    FROM ops.stage GROUP BY run_id"""
ROWS = "SELECT run_id, sum(n_received)::BIGINT, sum(n_quarantined)::BIGINT FROM ops.row_ledger GROUP BY run_id"


@dataclass(frozen=True)
class Cost:
    """What an attempt was given and what it took; None where it did not come so far."""

    seconds: float | None = None
    peak_memory_mb: float | None = None
    n_received: int | None = None
    n_set_aside: int | None = None


def show_runs(settings: Settings) -> tuple[Mapping[str, Any], str]:
    """Every attempt of a workspace, newest last: for `--json`, and for a terminal."""
    workspace = Workspace(settings.workspace.resolve())
    runs = list_runs(workspace, settings.memory_limit)
    if not runs:
        return {"runs": []}, "No run yet."
    with open_warehouse(workspace.warehouse, memory_limit=settings.memory_limit, read_only=True) as connection:
        costs = _read_costs(connection)
    lines = [(run, costs.get(run.run_id, Cost())) for run in runs]
    table = [
        {**{name: str(value) for name, value in vars(run).items() if value is not None}, **asdict(cost)}
        for run, cost in lines
    ]
    return {"runs": table}, "\n".join([*map(_say, lines), *_say_trend(lines)])


def _read_costs(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Cost]:
    stages = {run: rest for run, *rest in connection.execute(COSTS).fetchall()}
    rows = {run: rest for run, *rest in connection.execute(ROWS).fetchall()}
    found = {}
    for run in stages.keys() | rows.keys():
        seconds, memory, received = stages.get(run, (None, None, None))
        n_received, n_set_aside = rows.get(run, (received, None))
        found[run] = Cost(None if seconds is None else round(seconds, 1), memory, n_received, n_set_aside)
    return found


def _say(line: tuple[RunLine, Cost]) -> str:
    run, cost = line
    numbers = (
        "" if cost.n_received is None else f"{cost.n_received:>12,} rows",
        "" if cost.n_set_aside is None else f"{cost.n_set_aside:>9,} aside",
        "" if cost.seconds is None else f"{cost.seconds:>7,.1f} s",
        "" if cost.peak_memory_mb is None else f"{cost.peak_memory_mb:>6,.0f} MB",
    )
    widths = (17, 15, 9, 9)
    shown = " ".join(f"{text:>{width}}" for text, width in zip(numbers, widths, strict=True))
    return f"{run.run_id}  {run.state:<10} {run.verdict or '-':<5} {shown}  {run.message or ''}".rstrip()


def _say_trend(lines: Sequence[tuple[RunLine, Cost]]) -> Iterator[str]:
    """The newest published night beside those before it."""
    nights = [cost for run, cost in lines if run.state == "published"][-N_NIGHTS:]
    if len(nights) < FEWEST_NIGHTS:
        return
    yield f"Trend of the last {len(nights)} published nights, the newest against the median of the others:"
    for title, name in (("rows", "n_received"), ("set aside", "n_set_aside"), ("seconds", "seconds"),
                        ("memory, MB", "peak_memory_mb")):  # fmt: skip
        values = [float(getattr(cost, name) or 0) for cost in nights]
        before = median(values[:-1])
        change = f"{values[-1] / before:.2f} times" if before else "no median to compare with"
        yield f"  {title:<11} {_draw(values)}  {values[-1]:,.0f} against {before:,.0f}: {change}"


def _draw(values: Sequence[float]) -> str:
    highest = max(values) or 1.0
    return "".join(BARS[min(len(BARS) - 1, int(value / highest * len(BARS)))] for value in values)
