"""The stratum of a person: sex, and the band of ages they are in on a day or in a year.

With a year of birth the age is the year less that year, as in cohorts; else the age known at a date, moved by the
years between; an age without a date holds always. Unknown is a stratum of its own, and is not standardised.
"""

from collections.abc import Sequence

import polars as pl

from transforms.model.standards import Standardisation

FACTS = ("birth_year", "age_years", "age_at", "sex")
UNKNOWN = "unknown"
STRATUM = ("age_from_years", "sex")


def read_ages(person: pl.LazyFrame) -> pl.DataFrame:
    """person_index and what tells age and sex; facts that the frame lacks are unknown."""
    has = set(person.collect_schema().names())
    types = {"birth_year": pl.Int32(), "age_years": pl.Int32(), "age_at": pl.Date(), "sex": pl.String()}
    return person.select(
        "person_index",
        *((pl.col(name) if name in has else pl.lit(None)).cast(type_).alias(name) for name, type_ in types.items()),
    ).collect()


def age_in(year: pl.Expr) -> pl.Expr:
    """Age in a calendar year of rows that have the columns of `read_ages`; of a null year, one that needs no date."""
    since = (year - pl.col("age_at").dt.year()).fill_null(0)
    is_datable = pl.col("age_at").is_null() | year.is_not_null()
    return pl.coalesce(year - pl.col("birth_year"), pl.when(is_datable).then(pl.col("age_years") + since))


def stratum_of(year: pl.Expr, wanted: Standardisation) -> dict[str, pl.Expr]:
    """`age_from_years` (null: unknown) and `sex` of rows that have the columns of `read_ages`, in a calendar year.

    A null year stands for no date: then only an age that needs none is known.
    """
    return {
        "age_from_years": band_of(age_in(year), wanted.age_bands_from_years),
        "sex": pl.when(pl.col("sex").is_in(list(wanted.sex_shares))).then("sex").otherwise(pl.lit(UNKNOWN)),
    }


def band_of(age: pl.Expr, bands: Sequence[int]) -> pl.Expr:
    """The first age of the band that holds an age; null below the first, and where the age is unknown."""
    found = pl.lit(None, pl.Int32)
    for first in bands:
        found = pl.when(age >= first).then(pl.lit(first, pl.Int32)).otherwise(found)
    return found
