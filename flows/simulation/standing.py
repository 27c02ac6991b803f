"""The one result of each test that stands, for layouts that have no result status.

A preliminary or wrong result is what such a layout's load would have overwritten; a repeated row stays repeated.
"""

import polars as pl


def standing_results(labs: pl.DataFrame) -> pl.DataFrame:
    """The rows whose version is the last of their specimen and test, in the order they had."""
    keys = ["specimen_id", "test_code"]
    rows = labs.filter(pl.col("status") != "preliminary").with_row_index("row")
    newest = pl.col("resulted_at").max().over(keys)
    return rows.filter(pl.col("resulted_at") == newest)
