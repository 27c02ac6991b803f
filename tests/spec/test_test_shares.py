"""The share of tests that are low counts every test, and takes those of one person together."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from transforms.intervals import clopper_pearson, wilson
from transforms.load import load_definitions
from transforms.person_time import find_test_days, stays_of
from transforms.plan import plan_of
from transforms.test_shares import count_test_shares, estimate_test_shares

PLAN = plan_of(load_definitions(), has_calendar=True, has_dates=True)
LEVEL = PLAN.estimation.confidence_level
START = datetime.fromisoformat("2025-01-01T09:00:00")


def _share(tests: list[tuple[int, int, int]], stays: list[tuple[int, int, int]]) -> dict[int, dict[str, object]]:
    """person, day, count; person, first and last day in the cohort. Rows by threshold."""
    anc = pl.LazyFrame(
        [
            {"person_index": person, "collected_at": START + timedelta(days=day, minutes=place), "route": "direct_auto",
             **dict.fromkeys(("anc_cells_per_ul", "lower_cells_per_ul", "upper_cells_per_ul"), count)}
            for place, (person, day, count) in enumerate(tests)
        ],
        schema_overrides={"person_index": pl.UInt32},
    )  # fmt: skip
    first = START.date().toordinal() - datetime.fromisoformat("1970-01-01").date().toordinal()
    members = pl.DataFrame(
        [(person, "everyone", first + a, first + b) for person, a, b in stays],
        schema={"person_index": pl.UInt32, "cohort": pl.String, "started": pl.Int32, "ended": pl.Int32},
        orient="row",
    )
    counted = count_test_shares(stays_of("everyone", members, find_test_days(anc, PLAN.tested, PLAN.any_low)), PLAN)
    rows = estimate_test_shares(counted, PLAN).rows(named=True)
    return {row["threshold_cells_per_ul"]: row for row in rows}


def test_every_test_counts_also_the_second_one_of_a_day_and_none_outside_of_the_cohort() -> None:
    tests = [(1, 0, 900), (1, 0, 400), (1, 3, 2000), (2, 1, 3000), (2, 9, 100)]
    found = _share(tests, [(1, 0, 5), (2, 0, 5)])
    assert (found[1500]["n_tests"], found[1500]["n_tests_low"], found[1500]["n_people"]) == (4, 2, 2)
    assert (found[500]["n_tests_low"], found[500]["low_test_share"]) == (1, 0.25)


def test_tests_of_one_person_are_worth_less_than_as_many_of_different_people() -> None:
    apart = _share([(person, 0, 900 if person < 10 else 3000) for person in range(40)], [(p, 0, 9) for p in range(40)])
    alike = _share(
        [(person, day, 900 if person < 2 else 3000) for person in range(8) for day in range(5)],
        [(p, 0, 9) for p in range(8)],
    )
    for found in (apart, alike):
        assert found[1500]["low_test_share"] == 0.25
    lo, hi = wilson(10.0, 40.0, level=LEVEL)
    # The ratio estimator knows one degree of freedom less than the binomial.
    assert float(str(apart[1500]["low_test_share_lo"])) == pytest.approx(float(lo), abs=0.01)
    assert float(str(apart[1500]["low_test_share_hi"])) == pytest.approx(float(hi), abs=0.01)
    assert float(str(alike[1500]["low_test_share_hi"])) > float(hi) + 0.1


def test_no_low_test_leaves_an_interval_of_the_people_and_not_of_their_tests() -> None:
    found = _share([(person, day, 3000) for person in range(4) for day in range(9)], [(p, 0, 9) for p in range(4)])
    assert found[1500]["low_test_share"] == 0.0
    assert found[1500]["low_test_share_hi"] == pytest.approx(float(clopper_pearson(0.0, 4.0, level=LEVEL)[1]))


def test_a_cohort_without_a_test_has_no_share() -> None:
    shares = _share([(1, 400, 1200)], [(1, 0, 30), (2, 0, 30)])
    assert {row["low_test_share"] for row in shares.values()} <= {None}
