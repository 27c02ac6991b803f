"""Which counts of people are shown, decided together with the populations that lie beside them.

`nested.py` decides the people observed, tested and low, by month and over the whole extract; weeks, quarters, years
and other populations are closed around them. Where one of those could still be narrowed, above all one that an earlier
night has shown, the count that narrows it is held back; where they say how many a hidden one is at least, that is known
of it; and all is decided anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from transforms.closing_populations import ClosedPopulations, Populations, close_populations, read_populations
from transforms.cohort_order import CohortOrder
from transforms.holding import Holding
from transforms.nested import INTERVAL, People, episode_node, read_people, shown_people

_ALL = "all"


@dataclass(frozen=True)
class Decided:
    """`people` as `shown_people` gives them, and the populations beside them."""

    people: pl.DataFrame
    populations: ClosedPopulations


@dataclass(frozen=True)
class Counts:
    """Counts of people, and rows of populations, as they are and as `close_populations` takes them."""

    people: People
    rows: pl.DataFrame
    populations: Populations | None


def read_counts(estimates: Mapping[str, pl.DataFrame], holding: Holding, order: CohortOrder, min_cell: int) -> Counts:
    """What `decide_people` decides about; the same however often some more of `holding.people` is held."""
    rows = holding.rows["estimate.population"]
    return Counts(read_people(estimates, order, min_cell), rows, read_populations(rows, order, min_cell))


def decide_people(counts: Counts, held: pl.DataFrame, order: CohortOrder, min_cell: int) -> Decided:
    """Counts of people and populations of which none narrows a hidden one; `held` are `Holding.people`."""
    while True:
        people = shown_people(counts.people, order, min_cell, held)
        populations = close_populations(counts.rows, counts.populations, people, min_cell)
        narrow = _find_narrow(people, populations.least, held, min_cell)
        if populations.telling.is_empty() and narrow.is_empty():
            return Decided(people, populations)
        held = _hold_more(held, populations.telling, narrow)


def hold_told(holding: Holding, people: pl.DataFrame, episode: pl.DataFrame) -> Holding | None:
    """`holding` with those numbers of people with an episode that are shown as people, but hidden beside the episodes.

    Shown under one name and hidden under another, such a number is known; so it is where as many people have a first
    episode whose start was seen. None where there is none.
    """
    of_all = episode.filter(pl.col("ended_as") == _ALL, pl.col("hide_n_people"))
    new = pl.format("new|{}|{}", "rule", "threshold_cells_per_ul")
    confirmed = of_all.filter("is_confirmed")
    named = pl.concat(
        rows.select("cohort", "n_people", node=node, interval_unit=pl.lit(_ALL))
        for rows, node in ((of_all, episode_node()), (confirmed, new))
    ).unique()
    is_shown = pl.col("n_shown").is_not_null() & pl.col("interval_start").is_null()
    told = people.filter(is_shown).join(named, on=["cohort", "interval_unit", "node", "n_people"], how="semi")
    if told.is_empty():
        return None
    nothing_more = told.clear().select(*INTERVAL, "node", "least")
    return replace(holding, people=_hold_more(holding.people, told.select(*INTERVAL, "node"), nothing_more))


def _find_narrow(people: pl.DataFrame, least: pl.DataFrame, held: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Hidden counts of which populations tell the least and people the most, where that leaves few values."""
    key = [*INTERVAL, "node"]
    both = least.join(people.select(*key, "most"), on=key, nulls_equal=True)
    both = both.join(held.select(*key, "last"), on=key, how="left", nulls_equal=True)
    is_news = pl.col("least") > pl.col("last").fill_null(1)
    is_narrow = (pl.col("most") > 0) & (pl.col("most") - pl.col("least") < min_cell - 2)
    return both.filter(is_news & is_narrow).select(*key, "least")


def _hold_more(held: pl.DataFrame, telling: pl.DataFrame, narrow: pl.DataFrame) -> pl.DataFrame:
    """`held` with `telling` among them, whether or not they were shown before, and `narrow` known to be as many."""
    key = [*INTERVAL, "node"]
    more = telling.with_columns(is_telling=pl.lit(value=True)).join(
        narrow, on=key, how="full", nulls_equal=True, coalesce=True
    )
    both = held.join(more, on=key, how="full", nulls_equal=True, coalesce=True)
    is_held = [pl.col(name).fill_null(value=False) for name in ("is_held", "is_telling")]
    return both.with_columns(last=pl.max_horizontal("last", "least"), is_held=is_held[0] | is_held[1]).drop(
        "is_telling", "least"
    )
