"""Durations whose both ends lie between tests: the chances add up, areas are areas, and estimates are the truth's."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.bench.calibration import Cell, draw_hospitals, measure
from transforms.duration_families import FAMILIES, Family
from transforms.interval_durations import Fits, chances_of_detection, fit_durations, resample
from transforms.interval_groups import Groups, Triples
from transforms.interval_likelihood import likelihood_of, log_likelihood

FAMILY_NAMES = pytest.mark.parametrize("name", sorted(FAMILIES))


def of_scipy(name: str, place: float, spread: float) -> Any:
    from scipy import stats

    families = {
        "log_normal": lambda: stats.lognorm(math.exp(spread), scale=math.exp(place)),
        "weibull": lambda: stats.weibull_min(math.exp(spread), scale=math.exp(place)),
        "gamma": lambda: stats.gamma(math.exp(spread), scale=math.exp(place - spread)),
    }
    return families[name]()


def chance(family: Family, before: float, inside: float, after: float, place: float, spread: float) -> float:
    triples = Triples(np.array([before]), np.array([inside]), np.array([after]))
    return float(np.exp(log_likelihood(triples, family, place, spread))[0])


@FAMILY_NAMES
@pytest.mark.parametrize(("place", "spread"), [(2.0, -0.5), (0.5, 0.4), (3.0, 0.1)])
def test_the_curves_and_areas_of_a_family_are_those_of_scipy(name: str, place: float, spread: float) -> None:
    from scipy import integrate

    family, library = FAMILIES[name], of_scipy(name, place, spread)
    for time in (0.5, 2.0, 9.0, 40.0):
        at = np.asarray(time), np.asarray(place), np.asarray(spread)
        assert family.beyond(*at) == pytest.approx(library.sf(time), rel=1e-9)
        assert family.below(*at) == pytest.approx(integrate.quad(library.cdf, 0, time)[0], rel=1e-7)
        above = integrate.quad(library.sf, time, library.isf(1e-13), limit=200)[0]
        assert family.above(*at) == pytest.approx(above, rel=1e-5, abs=1e-9)
    assert family.quantile(np.asarray(0.5), np.asarray(place), np.asarray(spread)) == pytest.approx(library.median())


@FAMILY_NAMES
@pytest.mark.parametrize("gap", [1.0, 3.5, 14.0])
def test_the_chances_of_everything_that_can_be_seen_of_a_detected_episode_add_up_to_one(name: str, gap: float) -> None:
    inside = gap * np.arange(int(3000 / gap))
    gaps = np.full(len(inside), gap)
    likelihoods = log_likelihood(Triples(gaps, inside, gaps), FAMILIES[name], 1.8, -0.3)
    assert np.exp(likelihoods).sum() == pytest.approx(1, abs=1e-6)


@FAMILY_NAMES
def test_the_chance_that_no_end_was_seen_is_that_of_all_later_ends(name: str) -> None:
    inside = np.arange(5.0, 3000.0)
    triples = Triples(np.full(len(inside), 3.0), inside, np.ones(len(inside)))
    later = np.exp(log_likelihood(triples, FAMILIES[name], 1.8, -0.3)).sum()
    assert chance(FAMILIES[name], 3, 5, math.inf, 1.8, -0.3) == pytest.approx(later, abs=1e-6)


def test_far_in_the_tail_a_chance_is_small_and_not_lost() -> None:
    tail = of_scipy("log_normal", 2.0, math.log(0.3))
    assert chance(FAMILIES["log_normal"], 0.04, 60, 0.04, 2.0, math.log(0.3)) == pytest.approx(
        0.04 * tail.pdf(60.04), rel=0.02
    )


def fit(triples: list[tuple[float, float, float]], weights: list[float], group: list[int]) -> Fits:
    before, inside, after = (np.array(side, dtype=float) for side in zip(*triples, strict=True))
    groups = Groups(Triples(before, inside, after), np.array(weights), np.array(group), max(group) + 1)
    return fit_durations(groups, FAMILIES["log_normal"])


EPISODES = [(1.0, 3.0, 2.0), (1, 9, math.inf), (7, 4, 7), (2, 2, 1), (3, 11, 2)]


def test_the_estimate_is_the_same_whether_equal_episodes_stand_alone_or_are_counted() -> None:
    apart = fit([EPISODES[0], *EPISODES], [1.0] * 6, [0] * 6)
    counted = fit(EPISODES, [2.0, 1, 1, 1, 1], [0] * 5)
    assert (apart.place[0], apart.spread[0]) == pytest.approx((counted.place[0], counted.spread[0]), abs=1e-4)


def test_groups_that_are_fitted_side_by_side_do_not_touch_each_other() -> None:
    alone = fit(EPISODES, [1.0] * 5, [0] * 5)
    longer = [(before, 3 * inside + 1, after) for before, inside, after in EPISODES]
    beside = fit([*longer, *EPISODES], [1.0] * 10, [0] * 5 + [1] * 5)
    assert beside.place[1] == pytest.approx(alone.place[0], abs=1e-9)
    assert beside.place[0] > alone.place[0]


@FAMILY_NAMES
def test_an_episode_is_as_likely_alone_as_among_others_that_share_its_times(name: str) -> None:
    drawn = np.random.default_rng(9)
    before, inside, after = (drawn.integers(low, 9, 60).astype(float) for low in (1, 0, 1))
    triples = Triples(before, inside, np.where(after > 6, np.inf, after))
    group, parameters = drawn.integers(0, 4, 60), np.array([[1.2, -0.3], [0.9, 0.1], [1.9, -0.8], [1.4, 0.0]])
    likelihood = likelihood_of(Groups(triples, np.ones(60), group, 5), FAMILIES[name])  # nobody is in the last group
    together = likelihood.at(np.vstack([parameters, [[1.0, 0.0]]]))
    for row in range(60):
        alone = log_likelihood(
            Triples(*(side[[row]] for side in triples.sides)), FAMILIES[name], *parameters[group[row]]
        )
        assert together[0, row] == alone[0]
    some, rows = likelihood.only(np.array([1, 3]))
    assert set(group[rows]) == {1, 3}
    np.testing.assert_array_equal(some.at(parameters[[1, 3]]), together[:, rows])


def test_the_estimate_stands_at_the_peak_that_scipy_finds_too() -> None:
    from scipy import optimize

    before, inside, after = (np.array(side) for side in zip(*EPISODES, strict=True))
    triples = Triples(before, inside, after)

    def cost(at: np.ndarray) -> float:
        return -float(log_likelihood(triples, FAMILIES["log_normal"], float(at[0]), float(at[1])).sum())

    peak = optimize.minimize(cost, [1.5, 0.0], method="Nelder-Mead", tol=1e-10).x
    found = fit(EPISODES, [1.0] * 5, [0] * 5)
    assert (found.place[0], found.spread[0]) == pytest.approx(tuple(peak), abs=1e-3)


def test_without_one_recovery_nothing_is_estimated() -> None:
    assert np.isnan(fit([(1, 3, math.inf), (2, 8, math.inf)], [1.0, 1], [0, 0]).place).all()


def test_durations_that_tests_cannot_tell_apart_have_no_estimate() -> None:
    assert np.isnan(fit([(7, 0, 7)] * 6, [1.0] * 6, [0] * 6).place).all()


def test_a_replicate_that_weighs_everybody_once_is_the_estimate_itself() -> None:
    hospitals = draw_hospitals(Cell("twice weekly", "log_normal", 8, 0.6, 150), 2, np.random.default_rng(3)).groups
    fits = fit_durations(hospitals, FAMILIES["log_normal"])
    place, spread = resample(hospitals, fits, np.arange(300) % 150, np.ones((150, 1)))
    assert place[:, 0] == pytest.approx(fits.place)
    assert spread[:, 0] == pytest.approx(fits.spread)


def test_a_person_with_many_episodes_counts_as_one_and_widens_the_interval() -> None:
    hospital = draw_hospitals(Cell("daily", "log_normal", 8, 0.6, 200), 1, np.random.default_rng(5)).groups
    fits = fit_durations(hospital, FAMILIES["log_normal"])
    order = np.argsort(hospital.triples.inside)  # people whose ten episodes are alike
    cluster = np.empty(200, dtype=np.int64)
    cluster[order] = np.arange(200) // 10
    weights = np.random.default_rng(6).poisson(1.0, (200, 400)).astype(float)
    together, _ = resample(hospital, fits, cluster, weights[:20])
    apart, _ = resample(hospital, fits, np.arange(200), weights)
    assert np.std(together) > 2 * np.std(apart)


@pytest.mark.parametrize("schedule", ["daily", "twice weekly"])
def test_drawing_people_once_more_moves_the_fit_as_far_as_a_fit_without_them_moves_back(schedule: str) -> None:
    hospital = draw_hospitals(Cell(schedule, "log_normal", 8, 0.6, 200), 1, np.random.default_rng(8)).groups
    fits = fit_durations(hospital, FAMILIES["log_normal"])
    cluster = np.arange(200) % 20
    drawn_again = resample(hospital, fits, cluster, 1 + np.eye(20))
    rows = np.flatnonzero(cluster != np.arange(20)[:, None])
    triples = Triples(*(np.tile(each, 20)[rows] for each in vars(hospital.triples).values()))
    without = fit_durations(Groups(triples, np.ones(len(rows)), rows // 200, 20), FAMILIES["log_normal"])
    for again, left, whole in zip(drawn_again, (without.place, without.spread), (fits.place, fits.spread), strict=True):
        assert again[0] - whole[0] == pytest.approx(whole[0] - left, rel=0.15, abs=0.002)


def test_a_fit_that_hangs_on_one_group_of_people_has_no_replicates() -> None:
    hospital = draw_hospitals(Cell("daily", "log_normal", 8, 0.6, 50), 1, np.random.default_rng(8)).groups
    fits = fit_durations(hospital, FAMILIES["log_normal"])
    place, _ = resample(hospital, fits, np.zeros(50, dtype=np.int64), np.full((3, 2), 2.0))
    assert np.isnan(place).all()


@pytest.mark.parametrize(("days", "expected"), [(14, 1.0), (7, 0.75), (3.5, 0.375)])
def test_the_chance_of_detection_is_the_share_of_a_gap_that_an_episode_fills(days: float, expected: float) -> None:
    gaps = Triples(np.array([7.0, 14.0]), np.zeros(2), np.ones(2))
    groups = Groups(gaps, np.ones(2), np.zeros(2, dtype=np.int64), 1)
    assert chances_of_detection(groups, np.array([days])) == pytest.approx([expected])


@pytest.mark.parametrize("of_person", [1, 4])
@pytest.mark.parametrize("schedule", ["daily", "twice weekly"])
def test_intervals_hold_the_true_median_and_mean_as_often_as_they_promise(schedule: str, of_person: int) -> None:
    measured = measure(Cell(schedule, "log_normal", 8, 0.6, 200, of_person), replicates=300)
    assert 0.915 <= measured.coverage <= 0.98  # 95 % give or take nearly three standard errors of 300 hospitals
    assert 0.905 <= measured.mean_coverage <= 0.98
    assert abs(measured.bias_days) < 0.15
    assert measured.given > 0.9


def test_a_typical_patient_has_longer_episodes_where_people_with_short_ones_have_more_of_them() -> None:
    patient = Cell("daily", "log_normal", 8, 0.6, 200, of_person=4, is_of_patient=True)
    measured = measure(patient, replicates=300)
    assert 0.91 <= measured.coverage <= 0.98
    assert abs(measured.bias_days) < 0.2
    seen = draw_hospitals(patient, 50, np.random.default_rng(3)).groups
    every_episode_once = fit_durations(replace(seen, weights=np.ones(len(seen.weights))), FAMILIES["log_normal"])
    assert np.exp(every_episode_once.place).mean() == pytest.approx(8 * np.exp(-0.5 * 0.6 * np.sqrt(0.5)), abs=0.2)


@pytest.mark.parametrize("schedule", ["weekly", "fortnightly", "weekly, and when fever says so"])
def test_no_median_is_given_where_tests_are_too_sparse_to_see_it(schedule: str) -> None:
    assert measure(Cell(schedule, "log_normal", 8, 0.6, 200), replicates=50).given == 0


def test_the_naive_references_are_off_where_the_headline_is_not() -> None:
    measured = measure(Cell("twice weekly", "log_normal", 8, 0.6, 200), replicates=200)
    assert abs(measured.kaplan_meier_bias_days) > 5 * abs(measured.bias_days)
    assert measured.kaplan_meier_coverage < 0.85
    sparse = measure(Cell("fortnightly", "log_normal", 8, 0.6, 200), replicates=100)
    assert sparse.turnbull_bias_days > 8
    assert sparse.turnbull_coverage < 0.1


@FAMILY_NAMES
def test_the_slopes_of_a_family_are_those_of_its_areas(name: str) -> None:
    family, place, spread = FAMILIES[name], np.asarray(1.7), np.asarray(-0.4)
    times = np.array([0.5, 4.0, 9.0, 30.0])
    for is_late in (False, True):
        area = family.above if is_late else family.below
        step = 1e-4
        slopes = family.slopes(times, family.told(place, spread), is_late)
        np.testing.assert_allclose(slopes[0], area(times, place, spread), rtol=1e-9)
        sides = [(area(times, place + x * step, spread + y * step), x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
        at = {(x, y): value for value, x, y in sides}
        first = [(at[1, 0] - at[-1, 0]) / (2 * step), (at[0, 1] - at[0, -1]) / (2 * step)]
        np.testing.assert_allclose(slopes[1:3], first, rtol=1e-4, atol=1e-5)
        second = [at[1, 0] - 2 * at[0, 0] + at[-1, 0], (at[1, 1] - at[1, -1] - at[-1, 1] + at[-1, -1]) / 4]
        second.append(at[0, 1] - 2 * at[0, 0] + at[0, -1])
        np.testing.assert_allclose(slopes[3:], np.array(second) / step**2, rtol=1e-3, atol=1e-4)
