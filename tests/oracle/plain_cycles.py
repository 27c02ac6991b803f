"""Cycles, and days below a threshold, of one patient in plain Python, from the words of their definitions alone.

It walks from day to day as a person with a calendar would, and shares no code with `transforms/`.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from transforms.model.cycles import CycleRules
from transforms.model.person_days import PersonDaysRule

Tests = Mapping[int, Sequence[int]]


def plain_cycles(doses: Sequence[int], tests: Tests, rules: CycleRules) -> list[dict[str, Any]]:
    """Every cycle of one patient: `doses` are days of cytotoxics, `tests` the counts of each day."""
    starts = [
        day for day in sorted(set(doses)) if not any(0 < day - other <= rules.new_cycle_after_days for other in doses)
    ]
    cycles = []
    for place, start in enumerate(starts):
        end = start + rules.last_value_day
        if place + 1 < len(starts):
            end = min(end, starts[place + 1])
        inside = {day - start: min(tests[day]) for day in sorted(tests) if start + rules.first_value_day <= day <= end}
        n_tests = sum(len(tests[start + day]) for day in inside)
        earlier = [0] if start in tests else []
        facts = {"cycle_number": place + 1, "started": start, "ended": end, "n_tests": n_tests}
        cycles.append(facts | tell(inside, earlier, rules))
    return cycles


def tell(inside: Mapping[int, int], earlier: list[int], rules: CycleRules) -> dict[str, Any]:
    """Nadir and severe days from the lowest count of each day since the first dose."""
    facts: dict[str, Any] = dict.fromkeys(
        ("nadir_cells_per_ul", "nadir_day", "largest_gap_days", "is_near_daily", "severe_days")
    )
    if not inside:
        return facts | {"severe_status": "no_tests"}
    nadir = min(inside.values())
    nadir_day = next(day for day, count in inside.items() if count == nadir)
    facts |= {"nadir_cells_per_ul": nadir, "nadir_day": nadir_day}
    most, days = rules.near_daily.gap_at_most_days, [*earlier, *inside]
    fallen = [day for day, count in inside.items() if count < rules.near_daily.from_below_cells_per_ul]
    if not fallen:
        return facts | tell_unfallen(days, rules)
    back = [
        day for day, count in inside.items() if day > nadir_day and count >= rules.near_daily.recovered_cells_per_ul
    ]
    way = [day for day in inside if day >= fallen[0] and (not back or day <= back[0])]
    gaps = [b - a for a, b in pairwise(way)]
    facts["largest_gap_days"] = max(gaps, default=None)
    is_sparse = max(gaps, default=0) > most
    facts["is_near_daily"] = bool(back) and not is_sparse
    if is_sparse:
        return facts | {"severe_status": "not_near_daily"}
    if not back:
        return facts | {"severe_status": "not_recovered"}
    before = [day for day in days if day < fallen[0]]
    limit = rules.severe.below_cells_per_ul
    if inside[fallen[0]] < limit and (not before or fallen[0] - before[-1] > most):
        return facts | {"severe_status": "onset_not_seen"}
    severe = 0
    last = None
    for day in range(fallen[0], back[0]):
        last = inside.get(day, last)
        severe += last is not None and last < limit
    return facts | {"severe_days": severe, "severe_status": "counted"}


def tell_unfallen(days: Sequence[int], rules: CycleRules) -> dict[str, Any]:
    """A cycle that was never below the near-daily limit: 0 severe days if the usual nadir was watched."""
    watch = rules.severe
    is_watched = days[0] <= watch.none_from_day and days[-1] >= watch.none_until_day
    holes = [b - a for a, b in pairwise(days) if b > watch.none_from_day and a < watch.none_until_day]
    if is_watched and max(holes, default=0) <= rules.near_daily.gap_at_most_days:
        return {"severe_days": 0, "severe_status": "counted"}
    return {"severe_status": "not_near_daily"}


def plain_person_days(
    observed: Sequence[tuple[int, int]], tests: Tests, threshold: int, rule: PersonDaysRule
) -> dict[str, int]:
    """Days low, not low and unknown over all stays of one patient, one day after the other."""
    found = {"low": 0, "not_low": 0, "unknown": 0}
    for first, last in observed:
        known = {day: "low" if min(tests[day]) < threshold else "not_low" for day in tests if first <= day <= last}
        for day in range(first, last + 1):
            found[known.get(day) or between(day, known, rule) or "unknown"] += 1
    return found


def between(day: int, known: Mapping[int, str], rule: PersonDaysRule) -> str | None:
    """What the nearest known days on both sides say of a day without a test."""
    before, after = [d for d in known if d < day], [d for d in known if d > day]
    if not before or not after or known[max(before)] != known[min(after)]:
        return None
    kind = known[max(before)]
    most = rule.low_between_days if kind == "low" else rule.not_low_between_days
    return kind if min(after) - max(before) <= most else None
