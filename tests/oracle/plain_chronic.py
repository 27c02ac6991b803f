"""The chronic track of one patient in plain Python, from the words of its definition and clinical.md section 0 alone.

It reads a chart page by page: one line a day, low or not low, and keeps the low days that no recovery has closed. It
shares no code with `transforms/` and none with the oracle of episodes; only the patients are drawn the same way.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

DAY = timedelta(days=1)


def plain_chronic(patient: Any, below: int, asked: dict[str, int]) -> list[dict[str, Any]]:
    """All tracks of one patient below a count, in order.

    `asked` of a track: `low_days` at least, over `days` at least; a recovery is `recovered` values on different days,
    and `cycle_apart` days without a dose make the next one a new cycle.
    """
    pages = read_pages(patient.values, below)
    cycles = [
        dose for dose in patient.doses if not any(0 < (dose - o).days <= asked["cycle_apart"] for o in patient.doses)
    ]
    tracks, kept = [], list[dict[str, Any]]()  # pages of the track under way
    for page in pages:
        if page["is_low"] and kept and is_closed(not_low_at_the_end(kept), page["day"], cycles, asked):
            tracks.append(kept)
            kept = []
        if page["is_low"] or kept:
            kept.append(page)
    if kept:
        tracks.append(kept)
    told = [tell(track, patient.died_on, asked) for track in tracks]
    return [each for each in told if each.pop("n_low_days") >= asked["low_days"] and each["span_days"] >= asked["days"]]


def read_pages(values: Iterable[Any], below: int) -> list[dict[str, Any]]:
    """One page a day on which something was decided: its last decided count, and all that were low."""
    decided = [
        (value, value.upper is not None and value.upper < below)
        for value in sorted(values, key=lambda v: (v.at, v.specimen_id))
        if value.lower >= below or (value.upper is not None and value.upper < below)
    ]
    pages: dict[date, dict[str, Any]] = {}
    for value, is_low in decided:
        page = pages.setdefault(value.at.date(), {"day": value.at.date(), "lows": []})
        page |= {"last": value, "is_low": is_low}
        page["lows"] += [value] if is_low else []
    return [pages[day] for day in sorted(pages)]


def not_low_at_the_end(track: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The days that are not low after the last low one."""
    last = max(place for place, page in enumerate(track) if page["is_low"])
    return list(track[last + 1 :])


def is_closed(rest: Sequence[dict[str, Any]], next_low: date, cycles: Sequence[date], asked: dict[str, int]) -> bool:
    """Whether these days that are not low, before a next low one, ended the track."""
    if not rest:
        return False
    return len(rest) >= asked["recovered"] or any(rest[0]["day"] <= cycle < next_low for cycle in cycles)


def tell(track: Sequence[dict[str, Any]], died_on: date | None, asked: dict[str, int]) -> dict[str, Any]:
    """What is kept of a track."""
    rest = not_low_at_the_end(track)
    until = track[: len(track) - len(rest)]
    first, last = track[0]["lows"][0], until[-1]["last"]
    deepest = min((low for page in until for low in page["lows"]), key=lambda low: low.upper)
    if rest:
        ended = "recovered" if len(rest) >= asked["recovered"] else "recovered_unconfirmed"
    else:
        ended = "died" if died_on else "censored_end"
    return {
        "first_low_at": first.at,
        "last_low_at": last.at,
        "recovery_by": rest[0]["last"].at if rest else None,
        "ended_as": ended,
        "nadir_cells_per_ul": deepest.upper,
        "nadir_at": deepest.at,
        "n_values": len(until),
        "span_days": span(first.at, last.at, is_day=first.is_day or last.is_day),
        "n_low_days": sum(page["is_low"] for page in until),
    }


def span(first: datetime, last: datetime, *, is_day: bool) -> float:
    """Days that lie between for certain: of dates without times, one less."""
    return max(0.0, (last - first) / DAY - is_day)
