"""Where nobody was tested on two days, nothing that needs a second test is estimated: it would be 0, and not known.

So an extract of one visit, or one without dates, has no confirmed prevalence under a rule that asks for a second
value, and its attrition ends with the people with a low value. A rule that asks for no second value keeps its rows.
"""

from collections.abc import Mapping

import polars as pl

from transforms.model.estimation import Plan

SEEN_TWICE = frozenset({"confirmed", "incident", "recovered"})  # steps of the attrition


def leave_out_unseen(
    estimates: Mapping[str, pl.DataFrame], counts: Mapping[str, pl.DataFrame], plan: Plan
) -> dict[str, pl.DataFrame]:
    """The estimates without what a second test would have had to show, where `counts.testing_gap` has no gap.

    Without dates nobody was seen under observation for a day either.
    """
    if counts["counts.testing_gap"]["n_gaps"].sum():
        return dict(estimates)
    is_undated = (pl.col("step_id") == "observed") & pl.lit(not plan.has_dates)
    unseen = {
        "estimate.rule": pl.col("n_episodes") == 0,
        "estimate.prevalence": (pl.col("measure") == "confirmed") & (pl.col("n_low").sum().over("rule") == 0),
        "estimate.population": pl.col("measure").is_in(["confirmed", "point"])
        & (pl.col("n_low").sum().over("rule") == 0),
        "estimate.attrition": is_undated | (pl.col("step_id").is_in(SEEN_TWICE) & (pl.col("n_people") == 0)),
    }
    return {name: rows.filter(~unseen[name]) if name in unseen else rows for name, rows in estimates.items()}
