"""How many people are left at each step from the extract, through a cohort, to a seen recovery; each is a part of the
one before.

The way into a cohort that asks for several things at once has a step for each of them. Which steps there are, their
words, and why people drop out, is `definitions/estimation`. Low is certainly below the highest threshold; episodes are
those of the default rule at that threshold that begin in the cohort. Without dates, being in the extract is being
observed.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import polars as pl

from transforms.frames import shape
from transforms.model.cohorts import Cohort
from transforms.model.estimation import Cut, Plan
from transforms.person_time import Stays

TABLE = "counts.attrition"
KNOWN, OBSERVED, PART, MEMBER = "known", "observed", "part", "member"


@dataclass(frozen=True)
class StepOf:
    """One step of one cohort. `n_parts` things that the cohort asks for hold; 0 before and after its entry."""

    cohort: str
    step_order: int
    step_id: str
    step: str
    reason: str
    rule: str
    threshold_cells_per_ul: int
    n_parts: int = 0


def list_steps(plan: Plan) -> pl.DataFrame:
    """Every step of every cohort that can be placed: columns of `counts.attrition` without n_people, and n_parts."""
    cohorts = [cohort for cohort in plan.cohorts if plan.has_dates or not cohort.needs_dates]
    steps = [asdict(step) for cohort in cohorts for step in steps_of(cohort, plan)]
    types = {"step_order": pl.Int32, "threshold_cells_per_ul": pl.Int64, "n_parts": pl.Int32}
    texts = dict.fromkeys(("cohort", "step_id", "step", "reason", "rule"), pl.String)
    return pl.DataFrame(steps, schema={**texts, **types})


def steps_of(cohort: Cohort, plan: Plan) -> tuple[StepOf, ...]:
    """The steps of one cohort, in their order; one of everybody observed is entered by being observed."""
    estimation = plan.estimation
    parts = () if cohort.criterion.observed else cohort.criterion.all_of or (cohort.criterion,)
    listed = [(step.id, step.title, step.reason, 0) for step in estimation.attrition]
    entry = [
        (MEMBER if n == len(parts) else PART, words.title, words.reason, n)
        for n, part in enumerate(parts, start=1)
        for words in [estimation.attrition_of_cohorts[part.kind]]
    ]
    place = 1 + next(place for place, (name, *_) in enumerate(listed) if name == OBSERVED)
    limit = _highest(plan).threshold_cells_per_ul
    return tuple(
        StepOf(cohort.id, order, name, title, reason, estimation.default_rule, limit, n)
        for order, (name, title, reason, n) in enumerate([*listed[:place], *entry, *listed[place:]], start=1)
    )


def count_entries(frames: Mapping[str, pl.LazyFrame], plan: Plan) -> pl.DataFrame:
    """The steps of `counts.attrition` up to the last before membership, and all of cohorts that nobody is in."""
    steps = list_steps(plan)
    people = frames["person"].select("person_index").unique().collect()
    observed = people
    if plan.has_dates:
        observed = people.join(frames["observation"].select("person_index").unique().collect(), on="person_index")
    whole = {KNOWN: people.height, OBSERVED: observed.height}
    first = steps.filter(pl.col("step_id").is_in(list(whole)))
    first = first.with_columns(n_people=pl.col("step_id").replace_strict(whole, return_dtype=pl.Int64))
    entered = pl.DataFrame(schema={"cohort": pl.String, "n_parts": pl.Int32, "n_people": pl.Int64})
    if "cohort_entry" in frames:
        counted = frames["cohort_entry"].group_by("cohort", "n_parts")
        entered = counted.agg(n_people=pl.col("person_index").n_unique().cast(pl.Int64)).collect()
    parts = steps.filter(pl.col("step_id") == PART).join(entered, on=["cohort", "n_parts"], how="left")
    present = frames["cohort_member"].select("cohort").unique().collect()
    later = steps.filter(~pl.col("step_id").is_in([*whole, PART])).join(present, on="cohort", how="anti")
    rest = pl.concat([parts, later.with_columns(n_people=pl.lit(0, pl.Int64))]).with_columns(
        pl.col("n_people").fill_null(0)
    )
    return shape(pl.concat([first, rest]), TABLE)


def count_members(stays: Stays, counted: pl.DataFrame, begun: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """cohort, step_id, n_people of the steps after those into a cohort: a person is in one when in all up to it.

    `counted` has the person_index of everybody with a count, `begun` the episodes that begin in the cohorts.
    """
    having = _people_having(stays, counted, begun, plan)
    people = stays.members.select("person_index", "cohort")
    parts = [people.with_columns(step_id=pl.lit(MEMBER))]
    for step in (step for step in plan.estimation.attrition if step.id in having):
        people = people.join(having[step.id].select("person_index"), on="person_index", how="semi")
        parts.append(people.with_columns(step_id=pl.lit(step.id)))
    return pl.concat(part.group_by("cohort", "step_id").agg(n_people=pl.len().cast(pl.Int64)) for part in parts)


def name_members(members: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """The later steps of `counts.attrition` of cohorts, from what `count_members` gave of them."""
    steps = list_steps(plan).filter(~pl.col("step_id").is_in([KNOWN, OBSERVED, PART]))
    known = steps.join(members, on="cohort", how="semi")
    rows = known.join(members, on=["cohort", "step_id"], how="left").with_columns(pl.col("n_people").fill_null(0))
    return shape(rows, TABLE)


def _people_having(stays: Stays, counted: pl.DataFrame, begun: pl.DataFrame, plan: Plan) -> Mapping[str, pl.DataFrame]:
    tested = stays.people.filter(pl.col("n_tests") > 0)
    confirmed = begun.filter(pl.col("is_confirmed"), _is_headline(plan))
    incident = confirmed.filter(pl.col("is_incident"))
    return {
        "counted": stays.of_members(counted),
        "tested": tested,
        "low": tested.filter(_highest(plan).is_low(pl.col("lowest_cells_per_ul"))),
        "confirmed": confirmed,
        "incident": incident,
        "recovered": incident.filter(pl.col("gap_after_hours").is_not_null()),
    }


def _highest(plan: Plan) -> Cut:
    return plan.any_low[0]


def _is_headline(plan: Plan) -> pl.Expr:
    is_rule = pl.col("rule") == plan.estimation.default_rule
    return is_rule & (pl.col("threshold_cells_per_ul") == _highest(plan).threshold_cells_per_ul)
