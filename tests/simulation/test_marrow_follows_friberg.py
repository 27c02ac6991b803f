"""The marrow model gives the published course after docetaxel, and what an independent solver gives."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from flows.simulation.kinetics import docetaxel_effect, docetaxel_um
from flows.simulation.marrow import BLOOD, MarrowTraits, rested, step
from flows.simulation.parameters import load_parameters

ONE = np.ones(1)
BASELINE = 5.05
SURFACE = 1.8
STEP_HOURS = 2
HOURS = 21 * 24


def typical() -> dict[str, np.ndarray]:
    drug = load_parameters().regimens.docetaxel
    return {
        "clearance": ONE * drug.clearance_l_per_h,
        "distribution": ONE * drug.distribution_l_per_h,
        "central": ONE * drug.central_l,
        "peripheral": ONE * drug.peripheral_l,
    }


def course(mg_per_m2: float, *, is_linear: bool = False) -> np.ndarray:
    """Counts of the typical person every step for three weeks, 10^9/L."""
    drug = load_parameters().regimens.docetaxel
    dose = ONE * mg_per_m2 * SURFACE
    if is_linear:
        points = (np.arange(36 * 12) + 0.5) / 12
        effect = (8.58 * docetaxel_um(points, dose, typical(), drug)).reshape(1, -1, 24).mean(axis=2)
        traits = MarrowTraits.from_maturation(ONE * 88.7, ONE * 0.161)
    else:
        effect = docetaxel_effect(dose, typical(), (ONE * drug.emax, ONE * drug.ec50_um), STEP_HOURS, drug)
        traits = MarrowTraits.from_maturation(ONE * 89.3, ONE * 0.163)
    pools, counts = rested(1), [BASELINE]
    for number in range(HOURS // STEP_HOURS):
        acting = effect[:, number] if number < effect.shape[1] else 0.0 * ONE
        pools = step(pools, traits, acting, STEP_HOURS)
        counts.append(BASELINE * pools[BLOOD, 0])
    return np.array(counts)


def solved(mg_per_m2: float) -> np.ndarray:
    """The same person by SciPy's stiff solver, on the differential equations as printed, every step."""

    def slope(hours: float, state: np.ndarray, infusion: float) -> list[float]:
        central, peripheral, prol, one, two, three, blood = state
        um = central / 5.77 / 0.808
        ktr = 4.0 / 89.3
        kill = 83.9 * um / (7.17 + um)
        return [
            infusion - (32.6 + 5.34) / 5.77 * central + 5.34 / 11.0 * peripheral,
            5.34 / 5.77 * central - 5.34 / 11.0 * peripheral,
            ktr * prol * (1.0 - kill) * (1.0 / blood) ** 0.163 - ktr * prol,
            ktr * (prol - one),
            ktr * (one - two),
            ktr * (two - three),
            ktr * (three - blood),
        ]

    tight = {"method": "LSODA", "rtol": 1e-9, "atol": 1e-11}
    start = [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    infused = solve_ivp(slope, (0, 1), start, args=(mg_per_m2 * SURFACE,), **tight).y[:, -1]
    hours = np.arange(STEP_HOURS, HOURS + 1, STEP_HOURS)
    after = solve_ivp(slope, (1, HOURS), infused, args=(0.0,), t_eval=hours, max_step=2, **tight)
    return BASELINE * np.append(1.0, after.y[6])


@pytest.mark.parametrize("mg_per_m2", [60.0, 75.0, 100.0])
def test_the_stepped_marrow_agrees_with_a_stiff_solver(mg_per_m2: float) -> None:
    assert np.abs(course(mg_per_m2) / solved(mg_per_m2) - 1.0).max() < 0.01


@pytest.mark.parametrize(
    ("mg_per_m2", "is_linear", "nadir", "day", "days_low"),
    [
        pytest.param(100, False, 0.839, 7.61, 5.5, id="full dose, Emax form"),
        pytest.param(100, True, 0.613, 7.83, 6.4, id="full dose, linear form"),
        pytest.param(60, False, 1.42, None, None, id="low dose, Emax form"),
        pytest.param(60, True, 1.40, None, None, id="low dose, linear form"),
    ],
)
def test_the_published_course_after_docetaxel_is_met(
    mg_per_m2: float, is_linear: bool, nadir: float, day: float | None, days_low: float | None
) -> None:
    counts = course(mg_per_m2, is_linear=is_linear)
    assert counts.min() == pytest.approx(nadir, abs=0.06)
    if day is not None:
        assert counts.argmin() * STEP_HOURS / 24 == pytest.approx(day, abs=0.15)
        assert (counts < 1.5).sum() * STEP_HOURS / 24 == pytest.approx(days_low, abs=0.25)


def test_an_untreated_marrow_stays_at_its_baseline() -> None:
    traits = MarrowTraits.from_maturation(np.array([90.0, 130.0]), np.array([0.16, 0.2]))
    pools = rested(2)
    for _ in range(500):
        pools = step(pools, traits, np.zeros(2), STEP_HOURS)
    assert np.abs(pools - 1.0).max() < 1e-6


def under_growth_factor(kill: float, days: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Blood of one marrow without and with G-CSF on the given days, every step for three weeks."""
    traits = MarrowTraits.from_maturation(ONE * 89.3, ONE * 0.163)
    factors = load_parameters().regimens.gcsf
    stimulus = tuple(ONE * factors[name] for name in ("transit_factor", "proliferation_factor", "loss_factor"))
    plain, helped = rested(1), rested(1)
    path = []
    for number in range(21 * 12):
        effect = ONE * (kill if number < 6 else 0.0)
        is_given = days[0] * 12 <= number < days[1] * 12
        plain = step(plain, traits, effect, STEP_HOURS)
        helped = step(helped, traits, effect, STEP_HOURS, stimulus if is_given else None)
        path.append((plain[BLOOD, 0], helped[BLOOD, 0]))
    return np.array(path)[:, 0], np.array(path)[:, 1]


def test_growth_factor_shortens_the_fall_after_a_dose() -> None:
    plain, helped = under_growth_factor(6.0, (2, 11))
    assert (helped < 0.4).sum() < 0.6 * (plain < 0.4).sum()
    assert helped.min() > plain.min()


def test_a_count_raised_by_growth_factor_falls_within_two_days_of_stopping() -> None:
    _, helped = under_growth_factor(0.0, (0, 5))
    at_stop = helped[5 * 12 - 1]
    assert at_stop > 2.0
    assert helped[7 * 12 - 1] < 0.65 * at_stop
