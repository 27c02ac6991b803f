"""Intervals of rates: plain numbers in, plain numbers out, whole arrays at a time.

Garwood's exact interval (1936) of a Poisson count, and the gamma interval of Fay and Feuer (1997) of a sum of weighted
counts. Nothing to divide by gives no rate and no interval (NaN).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from transforms.intervals import Numbers


def garwood(events: NDArray[np.int64], *, level: float) -> tuple[Numbers, Numbers]:
    """Exact limits of the expected number of events, given how many were seen."""
    tail = (1 - level) / 2
    low = np.where(events == 0, 0.0, special.gammaincinv(np.maximum(events, 1.0), tail))
    return low, np.asarray(special.gammaincinv(events + 1.0, 1 - tail), dtype=np.float64)


def fay_feuer(adjusted: Numbers, variance: Numbers, largest: Numbers, *, level: float) -> tuple[Numbers, Numbers]:
    """Limits of an adjusted rate, the sum of weight / time x events over strata.

    `variance` is the sum of (weight / time)^2 x events, `largest` the largest weight / time of a stratum.
    """
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low = variance / adjusted * special.gammaincinv(adjusted**2 / variance, tail)
        more, wider = adjusted + largest, variance + largest**2
        high = wider / more * special.gammaincinv(more**2 / wider, 1 - tail)
    return np.where(adjusted == 0, 0.0, low), high


def logit_interval(share: Numbers, variance: Numbers, *, level: float) -> tuple[Numbers, Numbers]:
    """Limits of an adjusted share, symmetric on the scale of log odds; NaN where the share is 0 or 1."""
    reach = float(special.ndtri(0.5 + level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = special.logit(share)
        half = reach * np.sqrt(variance) / (share * (1 - share))
        low, high = special.expit(middle - half), special.expit(middle + half)
    is_known = (share > 0) & (share < 1)
    return np.where(is_known, low, np.nan), np.where(is_known, high, np.nan)
