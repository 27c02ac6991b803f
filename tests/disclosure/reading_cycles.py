"""What a reader of a report knows of chemotherapy cycles: regimens add up, and people have at least one each.

A regimen that is left out of one cohort and stands in another may still be guessed at: it is looked for like a count
that is hidden, and may be nobody.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import polars as pl

from tests.disclosure.inverting import half_digit, learn_share, learn_tested_people
from tests.disclosure.puzzle import Key, Puzzle

ALL = "all"
REST = "other regimens"
COUNTS = ("cycles", "people", "tested")
Row = Mapping[str, Any]


def read_cycles(puzzle: Puzzle, cycle: pl.DataFrame, severe: pl.DataFrame) -> None:
    """Add all that both tables of cycles tell."""
    regimens = sorted({*cycle["regimen"]} - {ALL})
    limits = sorted({*cycle["threshold_cells_per_ul"]})
    for row in cycle.rows(named=True):
        _read_row(puzzle, row)
    for cohort in cycle["cohort"].unique().sort():
        at = (cohort, ALL, "cycle")
        for name in regimens:
            _expect(puzzle, (*at, name), limits)
        for name in (*regimens, ALL):
            _relate_counts(puzzle, (*at, name), limits)
        whats: list[Key] = [("cycles",), ("tested",), ("tests",), *(("affected", limit) for limit in limits)]
        for what in whats:
            parts = [(*at, name, *what) for name in regimens]
            puzzle.suppose((*at, REST, *what))
            puzzle.adds_up([*parts, (*at, REST, *what)], (*at, ALL, *what))
        people: list[Key] = [("people",), *(("people affected", limit) for limit in limits)]
        for what in people:
            puzzle.suppose((*at, REST, *what))
            puzzle.covers([(*at, name, *what) for name in (*regimens, REST)], (*at, ALL, *what))
            for name in (*regimens, REST):
                puzzle.lies_in((*at, name, *what), (*at, ALL, *what))
    _read_severe(puzzle, severe)


def _read_row(puzzle: Puzzle, row: Row) -> None:
    key, limit = (row["cohort"], ALL, "cycle", row["regimen"]), row["threshold_cells_per_ul"]
    for what in COUNTS:
        puzzle.see((*key, what), row[f"n_{what}"], least=0 if what == "tested" else 1)
    puzzle.see((*key, "affected", limit), row["n_affected"])
    puzzle.see((*key, "people affected", limit), row["n_people_affected"])
    puzzle.suppose((*key, "tests"))
    learn_share(puzzle, row["affected_share"], (*key, "affected", limit), (*key, "tested"))
    people = (*key, "tested people", limit), (*key, "people")
    learn_tested_people(puzzle, row, ("affected_lo", "affected_hi"), people)
    if (a_cycle := row["tests_per_cycle"]) is not None:
        error = half_digit(a_cycle)
        puzzle.bound({(*key, "tests"): 1, (*key, "cycles"): -(a_cycle - error)}, least=0)
        puzzle.bound({(*key, "tests"): 1, (*key, "cycles"): -(a_cycle + error)}, most=0)


def _expect(puzzle: Puzzle, key: Key, limits: list[int]) -> None:
    for what in COUNTS:
        _may_be(puzzle, (*key, what))
    for limit in limits:
        for what in ("affected", "people affected"):
            _may_be(puzzle, (*key, what, limit))
    puzzle.suppose((*key, "tests"))


def _may_be(puzzle: Puzzle, key: Key) -> None:
    if key not in puzzle.least:
        puzzle.see(key, None)


def _relate_counts(puzzle: Puzzle, key: Key, limits: list[int]) -> None:
    for part, whole in (("tested", "cycles"), ("people", "cycles"), ("tested", "tests")):
        puzzle.lies_in((*key, part), (*key, whole))
    puzzle.lies_in((*key, "people"), (key[0], ALL, "observed"))
    for limit in limits:
        affected, people = (*key, "affected", limit), (*key, "people affected", limit)
        low = (key[0], ALL, "low", "any_low", "any_value", limit, "observed")
        for part, whole in (
            (affected, (*key, "tested")),
            (people, affected),
            (people, (*key, "people")),
            (people, low),
        ):
            puzzle.lies_in(part, whole)
    for below, above in pairwise(limits):
        for what in ("affected", "people affected"):
            puzzle.lies_in((*key, what, below), (*key, what, above))


def _read_severe(puzzle: Puzzle, severe: pl.DataFrame) -> None:
    """Of the tested cycles all are known to be severe or not, or why not."""
    cohorts: dict[str, list[Key]] = {}
    for row in severe.rows(named=True):
        key = (row["cohort"], ALL, "severe", row["severe_status"])
        whole = (row["cohort"], ALL, "cycle", ALL)
        for what in ("cycles", "people"):
            puzzle.see((*key, what), row[f"n_{what}"], least=1)
        puzzle.lies_in((*key, "people"), (*key, "cycles"))
        puzzle.lies_in((*key, "people"), (*whole, "people"))
        learn_share(puzzle, row["cycle_share"], (*key, "cycles"), (*whole, "tested"))
        cohorts.setdefault(row["cohort"], []).append(key)
    for cohort, keys in cohorts.items():
        puzzle.adds_up([(*key, "cycles") for key in keys], (cohort, ALL, "cycle", ALL, "tested"))
