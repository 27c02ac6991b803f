"""The interval of a share of courses or episodes, of which one person may have several.

The variance of a ratio of sums over people says how many independent ones would give as much; the usual interval is
taken at that number. It is at most their own number, and that of the people where none or all are affected.

Source: ratio estimator with people as clusters, and effective sample size: general statistical knowledge (Kish 1965).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.intervals import NONE, Numbers, clopper_pearson, wilson
from transforms.model.estimation import Estimation


def clustered_shares(
    rows: pl.DataFrame, names: Sequence[str], wanted: Estimation
) -> tuple[Numbers, Numbers, list[str]]:
    """Lower and upper limits of affected / tested, and the method, a row each; NaN where nothing was tested.

    `names` are the columns of the sums over people: tested, affected, people tested, tested squared, affected squared
    and tested times affected.
    """
    m, x, k, mm, xx, mx = (rows[name].to_numpy().astype(np.float64) for name in names)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = x / m
        spread = (xx - 2 * share * mx + share * share * mm) * k / (k - 1) / (m * m)
        effective = np.where((x == 0) | (x == m), k, share * (1 - share) / spread)
        size = np.minimum(np.where(k > 1, effective, k), m)
    is_exact = np.minimum(x, m - x) <= wanted.prevalence_interval.exact_at_most
    with np.errstate(invalid="ignore"):
        at = share * size
        usual = wilson(at, size, level=wanted.confidence_level)
        exact = clopper_pearson(at, size, level=wanted.confidence_level)
    known = wanted.prevalence_interval
    method = np.where(m == 0, NONE, np.where(is_exact, known.exact, known.usual)).tolist()
    return np.where(is_exact, exact[0], usual[0]), np.where(is_exact, exact[1], usual[1]), method
