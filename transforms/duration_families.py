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


@dataclass(frozen=True)
class Family:
    """A distribution of durations in days, by (times, place, spread).

    `beyond`: the chance of a longer duration. `below`: the area under the chance of a shorter one from 0 to the time.
    `above`: the area under `beyond` from the time to no end. `quantile`: the duration that a share does not exceed.
    """

    beyond: Curve
    below: Curve
    above: Curve
    quantile: Curve


def _log_normal() -> Family:
    def scores(times: Numbers, place: Numbers, spread: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        sigma = np.exp(spread)
        with np.errstate(divide="ignore"):
            return (np.log(times) - place) / sigma, sigma, np.exp(place + sigma**2 / 2)

    def below(times: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        z, sigma, mean = scores(times, place, spread)
        return times * special.ndtr(z) - mean * special.ndtr(z - sigma)

    def above(times: Numbers, place: Numbers, spread: Numbers) -> Numbers:
        z, sigma, mean = scores(times, place, spread)
        return mean * special.ndtr(sigma - z) - times * special.ndtr(-z)

    return Family(
        beyond=lambda times, place, spread: special.ndtr(-scores(times, place, spread)[0]),
        below=below,
        above=above,
        quantile=lambda share, place, spread: np.exp(place + np.exp(spread) * special.ndtri(share)),
    )


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
    )


def _swap(parts: tuple[Numbers, Numbers, Numbers]) -> tuple[Numbers, Numbers]:
    scaled, shape, _ = parts
    return shape, scaled


FAMILIES: Mapping[str, Family] = {"log_normal": _log_normal(), "weibull": _weibull(), "gamma": _gamma()}
