"""Turnbull's curve: check vectors, a plain second version, and a library, agree with the fast one."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from transforms.turnbull import Bounds, turnbull, turnbull_medians

Numbers = NDArray[np.float64]


def bounds_of(*groups: tuple[list[float], list[float]]) -> Bounds:
    least = np.concatenate([np.array(low, float) for low, _ in groups])
    most = np.concatenate([np.array(high, float) for _, high in groups])
    number = np.repeat(np.arange(len(groups)), [len(low) for low, _ in groups])
    return Bounds(least, most, np.ones(len(least)), number, len(groups))


def still(bounds: Bounds, at: float, group: int = 0) -> float:
    """The share beyond a time that lies inside no innermost interval."""
    masses = turnbull(bounds)
    return float(masses.share[(masses.group == group) & (masses.right > at)].sum())


def plain(least: Numbers, most: Numbers, steps: int = 20_000) -> tuple[Numbers, Numbers, Numbers]:
    """The same by a loop over durations and innermost intervals, one step at a time."""
    ends = sorted([(low, 1) for low in least] + [(high, 0) for high in most])
    pairs = [(one[0], two[0]) for one, two in pairwise(ends) if one[1] == 1 and two[1] == 0]
    left, right = np.array([low for low, _ in pairs]), np.array([high for _, high in pairs])
    covers = (least[:, None] <= left) & (right <= most[:, None])
    share = np.full(len(left), 1 / len(left))
    for _ in range(steps):
        parts = covers * share
        share = (parts / parts.sum(axis=1, keepdims=True)).mean(axis=0)
    return left, right, share


def test_check_vector_one_has_two_thirds_beyond_one_and_a_half() -> None:
    assert still(bounds_of(([0.5, 2.5, 2.5], [1.5, 3.5, 3.5])), 2) == pytest.approx(0.6667, abs=1e-4)


def test_check_vector_two_has_one_third_beyond_four() -> None:
    assert still(bounds_of(([2, 2, 5], [4, 4, 9])), 4.5) == pytest.approx(0.3333, abs=1e-4)


def test_intervals_that_only_touch_share_no_duration() -> None:
    assert still(bounds_of(([1, 7], [7, 16])), 7) == pytest.approx(0.5, abs=1e-4)


def draw(seed: int, size: int) -> tuple[Numbers, Numbers]:
    random = np.random.default_rng(seed)
    lasted, gap = random.lognormal(2, 0.6, size), random.choice([1.0, 3.0, 7.0], size)
    least = np.floor(lasted / gap) * gap
    return least, np.where(random.uniform(size=size) < 0.15, np.inf, least + gap)


@pytest.mark.parametrize("seed", range(4))
def test_a_plain_loop_finds_the_same_curve(seed: int) -> None:
    least, most = draw(seed, 40)
    left, right, share = plain(least, most)
    found = turnbull(Bounds(least, most, np.ones(40), np.zeros(40, np.int64), 1))
    assert found.left.tolist() == left.tolist()
    assert found.right.tolist() == right.tolist()
    np.testing.assert_allclose(np.cumsum(found.share), np.cumsum(share), atol=2e-3)


def test_groups_do_not_touch_each_other_and_weights_count() -> None:
    (one, one_most), (two, two_most) = draw(7, 60), draw(8, 30)
    both = bounds_of((one.tolist(), one_most.tolist()), (two.tolist(), two_most.tolist()))
    alone = Bounds(two, two_most, np.full(30, 2.0), np.zeros(30, np.int64), 1)
    together = turnbull(both)
    np.testing.assert_allclose(together.share[together.group == 1], turnbull(alone).share, atol=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_a_library_finds_the_median_in_the_same_interval(seed: int) -> None:
    least, most = draw(seed + 20, 120)
    low, high = turnbull_medians(Bounds(least, most, np.ones(120), np.zeros(120, np.int64), 1))
    from lifelines import KaplanMeierFitter

    library = KaplanMeierFitter().fit_interval_censoring(least + 1e-9, most)
    ends = library.median_survival_time_.to_numpy().ravel()
    assert low[0] - 1e-6 <= ends.min() <= ends.max() <= high[0] + 1e-6


def test_a_median_that_is_not_reached_has_an_open_end_and_a_group_without_durations_has_none() -> None:
    bounds = Bounds(np.array([1.0, 2, 3]), np.array([2, np.inf, np.inf]), np.ones(3), np.zeros(3, np.int64), 2)
    low, high = turnbull_medians(bounds)
    assert (low[0], high[0]) == (3, np.inf)
    assert np.isnan(high[1])


def test_a_curve_of_many_thousand_durations_is_the_likeliest_there_is() -> None:
    random, size = np.random.default_rng(3), 40_000
    lasted, gaps = (
        random.lognormal(5, 0.9, size),
        random.choice([24.0, 168.0], size) * random.uniform(0.8, 1.2, (2, size)),
    )
    least = np.floor(np.maximum(lasted - gaps[0] * random.uniform(size=size), 0))
    most = np.where(random.uniform(size=size) < 0.2, np.inf, np.ceil(lasted + gaps[1] * random.uniform(size=size)))
    found = turnbull(Bounds(least, most, np.ones(size), np.zeros(size, np.int64), 1))
    so_far = np.append(0, np.cumsum(found.share))
    first, last = np.searchsorted(found.left, least), np.searchsorted(found.right, most, side="right")
    chance = so_far[last] - so_far[first]
    raised = [np.sum(1 / chance[(first <= place) & (place < last)]) / size for place in range(len(found.share))]
    assert max(raised) <= 1 + 2e-4  # Gentleman and Geyer 1994: moving mass anywhere makes the data no likelier


def test_a_single_duration_has_its_own_bounds_for_a_median() -> None:
    low, high = turnbull_medians(bounds_of(([1], [3])))
    assert (low[0], high[0]) == (1, 3)
