"""An attack on one report: everything that its released tables tell, and the counts that it was made of."""

from collections.abc import Mapping

import polars as pl

from tests.disclosure.drawn_hospital import background
from tests.disclosure.puzzle import Key, Puzzle
from tests.disclosure.reading_days import relate_drugs
from tests.disclosure.reading_episodes import read_curves, read_episodes, relate_episodes
from tests.disclosure.reading_onsets import relate_onsets
from tests.disclosure.reading_people import Background, read_people, read_rules
from tests.disclosure.reading_populations import read_complications, read_incidence
from tests.disclosure.reading_steps import relate_entries, relate_steps

Tables = Mapping[str, pl.DataFrame]
WIDTH = 9  # of 1 to 10
OWN_RULE = "clinical"  # of the episodes that are looked for after a drug


def read_counts(tables: Tables, known: Background | None = None) -> Puzzle:
    """All that is known of people and episodes, cohorts together. `known` is what the methods say."""
    puzzle, known = Puzzle(), known or background()
    read_people(puzzle, tables, known)
    _read_more(puzzle, tables)
    relate_steps(puzzle, tables["released.attrition"])
    relate_entries(puzzle, known.entries)
    relate_onsets(puzzle, tables["released.cumulative_incidence"])
    relate_episodes(puzzle, known)
    relate_drugs(puzzle, tables["released.drug"], OWN_RULE)
    return puzzle


def read_steps(tables: Tables) -> Puzzle:
    """All that is known of the curves of durations, with the episodes that they are of."""
    puzzle = Puzzle()
    read_episodes(puzzle, tables)
    read_curves(puzzle, tables["released.duration_curve"])
    return puzzle


def true_counts(estimates: Tables, known: Background | None = None) -> dict[Key, float]:
    """Every count as it was before anything was hidden."""
    named = {name.replace("estimate.", "released."): rows for name, rows in estimates.items()}
    puzzle = Puzzle()
    read_people(puzzle, named, known or background())
    _read_more(puzzle, named)
    return puzzle.shown


def _read_more(puzzle: Puzzle, tables: Tables) -> None:
    read_episodes(puzzle, tables)
    read_incidence(puzzle, tables["released.incidence"])
    read_complications(puzzle, tables["released.complication"])
    read_rules(puzzle, tables["released.rule"])
