"""Standardised shares: their intervals hold the truth also where a standard weighs ages of few people."""

import numpy as np
import polars as pl
import pytest

from transforms.load import load_definitions
from transforms.standardising import standardise, with_share_limits

DEFINITIONS = load_definitions()
WANTED, LEVEL = DEFINITIONS.estimation.standardisation, DEFINITIONS.estimation.confidence_level
PEOPLE = {20: 2, 25: 2, 30: 3, 35: 4, 40: 8, 45: 15, 50: 30, 55: 45, 60: 60, 65: 60, 70: 40, 75: 20, 80: 8, 85: 3}
SEXES = ("female", "male")


@pytest.mark.parametrize("truth", [0.1, 0.5, 0.7])
@pytest.mark.parametrize("standard", [one.id for one in DEFINITIONS.standards])
def test_the_interval_holds_the_truth_where_the_young_are_few_and_weigh_much(standard: str, truth: float) -> None:
    rng = np.random.default_rng(3)
    strata = [(group, age, sex, n) for group in range(500) for age, n in PEOPLE.items() for sex in SEXES]
    rows = pl.DataFrame(strata, schema=["group", "age_from_years", "sex", "n_base"], orient="row")
    counts = rows.with_columns(n_events=pl.Series(rng.binomial(rows["n_base"].to_numpy(), truth)))
    standards = [one for one in DEFINITIONS.standards if one.id == standard]
    found = with_share_limits(standardise(counts, ["group"], standards, WANTED), level=LEVEL)
    holds = found.select(((pl.col("lo") <= truth) & (pl.col("hi") >= truth)).mean()).item()
    assert holds > LEVEL - 0.035
