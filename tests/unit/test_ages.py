"""A person's age in a calendar year follows from the year of birth, or from an age and the day on which it was told."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from transforms.strata import age_in, read_ages


@pytest.mark.parametrize(
    ("known", "year", "age"),
    [
        ({"birth_year": 1960}, 2020, 60),
        ({"birth_year": 1960, "age_years": 50, "age_at": date(2020, 5, 1)}, 2020, 60),
        ({"age_years": 60, "age_at": date(2020, 5, 1)}, 2020, 60),
        ({"age_years": 60, "age_at": date(2020, 5, 1)}, 2023, 63),
        ({"age_years": 60, "age_at": date(2020, 5, 1)}, 2018, 58),
        ({"age_years": 60}, 2023, 60),
        ({"age_years": 60}, None, 60),
        ({"age_years": 60, "age_at": date(2020, 5, 1)}, None, None),
        ({"birth_year": 1960}, None, None),
        ({}, 2020, None),
    ],
)
def test_an_age_is_that_of_the_year_and_unknown_where_it_needs_a_date_that_is_not_there(
    known: dict[str, Any], year: int | None, age: int | None
) -> None:
    person = pl.LazyFrame([{"person_index": 1, **known}])
    assert read_ages(person).select(age=age_in(pl.lit(year, pl.Int32)))["age"].to_list() == [age]
