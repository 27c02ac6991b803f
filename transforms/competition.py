"""How many episodes have more than one suspect, of everybody in the extract.

A suspect is a candidate that could be named first: in its window, and neither unlikely nor of the kind that never
decides. The drugs of one regimen are several suspects of one cause, so episodes with suspects of several causes are
counted beside those with several suspects. Obeys `definitions/causes`.
"""

import polars as pl

from transforms.frames import empty, shape
from transforms.model.estimation import Plan

SUSPECTS, CAUSES = "suspects", "causes"
KEY = ("rule", "threshold_cells_per_ul")
NEVER_FIRST = ("unlikely", "unassessable", "none")


def count_competition(episode: pl.LazyFrame, episode_cause: pl.LazyFrame, plan: Plan) -> pl.DataFrame:
    """`counts.competition` of all confirmed episodes (`derived.episode` by person_index) of the reported rules."""
    if not plan.has_dates:
        return empty("counts.competition")
    suspected = episode_cause.filter(~pl.col("category").is_in(NEVER_FIRST))
    found = suspected.group_by("episode_id").agg(n_suspects=pl.len(), n_causes=pl.col("cause_group").n_unique())
    confirmed = episode.filter("is_confirmed", pl.col("rule").is_in(plan.reported_rules))
    told = confirmed.select(*KEY, "person_index", "episode_id").join(found, on="episode_id", how="left").collect()
    parts = []
    for several, number in ((SUSPECTS, "n_suspects"), (CAUSES, "n_causes")):
        has_several = (pl.col(number) > 1).fill_null(value=False)
        counted = told.group_by(KEY).agg(
            n_confirmed=pl.len(),
            n_suspected=pl.col("n_suspects").is_not_null().sum(),
            n_episodes=has_several.sum(),
            n_people=pl.col("person_index").filter(has_several).n_unique(),
        )
        parts.append(shape(counted.with_columns(several=pl.lit(several)), "counts.competition"))
    return pl.concat(parts)


def estimate_competition(competition: pl.DataFrame) -> pl.DataFrame:
    """`estimate.competition` without its run."""
    return competition.with_columns(share=pl.col("n_episodes") / pl.col("n_confirmed"))
