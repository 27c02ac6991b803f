"""How people and episodes divide: by lowest count, by ending, by suspected cause.

An episode counts for a cohort when its first low value lies in a stay. Causes are those of confirmed episodes, each
with exactly one primary suspect.
"""

import polars as pl

from transforms.frames import shape
from transforms.model.estimation import DEFAULT_WINDOW, Plan
from transforms.person_time import Stays

ALL = "all"
_RULE = ["rule", "threshold_cells_per_ul"]


def count_anc_distribution(stays: Stays, plan: Plan) -> pl.DataFrame:
    """`counts.anc_distribution` of one cohort: tested people by their lowest count, empty bins included."""
    edges = plan.estimation.anc_bins_cells_per_ul
    bins = pl.DataFrame(
        {"bin_lower_cells_per_ul": edges, "bin_upper_cells_per_ul": [*edges[1:], None]},
        schema={"bin_lower_cells_per_ul": pl.Int64, "bin_upper_cells_per_ul": pl.Int64},
    )
    lowest = stays.people.filter(pl.col("n_tests") > 0).select(
        bin_lower_cells_per_ul=pl.col("lowest_cells_per_ul").cast(pl.Int64)
    )
    found = (
        lowest.sort("bin_lower_cells_per_ul")
        .join_asof(bins.with_columns(edge="bin_lower_cells_per_ul"), on="bin_lower_cells_per_ul")
        .group_by(bin_lower_cells_per_ul="edge")
        .agg(n_people=pl.len())
    )
    counted = bins.join(found, on="bin_lower_cells_per_ul", how="left")
    return shape(
        counted.with_columns(pl.col("n_people").fill_null(0), cohort=pl.lit(stays.cohort)), "counts.anc_distribution"
    )


def count_episodes(cohort: str, episodes: pl.DataFrame) -> pl.DataFrame:
    """`counts.episode` of the episodes of one cohort, each ending and all of them."""
    key = [*_RULE, "is_confirmed"]
    numbers = {"n_episodes": pl.len(), "n_people": pl.col("person_index").n_unique()}
    ended = episodes.group_by([*key, "ended_as"]).agg(**numbers)
    whole = episodes.group_by(key).agg(**numbers).with_columns(ended_as=pl.lit(ALL))
    rows = pl.concat([ended, whole.select(ended.columns)]).with_columns(cohort=pl.lit(cohort))
    return shape(rows, "counts.episode")


def count_causes(cohort: str, episodes: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """`counts.cause` of the confirmed episodes of one cohort, each agent and all of a cause.

    `windows` has window, cause_group and the episode_id of what windows of another length give; causes only.
    """
    confirmed = episodes.filter(pl.col("is_confirmed")).with_columns(window=pl.lit(DEFAULT_WINDOW))
    key = [*_RULE, "cause_group", "window"]
    numbers = {"n_episodes": pl.len(), "n_people": pl.col("person_index").n_unique()}
    agents = confirmed.filter(pl.col("agent") != "").group_by([*key, "agent"]).agg(**numbers)
    others = confirmed.drop("cause_group", "window").join(windows, on="episode_id")
    whole = pl.concat([each.select("person_index", *key) for each in (confirmed, others)])
    whole = whole.group_by(key).agg(**numbers).with_columns(agent=pl.lit(ALL))
    rows = pl.concat([agents, whole.select(agents.columns)]).with_columns(cohort=pl.lit(cohort))
    return shape(rows, "counts.cause")


def estimate_causes(cause: pl.DataFrame) -> pl.DataFrame:
    """`estimate.cause` without its run: shares of the confirmed episodes of the cohort, by each length of windows."""
    key = ["cohort", *_RULE, "window"]
    whole = cause.filter(pl.col("agent") == ALL).group_by(key).agg(total=pl.col("n_episodes").sum())
    return cause.join(whole, on=key, how="left").with_columns(share=pl.col("n_episodes") / pl.col("total"))
