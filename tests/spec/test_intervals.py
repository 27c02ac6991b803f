"""Intervals of shares: published figures to the digit, and agreement with an independent library."""

import numpy as np
import pytest

from transforms.intervals import clopper_pearson, share_intervals, wilson
from transforms.load import load_definitions

ESTIMATION = load_definitions().estimation


def _both(method: str, x: int, n: int) -> tuple[float, float]:
    interval = {"wilson": wilson, "clopper_pearson": clopper_pearson}[method]
    low, high = interval(np.array([x]), np.array([n]), level=0.95)
    return float(low[0]), float(high[0])


@pytest.mark.parametrize(
    ("method", "x", "n", "low", "high"),
    [
        ("wilson", 0, 20, 0.0, 0.161125),
        ("clopper_pearson", 0, 20, 0.0, 0.168433),
        ("wilson", 3, 50, 0.020615, 0.162171),
        ("clopper_pearson", 3, 50, 0.012549, 0.165482),
        ("wilson", 12, 240, 0.028830, 0.085348),
        ("wilson", 45, 1000, 0.033800, 0.059683),
    ],
)
def test_the_check_values_of_the_clinical_reference_are_met(
    method: str, x: int, n: int, low: float, high: float
) -> None:
    assert _both(method, x, n) == pytest.approx((low, high), abs=5e-7)


@pytest.mark.parametrize(
    ("x", "n", "low", "high"),
    [
        (15, 294, 2.9, 8.3),
        (6, 148, 1.5, 8.6),
        (5, 147, 1.1, 7.8),
        (26, 589, 2.9, 6.4),
        (0, 288, 0.0, 1.3),
        (1, 146, 0.0, 3.8),
        (17, 294, 3.4, 9.1),
        (7, 148, 1.9, 9.5),
        (29, 589, 3.3, 7.0),
    ],
)
def test_intervals_published_by_a_trial_come_out_of_clopper_pearson(x: int, n: int, low: float, high: float) -> None:
    assert tuple(round(100 * limit, 1) for limit in _both("clopper_pearson", x, n)) == (low, high)


@pytest.mark.parametrize(
    ("x", "n", "low", "high"), [(15, 294, 3.1, 8.2), (6, 148, 1.9, 8.6), (5, 147, 1.5, 7.7), (17, 294, 3.6, 9.1)]
)
def test_wilson_differs_from_them_in_the_last_digit_as_computed_elsewhere(
    x: int, n: int, low: float, high: float
) -> None:
    assert tuple(round(100 * limit, 1) for limit in _both("wilson", x, n)) == (low, high)


@pytest.mark.parametrize(("name", "method"), [("wilson", "wilson"), ("beta", "clopper_pearson")])
def test_a_second_library_agrees_for_every_count_of_small_and_large_groups(name: str, method: str) -> None:
    from statsmodels.stats.proportion import proportion_confint

    for n in (1, 2, 11, 147, 5000):
        x = np.arange(0, n + 1, max(1, n // 50))
        ours = {"wilson": wilson, "clopper_pearson": clopper_pearson}[method](x, np.full_like(x, n), level=0.95)
        theirs = proportion_confint(x, n, method=name)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-9)


def test_few_low_or_few_not_low_get_the_exact_interval_and_all_others_wilson() -> None:
    x, n = np.array([5, 6, 94, 95, 50]), np.array([100] * 5)
    methods = share_intervals(x, n, level=0.95, method=ESTIMATION.prevalence_interval)["method"].to_list()
    assert methods == ["clopper_pearson", "wilson", "wilson", "clopper_pearson", "wilson"]


@pytest.mark.parametrize("n_counted", [0, 3])
def test_nobody_in_the_denominator_gives_no_share_and_no_interval_instead_of_zero(n_counted: int) -> None:
    nobody = np.array([0])
    made = share_intervals(np.array([n_counted]), nobody, level=0.95, method=ESTIMATION.prevalence_interval)
    row = made.row(0)
    assert row == (None, None, None, "none")
