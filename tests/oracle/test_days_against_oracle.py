"""Cycles and days below a threshold by the fast code equal those of a walk from day to day, one patient at a time."""

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.oracle.plain_cycles import plain_cycles, plain_person_days
from transforms.cycles import STATUSES, find_cycles
from transforms.load import load_definitions
from transforms.model.estimation import Plan
from transforms.person_days import count_person_days, estimate_person_days
from transforms.person_time import find_test_days, read_members, stays_of
from transforms.plan import plan_of, severe_cut

DEFINITIONS = load_definitions()
PLAN: Plan = plan_of(DEFINITIONS, has_calendar=False, has_dates=True)
START = date(2021, 3, 1)
N_PATIENTS = 400
COUNTS = (0, 100, 300, 499, 500, 700, 999, 1000, 1499, 1500, 2500)
Patients = list[dict[str, Any]]


@pytest.fixture(scope="module")
def patients() -> Patients:
    """Doses in cycles, weekly and daily; tests daily, every other day, weekly or seldom; counts on every boundary."""
    rng = np.random.default_rng(20261129)
    drawn = []
    for _ in range(N_PATIENTS):
        doses = np.cumsum(rng.choice([0, 1, 7, 10, 11, 14, 21, 60], rng.integers(0, 9))).tolist()
        days = np.unique(np.cumsum(rng.choice(STEPS[int(rng.integers(len(STEPS)))], rng.integers(0, 90)))).tolist()
        low = rng.choice([0.2, 0.5, 0.8])
        tests = {int(day): _counts(rng, low) for day in days}
        first = int(rng.integers(0, 30))
        stays = [(first, first + int(rng.integers(0, 60))), (first + 70, first + 70 + int(rng.integers(0, 90)))]
        drawn.append({"doses": doses, "tests": tests, "stays": stays})
    return drawn


STEPS = ((1,), (1, 2), (1, 2, 2, 3), (7,), (1, 7, 30))


def _counts(rng: np.random.Generator, low: float) -> list[int]:
    part = COUNTS[:7] if rng.random() < low else COUNTS[7:]
    return [int(count) for count in rng.choice(part, rng.choice([1, 1, 2]))]


def _anc(patients: Patients) -> pl.LazyFrame:
    rows = [
        (person, f"{day}.{place}", _at(day, place), count, count, count, "direct_auto")
        for person, patient in enumerate(patients)
        for day, counts in patient["tests"].items()
        for place, count in enumerate(counts)
    ]
    names = ("anc_cells_per_ul", "lower_cells_per_ul", "upper_cells_per_ul")
    head = {"person_index": pl.UInt32, "specimen_id": pl.String, "collected_at": pl.Datetime("us")}
    return pl.LazyFrame(rows, schema=head | dict.fromkeys(names, pl.Int64) | {"route": pl.String}, orient="row")


def _at(day: int, place: int) -> datetime:
    return datetime.combine(START + timedelta(days=day), time(8 + place))


def test_cycles_of_hundreds_of_patients_are_those_of_the_oracle(patients: Patients) -> None:
    rules = DEFINITIONS.cycles
    given = [(i, "docetaxel", START + timedelta(days=d), True) for i, p in enumerate(patients) for d in p["doses"]]
    schema = {"person_index": pl.UInt32, "drug": pl.String, "given_on": pl.Date, "is_cytotoxic": pl.Boolean}
    doses = pl.LazyFrame(given, schema=schema, orient="row").unique()
    test_days = find_test_days(_anc(patients), PLAN.tested, [severe_cut(rules)])
    found = find_cycles(doses, test_days, rules, DEFINITIONS.regimens)
    days = {"started": "started_on", "ended": "ended_on"}
    dated = found.with_columns(
        (pl.col(name) - pl.lit(START)).dt.total_days().alias(short) for short, name in days.items()
    ).drop("started_on", "ended_on", "regimen", "agents")
    expected = [
        {"person_index": place} | cycle
        for place, patient in enumerate(patients)
        for cycle in plain_cycles(patient["doses"], patient["tests"], rules)
    ]
    assert len(expected) > N_PATIENTS
    assert dated.to_dicts() == [{name: cycle[name] for name in dated.columns} for cycle in expected]
    assert {cycle["severe_status"] for cycle in expected} == set(STATUSES) - {"undecided"}


def test_days_of_hundreds_of_patients_are_those_of_the_oracle(patients: Patients) -> None:
    spans = [
        (person, "all", START + timedelta(days=first), START + timedelta(days=last))
        for person, patient in enumerate(patients)
        for first, last in patient["stays"]
    ]
    schema = {"person_index": pl.UInt32, "cohort": pl.String, "started_on": pl.Date, "ended_on": pl.Date}
    members = read_members(pl.LazyFrame(spans, schema=schema, orient="row"))
    stays = stays_of("all", members, find_test_days(_anc(patients), PLAN.tested, PLAN.any_low))
    found = estimate_person_days(count_person_days(stays, PLAN), PLAN)
    for row in found.to_dicts():
        total = {"low": 0, "not_low": 0, "unknown": 0}
        for patient in patients:
            threshold = row["threshold_cells_per_ul"]
            own = plain_person_days(patient["stays"], patient["tests"], threshold, DEFINITIONS.person_days)
            total = {name: total[name] + own[name] for name in total}
        assert {name: row[f"n_days_{name}"] for name in total} == total
        assert row["n_people_low"] == sum(_is_low(patient, row["threshold_cells_per_ul"]) for patient in patients)
        assert row["n_days_observed"] == sum(total.values())


def _is_low(patient: dict[str, Any], threshold: int) -> bool:
    inside = [day for day in patient["tests"] for first, last in patient["stays"] if first <= day <= last]
    return any(min(patient["tests"][day]) < threshold for day in inside)
