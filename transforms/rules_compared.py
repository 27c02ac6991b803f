"""What each episode rule makes of the same counts: people, episodes and their length, of everybody in the extract.

An episode counts where it is confirmed as its own rule asks, and lasts as long as its own rule says; one that its rule
never ended, to its last low count. Obeys `definitions/episodes`; why rules differ stands there (`differs`).
"""

import polars as pl

from transforms.frames import empty, shape
from transforms.model.estimation import Plan

KEY = ("compared_rule", "limit_cells_per_ul")
_HOURS_A_DAY = 24


def count_rules(episode: pl.LazyFrame, plan: Plan, *, is_tested: bool = True) -> pl.DataFrame:
    """`counts.rule` of all episodes (`derived.episode` by person_index); nothing of a plan without rules or dates.

    Where somebody is tested a rule for everybody that finds nothing has a row of zeros.
    """
    if not plan.rules or not plan.has_dates:
        return empty("counts.rule")
    ids = [rule.id for rule in plan.rules]
    is_anchored = pl.col("compared_rule").is_in([rule.id for rule in plan.rules if rule.anchor])
    days = pl.coalesce("duration_ruled_days", (pl.col("last_low_at") - pl.col("first_low_at")) / pl.duration(days=1))
    counted = (
        episode.filter("is_confirmed", pl.col("rule").is_in(ids))
        .group_by(compared_rule="rule", limit_cells_per_ul="threshold_cells_per_ul")
        .agg(
            n_people=pl.col("person_index").n_unique(),
            n_episodes=pl.len(),
            n_hours=(days * _HOURS_A_DAY).round().cast(pl.Int64).sum(),
        )
        .with_columns(is_anchored=is_anchored)
        .collect()
    )
    zeros = expected_rules(plan).join(counted, on=list(KEY), how="anti").filter(is_tested)
    nothing = zeros.with_columns(n_people=0, n_episodes=0, n_hours=0)
    return pl.concat([shape(part, "counts.rule") for part in (counted, nothing)])


def expected_rules(plan: Plan) -> pl.DataFrame:
    """Every limit of every rule that all people can have an episode of, whether somebody has or not."""
    general = [rule for rule in plan.rules if rule.anchor is None and plan.has_dates]
    rows = [(rule.id, each.low_cells_per_ul, False) for rule in general for each in rule.thresholds]
    return pl.DataFrame(rows, schema={KEY[0]: pl.String, KEY[1]: pl.Int64, "is_anchored": pl.Boolean}, orient="row")


def estimate_rules(rules: pl.DataFrame) -> pl.DataFrame:
    """`estimate.rule` without its run: the mean length too, where there is an episode."""
    days = pl.col("n_hours") / (_HOURS_A_DAY * pl.col("n_episodes"))
    return rules.with_columns(mean_days=pl.when(pl.col("n_episodes") > 0).then(days))
