"""Recovery where death competes (Aalen and Johansen), for every group at once, from counts of times.

A death is not an end that was not seen: who died does not recover later. So the share that has recovered alive grows
by those who recover of all who are still in their episode, and the days that are spent low and alive are the area
under the share still in it. Without a death both are Kaplan and Meier's curve. Limits are on the log-log scale.

Sources: Aalen and Johansen 1978; variance, Marubini and Valsecchi 1995 (general statistical knowledge).
"""

from collections.abc import Sequence

import polars as pl
from scipy import special


def aalen_johansen(rows: pl.DataFrame, *, by: Sequence[str], level: float) -> pl.DataFrame:
    """One row per group and time, sorted.

    `rows` has `by`, time (integer), n_events (recoveries), n_deaths, n_censored. Adds still (the share still in the
    episode after the time), not_recovered (that and the dead), not_recovered_lo, not_recovered_hi and variance.
    """
    z = float(special.ndtri(0.5 + level / 2))
    counts = ("n_events", "n_deaths", "n_censored")
    steps = rows.group_by([*by, "time"]).agg(pl.col(name).sum().cast(pl.Int64) for name in counts).sort([*by, "time"])
    steps = steps.with_columns(leaving=pl.sum_horizontal(counts), gone=pl.col("n_events") + pl.col("n_deaths"))
    at_risk = pl.col("leaving").sum().over(by) - pl.col("leaving").cum_sum().over(by) + pl.col("leaving")
    steps = steps.with_columns(at_risk=at_risk).with_columns(still=(1 - pl.col("gone") / at_risk).cum_prod().over(by))
    before = pl.col("still").shift(1).over(by).fill_null(1.0)
    steps = steps.with_columns(before=before).with_columns(
        recovered=(pl.col("before") * pl.col("n_events") / pl.col("at_risk")).cum_sum().over(by)
    )
    curve = steps.with_columns(variance=_variance(by)).with_columns(not_recovered=1 - pl.col("recovered"))
    share = pl.col("recovered")
    is_inside = (share > 0) & (share < 1)
    width = z * pl.col("variance").sqrt() / (share * share.log())
    wide, narrow = (share ** (sign * width).exp() for sign in (1, -1))
    at_an_end = pl.when(share <= 0).then(1.0)
    return curve.with_columns(
        not_recovered_lo=pl.when(is_inside).then(1 - pl.max_horizontal(wide, narrow)).otherwise(at_an_end),
        not_recovered_hi=pl.when(is_inside).then(1 - pl.min_horizontal(wide, narrow)).otherwise(at_an_end),
    ).drop("leaving", "gone", "before", "recovered")


def _variance(by: Sequence[str]) -> pl.Expr:
    """Of the share that has recovered, by the delta method; null where the last of a group leave together."""
    at_risk, events, share = pl.col("at_risk"), pl.col("n_events"), pl.col("recovered")
    is_last = at_risk == pl.col("gone")
    leaves = pl.when(is_last).then(0.0).otherwise(pl.col("gone") / (at_risk * (at_risk - pl.col("gone"))))
    joint = pl.col("before") * events / at_risk**2
    own = pl.col("before") ** 2 * (at_risk - events) * events / at_risk**3

    def so_far(each: pl.Expr) -> pl.Expr:
        return each.cum_sum().over(by)

    lost = share**2 * so_far(leaves) - 2 * share * so_far(share * leaves) + so_far(share**2 * leaves)
    variance = lost + so_far(own) - 2 * (share * so_far(joint) - so_far(share * joint))
    return variance.clip(lower_bound=0.0)
