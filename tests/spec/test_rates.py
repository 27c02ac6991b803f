"""Intervals of rates and of standardised numbers: published figures, hand vectors, and independent libraries."""

import numpy as np
import polars as pl
import pytest

from transforms.frames import empty, shape
from transforms.incidence_estimates import estimate_incidence
from transforms.load import load_definitions
from transforms.plan import plan_of
from transforms.rates import fay_feuer, garwood, logit_interval

DEFINITIONS = load_definitions()
PLAN = plan_of(DEFINITIONS, has_calendar=True, has_dates=True)


@pytest.mark.parametrize(
    ("events", "years", "low", "high"), [(5, 400, 4.0587, 29.1708), (0, 100, 0, 36.8888), (1, 100, 0.2532, 55.7164)]
)
def test_the_check_values_of_the_clinical_reference_are_met(events: int, years: int, low: float, high: float) -> None:
    found = garwood(np.array([events]), level=0.95)
    assert tuple(float(limit[0]) / years * 1000 for limit in found) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("events", "years", "rate", "low", "high"),
    [(5, 400, 12.5, 4.0587, 29.1708), (0, 100, 0, 0, 36.8888), (1, 100, 10, 0.2532, 55.7164)],
)
def test_first_episodes_counted_by_day_give_the_same_rates_a_thousand_years(
    events: int, years: int, rate: float, low: float, high: float
) -> None:
    counted = {"n_episodes": events, "n_days": round(years * 365.25), "onset": "first", "sex": "any"}
    rule = {"rule": PLAN.estimation.default_rule, "threshold_cells_per_ul": 500}
    rows = pl.DataFrame([{"cohort": "everyone", "interval_unit": "all", "interval_start": None, **rule, **counted}])
    counts = shape(rows.with_columns(age_from_years=None), "counts.incidence")
    made = estimate_incidence(counts, empty("counts.incidence_group"), empty("counts.observed_time"), PLAN)
    (found,) = made.filter(pl.col("standard") == "crude").iter_rows(named=True)
    assert found["method"] == "garwood"
    assert found["rate_per_1000_py"] == pytest.approx(rate, abs=1e-9)
    assert (found["rate_lo"], found["rate_hi"]) == pytest.approx((low, high), abs=5e-5)


def test_the_world_standard_is_what_was_published_over_its_sum_of_100_03() -> None:
    published = [8.86, 8.69, 8.60, 8.47, 8.22, 7.93, 7.61, 7.15, 6.59, 6.04, 5.37, 4.55, 3.72, 2.96, 2.21, 1.52, 0.91]
    published.append(0.63)  # 85 years and older
    (standard,) = (each for each in DEFINITIONS.standards if each.id == "who_2000_2025")
    assert sum(published) == pytest.approx(100.03)
    assert list(standard.weights.values()) == pytest.approx([each / 100.03 for each in published], abs=1e-8)


def test_scipy_and_statsmodels_agree_for_small_and_large_counts() -> None:
    from scipy import stats
    from statsmodels.stats.rates import confint_poisson

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
    from scipy import stats

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
