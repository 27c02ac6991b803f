"""An attack on one report: everything that its released tables tell, and the counts that it was made of."""

from collections.abc import Mapping

import polars as pl

from tests.disclosure.drawn_hospital import background
from tests.disclosure.puzzle import Key, Puzzle
from tests.disclosure.reading_episodes import read_curves, read_episodes, relate_episodes
from tests.disclosure.reading_people import read_people, read_rules

Tables = Mapping[str, pl.DataFrame]
WIDTH = 9  # of 1 to 10


def read_counts(tables: Tables) -> Puzzle:
    """All that is known of people and episodes, cohorts together."""
    puzzle = Puzzle()
    read_people(puzzle, tables, background())
    read_episodes(puzzle, tables)
    read_rules(puzzle, tables["released.rule"])
    relate_episodes(puzzle, background())
    return puzzle


def read_steps(tables: Tables) -> Puzzle:
    """All that is known of the curves of durations, with the episodes that they are of."""
    puzzle = Puzzle()
    read_episodes(puzzle, tables)
    read_curves(puzzle, tables["released.duration_curve"])
    return puzzle


def true_counts(estimates: Tables) -> dict[Key, float]:
    """Every count as it was before anything was hidden."""
    named = {name.replace("estimate.", "released."): rows for name, rows in estimates.items()}
    puzzle = Puzzle()
    read_people(puzzle, named, background())
    read_episodes(puzzle, named)
    read_rules(puzzle, named["released.rule"])
    return puzzle.shown
