"""Which values of `estimate.population` must be hidden, given what is shown of the people in the tables beside it.

A count is hidden where `closing_populations.py` found that it is small or would tell a small one; a share, interval or
number of tests goes with the counts that it is made of. A count that lies between two shown ones that are equal is
theirs, and hiding it would hide nothing.
"""

import polars as pl

from transforms.closing_populations import KINDS, ClosedPopulations
from transforms.suppression import is_small


def hide_populations(closed: ClosedPopulations, min_cell: int) -> pl.DataFrame:
    """Rows of `estimate.population` with hide_VALUE columns."""
    rows = closed.rows
    low, population, tested = (~(pl.col(f"is_shown_{name}") | pl.col(f"is_told_{name}")) for name in KINDS)
    # What others tell of the people tested tells nothing of their tests.
    some_hidden = (~pl.col("is_shown_tested")).any().over("cohort", "interval_unit", "denominator_name")
    hide = {"n_low": low, "n_population": population, "n_tested": tested, "tested_share": tested | population}
    hide |= dict.fromkeys(("prevalence", "prevalence_lo", "prevalence_hi", "method"), low | population)
    # Tests beyond the first of each person tell of people tested twice.
    extra = (pl.col("tests_per_person") * pl.col("n_population")).round() - pl.col("n_tested")
    hide["tests_per_person"] = some_hidden | population | is_small(extra, min_cell)
    found = rows.with_columns(expression.alias(f"hide_{name}") for name, expression in hide.items())
    return found.drop(f"is_{what}_{name}" for what in ("shown", "told") for name in KINDS)
