"""How many people are left at each step from the extract to a seen recovery; each step is a part of the one before.

Which steps there are, and their words, is `definitions/estimation`. Low is certainly below the highest threshold;
episodes are those of the default rule at that threshold. Without dates, being in the extract is being observed.
"""

from collections.abc import Mapping

import polars as pl

from transforms.frames import shape
from transforms.model.estimation import Cut, Plan


def count_attrition(
    frames: Mapping[str, pl.LazyFrame], test_days: pl.DataFrame, episodes: pl.DataFrame, plan: Plan
) -> pl.DataFrame:
    """`counts.attrition`: a person is in a step when they are in every step up to it."""
    people = frames["person"].select("person_index").unique().collect()
    having = _people_having(frames, test_days, episodes, plan)
    rows = []
    for order, step in enumerate(plan.estimation.attrition, start=1):
        if step.id in having:
            people = people.join(having[step.id].select("person_index").unique(), on="person_index", how="semi")
        rows.append({"step_order": order, "step": step.title, "n_people": people.height})
    return shape(pl.DataFrame(rows), "counts.attrition")


def _people_having(
    frames: Mapping[str, pl.LazyFrame], test_days: pl.DataFrame, episodes: pl.DataFrame, plan: Plan
) -> dict[str, pl.DataFrame]:
    confirmed = episodes.filter(pl.col("is_confirmed"), _is_headline(plan))
    incident = confirmed.filter(pl.col("is_incident"))
    having = {
        "counted": frames["anc"].select("person_index").unique().collect(),
        "tested": test_days.filter(pl.col("n_tests") > 0),
        "low": test_days.filter(_highest(plan).is_low(pl.col("lowest_cells_per_ul"))),
        "confirmed": confirmed,
        "incident": incident,
        "recovered": incident.filter(pl.col("gap_after_hours").is_not_null()),
    }
    if plan.has_dates:
        having["observed"] = frames["observation"].select("person_index").unique().collect()
    return having


def _highest(plan: Plan) -> Cut:
    return plan.any_low[0]


def _is_headline(plan: Plan) -> pl.Expr:
    is_rule = pl.col("rule") == plan.estimation.default_rule
    return is_rule & (pl.col("threshold_cells_per_ul") == _highest(plan).threshold_cells_per_ul)
