"""Which values of the share of low tests must be hidden: columns `hide_VALUE`.

Low tests are a count of `nested.py`, because they are at least as many as the people low, and hidden where these are
few; the tests of a cohort are those of its testing. The share goes with both, and where nearly every test is low.
"""

import polars as pl

from transforms.hiding import ALL, with_hidden
from transforms.nested import low_tests_node
from transforms.nested_pairs import TESTED
from transforms.suppression import is_held, is_small

_OF_SHARE = ("low_test_share", "low_test_share_lo", "low_test_share_hi", "method")


def hide_test_shares(shares: pl.DataFrame, testing: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """`testing` is what `hide_testing` gave."""
    rows = shares.with_columns(interval_unit=pl.lit(ALL), interval_start=pl.lit(None, pl.Date))
    rows = with_hidden(rows, people, {"n_people": pl.lit(TESTED), "n_tests_low": low_tests_node()})
    whole = testing.filter(pl.col("interval_unit") == ALL).select("cohort", "hide_n_tests")
    rows = rows.join(whole, on="cohort", how="left", maintain_order="left")
    hide = pl.any_horizontal("hide_n_tests_low", "hide_n_tests", "hide_n_people")
    hide = hide | is_small(pl.col("n_tests") - pl.col("n_tests_low"), min_cell) | is_held(rows.columns)
    return rows.with_columns(
        pl.col("hide_n_tests").fill_null(value=True),
        **{f"hide_{name}": hide.fill_null(value=True) for name in _OF_SHARE},
    )
