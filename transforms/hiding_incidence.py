"""Which values of incidence must be hidden: columns `hide_VALUE`; a row is shown or hidden as a whole.

First episodes are people, so they follow `nested.py`, and those of a year are parts of those of all. Every episode is
compared with the first ones and with all confirmed episodes. A standardised rate is of the people of known age and sex.
"""

import polars as pl

from transforms.hiding import with_hidden
from transforms.nested import new_node
from transforms.nested_pairs import TESTED
from transforms.suppression import hide_sums, is_held, is_small

_RULE = ["cohort", "rule", "threshold_cells_per_ul"]
_VALUES = ("n_episodes", "person_days", "rate_per_1000_py", "rate_lo", "rate_hi", "method", "status")


def hide_incidence(incidence: pl.DataFrame, episode: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """`episode` is what `hide_episodes` gave."""
    whole = pl.col("interval_unit") == "all"
    rows = incidence.with_columns(when=pl.col("interval_start"))
    of_all = rows.with_columns(interval_unit=pl.lit("all"), interval_start=pl.lit(None, pl.Date))
    known = with_hidden(of_all, people, {"new": new_node(), "tested": pl.lit(TESTED)})
    rows = rows.with_columns(known["hide_new"], known["hide_tested"])
    every = (pl.col("onset") == "every") & whole
    firsts = rows.filter(whole, pl.col("onset") == "first", pl.col("standard") == "crude")
    rows = rows.join(firsts.select(*_RULE, n_first="n_episodes"), on=_RULE, how="left", maintain_order="left")
    rows = rows.join(_confirmed(episode), on=_RULE, how="left", maintain_order="left")
    n = pl.col("n_episodes")
    near = is_small(n - pl.col("n_first"), min_cell) | is_small((n - pl.col("n_confirmed")).abs(), min_cell)
    hide = (
        is_small(n, min_cell)
        | pl.col("hide_tested")
        | (whole & pl.col("hide_new"))
        | (every & near)
        | is_held(rows.columns)
    )
    hidden = _hide_years(rows.with_columns(hide_n_episodes=hide), min_cell)
    return hidden.with_columns(pl.col("hide_n_episodes").alias(f"hide_{name}") for name in _VALUES).select(
        *incidence.columns, *(f"hide_{name}" for name in _VALUES)
    )


def _hide_years(rows: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """First episodes of years add up to those of all; a whole without years is left as it is."""
    is_first = (pl.col("onset") == "first") & (pl.col("standard") == "crude")
    parts = rows.filter(is_first)
    others = rows.filter(~is_first)
    summed = hide_sums(
        parts,
        is_total=pl.col("interval_unit") == "all",
        by=_RULE,
        key=["interval_start"],
        value="n_episodes",
        min_cell=min_cell,
    )
    return pl.concat([summed.select(rows.columns), others])


def _confirmed(episode: pl.DataFrame) -> pl.DataFrame:
    shown = episode.filter(pl.col("is_confirmed"), pl.col("ended_as") == "all", ~pl.col("hide_n_episodes"))
    return shown.select(*_RULE, n_confirmed="n_episodes")
