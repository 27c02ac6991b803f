"""Days of fever by a named definition: one high temperature, or all readings high for so long.

Readings are compared in hundredths of a degree, so that 38.3 is 38.3. The time of a fever is the reading that fulfils
the definition. Obeys `temperatures` in `definitions/complications`.
"""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from transforms.model.complications import Fever

_HUNDREDTHS = 100
SIGN = ("person_index", "seen_at")


def read_temperatures(vital: pl.LazyFrame) -> pl.LazyFrame:
    """Readings as person_index, measured_at, hundredths (of a degree Celsius), sorted; several at one time: the lowest.

    The lowest, because a fever must not rest on the one of two readings that may be wrong.
    """
    hundredths = (pl.col("celsius").cast(pl.Float64) * _HUNDREDTHS).round().cast(pl.Int32)
    return (
        vital.group_by("person_index", "measured_at")
        .agg(hundredths.min().alias("hundredths"))
        .sort("person_index", "measured_at")
    )


def find_fevers(temperatures: pl.LazyFrame, fevers: Sequence[Fever]) -> pl.LazyFrame:
    """Times (SIGN) at which any of `fevers` holds; `temperatures` is from `read_temperatures`."""
    found = [_lasting(temperatures, one) if one.lasting_minutes else _single(temperatures, one) for one in fevers]
    return pl.concat([part.select(SIGN) for part in found]).unique()


def _single(temperatures: pl.LazyFrame, fever: Fever) -> pl.LazyFrame:
    return temperatures.filter(_is_high(fever)).rename({"measured_at": "seen_at"})


def _lasting(temperatures: pl.LazyFrame, fever: Fever) -> pl.LazyFrame:
    """Readings high without a break since one that lies long enough before."""
    is_same = (pl.col("person_index") == pl.col("person_index").shift(1)).fill_null(value=False)
    gap = pl.col("measured_at") - pl.col("measured_at").shift(1)
    is_far = gap > timedelta(hours=fever.most_hours_between_readings or 0)
    goes_on = is_same & ~is_far & _is_high(fever).shift(1)
    high = temperatures.with_columns(goes_on=goes_on.fill_null(value=False)).filter(_is_high(fever))
    began = pl.when(~pl.col("goes_on")).then("measured_at").forward_fill()
    runs = high.with_columns(lasting=pl.col("measured_at") - began)
    least = timedelta(minutes=fever.lasting_minutes or 0)
    is_long = pl.col("lasting") >= least if fever.lasting_operator == "ge" else pl.col("lasting") > least
    return runs.filter(is_long).rename({"measured_at": "seen_at"})


def _is_high(fever: Fever) -> pl.Expr:
    limit = round(fever.celsius * _HUNDREDTHS)
    return pl.col("hundredths") >= limit if fever.operator == "ge" else pl.col("hundredths") > limit
