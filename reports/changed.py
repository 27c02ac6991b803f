"""What changed since the last night of the same sources, and what to look at first: said from numbers and checks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from reports.charts.spec import Chart
from reports.facts import CheckFact, NightFacts
from reports.moves import STATES, Move, Moves, compare_nights, interval_of, say_row, view_of
from reports.numbers import Numbers
from reports.rows import Row
from reports.wording import DASH, Wording, plain

FIRST = 4  # on the first screen
LISTED = 25
BAD = frozenset({"failed", "error"})


def tell_changes(charts: Sequence[Chart], numbers: Numbers, facts: NightFacts) -> Mapping[str, Any]:
    """What the section on changes and the first screen say, by the names of their templates."""
    moves = compare_nights(charts, numbers.before, numbers.tables)
    checks = _checks(facts)
    first = _look_first(moves, checks, facts, numbers)
    return {
        "earlier": facts.earlier,
        "movers": _movers(facts, numbers.wording),
        "versions_moved": [
            (name, before or DASH, now or DASH)
            for name, before, now in (facts.earlier.definitions if facts.earlier else ())
        ],
        "moved_by_figure": _by_figure(charts, moves),
        "n_outstanding": len(moves.outstanding),
        "outstanding": [_line(move, numbers) for move in moves.outstanding[:LISTED]],
        "checks_moved": checks,
        "look_first": first[:FIRST],
        "n_more": len(first) - FIRST,
        "n_moved": moves.count_all(),
    }


def _movers(facts: NightFacts, wording: Wording) -> str:
    """Whether data, definitions or code moved the numbers, as far as that can be told."""
    if facts.earlier is None:
        return ""
    words: Mapping[str, str] = wording.glossary.get("movers", {})
    movers = facts.earlier.movers
    if len(movers) > 1:
        return words["several"].format(movers=" and ".join(words[f"{name}_short"] for name in movers))
    return words[movers[0]] if movers else words["nothing"]


def _by_figure(charts: Sequence[Chart], moves: Moves) -> list[tuple[str, str, list[int]]]:
    counted = [(chart, moves.count(chart)) for chart in charts]
    out = Counter(move.chart.id for move in moves.outstanding)
    return [
        (f"chart-{chart.id}", chart.title, [*(counts.get(state, 0) for state in STATES), out[chart.id]])
        for chart, counts in counted
        if counts
    ]


def _line(move: Move, numbers: Numbers) -> dict[str, str]:
    chart, wording = move.chart, numbers.wording
    interval = interval_of(chart)
    return {
        "figure": chart.title,
        "of": say_row(move, wording),
        "before": wording.number(move.value(move.before), chart.alt.kind),
        "interval": _written(move.before, interval.kind, interval.keys, wording) if interval else "",
        "now": wording.number(move.value(move.now), chart.alt.kind),
        "size": f"{move.size:.1f}" if move.size is not None else "",
        "href": "#" + urlencode({**view_of(move, numbers.choices), "at": f"chart-{chart.id}"}),
    }


def _written(row: Row | None, kind: str, keys: Sequence[str], wording: Wording) -> str:
    return "" if row is None else wording.cell(row, kind, keys)


def _checks(facts: NightFacts) -> dict[str, list[CheckFact]]:
    """Checks by what became of them since the last night: new, still, resolved."""
    found: dict[str, list[CheckFact]] = {"new": [], "still": [], "resolved": []}
    for check in facts.checks:
        marks = facts.trend.checks.get(check.check_id, ())
        was_bad = len(marks) > 1 and marks[-2] is not None and marks[-2].status in BAD
        is_bad = check.status in BAD
        if is_bad or was_bad:
            found[("still" if was_bad else "new") if is_bad else "resolved"].append(check)
    return found


def _look_first(
    moves: Moves, checks: Mapping[str, Sequence[CheckFact]], facts: NightFacts, numbers: Numbers
) -> list[dict[str, str]]:
    """Failed checks, those that are new tonight first, then the numbers that left their interval the furthest."""
    words = numbers.wording.glossary.get("look_first", {})
    is_first = not facts.trend.has_earlier
    items = [
        {
            "tag": words["check"] if is_first else words[f"check_{state}"],
            "text": plain(check.title or check.check_id.replace("_", " ")),
            "more": numbers.wording.name("check_severity", check.severity),
            "href": f"#check-{check.check_id}",
        }
        for state in ("new", "still")
        for check in checks[state]
    ]
    told: set[tuple[str, str]] = set()
    for move in moves.outstanding:
        place = (move.chart.id, str(move.row.get("cohort")))  # one number a figure and cohort: the others say the same
        if place not in told:
            told.add(place)
            line = _line(move, numbers)
            text, more = f"{line['figure']}: {line['of']}", words["moved"].format(**line)
            items.append({"tag": words["number"], "text": text, "more": more, "href": line["href"]})
    return items
