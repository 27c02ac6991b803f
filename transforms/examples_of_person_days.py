"""Runs the examples of days below a threshold: observed days and counts of one person, and how the days divide."""

from datetime import date
from typing import Any

import polars as pl

from transforms.example_results import ExampleResult, frame_of, read_example, tell, wrong_example
from transforms.examples_of_episodes import COUNTS, count_row, day_at
from transforms.load import Definitions
from transforms.model.day_examples import PersonDaysExample
from transforms.model.estimation import Plan
from transforms.person_days import count_person_days, estimate_person_days
from transforms.person_time import find_test_days, read_members, stays_of
from transforms.plan import plan_of

COHORT = "example"
MEMBER = {"person_index": pl.UInt32, "cohort": pl.String, "started_on": pl.Date, "ended_on": pl.Date}


def check_person_days(definitions: Definitions) -> list[ExampleResult]:
    """Every example of the rule, in a fixed order."""
    rule = definitions.person_days
    plan = plan_of(definitions, has_calendar=False, has_dates=True)
    results = []
    for number, _ in enumerate(rule.examples):
        example = read_example(PersonDaysExample, "person_days", rule, number)
        valid = [cut.threshold_cells_per_ul for cut in plan.any_low]
        if example.threshold not in valid:
            details = [f"threshold: {example.threshold} is none of the default rule"]
            repair = f"Thresholds: {', '.join(map(str, valid))}."
            raise wrong_example("person_days", rule, number, details, repair)
        got = tell(divide_days(example, plan))
        results.append(ExampleResult("person_days", rule.id, example.case, tell(example.expect.model_dump()), got))
    return results


def divide_days(example: PersonDaysExample, plan: Plan) -> dict[str, Any]:
    """Days low, not low and unknown of one person at the threshold of the example."""
    rows = [count_row(day, count) | {"specimen_id": f"s{day}"} for day, count in example.counts.items()]
    anc = pl.LazyFrame(rows, schema=COUNTS).with_columns(route=pl.lit("direct_auto"))
    first, last = (_date(day) for day in example.observed)
    members = read_members(frame_of(MEMBER, [(0, COHORT, first, last)]))
    stays = stays_of(COHORT, members, find_test_days(anc, plan.tested, plan.any_low))
    found = estimate_person_days(count_person_days(stays, plan), plan)
    row = found.filter(pl.col("threshold_cells_per_ul") == example.threshold).row(0, named=True)
    return {"low": row["n_days_low"], "not_low": row["n_days_not_low"], "unknown": row["n_days_unknown"]}


def _date(day: int) -> date:
    return day_at(day).date()
