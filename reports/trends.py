"""How a check or a rule moved over the last nights: a small drawing, the same in words, and the same as a table.

Shape tells how a night ended, height the share of rows, so that no meaning is in a colour alone. Nothing here needs a
script, and the same trend is always drawn in the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.facts import CheckMark, RefusedMark, Trend
from reports.wording import DASH, count, percent

STEP, BAR, HEIGHT, FOOT, DOT = 7, 5, 24, 2, 3  # pixels of the drawing: a night, its bar, all, least bar, dot above
SYMBOLS: Mapping[str, str] = {"go": "✓", "warn": "!", "stop": "✕"}


@dataclass(frozen=True)
class Point:
    """One night of a series: how it ended, and `n` rows of `n_of` that failed or were set aside."""

    ended: str
    n: int | None = None
    n_of: int | None = None

    @property
    def share(self) -> float | None:
        """The rows as a share; None where there is no whole."""
        return self.n / self.n_of if self.n is not None and self.n_of else None


Series = Sequence[Point | None]


def check_series(marks: Sequence[CheckMark | None]) -> Series:
    """A check over the nights."""
    return [None if mark is None else Point(mark.status, mark.n_failed, mark.n_rows) for mark in marks]


def refused_series(marks: Sequence[RefusedMark | None]) -> Series:
    """A rule on a table of a source over the nights."""
    return [
        None if mark is None else Point("aside" if mark.n_rows else "none", mark.n_rows, mark.n_received)
        for mark in marks
    ]


def trend_words(series: Series) -> str:
    """The drawing in words; empty on a first night."""
    if not series[:-1]:
        return ""
    made = [point for point in series if point is not None]
    missing = len(series) - len(made)
    not_made = f", not looked at on {missing}" if missing else ""
    return f"Last {len(series)} nights: {_told(made)}{not_made}{_spread(made)}."


def is_told(point: Point) -> bool:
    """Whether somebody would want to see that night."""
    return point.ended in {"failed", "error"} or bool(point.n)


def _told(made: Sequence[Point]) -> str:
    words = {"failed": "failed on {}", "error": "could not be computed on {}", "aside": "rows set aside on {}"}
    counts = {ended: sum(point.ended == ended for point in made) for ended in words}
    told = [text.format(counts[ended]) for ended, text in words.items() if counts[ended]]
    if told:
        return ", ".join(told)
    ends = {point.ended for point in made}
    return "no row set aside" if "none" in ends else "never failed" if "passed" in ends else "did not apply"


def _spread(made: Sequence[Point]) -> str:
    shares = [point.share for point in made if point.share is not None]
    if not shares or not any(shares):
        return ""
    low, high, last = min(shares), max(shares), made[-1].share
    between = percent(low) if low == high else f"{percent(low)} {DASH} {percent(high)}"
    now = f", on the last {percent(last)}" if last is not None and low != high else ""
    return f"; share of rows {between}{now}"


def draw(series: Series) -> dict[str, Any]:
    """Paths of an inline drawing by how the nights ended, the last night at the right.

    None on a first night, nor of a series in which nothing ever happened; `words` say that.
    """
    if not series[:-1] or not any(point and is_told(point) for point in series):
        return {"paths": [], "words": _told([point for point in series if point]) if series[:-1] else ""}
    highest = max((point.share or 0 for point in series if point), default=0)
    paths: dict[str, list[str]] = {}
    for place, point in enumerate(series):
        if point is not None:
            paths.setdefault(point.ended, []).append(_shape(point, place * STEP, highest))
    drawn = [(ended, " ".join(shapes)) for ended, shapes in sorted(paths.items())]
    return {"paths": drawn, "width": len(series) * STEP, "height": HEIGHT, "words": trend_words(series)}


def _shape(point: Point, x: int, highest: float) -> str:
    """A bar, with a dot above where the check failed; a cross: not computed; a point: it did not apply."""
    middle = HEIGHT // 2
    if point.ended == "error":
        return f"M{x} {middle - 3}l1-1 6 6-1 1zM{x + 6} {middle - 4}l1 1-6 6-1-1z"
    if point.ended == "not_applicable":
        return f"M{x + 1} {HEIGHT - 2}h3v2h-3z"
    room = HEIGHT - FOOT - DOT - 2
    height = FOOT + (round(room * (point.share or 0) / highest) if highest else 0)
    bar = f"M{x} {HEIGHT - height}h{BAR}v{height}h-{BAR}z"
    return f"{bar}M{x + 1} {HEIGHT - height - DOT - 1}h{DOT}v{DOT}h-{DOT}z" if point.ended == "failed" else bar


def trend_table(trend: Trend) -> dict[str, Any]:
    """Every night as a column, the last one first; a line for the verdict and for all that was not always in order."""
    moved = {name: check_series(marks) for name, marks in trend.checks.items()}
    moved = {name: series for name, series in moved.items() if any(point and is_told(point) for point in series)}
    refused = {
        (key.source_id or "earlier nights", key.table_name, key.rule): refused_series(marks)
        for key, marks in trend.refused.items()
    }
    return {
        "nights": [night.started_at.strftime("%m-%d %H:%M") for night in reversed(trend.nights)],
        "verdicts": [night.verdict for night in reversed(trend.nights)],
        "checks": [(name, [_cell(point) for point in reversed(series)]) for name, series in moved.items()],
        "refused": [(*key, [_cell(point) for point in reversed(series)]) for key, series in refused.items()],
        "n_quiet": len(trend.checks) - len(moved),
    }


def _cell(point: Point | None) -> str:
    """The share of rows; for a check that counts no rows only how it ended."""
    if point is None:
        return ""
    if point.ended in {"aside", "none"}:
        return count(point.n or 0)
    signs = {"failed": "✕", "passed": "✓", "error": "error", "not_applicable": DASH}
    sign = signs[point.ended]
    if point.share is None or point.ended in {"error", "not_applicable"}:
        return sign
    return f"{sign} {percent(point.share)}" if point.ended == "failed" else percent(point.share)
