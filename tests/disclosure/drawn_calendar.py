"""Days of a drawn hospital as dates and times."""

from datetime import date, datetime

import polars as pl

START = datetime.fromisoformat("2025-01-01T09:00:00")


def as_date(column: str) -> pl.Expr:
    """The date of a day of the hospital."""
    return pl.lit(date(START.year, START.month, START.day)) + pl.duration(days=pl.col(column))


def as_time(column: str) -> pl.Expr:
    """Nine in the morning of a day of the hospital."""
    return (pl.lit(START) + pl.duration(days=pl.col(column))).cast(pl.Datetime("us"))
