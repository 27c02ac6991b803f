"""What a reader of a report knows of populations of other names, of new episodes, and of what came with episodes.

Where a count stands in another table as well it has the same key, so that both tables are held against each other.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from tests.disclosure.inverting import half_digit, learn_limits, learn_share
from tests.disclosure.puzzle import Key, Puzzle

ALL, MONTH = "all", "month"
STEPS = (("week", "month"), ("month", "quarter"), ("quarter", "year"))
INSIDE = (("whole_period", "day_one"), ("whole_period", "sufficient_time"))
GROWING = ("observed", "tested", "exposed")
TABLES = ("population", "incidence", "complication")
Row = Mapping[str, Any]


def read_populations(puzzle: Puzzle, rows: pl.DataFrame) -> None:
    """Sizes, tested and low of every population and interval; they lie in each other as their names say."""
    places: dict[Key, set[str]] = {}
    families: dict[Key, list[tuple[int, Key]]] = {}
    for row in rows.rows(named=True):
        place, whom = _place(row), row["denominator_name"]
        low = (*place, "low", row["measure"], row["rule"], row["threshold_cells_per_ul"], whom)
        tested: Key = (*place, "tested") if whom in {"observed", "tested"} else (*place, "tested of", whom)
        puzzle.see((*place, whom), row["n_population"])
        puzzle.see(tested, row["n_tested"])
        puzzle.see(low, row["n_low"])
        for part, whole in ((low, (*place, whom)), (tested, (*place, whom)), (tested, (*place, "tested"))):
            puzzle.lies_in(part, whole)
        if row["measure"] == "any_low":
            puzzle.lies_in(low, tested)
        learn_share(puzzle, row["prevalence"], low, (*place, whom))
        learn_limits(puzzle, row["prevalence_lo"], row["prevalence_hi"], low, (*place, whom))
        if whom != "tested":
            learn_share(puzzle, row["tested_share"], tested, (*place, whom))
            _learn_tests(puzzle, row["tests_per_person"], (*place, whom), tested)
        places.setdefault(place, set()).add(whom)
        families.setdefault((*place, *low[2:5], whom), []).append((low[5], low))
    for family in families.values():
        for (_, part), (_, whole) in pairwise(sorted(family)):
            puzzle.lies_in(part, whole)
    for place, known in places.items():
        _relate_wholes(puzzle, place, known)
    for family in families.values():
        for _, low in family:
            _relate_measures(puzzle, low)
    _relate_times(puzzle, places)


def _place(row: Row) -> Key:
    """Months and the whole extract are those of the other tables."""
    if row["interval_unit"] in {ALL, MONTH}:
        return row["cohort"], row["interval_start"] or ALL
    return row["cohort"], f"{row['interval_unit']} {row['interval_start']}"


def _learn_tests(puzzle: Puzzle, a_person: Any, whole: Key, tested: Key) -> None:
    """Whoever is tested has one test at least, so their number is at most that of the tests."""
    if a_person is not None:
        puzzle.bound({whole: a_person + half_digit(a_person), tested: -1}, least=0)


def _relate_wholes(puzzle: Puzzle, place: Key, known: set[str]) -> None:
    pairs = [pair for pair in INSIDE if known.issuperset(pair)]
    pairs += [(name, "observed") for name in known - {"observed", "tested"}]
    for part, whole in pairs:
        puzzle.lies_in((*place, part), (*place, whole))
        if whole != "observed":
            puzzle.lies_in((*place, "tested of", part), (*place, "tested of", whole))


def _relate_measures(puzzle: Puzzle, low: Key) -> None:
    """Low in a part of a population is low in all of it; a first test is a test; a first day is a day."""
    *place, _, measure, rule, threshold, whom = low
    cut = (rule, threshold)
    for part, whole in INSIDE:
        if part == whom:
            puzzle.lies_in(low, (*place, "low", measure, *cut, whole))
    if measure == "any_low":
        puzzle.lies_in(low, (*place, "low", "any_low", *cut, "tested"))
    if measure == "index_test":
        puzzle.lies_in(low, (*place, "low", "any_low", *cut, "tested"))
    if measure == "point":
        puzzle.lies_in(low, (*place, "low", "confirmed", *cut, whom))
    if measure == "confirmed":
        puzzle.lies_in(low, (*place, "low", "confirmed", *cut, "observed"))


def _relate_times(puzzle: Puzzle, places: Mapping[Key, set[str]]) -> None:
    """A shorter interval lies in the longer one that holds it; all that touch a longer one cover it."""
    spans = {place: span for place in places if (span := _span(place)) is not None}
    nodes: dict[Key, list[Key]] = {}
    for key in puzzle.least:
        if key[:2] in spans and _grows(key):
            nodes.setdefault(key[:2], []).append(key[2:])
    for short, long in STEPS:
        for whole, (unit, first, last) in spans.items():
            if unit == long:
                _relate_parts(puzzle, whole, _touching(spans, whole[0], short, first, last), (first, last), nodes)


def _relate_parts(
    puzzle: Puzzle,
    whole: Key,
    parts: Mapping[Key, tuple[str, date, date]],
    ends: tuple[date, date],
    nodes: Mapping[Key, list[Key]],
) -> None:
    for node in nodes.get(whole, ()):
        known = [part for part in parts if (*part, *node) in puzzle.least]
        for part in known:
            if ends[0] <= parts[part][1] and parts[part][2] <= ends[1]:
                puzzle.lies_in((*part, *node), (*whole, *node))
        # Weeks are counted among the tested alone; who is low in one month may be on a drug in another.
        if known and "exposed" not in node[1:]:
            puzzle.covers([(*part, *node) for part in known], (*whole, *node))


def _touching(
    spans: Mapping[Key, tuple[str, date, date]], cohort: object, unit: str, first: date, last: date
) -> dict[Key, tuple[str, date, date]]:
    return {
        place: span
        for place, span in spans.items()
        if place[0] == cohort and span[0] == unit and span[1] <= last and span[2] >= first
    }


def _span(place: Key) -> tuple[str, date, date] | None:
    start = place[1]
    if start == ALL:
        return None
    unit, first = (MONTH, start) if isinstance(start, date) else (str(start).split()[0], None)
    first = first or date.fromisoformat(str(start).split()[1])
    months = {"week": 0, "month": 1, "quarter": 3, "year": 12}[unit]
    if not months:
        return unit, first, first + timedelta(days=6)
    after = first.month - 1 + months
    return unit, first, date(first.year + after // 12, after % 12 + 1, 1) - timedelta(days=1)


def _grows(key: Key) -> bool:
    """Counts that only grow with the length of time."""
    is_low = key[2:4] in {("low", "any_low"), ("low", "confirmed")} and key[-1] in GROWING
    return is_low or (len(key) == 3 and key[2] in GROWING)


def read_incidence(puzzle: Puzzle, rows: pl.DataFrame) -> None:
    """New episodes: first ones are people, those of years add up; all are among the confirmed ones."""
    years: dict[Key, list[Key]] = {}
    for row in rows.rows(named=True):
        group = (row["cohort"], "episodes", row["rule"], row["threshold_cells_per_ul"])
        when = row["interval_start"] or ALL
        kind = "crude" if row["standard"] == "crude" else "aged"
        key = (*group, "new", row["onset"], kind, when)
        puzzle.see(key, row["n_episodes"])
        if kind == "aged":
            puzzle.lies_in(key, (*group, "new", row["onset"], "crude", when))
        elif when == ALL:
            confirmed = (*group, True, ALL)
            what = "people" if row["onset"] == "first" else "episodes"
            puzzle.lies_in(key, (*confirmed, what))
            if row["onset"] == "every":
                puzzle.lies_in((*group, "new", "first", "crude", ALL), key)
        elif row["onset"] == "first":
            years.setdefault(group, []).append(key)
    for group, parts in years.items():
        puzzle.adds_up(parts, (*group, "new", "first", "crude", ALL))


def read_complications(puzzle: Puzzle, rows: pl.DataFrame) -> None:
    """Episodes with a complication are among those in which it could be seen; bands of a kind add up."""
    bands: dict[Key, dict[str, list[str]]] = {}
    for row in rows.rows(named=True):
        group = (row["cohort"], "episodes", row["rule"], row["threshold_cells_per_ul"])
        key = (*group, "with", row["complication"], row["band_kind"], row["band"])
        for name in ("assessed", "episodes", "people"):
            puzzle.see((*key, name), row[f"n_{name}"])
        for part, whole in (("people", "episodes"), ("episodes", "assessed")):
            puzzle.lies_in((*key, part), (*key, whole))
        learn_share(puzzle, row["share"], (*key, "episodes"), (*key, "assessed"))
        if row["band_kind"] == ALL:
            puzzle.lies_in((*key, "assessed"), (*group, True, ALL, "episodes"))
            puzzle.lies_in((*key, "people"), (*group, True, ALL, "people"))
        bands.setdefault((*group, "with", row["complication"]), {}).setdefault(row["band_kind"], []).append(row["band"])
    for group, kinds in bands.items():
        for kind, names in kinds.items():
            if kind != ALL:
                parts = [(*group, kind, name) for name in names]
                for what in ("assessed", "episodes"):
                    puzzle.adds_up([(*part, what) for part in parts], (*group, ALL, ALL, what))
                puzzle.covers([(*part, "people") for part in parts], (*group, ALL, ALL, "people"))
                for part in parts:
                    puzzle.lies_in((*part, "people"), (*group, ALL, ALL, "people"))
