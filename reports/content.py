"""The key numbers of a night: each is one released row, read with the selection that the page opens with.

So sentence, tile, figure, table, command line and scheduler cannot disagree. A number that is not shown has no value
and says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.facts import NightFacts
from reports.numbers import (
    Numbers,
    all_rows,
    default_rule,
    headline_interval,
    month_name,
    one_row,
    prevalence_row,
    read_numbers,
    weighted_row,
)
from reports.rows import Cell, Row, is_number
from reports.wording import NBSP, count, decimal
from transforms.load import Definitions
from transforms.release import Released

WHOLE = "whole extract"


@dataclass(frozen=True)
class KeyNumber:
    """One number: `text` as it stands alone, `shown` where marks are explained, `denominator` and `period` in words.

    `value`, `lo` and `hi` are None where the number is not shown, and `mark` says why.
    """

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
    shown: str = ""
    period: str = ""

    @property
    def title(self) -> str:
        """The label with its period, for lists without headings."""
        return f"{self.label}, {self.period}" if self.period else self.label


def key_numbers(released: Released, facts: NightFacts, definitions: Definitions) -> tuple[KeyNumber, ...]:
    """The numbers that a command, a scheduler and the first screen show; empty when no ANC can be computed."""
    return key_numbers_of(read_numbers(released, facts, definitions), facts)


def key_numbers_of(numbers: Numbers, facts: NightFacts) -> tuple[KeyNumber, ...]:
    """`key_numbers`, from rows already read: those of the latest whole month first, then those of the whole extract."""
    if not numbers.has_anc:
        return ()
    interval = headline_interval(numbers, facts)
    found = _of_interval(numbers, interval, numbers.thresholds)
    if interval:
        first, last = numbers.thresholds[0], numbers.thresholds[-1]
        whole = _of_interval(numbers, "", (first,) if first == last else (first, last))
        found += [replace(number, id=f"{number.id}_all") for number in whole]
    rest = [_confirmed(numbers), _episodes(numbers), _median(numbers), _first_cause(numbers), _gap(numbers)]
    found += [replace(number, period=WHOLE) for number in rest if number is not None]
    return tuple(_with_change(number, facts) for number in found)


def _of_interval(numbers: Numbers, interval: str, thresholds: Sequence[str]) -> list[KeyNumber]:
    found = [_tested(numbers, interval), *(_low(numbers, threshold, interval) for threshold in thresholds)]
    found += [] if interval else [_weighted(numbers, threshold) for threshold in thresholds]
    period = month_name(interval) if interval else WHOLE
    return [replace(number, period=period) for number in found if number is not None]


def _tested(numbers: Numbers, interval: str) -> KeyNumber | None:
    row = one_row(numbers, "testing", interval_start=interval or None, interval_unit="month" if interval else "all")
    if row is None:
        return None
    of = "of " + _group(numbers, row, "n_observed", "people observed")
    return _signed(numbers, row, _number(numbers, "tested", "People tested", row["n_tested"], "count", of))


def _low(numbers: Numbers, threshold: str, interval: str) -> KeyNumber | None:
    row = prevalence_row(numbers, threshold, interval)
    if row is None:
        return None
    words = numbers.wording
    name = words.threshold_word(threshold)
    label = f"{name.capitalize()}: below" if name else "Below"
    observed = prevalence_row(numbers, threshold, interval, denominator="observed")
    of = _low_of(numbers, row) + _observed_of(numbers, observed)
    return _share(numbers, f"low_{threshold}", f"{label} {words.threshold(int(threshold))}", row, of)


def _weighted(numbers: Numbers, threshold: str) -> KeyNumber | None:
    """The weighted share with the people behind it; None without survey weights."""
    row = weighted_row(numbers, threshold)
    if row is None:
        return None
    words = numbers.wording
    of = "of the population of the survey"
    if is_number(row["n_population"]):
        of += f"; {_low_of(numbers, row).removeprefix('of ')}"
    if row["reliability"] in {"review", "unreliable"}:
        of += f"; {words.name('reliability', row['reliability'])}"
    return _share(numbers, f"weighted_{threshold}", f"Weighted: below {words.threshold(int(threshold))}", row, of)


def _confirmed(numbers: Numbers) -> KeyNumber | None:
    row = prevalence_row(numbers, numbers.thresholds[0], "", measure="confirmed")
    if row is None:
        return None
    observed = prevalence_row(numbers, numbers.thresholds[0], "", measure="confirmed", denominator="observed")
    of = _low_of(numbers, row) + _observed_of(numbers, observed)
    return _share(numbers, "confirmed", "Confirmed neutropenia", row, of)


def _low_of(numbers: Numbers, row: Row) -> str:
    part = f"{count(float(row['n_low'] or 0))} " if is_number(row["n_low"]) else ""
    return f"{part}of {_group(numbers, row, 'n_population', 'people tested')}"


def _observed_of(numbers: Numbers, row: Row | None) -> str:
    """The same share of everyone observed; empty where it is not shown."""
    if row is None or not is_number(row["prevalence"]) or not is_number(row["n_population"]):
        return ""
    words = numbers.wording
    share, people = words.number(row["prevalence"], "percent"), words.number(row["n_population"], "count")
    return f"; {share} of {people}{words.held_sign(row)} observed"


def _group(numbers: Numbers, row: Row | None, size: str, who: str) -> str:
    """`91 people tested`, or `the people tested (number hidden)`; with the sign of a row that is held."""
    cell = row[size] if row is not None else None
    text = numbers.wording.number(cell, "count")
    return f"{text}{numbers.wording.held_sign(row)} {who}" if is_number(cell) else f"the {who} (number {text})"


def _signed(numbers: Numbers, row: Row, number: KeyNumber) -> KeyNumber:
    """The number with the sign of its row: one that is held is of an earlier night than those beside it."""
    sign = numbers.wording.held_sign(row)
    if not sign or number.value is None:
        return number
    return replace(
        number, text=f"{number.text} ({numbers.wording.glossary['held']['word']})", shown=f"{number.shown}{sign}"
    )


def _episodes(numbers: Numbers) -> KeyNumber | None:
    row = one_row(numbers, "episode", ended_as="all", is_confirmed=True, **default_rule(numbers))
    if row is None:
        return None
    of = "of " + _group(numbers, row, "n_people", "people")
    return _signed(numbers, row, _number(numbers, "episodes", "Confirmed episodes", row["n_episodes"], "count", of))


def _median(numbers: Numbers) -> KeyNumber | None:
    wanted = numbers.wording.definitions.estimation.duration
    fixed: dict[str, Cell] = {"cause_group": "all", "estimand": wanted.estimand, **default_rule(numbers)}
    rows = all_rows(numbers, "duration", **fixed)
    ways = [wanted.intervals.estimator, wanted.estimator]
    rows = sorted((row for row in rows if row["estimator"] in ways), key=lambda row: ways.index(str(row["estimator"])))
    if not rows:
        return None
    row = next((row for row in rows if row["status"] == "estimated"), rows[-1])
    is_naive = row["estimator"] == wanted.estimator
    name, title = ("median_days", "Median duration, naive") if is_naive else ("median_days_alive", "Median duration")
    words = numbers.wording
    of = f"of {_group(numbers, row, 'n_episodes', 'confirmed incident episodes')}"
    if is_number(row["n_censored"]):
        of += f", {words.number(row['n_censored'], 'count')} not seen to recover"
    if is_number(row["median_gap_days"]):
        of += f"; tests inside an episode {words.number(row['median_gap_days'], 'days')}{NBSP}days apart"
    if row["status"] == "not_reached":
        text = words.name("status", "not_reached")
        return KeyNumber(name, title, text, of, mark="not_reached", kind="days", shown=text)
    found = _number(numbers, name, title, row["median_days"], "days", of)
    if found.value is None:
        return found
    lo, hi = _float(row["median_lo"]), _float(row["median_hi"])
    spread = f" ({words.range(lo, hi, 'days_range')})" if lo is not None and hi is not None else ""
    return _signed(numbers, row, _written(replace(found, lo=lo, hi=hi), f"{found.text}{NBSP}days{spread}"))


def _first_cause(numbers: Numbers) -> KeyNumber | None:
    causes = all_rows(numbers, "cause", agent="all", window="default", **default_rule(numbers))
    rows = [row for row in causes if is_number(row["share"])]
    if not rows:
        return None
    row = max(rows, key=lambda row: (float(row["share"] or 0), str(row["cause_group"])))
    total = one_row(numbers, "episode", ended_as="all", is_confirmed=True, **default_rule(numbers))
    of = f"{numbers.wording.number(row['n_episodes'], 'count')} of "
    of += _group(numbers, total, "n_episodes", "confirmed episodes")
    of += "" if len(rows) == len(causes) else "; some causes are hidden"
    label = f"Most often suspected: {numbers.wording.name('cause_group', row['cause_group'])}"
    return _signed(numbers, row, _number(numbers, "first_cause", label, row["share"], "percent", of))


def _gap(numbers: Numbers) -> KeyNumber | None:
    row = one_row(numbers, "testing", interval_unit="all")
    if row is None or row["n_gaps"] == 0:
        return None
    of = "between two tests of one person"
    if is_number(row["tests_per_tested_person"]):
        of += f"; {numbers.wording.number(row['tests_per_tested_person'], 'days')} tests for each person tested"
    found = _number(numbers, "median_gap", "Median gap between tests", row["median_gap_days"], "days", of)
    return _signed(numbers, row, _written(found, f"{found.text}{NBSP}days")) if found.value is not None else found


def _share(numbers: Numbers, name: str, label: str, row: Row, denominator: str) -> KeyNumber:
    found = _number(numbers, name, label, row["prevalence"], "percent", denominator)
    lo, hi = _float(row["prevalence_lo"]), _float(row["prevalence_hi"])
    if found.value is None or lo is None or hi is None:
        return _signed(numbers, row, found)
    text = f"{found.text} ({numbers.wording.range(lo, hi)})"
    return _signed(numbers, row, _written(replace(found, lo=lo, hi=hi), text))


def _number(numbers: Numbers, name: str, label: str, cell: Cell, kind: str, denominator: str) -> KeyNumber:
    shown = numbers.wording.number(cell, kind)
    mark = "" if is_number(cell) else str(cell)
    text = numbers.wording.mark_rule(mark) if mark else shown
    return KeyNumber(name, label, text, denominator, _float(cell), mark=mark, kind=kind, shown=shown)


def _written(number: KeyNumber, text: str) -> KeyNumber:
    return replace(number, text=text, shown=text)


def _float(cell: Cell) -> float | None:
    return float(cell) if is_number(cell) and cell is not None else None


def _with_change(number: KeyNumber, facts: NightFacts) -> KeyNumber:
    return replace(number, change=say_change(number.id, number.value, number.kind, number.period, facts))


def say_change(name: str, value: float | None, kind: str, period: str, facts: NightFacts) -> str:
    """How a key number moved since the last comparable run; with what it was of there, where that is another month."""
    before = facts.previous_key_numbers.get(name)
    if before is None or value is None:
        return ""
    moved = value - before
    points = decimal(abs(moved) * 100, True)
    size = f"{'less than 0.1' if points == '0.0' else points} points" if kind == "percent" else decimal(abs(moved))
    size = count(abs(moved)) if kind == "count" else size
    words = "as in" if moved == 0 else f"{size} {'up' if moved > 0 else 'down'} on"
    other = facts.previous_periods.get(name, period)
    return f"{words} the last comparable run" + (f" ({other})" if other != period else "")
