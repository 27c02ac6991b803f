"""Intervals of rates and of standardised numbers: published figures, hand vectors, and independent libraries."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.rates import confint_poisson

from transforms.rates import fay_feuer, garwood, logit_interval


@pytest.mark.parametrize(
    ("events", "years", "low", "high"), [(5, 400, 4.0587, 29.1708), (0, 100, 0, 36.8888), (1, 100, 0.2532, 55.7164)]
)
def test_the_check_values_of_the_clinical_reference_are_met(events: int, years: int, low: float, high: float) -> None:
    found = garwood(np.array([events]), level=0.95)
    assert tuple(float(limit[0]) / years * 1000 for limit in found) == pytest.approx((low, high), abs=5e-5)


def test_scipy_and_statsmodels_agree_for_small_and_large_counts() -> None:
    events = np.array([0, 1, 2, 5, 17, 250, 10_000])
    ours = garwood(events, level=0.95)
    for place, count in enumerate(events):
        theirs = confint_poisson(count, 1, method="exact-c") if count else (0.0, -np.log(0.025))
        assert (ours[0][place], ours[1][place]) == pytest.approx(theirs, rel=1e-9)
    np.testing.assert_allclose(ours[1], stats.chi2.ppf(0.975, 2 * events + 2) / 2, rtol=1e-9)
    np.testing.assert_allclose(ours[0][1:], stats.chi2.ppf(0.025, 2 * events[1:]) / 2, rtol=1e-9)


def test_equal_weights_make_the_gamma_interval_the_exact_one() -> None:
    """Fay and Feuer 1997: with one weight for all strata the limits are those of Garwood."""
    events, time = np.array([4, 9, 30]), 500.0
    total = np.array([events.sum() / time])
    low, high = fay_feuer(total, total / time, np.array([1 / time]), level=0.95)
    exact = garwood(np.array([events.sum()]), level=0.95)
    assert (low[0], high[0]) == pytest.approx((exact[0][0] / time, exact[1][0] / time), rel=1e-9)


def test_the_gamma_interval_is_that_of_its_chi_squared_form() -> None:
    events, time, weight = np.array([3, 20, 7]), np.array([1200.0, 800.0, 300.0]), np.array([0.5, 0.3, 0.2])
    rate, variance, largest = (
        (weight * events / time).sum(),
        ((weight / time) ** 2 * events).sum(),
        (weight / time).max(),
    )
    low, high = fay_feuer(np.array([rate]), np.array([variance]), np.array([largest]), level=0.95)
    more, wider = rate + largest, variance + largest**2
    expected = (
        variance / (2 * rate) * stats.chi2.ppf(0.025, 2 * rate**2 / variance),
        wider / (2 * more) * stats.chi2.ppf(0.975, 2 * more**2 / wider),
    )
    assert (low[0], high[0]) == pytest.approx(expected, rel=1e-9)


def test_no_event_gives_a_lower_limit_of_zero_and_an_upper_one() -> None:
    low, high = fay_feuer(np.array([0.0]), np.array([0.0]), np.array([0.01]), level=0.95)
    assert low[0] == 0
    assert high[0] == pytest.approx(0.01 * -np.log(0.025))


def test_the_interval_of_a_share_is_symmetric_in_log_odds_and_absent_at_zero_and_one() -> None:
    low, high = logit_interval(np.array([0.1, 0.0, 1.0]), np.array([0.0004, 0.0, 0.0]), level=0.95)
    odds = np.log(0.1 / 0.9)
    half = 1.959963984540054 * 0.02 / 0.09
    expected = [1 / (1 + np.exp(-(odds + sign * half))) for sign in (-1, 1)]
    assert [low[0], high[0]] == pytest.approx(expected, rel=1e-9)
    assert np.isnan([low[1:], high[1:]]).all()
