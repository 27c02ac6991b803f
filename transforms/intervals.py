"""Intervals of shares: plain numbers in, plain numbers out, whole arrays at a time.

Wilson for most; Clopper-Pearson where few are low or few are not. Nobody in the denominator
gives no share and no interval. The level and the rule that picks the method are `definitions/estimation`.
"""

from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from transforms.model.estimation import IntervalMethod

Numbers: TypeAlias = NDArray[np.float64]
Amounts: TypeAlias = NDArray[np.int64] | NDArray[np.float64]  # effective numbers are no whole ones
NONE = "none"


def share_intervals(
    x: NDArray[np.int64], n: NDArray[np.int64], *, level: float, method: IntervalMethod
) -> pl.DataFrame:
    """share, share_lo, share_hi and method, one row per pair; null shares and method `none` where n is 0."""
    is_empty = n == 0
    is_exact = np.minimum(x, n - x) <= method.exact_at_most
    usual_lo, usual_hi = wilson(x, n, level=level)
    exact_lo, exact_hi = clopper_pearson(x, n, level=level)
    names = np.where(is_empty, NONE, np.where(is_exact, method.exact, method.usual))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(is_empty, np.nan, x / n)
    columns = {
        "share": share,
        "share_lo": np.where(is_exact, exact_lo, usual_lo),
        "share_hi": np.where(is_exact, exact_hi, usual_hi),
    }
    frame = pl.DataFrame({**columns, "method": pl.Series(names.tolist(), dtype=pl.String)})
    return frame.with_columns(pl.col(name).fill_nan(None) for name in columns)


def wilson(x: Amounts, n: Amounts, *, level: float) -> tuple[Numbers, Numbers]:
    """Wilson's score interval (1927) of x of n; NaN where n is 0."""
    z = float(special.ndtri(0.5 + level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = x / n
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    return np.where(x == 0, 0.0 * middle, low), np.where(x == n, 1 + 0.0 * middle, high)


def clopper_pearson(x: Amounts, n: Amounts, *, level: float) -> tuple[Numbers, Numbers]:
    """Exact interval of Clopper and Pearson (1934) of x of n; NaN where n is 0."""
    tail = (1 - level) / 2
    is_empty = n == 0
    low = np.where(x == 0, 0.0, special.betaincinv(np.where(x == 0, 1, x), n - x + 1.0, tail))
    high = np.where(x == n, 1.0, special.betaincinv(x + 1.0, np.where(x == n, 1, n - x), 1 - tail))
    return np.where(is_empty, np.nan, low), np.where(is_empty, np.nan, high)
