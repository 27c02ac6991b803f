"""Families of durations, with the areas under their curves that an interval-censored likelihood is made of.

A family has two parameters, both free to be any number, so that no step of a search leaves its range. `place` sets
where durations lie (the logarithm of a time in days), `spread` how far they scatter (the logarithm of a shape). Every
function takes arrays of times and parameters that fit together and answers with the array that both span.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Numbers = NDArray[np.float64]
Curve = Callable[[Numbers, Numbers, Numbers], Numbers]
Told = tuple[Numbers, ...]
Slopes = Callable[[Numbers, Told, bool], Numbers]
_STEP = 1e-3  # of a central difference in the parameters, which are logarithms
_LEAST = 1e-300


@dataclass(frozen=True)
class Family:
    """A distribution of durations in days, by (times, place, spread).

    `beyond`: the chance of a longer duration. `below`: the area under the chance of a shorter one from 0 to the time.
    `above`: the area under `beyond` from the time to no end. `quantile`: the duration that a share does not exceed.
    `told`: what `slopes` needs to know of (place, spread), found once for all times of a group.
    `slopes`: by (times, told, is_late) `above` if late, else `below`, and how it moves with the parameters: rows are
    the area, its first differentials (place, spread) and its second ones (place twice, both, spread twice).
    """

    beyond: Curve
    below: Curve
    above: Curve
    quantile: Curve
    told: Callable[[Numbers, Numbers], Told]
    slopes: Slopes


def _log_normal() -> Family:
    def told(place: Numbers, spread: Numbers) -> Told:
        sigma = np.exp(spread)
        return place, sigma, np.exp(place + sigma**2 / 2)

    def scores(times: Numbers, place: Numbers, spread: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        place, sigma, mean = told(place, spread)
        with np.errstate(divide="ignore"):
            return (np.log(times) - place) / sigma, sigma, mean

    def below(times: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        z, sigma, mean = scores(times, place, spread)
        return times * special.ndtr(z) - mean * special.ndtr(z - sigma)

    def above(times: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        z, sigma, mean = scores(times, place, spread)
        return mean * special.ndtr(sigma - z) - times * special.ndtr(-z)

    def slopes(times: Numbers, told: Told, is_late: bool) -> Numbers:
        place, sigma, mean = told
        z = (np.log(np.maximum(times, _LEAST)) - place) / sigma
        side = 1.0 if is_late else -1.0
        part = side * mean * special.ndtr(side * (sigma - z))  # the mean of longer durations, or less that of shorter
        dense = times * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        both = sigma**2 * part + dense * (sigma + z)
        twice = sigma**2 * (2 * part + both) + sigma * dense * (1 + z**2)
        area = part - side * times * special.ndtr(-side * z)
        return np.stack([area, part, sigma**2 * part + sigma * dense, part + dense / sigma, both, twice])

    return Family(
        beyond=lambda times, place, spread: special.ndtr(-scores(times, place, spread)[0]),
        below=below,
        above=above,
        quantile=lambda share, place, spread: np.exp(place + np.exp(spread) * special.ndtri(share)),
        told=told,
        slopes=slopes,
    )


def _differ(below: Curve, above: Curve) -> Slopes:
    """`slopes` by differences, for a family whose differentials have no simple form."""

    def slopes(times: Numbers, told: Told, is_late: bool) -> Numbers:
        place, spread = told
        curve = above if is_late else below

        def area(right: int, wide: int) -> Numbers:
            return curve(times, place + right * _STEP, spread + wide * _STEP)

        here, left, right, narrow, wide = area(0, 0), area(-1, 0), area(1, 0), area(0, -1), area(0, 1)
        first = [(right - left) / (2 * _STEP), (wide - narrow) / (2 * _STEP)]
        across = (area(1, 1) - area(1, -1) - area(-1, 1) + area(-1, -1)) / 4
        second = [each / _STEP**2 for each in (right - 2 * here + left, across, wide - 2 * here + narrow)]
        return np.stack([here, *first, *second])

    return slopes


def _weibull() -> Family:
    def parts(times: Numbers, place: Numbers, spread: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        shape, scale = np.exp(spread), np.exp(place)
        return (times / scale) ** shape, shape, scale * special.gamma(1 + 1 / shape)

    def below(times: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        power, shape, mean = parts(times, place, spread)
        return -times * np.expm1(-power) - mean * special.gammainc(1 + 1 / shape, power)

    def above(times: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        power, shape, mean = parts(times, place, spread)
        return mean * special.gammaincc(1 + 1 / shape, power) - times * np.exp(-power)

    return Family(
        beyond=lambda times, place, spread: np.exp(-parts(times, place, spread)[0]),
        below=below,
        above=above,
        quantile=lambda share, place, spread: np.exp(place) * (-np.log1p(-share)) ** np.exp(-spread),
        told=lambda place, spread: (place, spread),
        slopes=_differ(below, above),
    )


def _gamma() -> Family:
    def parts(times: Numbers, place: Numbers, spread: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        shape, mean = np.exp(spread), np.exp(place)
        return times * shape / mean, shape, mean

    def below(times: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        scaled, shape, mean = parts(times, place, spread)
        return times * special.gammainc(shape, scaled) - mean * special.gammainc(shape + 1, scaled)

    def above(times: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        scaled, shape, mean = parts(times, place, spread)
        return mean * special.gammaincc(shape + 1, scaled) - times * special.gammaincc(shape, scaled)

    def quantile(share: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        unit: Numbers = special.gammaincinv(np.exp(spread), share)
        return np.exp(place - spread) * unit

    return Family(
        beyond=lambda times, place, spread: special.gammaincc(*_swap(parts(times, place, spread))),
        below=below,
        above=above,
        quantile=quantile,
        told=lambda place, spread: (place, spread),
        slopes=_differ(below, above),
    )


def _swap(parts: tuple[Numbers, Numbers, Numbers]) -> tuple[Numbers, Numbers]:
    scaled, shape, _ = parts
    return shape, scaled


FAMILIES: Mapping[str, Family] = {"log_normal": _log_normal(), "weibull": _weibull(), "gamma": _gamma()}
