"""Counts from what was made of them: shares, limits of intervals, steps of curves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtri

from tests.disclosure.puzzle import Key, Puzzle

LARGEST = 400
FEWEST_DIGITS = 3
TAIL, FEW = 0.025, 11


def learn_share(puzzle: Puzzle, share: Any, part: Key, whole: Key) -> None:
    """A shown share with its part or its whole hidden bounds the other, as far as its digits go."""
    if share is None or (part in puzzle.shown and whole in puzzle.shown):
        return
    error = half_digit(share)
    puzzle.bound({part: 1, whole: -(share - error)}, least=0)
    puzzle.bound({part: 1, whole: -(share + error)}, most=0)


def learn_limits(puzzle: Puzzle, low: Any, high: Any, part: Key, whole: Key) -> None:
    """Limits of an interval are of few pairs of counts, often of a single one: try them all."""
    if low is None or high is None or (part in puzzle.shown and whole in puzzle.shown):
        return
    given = puzzle.shown.get(whole)
    wholes = np.arange(1, LARGEST) if given is None else np.array([int(given)])
    found = [pair for n in wholes for pair in _pairs(int(n), float(low), float(high))]
    if found:
        for key, counts in zip((part, whole), zip(*found, strict=True), strict=True):
            puzzle.suppose(key, least=min(counts), most=max(counts))


def half_digit(share: float) -> float:
    """Half of the last digit that a rounded share shows; a share with many digits is taken as exact."""
    digits = len(f"{share:.12f}".rstrip("0").partition(".")[2])
    return 0.5 * 10.0 ** -max(FEWEST_DIGITS, digits)


def _pairs(n: int, low: float, high: float) -> list[tuple[int, int]]:
    x, z = np.arange(n + 1), ndtri(0.975)
    middle, spread = (x + z * z / 2) / (n + z * z), z / (n + z * z) * np.sqrt(x * (n - x) / n + z * z / 4)
    exact = (
        np.where(x > 0, betaincinv(np.maximum(x, 1), n - x + 1, 0.025), 0),
        np.where(x < n, betaincinv(x + 1, np.maximum(n - x, 1), 0.975), 1),
    )
    error = max(half_digit(low), half_digit(high)) + 1e-9
    hits = np.zeros(n + 1, bool)
    for one, other in ((middle - spread, middle + spread), exact):
        hits |= (np.abs(one - low) <= error) & (np.abs(other - high) <= error)
    return [(int(each), n) for each in np.flatnonzero(hits)]


def learn_tested_people(puzzle: Puzzle, row: Mapping[str, Any], names: tuple[str, str], keys: tuple[Key, Key]) -> None:
    """Exact limits of none or all affected are those of a number of people: `names` of the limits, `keys` of both."""
    low, high = (row[name] for name in names)
    tested, whole = keys
    if low is None or high is None or (low > 0 and high < 1):
        return
    n_people = round(np.log(TAIL) / np.log(low if low > 0 else 1 - high))
    is_few = 0 < n_people < FEW or 0 < puzzle.shown.get(whole, n_people) - n_people < FEW
    puzzle.see(tested, None if is_few else n_people)
    puzzle.bound({tested: 1}, least=n_people, most=n_people)
    puzzle.lies_in(tested, whole)
