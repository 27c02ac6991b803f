"""The key numbers of a night: each is one released row, read with the selection that the page opens with.

So sentence, tile, figure, table, command line and scheduler cannot disagree. A number that is not shown has no value
and says why.
"""

from dataclasses import dataclass, replace

from reports.facts import NightFacts
from reports.numbers import (
    Numbers,
    all_rows,
    default_rule,
    headline_interval,
    one_row,
    prevalence_row,
    read_numbers,
    when,
)
from reports.rows import Cell, Row, is_number
from reports.wording import NBSP, count, decimal
from transforms.load import Definitions
from transforms.release import Released


@dataclass(frozen=True)
class KeyNumber:
    """One number: `text` as shown, `denominator` in words; `value`, `lo`, `hi` are None and `mark` says why."""

    id: str
    label: str
    text: str
    denominator: str
    value: float | None = None
    lo: float | None = None
    hi: float | None = None
    mark: str = ""
    kind: str = "count"
    change: str = ""


def key_numbers(released: Released, facts: NightFacts, definitions: Definitions) -> tuple[KeyNumber, ...]:
    """The numbers that a command, a scheduler and the first screen show; empty when no ANC can be computed."""
    return key_numbers_of(read_numbers(released, facts, definitions), facts)


def key_numbers_of(numbers: Numbers, facts: NightFacts) -> tuple[KeyNumber, ...]:
    """`key_numbers`, from rows already read."""
    if not numbers.has_anc:
        return ()
    interval = headline_interval(numbers, facts)
    found = [_tested(numbers, interval)]
    found += [_low(numbers, threshold, interval) for threshold in numbers.thresholds]
    found += [_confirmed(numbers), _episodes(numbers), _median(numbers), _first_cause(numbers), _gap(numbers)]
    return tuple(_with_change(number, facts) for number in found if number is not None)


def _tested(numbers: Numbers, interval: str) -> KeyNumber | None:
    row = one_row(numbers, "testing", interval_start=interval or None, interval_unit="month" if interval else "all")
    if row is None:
        return None
    of = "of " + _group(numbers, row["n_observed"], f"people observed {when(interval)}")
    return _number(numbers, "tested", "People tested", row["n_tested"], "count", of)


def _low(numbers: Numbers, threshold: str, interval: str) -> KeyNumber | None:
    row = prevalence_row(numbers, threshold, interval)
    if row is None:
        return None
    words = numbers.wording
    name = words.threshold_word(threshold)
    label = f"{name.capitalize()}: below" if name else "Below"
    of = _low_of(numbers, row, f"people tested {when(interval)}")
    return _share(numbers, f"low_{threshold}", f"{label} {words.threshold(int(threshold))}", row, of)


def _confirmed(numbers: Numbers) -> KeyNumber | None:
    row = prevalence_row(numbers, numbers.thresholds[0], "", measure="confirmed")
    if row is None:
        return None
    of = _low_of(numbers, row, f"people tested {when('')}") + ", in a confirmed episode"
    return _share(numbers, "confirmed", "Confirmed neutropenia", row, of)


def _low_of(numbers: Numbers, row: Row, who: str) -> str:
    part = f"{count(float(row['n_low'] or 0))} " if is_number(row["n_low"]) else ""
    return f"{part}of {_group(numbers, row['n_population'], who)}"


def _group(numbers: Numbers, size: Cell, who: str) -> str:
    """`91 people tested`, or `the people tested (how many: hidden)`."""
    text = numbers.wording.number(size, "count")
    return f"{text} {who}" if is_number(size) else f"the {who} (how many: {text})"


def _episodes(numbers: Numbers) -> KeyNumber | None:
    row = one_row(numbers, "episode", ended_as="all", is_confirmed=True, **default_rule(numbers))
    if row is None:
        return None
    of = "of " + _group(numbers, row["n_people"], f"people {when('')}")
    return _number(numbers, "episodes", "Confirmed episodes", row["n_episodes"], "count", of)


def _median(numbers: Numbers) -> KeyNumber | None:
    row = one_row(numbers, "duration", cause_group="all", **default_rule(numbers))
    if row is None:
        return None
    words = numbers.wording
    gap = words.number(row["median_gap_days"], "days")
    of = (
        f"of {_group(numbers, row['n_episodes'], 'confirmed incident episodes')}; not seen to recover: "
        f"{words.number(row['n_censored'], 'count')}; median days between tests inside an episode: {gap}"
    )
    if row["status"] == "not_reached":
        text = words.name("status", "not_reached")
        return KeyNumber("median_days", "Median duration, naive", text, of, mark="not_reached", kind="days")
    found = _number(numbers, "median_days", "Median duration, naive", row["median_days"], "days", of)
    if found.value is None:
        return found
    lo, hi = _float(row["median_lo"]), _float(row["median_hi"])
    spread = f" ({words.range(lo, hi, 'days_range')})" if lo is not None and hi is not None else ""
    return replace(found, text=f"{found.text}{NBSP}days{spread}", lo=lo, hi=hi)


def _first_cause(numbers: Numbers) -> KeyNumber | None:
    causes = all_rows(numbers, "cause", agent="all", **default_rule(numbers))
    rows = [row for row in causes if is_number(row["share"])]
    if not rows:
        return None
    row = max(rows, key=lambda row: (float(row["share"] or 0), str(row["cause_group"])))
    of = f"{numbers.wording.number(row['n_episodes'], 'count')} episodes, of all confirmed ones"
    shown = "Most often suspected" if len(rows) == len(causes) else "Most often suspected, of those shown"
    label = f"{shown}: {numbers.wording.name('cause_group', row['cause_group'])}"
    return _number(numbers, "first_cause", label, row["share"], "percent", of)


def _gap(numbers: Numbers) -> KeyNumber | None:
    row = one_row(numbers, "testing", interval_unit="all")
    if row is None:
        return None
    tests = numbers.wording.number(row["tests_per_tested_person"], "days")
    of = f"between two tests of a person; tests a tested person: {tests}"
    found = _number(numbers, "median_gap", "Median gap between tests", row["median_gap_days"], "days", of)
    return replace(found, text=f"{found.text}{NBSP}days") if found.value is not None else found


def _share(numbers: Numbers, name: str, label: str, row: Row, denominator: str) -> KeyNumber:
    found = _number(numbers, name, label, row["prevalence"], "percent", denominator)
    lo, hi = _float(row["prevalence_lo"]), _float(row["prevalence_hi"])
    if found.value is None or lo is None or hi is None:
        return found
    return replace(found, text=f"{found.text} ({numbers.wording.range(lo, hi)})", lo=lo, hi=hi)


def _number(numbers: Numbers, name: str, label: str, cell: Cell, kind: str, denominator: str) -> KeyNumber:
    text = numbers.wording.number(cell, kind)
    mark = "" if is_number(cell) else str(cell)
    return KeyNumber(name, label, text, denominator, _float(cell), mark=mark, kind=kind)


def _float(cell: Cell) -> float | None:
    return float(cell) if is_number(cell) and cell is not None else None


def _with_change(number: KeyNumber, facts: NightFacts) -> KeyNumber:
    before = facts.previous_key_numbers.get(number.id)
    if before is None or number.value is None:
        return number
    moved = number.value - before
    size = f"{decimal(abs(moved) * 100, True)} points" if number.kind == "percent" else decimal(abs(moved))
    size = count(abs(moved)) if number.kind == "count" else size
    words = "as in" if moved == 0 else f"{size} {'up' if moved > 0 else 'down'} on"
    return replace(number, change=f"{words} the last comparable run")
