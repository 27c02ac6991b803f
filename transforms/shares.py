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
    """`counts.anc_distribution` of cohorts: tested people by their lowest count, empty bins included."""
    edges = pl.Series(plan.estimation.anc_bins_cells_per_ul, dtype=pl.Int64)
    bins = pl.DataFrame({"bin_lower_cells_per_ul": edges, "bin_upper_cells_per_ul": edges.shift(-1)})
    tested = stays.people.filter(pl.col("n_tests") > 0)
    place = edges.search_sorted(tested["lowest_cells_per_ul"].cast(pl.Int64), side="right").cast(pl.Int64) - 1
    found = tested.select("cohort", place=place).group_by("cohort", "place").agg(n_people=pl.len())
    numbered = bins.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64))
    every = stays.members.select("cohort").unique().join(numbered, how="cross")
    counted = every.join(found, on=["cohort", "place"], how="left")
    return shape(counted.with_columns(pl.col("n_people").fill_null(0)), "counts.anc_distribution")


def count_episodes(episodes: pl.DataFrame) -> pl.DataFrame:
    """`counts.episode` of the episodes of cohorts, each ending and all of them."""
    key = ["cohort", *_RULE, "is_confirmed"]
    numbers = {"n_episodes": pl.len(), "n_people": pl.col("person_index").n_unique()}
    ended = episodes.group_by([*key, "ended_as"]).agg(**numbers)
    whole = episodes.group_by(key).agg(**numbers).with_columns(ended_as=pl.lit(ALL))
    return shape(pl.concat([ended, whole.select(ended.columns)]), "counts.episode")


def count_causes(episodes: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """`counts.cause` of the confirmed episodes of cohorts, each agent and all of a cause.

    `windows` has window, cause_group and the episode_id of what windows of another length give; causes only.
    """
    confirmed = episodes.filter(pl.col("is_confirmed")).with_columns(window=pl.lit(DEFAULT_WINDOW))
    key = ["cohort", *_RULE, "cause_group", "window"]
    numbers = {"n_episodes": pl.len(), "n_people": pl.col("person_index").n_unique()}
    agents = confirmed.filter(pl.col("agent") != "").group_by([*key, "agent"]).agg(**numbers)
    others = confirmed.drop("cause_group", "window").join(windows, on="episode_id")
    whole = pl.concat([each.select("person_index", *key) for each in (confirmed, others)])
    whole = whole.group_by(key).agg(**numbers).with_columns(agent=pl.lit(ALL))
    return shape(pl.concat([agents, whole.select(agents.columns)]), "counts.cause")


def estimate_causes(cause: pl.DataFrame) -> pl.DataFrame:
    """`estimate.cause` without its run: shares of the confirmed episodes of the cohort, by each length of windows."""
    key = ["cohort", *_RULE, "window"]
    whole = cause.filter(pl.col("agent") == ALL).group_by(key).agg(total=pl.col("n_episodes").sum())
    return cause.join(whole, on=key, how="left").with_columns(share=pl.col("n_episodes") / pl.col("total"))
