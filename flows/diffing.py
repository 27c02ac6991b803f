"""What moved between two published runs: numbers by figure, those that left their interval, and what differs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flows.earlier_night import Summary, read_released, tell_difference
from flows.exporting import find_published
from flows.settings import Settings
from flows.site import SUMMARY
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from reports.chart_list import load_charts
from reports.charts.spec import Chart
from reports.facts import Earlier
from reports.moves import Move, Moves, compare_nights, interval_of, say_row
from reports.numbers import read_tables
from reports.wording import Wording
from transforms.load import load_definitions

SHOWN = 20


@dataclass(frozen=True)
class RunsCompared:
    """Two runs: what each said of itself, what differs, and how every number moved."""

    before: Summary
    now: Summary
    differs: Earlier
    charts: tuple[Chart, ...]
    moves: Moves
    wording: Wording

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return {
            "before": self.before["run_id"],
            "now": self.now["run_id"],
            "moved_by": list(self.differs.movers),
            "differs": asdict(self.differs),
            "key_numbers": [dict(line) for line in self._key_numbers()],
            "figures": {chart.id: dict(self.moves.count(chart)) for chart in self.charts if self.moves.count(chart)},
            "left_their_interval": [self._line(move) for move in self.moves.outstanding],
        }

    def as_text(self) -> str:
        """For a terminal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.before['run_id']} -> {self.now['run_id']}"
        yield f"Moved by: {', '.join(self.differs.movers) or 'nothing that is known'}"
        for name, old, new in self.differs.definitions:
            yield f"  definition {name}: {old or 'none'} -> {new or 'none'}"
        yield "Key numbers"
        for line in self._key_numbers():
            yield f"  {line['title']}: {line['before'] or 'none'} -> {line['now'] or 'none'}"
        yield "Numbers: " + ", ".join(f"{number:,} {state}" for state, number in self.moves.count_all().items())
        yield f"Left the interval that the earlier run gave: {len(self.moves.outstanding):,}"
        for move in self.moves.outstanding[:SHOWN]:
            line = self._line(move)
            yield f"  {line['figure']}: {line['of']}: {line['before']} ({line['interval']}) -> {line['now']}"
        if len(self.moves.outstanding) > SHOWN:
            yield f"  and {len(self.moves.outstanding) - SHOWN:,} more, all of them with --json"

    def _key_numbers(self) -> Iterator[Mapping[str, str]]:
        old, new = ({one["id"]: one for one in night["key_numbers"]} for night in (self.before, self.now))
        for name in (*new, *(name for name in old if name not in new)):
            said = new.get(name) or old[name]
            texts = {"before": old.get(name, {}).get("text", ""), "now": new.get(name, {}).get("text", "")}
            yield {"id": name, "title": said.get("title", said["label"]), **texts}

    def _line(self, move: Move) -> dict[str, str]:
        chart, interval = move.chart, interval_of(move.chart)
        between = self.wording.cell(move.before or {}, interval.kind, interval.keys) if interval else ""
        texts = [self.wording.number(move.value(row), chart.alt.kind) for row in (move.before, move.now)]
        of = say_row(move, self.wording)
        return {"figure": chart.title, "of": of, "before": texts[0], "interval": between, "now": texts[1]}


def diff_runs(before: str, now: str, settings: Settings) -> RunsCompared:
    """Compare two published runs; a run that is not there is wrong use."""
    workspace = Workspace(settings.workspace.resolve())
    nights = [json.loads((find_published(run_id, workspace) / SUMMARY).read_text()) for run_id in (before, now)]
    wording = Wording(load_definitions(settings.definitions))
    limit = settings.memory_limit
    released = [read_released(workspace.warehouse, str(n["run_id"]), str(n["channel"]), limit) for n in nights]
    tables = [read_tables(one, wording) for one in released]
    charts = load_charts()
    differs = tell_difference(nights[0], nights[1], _count_new(before, now, workspace, limit))
    return RunsCompared(nights[0], nights[1], differs, charts, compare_nights(charts, *tables), wording)


def _count_new(before: str, now: str, workspace: Workspace, memory_limit: str) -> int:
    """Files of the later run that the earlier one did not have."""
    with open_warehouse(workspace.warehouse, memory_limit=memory_limit, read_only=True) as connection:
        found = connection.execute(
            """SELECT count(DISTINCT input_id) FROM ops.input WHERE run_id = ?
            AND input_id NOT IN (SELECT input_id FROM ops.input WHERE run_id = ?)""",
            [now, before],
        ).fetchall()
    return int(found[0][0])
