"""Death competes with recovery: nobody who died recovers, and a second library agrees."""

import warnings

import numpy as np
import polars as pl
import pytest

from transforms.competing import aalen_johansen
from transforms.survival import kaplan_meier


def ended(rows: str) -> pl.DataFrame:
    """Days and what happened: recovered, died or censored."""
    lines = [line.split() for line in rows.strip().splitlines()]
    kinds = {"n_events": "recovered", "n_deaths": "died", "n_censored": "censored"}
    return pl.DataFrame(
        [
            {"group": 1, "time": int(day), **{name: int(kind == word) for name, word in kinds.items()}}
            for day, kind in lines
        ]
    )


def test_who_died_never_recovers_later() -> None:
    curve = aalen_johansen(ended("1 recovered\n2 died\n3 recovered\n4 recovered"), by=["group"], level=0.95)
    assert curve["not_recovered"].to_list() == pytest.approx([0.75, 0.75, 0.5, 0.25])
    assert curve["still"].to_list() == pytest.approx([0.75, 0.5, 0.25, 0.0])


def test_without_a_death_it_is_the_curve_of_kaplan_and_meier() -> None:
    rows = ended("1 recovered\n2 censored\n3 recovered\n3 recovered\n5 censored\n6 recovered")
    ours, theirs = (make(rows, by=["group"], level=0.95) for make in (aalen_johansen, kaplan_meier))
    assert ours["not_recovered"].to_list() == pytest.approx(theirs["still"].to_list())


@pytest.mark.parametrize("seed", range(4))
def test_a_second_library_finds_the_same_shares_and_variances(seed: int) -> None:
    from lifelines import AalenJohansenFitter

    random = np.random.default_rng(seed)
    size = 150
    days, kind = random.permutation(size) + 1, random.choice(3, size, p=[0.2, 0.6, 0.2])
    rows = pl.DataFrame(
        {"group": 1, "time": days, "n_events": kind == 1, "n_deaths": kind == 2, "n_censored": kind == 0}
    ).with_columns(pl.col("^n_.*$").cast(pl.Int64))
    ours = aalen_johansen(rows, by=["group"], level=0.95)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = AalenJohansenFitter(calculate_variance=True).fit(days, kind, event_of_interest=1)
    np.testing.assert_allclose(1 - ours["not_recovered"], theirs.cumulative_density_.iloc[1:, 0], atol=1e-9)
    np.testing.assert_allclose(ours["variance"][:-1], theirs.variance_.iloc[1:-1], atol=1e-9)
    inside = theirs.confidence_interval_.iloc[1:-1].dropna()
    assert ours["not_recovered_lo"].null_count() == 0
    shown = ours.filter(pl.col("time").cast(pl.Float64).is_in(inside.index.to_list()))
    np.testing.assert_allclose(1 - shown["not_recovered_hi"], inside.iloc[:, 0], atol=1e-6)
    np.testing.assert_allclose(1 - shown["not_recovered_lo"], inside.iloc[:, 1], atol=1e-6)
