"""What a reader knows of days below a threshold and of people low for months beyond one cohort.

`hiding_days.py` looks at each cohort alone; here whatever follows from cohorts, thresholds and people together goes.
"""

from itertools import pairwise

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.counts_as_nodes import as_nodes, hide_unshown
from transforms.relations import Named, close_nodes

LIMIT = "threshold_cells_per_ul"
_DAYS = {"n_days_observed": "days", "n_days_low": "daylow", "n_days_not_low": "daynot", "n_days_unknown": "dayopen"}
_CHRONIC = {"n_assessable": "seen", "n_people": "long", "n_people_open": "still"}


def close_days(days: pl.DataFrame, beside: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """Person-days with more of hide_COUNT true; the days of a threshold stay together. `beside`: `decided_people`."""
    parts = [as_nodes(days, value, _of_day(value, word)) for value, word in _DAYS.items()]
    while True:
        cells = _one_each([*parts, _beside(days, beside)])
        shown = close_nodes(cells, _relate_days(_limits(days)), order, min_cell)
        closed = days
        for value, word in _DAYS.items():
            closed = hide_unshown(closed, value, _of_day(value, word), shown)
        apart = [f"hide_{value}" for value in _DAYS if value != "n_days_observed"]
        closed = closed.with_columns(pl.any_horizontal(*apart).alias(flag) for flag in apart)
        again = [as_nodes(closed, value, _of_day(value, word)) for value, word in _DAYS.items()]
        if pl.concat(again)["is_shown"].sum() == pl.concat(parts)["is_shown"].sum():
            return closed
        days, parts = closed, again


def close_chronic(chronic: pl.DataFrame, beside: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """The chronic track with more of hide_COUNT true."""
    parts = [as_nodes(chronic, value, _of_track(value, word)) for value, word in _CHRONIC.items()]
    cells = _one_each([*parts, _beside(chronic, beside)])
    rules = chronic["rule"].unique().sort().to_list()
    shown = close_nodes(cells, _relate_tracks(rules, _limits(chronic)), order, min_cell)
    for value, word in _CHRONIC.items():
        chronic = hide_unshown(chronic, value, _of_track(value, word), shown)
    return chronic


def _one_each(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """What stands in the rows of every threshold is one count, shown where one of them shows it."""
    cells = pl.concat(parts).group_by("cohort", "node")
    return cells.agg(pl.col("n").max(), pl.col("is_shown").any(), pl.col("least").max(), pl.col("is_decided").any())


def _of_day(value: str, word: str) -> pl.Expr:
    return pl.lit(word) if value == "n_days_observed" else pl.format(f"{word}|{{}}", LIMIT)


def _of_track(value: str, word: str) -> pl.Expr:
    return (
        pl.format(f"{word}|{{}}", "rule") if value == "n_assessable" else pl.format(f"{word}|{{}}|{{}}", "rule", LIMIT)
    )


def _limits(rows: pl.DataFrame) -> list[int]:
    return rows[LIMIT].unique().sort().to_list()


def _beside(rows: pl.DataFrame, beside: pl.DataFrame) -> pl.DataFrame:
    return beside.join(rows.select("cohort").unique(), on="cohort", how="semi")


def _relate_days(limits: list[int]) -> Named:
    """Each low person is low on a day, each observed one on a day; lower thresholds have fewer low days."""
    inside = [("observed", "days"), *((f"low|{limit}", f"daylow|{limit}") for limit in limits)]
    for low, high in pairwise(limits):
        inside += [(f"daylow|{low}", f"daylow|{high}"), (f"daynot|{high}", f"daynot|{low}")]
    kinds = [word for value, word in _DAYS.items() if value != "n_days_observed"]
    sums = [(f"{word}|{limit}", "days", limit) for limit in limits for word in kinds]
    return Named(inside, [], sums)


def _relate_tracks(rules: list[str], limits: list[int]) -> Named:
    inside = [(f"seen|{rule}", "tested") for rule in rules]
    for rule in rules:
        for limit in limits:
            people = f"long|{rule}|{limit}"
            inside += [(people, f"seen|{rule}"), (people, f"low|{limit}"), (f"still|{rule}|{limit}", people)]
        inside += [
            (f"{word}|{rule}|{low}", f"{word}|{rule}|{high}")
            for low, high in pairwise(limits)
            for word in ("long", "still")
        ]
    return Named(inside, [], [])
