"""The ratio of two rates from their events alone: given how many there were, the share of one side is binomial.

Limits are mid-P: of the exact tail probability half of that of the count itself is taken off, so that small counts do
not make them too wide. Plain numbers in, plain numbers out, whole arrays at a time.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
_HALVINGS = 60  # of the interval from 0 to 1: past the precision of a float


def rate_ratio(
    events: Counts, weeks: Counts, other_events: Counts, other_weeks: Counts, *, level: float
) -> tuple[Numbers, Numbers, Numbers]:
    """Ratio, lower and upper limit; NaN where nothing can be said, infinity where there is no upper limit.

    Nothing can be said without events, or without time on a side. Source: Lancaster 1961 (mid-P), and that two Poisson
    counts are binomial given their sum.
    """
    total = events + other_events
    is_known = (total > 0) & (weeks > 0) & (other_weeks > 0)
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        exposure = other_weeks / weeks
        ratio = events / other_events * exposure
        low, high = _share_limits(events, total, tail)
        lo, hi = low / (1 - low) * exposure, high / (1 - high) * exposure
    lo, hi = np.where(events == 0, 0.0, lo), np.where(other_events == 0, np.inf, hi)
    nothing = np.where(is_known, 0.0, np.nan)
    return ratio + nothing, lo + nothing, hi + nothing


def _share_limits(x: Counts, n: Counts, tail: float) -> tuple[Numbers, Numbers]:
    """Mid-P limits of a binomial share, by halving."""
    return _solve(x, n, 1 - tail), _solve(x, n, tail)


def _solve(x: Counts, n: Counts, wanted: float) -> Numbers:
    """The share at which fewer than x, and half of exactly x, have the probability `wanted`."""
    least, most = np.zeros(len(x)), np.ones(len(x))
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        is_higher = _below(x, n, middle) > wanted
        least, most = np.where(is_higher, middle, least), np.where(is_higher, most, middle)
    found: Numbers = (least + most) / 2
    return found


def _below(x: Counts, n: Counts, share: Numbers) -> Numbers:
    """P(X < x) + P(X = x) / 2."""
    at_most = np.where(x >= n, 1.0, special.betainc(np.maximum(n - x, 1), x + 1.0, 1 - share))
    fewer = np.where(x <= 0, 0.0, special.betainc(n - x + 1.0, np.maximum(x, 1), 1 - share))
    halved: Numbers = (at_most + fewer) / 2
    return halved
