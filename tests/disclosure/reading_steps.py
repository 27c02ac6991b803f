"""What a reader of a report knows of the steps of the attrition: each lies in the one before, and most are known.

Two steps come before every cohort and are the same for all of them; the later ones are counts of the cohort.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from tests.disclosure.puzzle import Key, Puzzle

ALL = "all"


def read_attrition(puzzle: Puzzle, attrition: pl.DataFrame) -> None:
    """Add the people of every step of every cohort."""
    before: Mapping[str, Any] | None = None
    for row in attrition.sort("cohort", "step_order").rows(named=True):
        puzzle.see(_key(row), row["n_people"], least=1)
        if before is not None and before["cohort"] == row["cohort"]:
            puzzle.lies_in(_key(row), _key(before))
        before = row


def relate_steps(puzzle: Puzzle, attrition: pl.DataFrame) -> None:
    """With the episodes that they are of, once these have been read."""
    for row in attrition.rows(named=True):
        of = (row["cohort"], "episodes", row["rule"], row["threshold_cells_per_ul"])
        incident, censored = ((*of, "incident", ALL, what) for what in ("episodes", "censored"))
        if row["step_id"] == "confirmed":
            puzzle.adds_up([_key(row)], (*of, True, ALL, "people"))
        elif row["step_id"] == "incident":
            puzzle.lies_in(_key(row), incident)
        elif row["step_id"] == "recovered":
            puzzle.bound({incident: 1, censored: -1, _key(row): -1}, least=0)
    puzzle.adds_up([("step", "observed", "people")], ("everyone", ALL, "observed"))


def relate_entries(puzzle: Puzzle, entries: Iterable[tuple[str, int, str]]) -> None:
    """Whoever has the first things that a cohort asks for may be a cohort of its own; two steps come before."""
    for cohort, n_parts, other in entries:
        step: Key = ("step", cohort, n_parts + 2, "people")
        if (other, ALL, "observed") in puzzle.least and step in puzzle.least:
            puzzle.adds_up([step], (other, ALL, "observed"))


def _key(row: Mapping[str, Any]) -> Key:
    place, step = (row["cohort"], ALL), row["step_id"]
    if step in {"known", "observed"}:
        return "step", step, "people"
    if step == "part":
        return "step", row["cohort"], row["step_order"], "people"
    if step == "low":
        return *place, "low", "any_low", "any_value", row["threshold_cells_per_ul"], "tested"
    return *place, "observed" if step == "member" else step
