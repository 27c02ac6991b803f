"""How people and episodes divide: by worst severity, by lowest count, by ending, by suspected cause.

Severity is the worst that is proven: a count without a number is graded at its upper bound, so the people of a grade
and worse are exactly those certainly below its boundary. An episode counts for a cohort when its first low value lies
in a stay. Causes are those of confirmed episodes, each with exactly one primary suspect.
"""

from collections.abc import Sequence

import polars as pl

from transforms.frames import shape
from transforms.model.estimation import Grade, Plan
from transforms.person_time import Stays
from transforms.prevalence import name_intervals

ALL = "all"
_RULE = ["rule", "threshold_cells_per_ul"]


def count_severity(stays: Stays, plan: Plan) -> pl.DataFrame:
    """`counts.severity` of one cohort: tested people by the worst severity proven in the interval."""
    named = [(grade.severity, grade.severity_order) for grade in plan.grades]
    grades = pl.DataFrame(named, schema={"severity": pl.String, "severity_order": pl.Int32}, orient="row")
    parts = []
    for cells in [stays.people, stays.cells] if plan.has_calendar else [stays.people]:
        tested = cells.filter(pl.col("n_tests") > 0, pl.col("month").is_not_null())
        found = tested.group_by(
            "month", severity_order=order_of_grades(plan.grades, pl.col("lowest_cells_per_ul"))
        ).agg(n_people=pl.len())
        every = tested.select("month").unique().join(grades, how="cross")
        parts.append(every.join(found, on=["month", "severity_order"], how="left"))
    rows = name_intervals(pl.concat(parts)).with_columns(
        pl.col("n_people").fill_null(0), cohort=pl.lit(stays.cohort), scale=pl.lit(plan.estimation.severity_scale)
    )
    return shape(rows, "counts.severity")


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


def count_causes(cohort: str, episodes: pl.DataFrame) -> pl.DataFrame:
    """`counts.cause` of the confirmed episodes of one cohort, each agent and all of a cause."""
    confirmed = episodes.filter(pl.col("is_confirmed"))
    key = [*_RULE, "cause_group"]
    numbers = {"n_episodes": pl.len(), "n_people": pl.col("person_index").n_unique()}
    agents = confirmed.filter(pl.col("agent") != "").group_by([*key, "agent"]).agg(**numbers)
    whole = confirmed.group_by(key).agg(**numbers).with_columns(agent=pl.lit(ALL))
    rows = pl.concat([agents, whole.select(agents.columns)]).with_columns(cohort=pl.lit(cohort))
    return shape(rows, "counts.cause")


def estimate_severity(severity: pl.DataFrame) -> pl.DataFrame:
    """`estimate.severity` without its run: shares of the people tested in the interval."""
    interval = ["cohort", "interval_unit", "interval_start", "scale"]
    return severity.with_columns(share=pl.col("n_people") / pl.col("n_people").sum().over(interval))


def estimate_causes(cause: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.cause` without its run: shares of the confirmed episodes of the cohort."""
    whole = cause.filter(pl.col("agent") == ALL).group_by(["cohort", *_RULE]).agg(total=pl.col("n_episodes").sum())
    return cause.join(whole, on=["cohort", *_RULE], how="left").with_columns(
        share=pl.col("n_episodes") / pl.col("total"), window=pl.lit(plan.estimation.attribution_window)
    )


def order_of_grades(grades: Sequence[Grade], lowest: pl.Expr) -> pl.Expr:
    """The severity_order of the worst grade that a lowest count proves; 0 without one."""
    order = pl.lit(0, pl.Int32)
    for grade in sorted(grades, key=lambda each: each.severity_order):
        if grade.at_most_cells_per_ul is not None:
            is_worse = lowest <= grade.at_most_cells_per_ul
            order = pl.when(is_worse).then(pl.lit(grade.severity_order, pl.Int32)).otherwise(order)
    return order
