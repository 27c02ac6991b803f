"""From when until when released tables go by the calendar: as far as they show somebody.

The first and the last interval of all are days of one person, who came long before the others or was seen once more.
Only what is shown decides, so what is left out tells nothing. The last look comes before, at every month: what is left
of a whole beside the shown months may be of months that are left out.
"""

from collections.abc import Mapping

import polars as pl

from transforms.schemas import schema_of

MONTH = "month"
_LENGTHS = {"week": "1w", MONTH: "1mo", "quarter": "3mo", "year": "1y"}


def leave_out_ends(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Released tables without the weeks, months, quarters and years that lie before the first month, or after the last,
    of which a count of some cohort is shown.
    """
    dated = {name: rows for name, rows in tables.items() if "interval_start" in rows.columns}
    months = pl.concat(_shown(name, rows) for name, rows in dated.items())["interval_start"]
    if months.is_empty():
        return {**tables, **{name: rows.filter(pl.col("interval_start").is_null()) for name, rows in dated.items()}}
    is_begun = _end() > months.min()
    is_inside = is_begun & (pl.col("interval_start") <= months.dt.month_end().max())
    kept = pl.col("interval_start").is_null() | is_inside
    return {**tables, **{name: rows.filter(kept) for name, rows in dated.items()}}


def _shown(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    counts = [value for value in schema_of(name).values if value.startswith("n_")]
    is_shown = pl.any_horizontal(pl.col(count) > 0 for count in counts).fill_null(value=False)
    return rows.filter(is_shown, pl.col("interval_unit") == MONTH).select("interval_start").drop_nulls()


def _end() -> pl.Expr:
    """The day after an interval."""
    unit, start = pl.col("interval_unit"), pl.col("interval_start")
    return pl.coalesce(pl.when(unit == name).then(start.dt.offset_by(by)) for name, by in _LENGTHS.items())
