"""Runs the examples of denominators, of estimation, of surveys and of disclosure rules.

A count and whether it is a test; a person and whether they are counted; x of n with its interval; a count and what is
shown of it, through the one door out.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.example_results import (
    ORIGIN,
    ExampleResult,
    Schema,
    frame_of,
    named_facts,
    read_example,
    read_examples,
    tell,
)
from transforms.frames import empty, fit, shape
from transforms.intervals import share_intervals
from transforms.load import Definitions
from transforms.model.anc import ROUTES
from transforms.model.base import Part
from transforms.model.estimation import Denominator, Plan, require_denominators
from transforms.model.examples import CellExample, PersonExample, ShareExample, SpecimenExample, SurveyExample
from transforms.person_time import find_test_days, read_members, stays_of, test_flags
from transforms.plan import plan_of
from transforms.populations import Exposed, count_populations
from transforms.release import release
from transforms.schemas import load_tables
from transforms.survey import estimate_weighted

COUNT: Schema = {
    "person_index": pl.UInt32,
    "collected_at": pl.Datetime("us"),
    "anc_cells_per_ul": pl.Int64,
    "lower_cells_per_ul": pl.Int64,
    "upper_cells_per_ul": pl.Int64,
    "route": pl.String,
}
MEMBER: Schema = {"person_index": pl.UInt32, "cohort": pl.String, "started_on": pl.Date, "ended_on": pl.Date}
NAME = "example"
_EXPOSED: Schema = {"person_index": pl.UInt32, "started": pl.Int32, "ended": pl.Int32}


def check_estimates(definitions: Definitions) -> list[ExampleResult]:
    """Every example of denominators, estimation and disclosure, in a fixed order."""
    return [
        *_check_denominators(definitions),
        *_check_shares(definitions),
        *_check_survey(definitions),
        *_check_cells(definitions),
    ]


def _check_denominators(definitions: Definitions) -> Iterable[ExampleResult]:
    require_denominators(definitions.denominators)
    plan = plan_of(definitions, has_calendar=True, has_dates=True)
    for entry in definitions.denominators:
        for number, written in enumerate(entry.examples):
            if "is_test" in written:
                count = read_example(SpecimenExample, "denominators", entry, number)
                yield _result(entry, count, "is_test", got=_is_test(count, entry))
            else:
                person = read_example(PersonExample, "denominators", entry, number)
                yield _result(entry, person, "is_counted", got=_is_counted(person, entry, plan))


def _result(entry: Denominator, example: Part, name: str, *, got: bool) -> ExampleResult:
    words = tell(named_facts(example, without=[name]))
    return ExampleResult("denominators", entry.id, words, tell({name: getattr(example, name)}), tell({name: got}))


def _is_test(example: SpecimenExample, denominator: Denominator) -> bool:
    bounds = (example.anc_cells_per_ul, example.lower_cells_per_ul, example.upper_cells_per_ul)
    is_test, _ = test_flags(denominator)
    value = frame_of(COUNT, [(0, ORIGIN, *bounds, example.route)]).select(is_test=is_test).collect()
    return bool(value.item())


def _is_counted(example: PersonExample, denominator: Denominator, plan: Plan) -> bool:
    """The person is in the cohort from the first of a month on, or only the day before; tests are on the first.

    Days with a drug are the first ones of the month.
    """
    first, last = (0, example.observed_days_in_interval - 1) if example.observed_days_in_interval else (-1, -1)
    stay = (0, NAME, ORIGIN + timedelta(days=first), ORIGIN + timedelta(days=last))
    members = read_members(frame_of(MEMBER, [stay]))
    tests = frame_of(COUNT, [(0, ORIGIN, 0, 0, 0, ROUTES[0])] * example.n_tests)
    stays = stays_of(NAME, members, find_test_days(tests, plan.tested, plan.any_low))
    drug = (0, _day(0), _day(example.exposed_days - 1))
    exposed = Exposed(pl.DataFrame([drug] if example.exposed_days else [], schema=_EXPOSED, orient="row"))
    none = pl.DataFrame(schema={**_EXPOSED, "rule": pl.String, "threshold_cells_per_ul": pl.Int64})
    counted = count_populations(stays, none, exposed, plan).filter(
        pl.col("interval_unit") == "month",
        pl.col("interval_start") == ORIGIN.date(),
        pl.col("denominator_name") == denominator.id,
    )
    return bool(counted["n_population"].sum())


def _day(days: int) -> int:
    return (ORIGIN.date() + timedelta(days=days) - date(1970, 1, 1)).days


def _check_shares(definitions: Definitions) -> Iterable[ExampleResult]:
    estimation = definitions.estimation
    examples = read_examples(ShareExample, "estimation", estimation)
    found = share_intervals(
        np.array([example.x for example in examples], dtype=np.int64),
        np.array([example.n for example in examples], dtype=np.int64),
        level=estimation.confidence_level,
        method=estimation.prevalence_interval,
    )
    for example, row in zip(examples, found.iter_rows(named=True), strict=True):
        got = tell({"lo": row["share_lo"], "hi": row["share_hi"], "method": row["method"]})
        expected = tell({"lo": example.lo, "hi": example.hi, "method": example.method})
        yield ExampleResult("estimation", estimation.id, f"{example.x} of {example.n}", expected, got)


def _check_survey(definitions: Definitions) -> Iterable[ExampleResult]:
    plan = plan_of(definitions, has_calendar=False, has_dates=False)
    for example in read_examples(SurveyExample, "survey", definitions.survey):
        cell = {"cohort": NAME, "denominator_name": NAME, "measure": NAME, "rule": NAME, "threshold_cells_per_ul": 1}
        rows = [
            {**cell, "stratum": psu.stratum, "psu": psu.psu, "n_population": psu.n, "n_low": psu.n_low}
            | {
                "n_low_possible": psu.n_low,
                "weight_population": psu.weight,
                "weight_low": psu.weight_low,
                "n_people": 1,
            }
            for psu in example.psus
        ]
        design = shape(pl.DataFrame(rows), "counts.survey_psu")
        held = [row for row in rows if row["n_population"]]
        row = estimate_weighted(shape(pl.DataFrame(held), "counts.survey_cell"), design, plan).row(0, named=True)
        names = {"share": "prevalence", "lo": "prevalence_lo", "hi": "prevalence_hi"}
        got = {name: row[names.get(name, name)] for name in type(example.expect).model_fields}
        expected = tell(example.expect.model_dump())
        yield ExampleResult("survey", definitions.survey.id, example.title, expected, tell(got))


def _check_cells(definitions: Definitions) -> Iterable[ExampleResult]:
    """Every count is the people observed in a cohort of its own, which no other cohort holds."""
    for rule in definitions.disclosure:
        examples = read_examples(CellExample, "disclosure", rule)
        if not examples:
            continue
        rows = [_cohort(number, example.count) for number, example in enumerate(examples)]
        estimates = {name: empty(name) for name in load_tables() if name.startswith("estimate.")}
        estimates["estimate.testing"] = fit(pl.DataFrame(rows), "estimate.testing")
        released = release(estimates, rule, CohortOrder(), run_id=NAME, definitions_hash=NAME)
        shown = {row["cohort"]: row for row in released.tables["released.testing"].to_dicts()}
        for number, example in enumerate(examples):
            row = shown[f"{NAME} {number}"]
            got = tell({"shown": row["n_observed"], "mark": row["n_observed_mark"]})
            expected = tell({"shown": example.shown, "mark": example.mark})
            yield ExampleResult("disclosure", rule.id, f"count {example.count}", expected, got)


def _cohort(number: int, n_observed: int) -> dict[str, object]:
    """A row of `estimate.testing` of people of whom nobody was tested."""
    key = {"run_id": NAME, "cohort": f"{NAME} {number}", "interval_unit": "all", "interval_start": None}
    none = dict.fromkeys(("n_tested", "n_tests", "n_gaps"), 0)
    shares = dict.fromkeys(("tested_share", "tests_per_tested_person", "median_gap_days"))
    return {**key, "n_observed": n_observed, **none, **shares}
