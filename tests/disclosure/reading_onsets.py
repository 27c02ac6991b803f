"""What a reader of a report knows of low tests, and of people with a first new episode by a day."""

from itertools import pairwise

import polars as pl

from tests.disclosure.inverting import learn_share
from tests.disclosure.puzzle import Key, Puzzle

ALL = "all"
ENDS = ("episodes", "died", "followed", "left")


def read_test_shares(puzzle: Puzzle, shares: pl.DataFrame) -> None:
    """Low tests are tests, at least as many as the people low, and those at a lower threshold among them."""
    for _, rows in shares.sort("threshold_cells_per_ul").group_by("cohort", maintain_order=True):
        keys = []
        for row in rows.rows(named=True):
            place, limit = (row["cohort"], ALL), row["threshold_cells_per_ul"]
            low: Key = (*place, "low tests", limit)
            puzzle.see(low, row["n_tests_low"], least=1)
            puzzle.see((*place, "tests"), row["n_tests"], least=1)
            puzzle.see((*place, "tested"), row["n_people"], least=1)
            puzzle.lies_in(low, (*place, "tests"))
            puzzle.lies_in((*place, "low", "any_low", "any_value", limit, "tested"), low)
            learn_share(puzzle, row["low_test_share"], low, (*place, "tests"))
            keys.append(low)
        for part, whole in pairwise(keys):
            puzzle.lies_in(part, whole)


def read_onsets(puzzle: Puzzle, rows: pl.DataFrame) -> None:
    """On every day people have had an episode, have died, are followed or have left; only the followed become fewer."""
    of = ["cohort", "rule", "threshold_cells_per_ul"]
    for _, curve in rows.sort(*of, "day").group_by(of, maintain_order=True):
        days = curve.rows(named=True)
        for row in days:
            at = _at(row["cohort"], row["rule"], row["threshold_cells_per_ul"], row["day"])
            start: Key = (*at[:-1], "start")
            puzzle.see(start, row["n_people"], least=1)
            for what in ENDS[:-1]:
                puzzle.see((*at, what), row[f"n_{what}"], least=0)  # nobody may be hidden with the others
            puzzle.suppose((*at, "left"))
            puzzle.adds_up([(*at, what) for what in ENDS], start)
            puzzle.lies_in(start, (row["cohort"], ALL, "observed"))
        for one, other in pairwise(days):
            for what in ENDS:
                keys = [(*_at(day["cohort"], day["rule"], day["threshold_cells_per_ul"], day["day"]), what)
                        for day in (one, other)]  # fmt: skip
                puzzle.lies_in(*(keys[::-1] if what == "followed" else keys))


def relate_onsets(puzzle: Puzzle, rows: pl.DataFrame) -> None:
    """Who has had one by a day has one at any time, once the episodes have been read."""
    for row in rows.rows(named=True):
        of = (row["cohort"], row["rule"], row["threshold_cells_per_ul"])
        people = (of[0], "episodes", *of[1:], True, ALL, "people")
        puzzle.lies_in((*_at(*of, row["day"]), "episodes"), people)


def _at(cohort: str, rule: str, limit: int, day: int) -> Key:
    return cohort, ALL, "onset", rule, limit, day
