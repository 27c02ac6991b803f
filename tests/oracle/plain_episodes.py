"""Episodes of one patient in plain Python, written from clinical.md sections 0, 3 and 4 and the rule's parameters.

Slow and obvious on purpose: it walks from value to value as a person with a chart would. It shares no code with
`transforms/episodes.py`; the two must agree on everything.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from transforms.model.episodes import EpisodeRule, Threshold


@dataclass(frozen=True)
class Value:
    """One count as derived.anc keeps it."""

    at: datetime
    specimen_id: str
    number: int | None
    lower: int
    upper: int | None
    is_day: bool = False


@dataclass
class State:
    """What one day, or one specimen, says: the value that decides, and its low values."""

    place: int
    value: Value
    kind: str
    lows: list[tuple[int, Value]] = field(default_factory=list)


@dataclass
class Open:
    """An episode under way: its states from the first low on, and the value before it."""

    before: State | None
    states: list[State]
    after_gap: bool = False

    @property
    def lows(self) -> list[State]:
        return [state for state in self.states if state.kind == "low"]


@dataclass(frozen=True)
class Patient:
    """Everything an episode can depend on."""

    values: tuple[Value, ...]
    doses: tuple[date, ...] = ()
    gcsf: tuple[date, ...] = ()
    died_on: date | None = None
    steroids: tuple[tuple[date, date], ...] = ()
    lithium: tuple[tuple[date, date], ...] = ()
    infusions: tuple[tuple[str, date], ...] = ()


def plain_episodes(patient: Patient, rule: EpisodeRule, threshold: Threshold) -> list[dict[str, Any]]:
    """All episodes of one patient at one threshold, in order."""
    if rule.anchor is None:
        ungraded = {"anchored_on": None, "grade": None, "grade_possible": None}
        return [{**episode, **ungraded} for episode in episodes_of(patient, rule, threshold)]
    found = []
    for infused_on, first, last in infusion_days(patient, rule):
        seen = replace(
            patient,
            values=tuple(v for v in patient.values if first <= v.at.date() <= last),
            died_on=patient.died_on if patient.died_on and infused_on <= patient.died_on <= last else None,
        )
        never_above = {kind_of(value, rule, threshold) for value in seen.values} <= {"low", None}
        for episode in episodes_of(seen, rule, threshold):
            grades = grade(episode, never_above, (first, min(last, seen.died_on or last)), rule, threshold)
            found.append({**episode, "anchored_on": infused_on, **grades})
    return found


def infusion_days(patient: Patient, rule: EpisodeRule) -> list[tuple[date, date, date]]:
    """Each infusion that stands for itself, with the first and the last day on which counts are looked at."""
    assert rule.anchor is not None
    starts: list[date] = []
    latest = None
    for day in sorted({day for drug, day in patient.infusions if drug in rule.anchor.drugs}):
        if latest is None or (day - latest).days > rule.anchor.new_after_days:
            starts.append(day)
        latest = day
    spans = []
    for place, day in enumerate(starts):
        last = date.max if rule.anchor.to_days is None else day + timedelta(days=rule.anchor.to_days)
        if place + 1 < len(starts):
            last = min(last, starts[place + 1] - timedelta(days=1))
        spans.append((day, day + timedelta(days=rule.anchor.from_days), last))
    return spans


def grade(
    episode: dict[str, Any], never_above: bool, window: tuple[date, date], rule: EpisodeRule, threshold: Threshold
) -> dict[str, int | None]:
    """The worst grade that the low days prove, and the worst that they could be if every day between were low."""
    low_days = {episode["first_low_at"].date(), episode["last_low_at"].date()}
    first, last = window
    if episode["onset_after"]:
        first = max(first, episode["onset_after"].date() + timedelta(days=1))
    if episode["recovery_by"]:
        last = min(last, episode["recovery_by"].date() - timedelta(days=1))
    proven = (max(low_days) - min(low_days)).days + 1
    possible = (max(low_days | {last}) - min(low_days | {first})).days + 1

    def worst(days_low: int) -> int | None:
        reached = [
            each.grade
            for each in rule.grades
            if each.threshold_cells_per_ul == threshold.low_cells_per_ul
            and days_low >= each.at_least_days
            and (never_above or not each.never_above)
        ]
        return max(reached, default=None)

    return {"grade": worst(proven), "grade_possible": worst(possible)}


def episodes_of(patient: Patient, rule: EpisodeRule, threshold: Threshold) -> list[dict[str, Any]]:
    """Episodes in the values of the patient as they are."""
    values = sorted(patient.values, key=lambda v: (v.at, v.specimen_id))
    kinds = [kind_of(value, rule, threshold) for value in values]
    reading = Reading(patient, rule, threshold, kinds)
    states = day_states(values, kinds) if rule.takes == "day" else specimen_states(values, kinds)
    cycles = cycle_starts(patient.doses, rule)
    finished: list[dict[str, Any]] = []
    current: Open | None = None
    for place, state in enumerate(states):
        before = states[place - 1] if place else None
        if state.kind != "low":
            if current:
                current.states.append(state)
            continue
        if current is None:
            current = Open(before, [state])
            continue
        recovery = recovery_before(current, state, rule, cycles)
        if recovery is not None:
            finished.append(report(current, recovery, None, reading))
            current = Open(before, [state])
        elif is_too_late(current, before, state, rule):
            finished.append(report(current, None, "censored_gap", reading))
            current = Open(None, [state], after_gap=True)
        else:
            current.states.append(state)
    if current is not None:
        recovery = recovery_at_end(current, rule)
        ending = None if recovery else ending_without_recovery(current, patient, rule)
        finished.append(report(current, recovery, ending, reading))
    return [episode for episode in finished if is_long_enough(episode, rule)]


def is_too_late(current: Open, before: State, low: State, rule: EpisodeRule) -> bool:
    """Nothing was known for too long before this low, or the clock ended the episode long enough ago."""
    low_at = low.lows[0][1].at
    if rule.gap_days is not None:
        return low_at - before.value.at > timedelta(days=rule.gap_days)
    if rule.exit_days is None:
        return False
    exit_at = current.lows[-1].value.at + timedelta(days=rule.exit_days)
    return low_at - exit_at >= timedelta(days=rule.join_days or 0)


def kind_of(value: Value, rule: EpisodeRule, threshold: Threshold) -> str | None:
    """low, recovered, between, or None when the value proves nothing."""
    if value.number is None and not rule.uses_bounds:
        return None
    if rule.ignores_below_cells_per_ul is not None and value.lower < rule.ignores_below_cells_per_ul:
        return None
    limit = threshold.low_cells_per_ul

    def is_low(count: int) -> bool:
        return count < limit if threshold.low_operator == "lt" else count <= limit

    if value.upper is not None and is_low(value.upper):
        return "low"
    if is_low(value.lower):
        return None
    most = threshold.recovered_at_most_cells_per_ul
    if most is not None and (value.upper is None or value.upper > most):
        return "between"
    return "recovered" if value.lower >= threshold.recovered_cells_per_ul else "between"


def specimen_states(values: list[Value], kinds: list[str | None]) -> list[State]:
    return [
        State(place, value, kind, [(place, value)] if kind == "low" else [])
        for place, (value, kind) in enumerate(zip(values, kinds, strict=True))
        if kind
    ]


def day_states(values: list[Value], kinds: list[str | None]) -> list[State]:
    states: list[State] = []
    for single in specimen_states(values, kinds):
        if states and states[-1].value.at.date() == single.value.at.date():
            states[-1] = State(single.place, single.value, single.kind, states[-1].lows + single.lows)
        else:
            states.append(single)
    return states


def cycle_starts(doses: tuple[date, ...], rule: EpisodeRule) -> list[date]:
    if rule.cycle_split is None:
        return []
    starts, last = [], None
    for day in sorted(set(doses)):
        if last is None or (day - last).days > rule.cycle_split.new_cycle_after_days:
            starts.append(day)
        last = day
    return starts


def recovered_runs(current: Open) -> list[list[State]]:
    """Runs of consecutive recovered values since the last low."""
    runs: list[list[State]] = []
    previous = "low"
    for state in current.states:
        if state.kind == "low":
            runs = []
        elif state.kind == "recovered":
            if previous == "recovered":
                runs[-1].append(state)
            else:
                runs.append([state])
        previous = state.kind
    return runs


def is_sure(run: list[State], rule: EpisodeRule) -> bool:
    return len({state.value.at.date() for state in run}) >= rule.recovered_values


def recovery_before(current: Open, low: State, rule: EpisodeRule, cycles: list[date]) -> tuple[State, bool] | None:
    """The recovered value that ended the episode before this low came, and whether it is confirmed."""
    low_at = low.lows[0][1].at
    if low_at == current.lows[-1].value.at:
        return None
    for run in recovered_runs(current):
        start = run[0].value.at
        has_cycle = any(start.date() <= cycle < low.value.at.date() for cycle in cycles)
        ended = start if rule.exit_days is None else min(start, exit_of(current, rule))
        is_joined = rule.join_days is not None and low_at - ended < timedelta(days=rule.join_days)
        if has_cycle or (is_sure(run, rule) and not is_joined):
            return run[0], is_sure(run, rule)
    return None


def exit_of(current: Open, rule: EpisodeRule) -> datetime:
    return current.lows[-1].value.at + timedelta(days=rule.exit_days or 0)


def recovery_at_end(current: Open, rule: EpisodeRule) -> tuple[State, bool] | None:
    for run in recovered_runs(current):
        if is_sure(run, rule) or run[-1] is current.states[-1]:
            return run[0], is_sure(run, rule)
    return None


def ending_without_recovery(current: Open, patient: Patient, rule: EpisodeRule) -> str:
    if rule.exit_days is not None and current.states[-1].value.at > exit_of(current, rule):
        return "censored_gap"
    if patient.died_on is None:
        return "censored_end"
    since = (patient.died_on - current.states[-1].value.at.date()).days
    longest = rule.gap_days or rule.exit_days
    return "died" if longest is None or since <= longest else "censored_end"


@dataclass(frozen=True)
class Reading:
    """One patient read under one rule at one threshold."""

    patient: Patient
    rule: EpisodeRule
    threshold: Threshold
    kinds: list[str | None]


def report(current: Open, recovery: tuple[State, bool] | None, ending: str | None, reading: Reading) -> dict[str, Any]:
    patient, rule, threshold, kinds = reading.patient, reading.rule, reading.threshold, reading.kinds
    lows = current.lows
    if recovery and rule.exit_days is not None and recovery[0].value.at > exit_of(current, rule):
        recovery, ending = None, "censored_gap"
    span = current.states[: current.states.index(lows[-1]) + 1]
    first_place, first = lows[0].lows[0]
    last_place, last = lows[-1].place, lows[-1].value
    deepest = min((low for state in span for low in state.lows), key=lambda low: (low[1].upper, low[0]))[1]
    before = current.before.value if current.before else None
    after = recovery[0].value if recovery else None
    from_place = current.before.place if current.before else first_place
    to_place = recovery[0].place if recovery else last_place
    end = (after or last).at
    if ending is None:
        ending = "recovered" if recovery and recovery[1] else "recovered_unconfirmed"
    return {
        "is_incident": before is not None and first.at - before.at <= timedelta(days=rule.look_back_days),
        "is_confirmed": is_confirmed(lows, deepest, patient, rule),
        "certainty": "partly_bounded" if None in kinds[from_place + 1 : to_place] else "certain",
        "has_gcsf": any(first.at.date() - timedelta(days=rule.gcsf_days) <= g <= end.date() for g in patient.gcsf),
        "has_steroid": is_in_use(patient.steroids, first.at.date() - timedelta(days=rule.raising_days), end.date()),
        "has_lithium": is_in_use(patient.lithium, first.at.date() - timedelta(days=rule.raising_days), end.date()),
        "onset_after": before.at if before else None,
        "first_low_at": first.at,
        "last_low_at": last.at,
        "recovery_by": after.at if after else None,
        "ended_as": ending,
        "nadir_cells_per_ul": deepest.upper,
        "nadir_at": deepest.at,
        "n_values": len(span),
        "n_lows": len(lows),
        "duration_lower_days": max(0.0, days(first.at, last.at) - (first.is_day or last.is_day)),
        "duration_upper_days": days(before.at, after.at) + (before.is_day or after.is_day)
        if before and after
        else None,
        "duration_interpolated_days": interpolate(before, first, last, after, threshold, lambda count: count),
        "duration_log_interpolated_days": interpolate(before, first, last, after, threshold, logarithm),
        "duration_ruled_days": ruled_length(first, last, after, ending, rule),
        "depth_duration": depth(patient, before, after, threshold.low_cells_per_ul),
    }


def is_in_use(spans: tuple[tuple[date, date], ...], first: date, last: date) -> bool:
    """Whether a drug was taken on any day from first to last."""
    return any(begun <= last and stopped >= first for begun, stopped in spans)


def ruled_length(first: Value, last: Value, after: Value | None, ending: str, rule: EpisodeRule) -> float | None:
    """From the first low to the recovery, or to the clock's end, in the rule's own unit."""
    if after is not None:
        length = days(first.at, after.at)
    elif ending == "censored_gap" and rule.exit_days is not None:
        length = days(first.at, last.at + timedelta(days=rule.exit_days))
    else:
        return None
    unit = rule.length_unit_days
    return length if unit is None else math.floor(length / unit + 0.5) * unit


def is_confirmed(lows: list[State], deepest: Value, patient: Patient, rule: EpisodeRule) -> bool:
    confirmation = rule.confirmed_by
    if confirmation.or_below_cells_per_ul is not None and deepest.upper < confirmation.or_below_cells_per_ul:
        return True
    if confirmation.or_days_after_dose is not None:
        soonest, latest = confirmation.or_days_after_dose
        if any(soonest <= (low.value.at.date() - dose).days <= latest for low in lows for dose in patient.doses):
            return True
    by_day = {low.value.at.date(): low.value.at for low in reversed(lows)}
    times = sorted(by_day.values())
    for place in range(len(times) - confirmation.values + 1):
        spread = times[place + confirmation.values - 1] - times[place]
        if confirmation.within_days is None or spread <= timedelta(days=confirmation.within_days):
            return True
    return False


def logarithm(count: float) -> float | None:
    return math.log(count) if count > 0 else None


def interpolate(
    before: Value | None,
    first: Value,
    last: Value,
    after: Value | None,
    threshold: Threshold,
    height: Callable[[float], float | None],
) -> float | None:
    """Time between the crossings of the threshold by straight lines between the heights of the counts."""
    if before is None or after is None or None in {before.number, first.number, last.number, after.number}:
        return None
    p, d1, dn, r = (height(value.number or 0) for value in (before, first, last, after))
    limit = height(threshold.low_cells_per_ul)
    if p is None or d1 is None or dn is None or r is None or limit is None:
        return None
    down = days(before.at, first.at) * (p - limit) / (p - d1)
    up = days(last.at, after.at) * (limit - dn) / (r - dn)
    return days(before.at, last.at) + up - down


def depth(patient: Patient, before: Value | None, after: Value | None, limit: int) -> float | None:
    """Area below the threshold, cut off there line by line; days x cells."""
    if before is None or after is None:
        return None
    ordered = sorted(patient.values, key=lambda v: (v.at, v.specimen_id))
    path = ordered[ordered.index(before) : ordered.index(after) + 1]
    if any(value.number is None for value in path):
        return None
    area = 0.0
    for one, other in pairwise(path):
        left, right = limit - one.number, limit - other.number
        if left > 0 and right > 0:
            share, height = 1.0, (left + right) / 2
        else:
            deep, shallow = max(left, right, 0), min(left, right)
            share, height = (deep / (deep - shallow) if deep else 0.0), deep / 2
        area += days(one.at, other.at) * share * height
    return area


def days(earlier: datetime, later: datetime) -> float:
    return (later - earlier) / timedelta(days=1)


def is_long_enough(episode: dict[str, Any], rule: EpisodeRule) -> bool:
    return episode["n_lows"] >= rule.minimum.low_values and episode["duration_lower_days"] >= rule.minimum.days
