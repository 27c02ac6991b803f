"""Episodes of one patient in plain Python, written from clinical.md sections 0, 3 and 4 and the rule's parameters.

Slow and obvious on purpose: it walks from value to value as a person with a chart would. It shares no code with
`transforms/episodes.py`; the two must agree on everything.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
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


def plain_episodes(patient: Patient, rule: EpisodeRule, threshold: Threshold) -> list[dict[str, Any]]:
    """All episodes of one patient at one threshold, in order."""
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
        elif rule.gap_days is not None and state.lows[0][1].at - before.value.at > timedelta(days=rule.gap_days):
            finished.append(report(current, None, "censored_gap", reading))
            current = Open(None, [state], after_gap=True)
        else:
            current.states.append(state)
    if current is not None:
        recovery = recovery_at_end(current, rule)
        ending = None if recovery else ending_without_recovery(current, patient, rule)
        finished.append(report(current, recovery, ending, reading))
    return [episode for episode in finished if is_long_enough(episode, rule)]


def kind_of(value: Value, rule: EpisodeRule, threshold: Threshold) -> str | None:
    """low, recovered, between, or None when the value proves nothing."""
    if value.number is None and not rule.uses_bounds:
        return None
    limit = threshold.low_cells_per_ul

    def is_low(count: int) -> bool:
        return count < limit if threshold.low_operator == "lt" else count <= limit

    if value.upper is not None and is_low(value.upper):
        return "low"
    if is_low(value.lower):
        return None
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
        is_joined = rule.join_days is not None and low_at - start < timedelta(days=rule.join_days)
        if has_cycle or (is_sure(run, rule) and not is_joined):
            return run[0], is_sure(run, rule)
    return None


def recovery_at_end(current: Open, rule: EpisodeRule) -> tuple[State, bool] | None:
    for run in recovered_runs(current):
        if is_sure(run, rule) or run[-1] is current.states[-1]:
            return run[0], is_sure(run, rule)
    return None


def ending_without_recovery(current: Open, patient: Patient, rule: EpisodeRule) -> str:
    if patient.died_on is None:
        return "censored_end"
    since = (patient.died_on - current.states[-1].value.at.date()).days
    return "died" if rule.gap_days is None or since <= rule.gap_days else "censored_end"


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
        "duration_interpolated_days": interpolate(before, first, last, after, threshold),
    }


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


def interpolate(
    before: Value | None, first: Value, last: Value, after: Value | None, threshold: Threshold
) -> float | None:
    """Time between the straight lines' crossings of the threshold."""
    if before is None or after is None or None in {before.number, first.number, last.number, after.number}:
        return None
    limit = threshold.low_cells_per_ul
    down = days(before.at, first.at) * (before.number - limit) / (before.number - first.number)
    up = days(last.at, after.at) * (limit - last.number) / (after.number - last.number)
    return days(before.at, last.at) + up - down


def days(earlier: datetime, later: datetime) -> float:
    return (later - earlier) / timedelta(days=1)


def is_long_enough(episode: dict[str, Any], rule: EpisodeRule) -> bool:
    return episode["n_lows"] >= rule.minimum.low_values and episode["duration_lower_days"] >= rule.minimum.days
