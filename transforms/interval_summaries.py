"""What fitted durations say where death competes: medians, restricted means and curves, each with its interval.

Recovery comes when the fitted duration is over; death at one rate, whatever the duration. The median is the time until
half have recovered alive, the restricted mean the days that are spent low and alive, the curve the share that has not
recovered: there the dead stay. Intervals come from replicates of people by the delta method, on a scale on which no
limit leaves its range, by Student's t with one degree of freedom less than there are clusters of people.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from transforms.duration_families import Family, Numbers
from transforms.model.estimation import Plan

_SHARES = 400
_MIDDLES = (np.arange(_SHARES) + 0.5) / _SHARES  # shares of all durations, at which deaths before recovery are added up
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(64)
_STEP = 1e-4  # of a central difference in the parameters; of a rate of death, in parts of it
_HALF = 0.5
_INSIDE = 1e-9  # a share this near to 0 or 1 has no interval

Limits = tuple[Numbers, Numbers, Numbers]


@dataclass(frozen=True)
class Fitted:
    """Parameters of each group (NaN: not found), deaths a day, and both again in `steps`: group, parameter, replicate.

    `n_clusters` is how many clusters of people each group has, `detection` the chance that a test meets an episode of
    median length.
    """

    family: Family
    place: Numbers
    spread: Numbers
    deaths: Numbers
    steps: Numbers
    n_clusters: NDArray[np.int64]
    detection: Numbers


@dataclass(frozen=True)
class Summary:
    """Each with its lower and upper limit, in days; NaN where there is none. `means` by horizon, `curve` by day."""

    median: Limits
    means: Limits
    curve: Limits


def summarise(fitted: Fitted, plan: Plan) -> Summary:
    """The summaries of every group, at the horizons and days of `plan`."""
    wanted = plan.estimation.duration
    within = special.stdtrit(fitted.n_clusters - 1.0, 0.5 + plan.estimation.confidence_level / 2)[:, None]
    horizons, days = np.array(wanted.horizons_days, float), np.arange(wanted.curve_days + 1, dtype=float)
    at = np.stack([fitted.place, fitted.spread, fitted.deaths], axis=1)
    with np.errstate(all="ignore"):
        centred = fitted.steps - fitted.steps.mean(axis=2, keepdims=True)
        covariance = centred @ centred.transpose(0, 2, 1) / (fitted.steps.shape[2] - 1)

        def spread_of(made: Callable[[Numbers], Numbers]) -> tuple[Numbers, Numbers]:
            slopes = _slopes(made, at)
            return made(at), np.sqrt(np.maximum(np.einsum("gkp,gpq,gkq->gk", slopes, covariance, slopes), 0))

        median = spread_of(lambda here: np.log(_median(fitted.family, here)[:, None]))
        means = spread_of(lambda here: np.log(_means(fitted.family, here, horizons)))
        curve = spread_of(lambda here: _to_line(1 - _recovered(fitted.family, here, days)))
        still = 1 - _recovered(fitted.family, at, days)
        low, high = (special.expit(curve[0] + sign * within * curve[1]) for sign in (-1, 1))
        limits = [tuple(np.exp(log + sign * within * error) for sign in (0, -1, 1)) for log, error in (median, means)]
    one, two = limits
    return Summary(
        (one[0][:, 0], one[1][:, 0], one[2][:, 0]),
        (two[0], two[1], np.minimum(two[2], horizons)),
        (still, np.where(np.isnan(low), still, low), np.where(np.isnan(high), still, high)),
    )


def _slopes(made: Callable[[Numbers], Numbers], at: Numbers) -> Numbers:
    """Central differences of each number of a group by each of its parameters: group, number, parameter."""
    found = []
    for parameter in range(at.shape[1]):
        step = np.full(len(at), _STEP) if parameter < at.shape[1] - 1 else at[:, parameter] * _STEP
        moved = np.zeros_like(at)
        moved[:, parameter] = step
        slope = (made(at + moved) - made(at - moved)) / (2 * step[:, None])
        found.append(np.where(step[:, None] > 0, slope, 0.0))
    return np.stack(found, axis=2)


def _alive(family: Family, at: Numbers) -> Numbers:
    """The share recovered alive, at even steps of the shares whose duration is over: a row a group, from 0."""
    times = family.quantile(_MIDDLES, at[:, :1], at[:, 1:2])
    so_far = np.cumsum(np.exp(-at[:, 2:] * times), axis=1) / _SHARES
    return np.concatenate([np.zeros((len(at), 1)), so_far], axis=1)


def _median(family: Family, at: Numbers) -> Numbers:
    """The time until half have recovered alive; NaN where they never are."""
    alive = _alive(family, at)
    after = np.argmax(alive >= _HALF, axis=1)
    rows = np.arange(len(at))
    before = np.maximum(after - 1, 0)
    low, high = alive[rows, before], alive[rows, after]
    share = (before + (_HALF - low) / (high - low)) / _SHARES
    found = family.quantile(share, at[:, 0], at[:, 1])
    exact = family.quantile(np.asarray(_HALF), at[:, 0], at[:, 1])
    return np.where(at[:, 2] == 0, exact, np.where(alive[:, -1] >= _HALF, found, np.nan))


def _recovered(family: Family, at: Numbers, days: Numbers) -> Numbers:
    """The share recovered alive by each of `days`."""
    over = 1 - family.beyond(days, at[:, :1], at[:, 1:2])
    step = np.clip(over * _SHARES, 0, _SHARES)
    whole = np.minimum(np.nan_to_num(step).astype(np.int64), _SHARES - 1)
    alive = _alive(family, at)
    low, high = (np.take_along_axis(alive, whole + more, axis=1) for more in (0, 1))
    return np.where(at[:, 2:] == 0, over, low + (step - whole) * (high - low))


def _means(family: Family, at: Numbers, horizons: Numbers) -> Numbers:
    """The mean days low and alive up to each horizon."""
    days = horizons[:, None] * (_NODES + 1) / 2
    low = family.beyond(days[None], at[:, :1, None], at[:, 1:2, None]) * np.exp(-at[:, 2:, None] * days)
    summed: Numbers = (low * _NODE_WEIGHTS).sum(axis=2) * horizons / 2
    return summed


def _to_line(share: Numbers) -> Numbers:
    """The logit of a share: NaN where it is nearly 0 or 1."""
    return special.logit(np.where((share > _INSIDE) & (share < 1 - _INSIDE), share, np.nan))
