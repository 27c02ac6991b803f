"""What is counted after a drug: blocks of doses, courses with an episode, the curve, and the self-controlled ratio."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from transforms.drug_blocks import find_blocks
from transforms.drug_counts import Drugs, count_courses, count_drug_days, count_times, read_drugs_given
from transforms.drug_estimates import estimate_courses, estimate_days, estimate_ratios
from transforms.drug_weeks import count_weeks
from transforms.load import load_definitions
from transforms.plan import plan_of
from transforms.rate_ratios import rate_ratio

DEFINITIONS = load_definitions()
PLAN = plan_of(DEFINITIONS, has_calendar=True, has_dates=True)
RULES = DEFINITIONS.drugs
ORIGIN = date(2024, 1, 1)
DRUG: Mapping[str, Mapping[str, Any]] = {
    "docetaxel": {
        "cause_group": "chemotherapy",
        "is_cytotoxic": True,
        "onset_anchor": "each_dose",
        "days": (5, 10, None),
    },
    "cytarabine": {
        "cause_group": "chemotherapy",
        "is_cytotoxic": True,
        "onset_anchor": "each_dose",
        "days": (7, 14, None),
    },
    "imatinib": {
        "cause_group": "chemotherapy",
        "is_cytotoxic": False,
        "onset_anchor": "course_start",
        "days": (7, 90, 7),
    },
    "clozapine": {
        "cause_group": "medication",
        "is_cytotoxic": False,
        "onset_anchor": "course_start",
        "days": (7, 140, 14),
    },
    "rituximab": {
        "cause_group": "medication",
        "is_cytotoxic": False,
        "onset_anchor": "last_dose",
        "days": (30, 330, 330),
    },
}
Dose = tuple[int, str, int, int]


def _day(number: int) -> date:
    return ORIGIN + timedelta(days=number)


def _recognised(doses: Sequence[Dose], **changes: Any) -> pl.LazyFrame:
    rows = []
    for person, drug, first, last in doses:
        facts = DRUG[drug]
        low, high, tail = facts["days"]
        rows.append(
            {
                "person_index": person,
                "drug": drug,
                "cause_group": facts["cause_group"],
                "is_cytotoxic": facts["is_cytotoxic"],
                "is_dual_use": False,
                "has_malignancy": True,
                "may_cause": True,
                "onset_anchor": facts["onset_anchor"],
                "onset_min_days": low,
                "onset_max_days": high,
                "tail_days": tail,
                "course_number": 1,
                "started_at": datetime.combine(_day(first), datetime.min.time()),
                "ended_at": datetime.combine(_day(last), datetime.min.time()),
                **changes,
            }
        )
    days = dict.fromkeys(("onset_min_days", "onset_max_days", "tail_days", "course_number"), pl.Int32)
    return pl.LazyFrame(rows, schema_overrides={"person_index": pl.UInt32, **days})


def _given(
    doses: Sequence[Dose],
    tests: Sequence[tuple[int, int, int]],
    lows: Sequence[tuple[int, int, int | None]] = (),
    *,
    is_incident: bool = True,
) -> Drugs:
    """doses: person, drug, first, last day; tests: person, day, count; lows: person, first low, recovered day."""
    start = (ORIGIN - date(1970, 1, 1)).days
    test_days = pl.DataFrame(
        [(person, start + day, 1, count) for person, day, count in tests],
        schema={"person_index": pl.UInt32, "day": pl.Int32, "n_tests": pl.Int64, "lowest_cells_per_ul": pl.Int64},
        orient="row",
    )
    episodes = pl.DataFrame(
        [
            (person, "clinical", 1500, is_incident, True, "censored_end" if back is None else "recovered",
             start + low, start + (low if back is None else back))
            for person, low, back in lows
        ],
        schema={"person_index": pl.UInt32, "rule": pl.String, "threshold_cells_per_ul": pl.Int64,
                "is_incident": pl.Boolean, "is_confirmed": pl.Boolean, "ended_as": pl.String,
                "started": pl.Int32, "ended": pl.Int32},
        orient="row",
    )  # fmt: skip
    blocks = find_blocks(_recognised(doses or [(0, "clozapine", 0, 0)]), RULES)
    return read_drugs_given(blocks if doses else blocks.head(0), test_days, episodes, PLAN)


def _blocks(doses: Sequence[Dose], **changes: Any) -> list[tuple[str, int, int]]:
    found = find_blocks(_recognised(doses, **changes), RULES).collect()
    return [
        (drug, (first - ORIGIN).days, (last - ORIGIN).days)
        for drug, first, last in found.select("drug", "started_on", "ended_on").rows()
    ]


def test_seven_days_of_cytarabine_are_one_block_and_weekly_docetaxel_is_one_a_week() -> None:
    seven = [(0, "cytarabine", day, day) for day in range(7)]
    assert _blocks(seven) == [("cytarabine", 0, 6)]
    assert _blocks([(0, "docetaxel", day, day) for day in (0, 7, 14)]) == [
        ("docetaxel", day, day) for day in (0, 7, 14)
    ]


def test_antineoplastics_that_are_no_cytotoxics_are_a_class_of_their_own() -> None:
    blocks = find_blocks(_recognised([(0, "docetaxel", 0, 0), (0, "imatinib", 0, 9), (0, "clozapine", 0, 9)]), RULES)
    assert dict(blocks.select("drug", "drug_class").collect().iter_rows()) == {
        "docetaxel": "cytotoxic",
        "imatinib": "targeted_or_immune",
        "clozapine": "other",
    }


def test_a_cytotoxic_for_something_else_than_a_cancer_is_named_apart_and_is_no_cytotoxic() -> None:
    dose = _recognised([(0, "docetaxel", 0, 0)], is_dual_use=True, has_malignancy=False)
    assert find_blocks(dose, RULES).select("drug", "drug_class").collect().rows() == [
        ("docetaxel (not for a cancer)", "other")
    ]


def test_windows_of_drugs_are_those_of_the_causes() -> None:
    for cause in DEFINITIONS.causes:
        for evidence in cause.drug_evidence:
            for name in ("earliest_after_dose_days", "beyond_max_days", "default_tail_days"):
                assert getattr(evidence, name) == getattr(RULES.window, name), (cause.id, name)


def test_a_course_has_an_episode_when_one_begins_in_its_window_and_counts_only_where_it_was_tested() -> None:
    doses = [(person, "docetaxel", 0, 0) for person in range(4)]
    tests = [(0, 10, 400), (1, 10, 3000), (2, 40, 3000)]  # the last person is never tested
    counted = count_courses(_given(doses, tests, [(0, 10, 20)]), PLAN)
    row = counted.filter(pl.col("threshold_cells_per_ul") == 1500).row(0, named=True)
    assert (row["n_people"], row["n_courses"], row["n_tested"], row["n_affected"]) == (4, 4, 2, 1)


@pytest.mark.parametrize(("low", "n_affected"), [(2, 0), (3, 1), (17, 1), (18, 0)])
def test_the_window_after_a_cytotoxic_runs_from_three_days_to_its_maximum_and_seven(low: int, n_affected: int) -> None:
    counted = count_courses(_given([(0, "docetaxel", 0, 0)], [(0, low, 400), (0, 10, 3000)], [(0, low, None)]), PLAN)
    assert counted.filter(pl.col("threshold_cells_per_ul") == 1500)["n_affected"].to_list() == [n_affected]


def test_the_interval_of_a_share_is_wider_when_the_same_people_have_all_the_episodes() -> None:
    def width(n_affected_squared: int, n_tested_affected: int) -> float:
        drug = pl.DataFrame(
            {
                "drug": ["a"], "drug_class": ["other"], "threshold_cells_per_ul": [1500], "n_people": [100],
                "n_courses": [400], "n_tested": [400], "n_affected": [100], "n_people_tested": [100],
                "n_people_affected": [100], "n_tested_squared": [1600], "n_affected_squared": [n_affected_squared],
                "n_tested_affected": [n_tested_affected],
            }
        )  # fmt: skip
        times = count_times(_given([], []))
        found = estimate_courses(drug, times, PLAN)
        assert found["share"].to_list() == [0.25]
        return float(found["share_hi"][0] - found["share_lo"][0])

    spread = width(100, 400)  # each of 100 people has one of four courses affected
    clustered = width(400, 400)  # 25 people have all four affected
    assert clustered > 1.5 * spread
    assert clustered == pytest.approx(2 * 1.96 * (0.25 * 0.75 / 100) ** 0.5, abs=0.01)


def test_days_to_onset_run_from_the_latest_dose_and_recovery_may_be_open() -> None:
    given = _given(
        [(0, "docetaxel", 0, 0), (0, "docetaxel", 21, 21), (1, "clozapine", 0, 60)],
        [(0, 29, 400), (1, 40, 900)],
        [(0, 29, 36), (1, 40, None)],
    )
    times = count_times(given).select("drug", "measure", "days").sort("drug", "measure").rows()
    assert times == [
        ("clozapine", "onset", 40),
        ("clozapine", "recovery", None),
        ("docetaxel", "onset", 8),
        ("docetaxel", "recovery", 7),
    ]


def test_a_person_counts_once_a_day_after_the_first_cycle_in_which_they_were_tested_on_it() -> None:
    doses = [(0, "docetaxel", day, day) for day in (0, 21, 42)]
    given = _given(doses, [(0, 8, 3000), (0, 29, 150), (0, 50, 3000), (0, 52, 700), (0, 73, 250)])
    days = count_drug_days(given, RULES).select("day", "bin_lower_cells_per_ul", "n_people").sort("day").rows()
    assert days == [(8, 3000, 1), (10, 600, 1), (31, 200, 1)]


def test_the_lowest_count_of_a_week_counts_and_weeks_before_a_course_are_on_its_curve() -> None:
    given = _given([(0, "clozapine", 30, 90)], [(0, 25, 4200), (0, 31, 3100), (0, 34, 900)])
    days = count_drug_days(given, RULES).select("day", "day_until", "bin_lower_cells_per_ul").sort("day").rows()
    assert days == [(-7, -1, 4000), (0, 6, 800)]


def test_a_quantile_is_the_middle_of_its_bin() -> None:
    counts = [150] * 5 + [1100] * 10 + [4500] * 5
    given = _given(
        [(person, "docetaxel", 0, 0) for person in range(20)],
        [(person, 8, count) for person, count in enumerate(counts)],
    )
    row = estimate_days(count_drug_days(given, RULES), RULES).row(0, named=True)
    assert [row[f"p{share}_cells_per_ul"] for share in (10, 25, 50, 75, 90)] == [150, 150, 1125, 1125, 4500]


def _periods(given: Drugs) -> dict[str, tuple[int, int]]:
    counted = count_weeks(given, RULES).filter(pl.col("drug") != "")
    return {
        period: (weeks, episodes) for period, weeks, episodes in counted[["period", "n_weeks", "n_episodes"]].rows()
    }


def test_tested_weeks_divide_into_before_shortly_before_window_and_long_after() -> None:
    tests = [(0, day, 4000) for day in (0, 60, 80, 100, 103, 110, 118, 130, 300, 400)]
    assert _periods(_given([(0, "clozapine", 100, 150)], tests)) == {
        "reference": (4, 0),  # days 0 and 60; days 300 and 400 are long after
        "pre_exposure": (1, 0),  # day 80
        "around_start": (1, 0),  # days 100 and 103, of one week
        "risk": (3, 0),  # days 110, 118 and 130; before day 107 it is too early
        "on_drug": (4, 0),  # also days 100 and 103, of one week
    }


def test_nothing_counts_after_the_first_episode() -> None:
    tests = [(0, day, 4000) for day in (0, 112, 119, 126, 300)]
    periods = _periods(_given([(0, "clozapine", 100, 125)], tests, [(0, 119, 140), (0, 300, 310)]))
    assert periods == {"reference": (1, 0), "risk": (2, 1), "on_drug": (2, 1)}


def test_who_was_low_before_anything_was_seen_counts_nowhere() -> None:
    assert (
        _periods(_given([(0, "clozapine", 100, 125)], [(0, 0, 900), (0, 110, 900)], [(0, 0, None)], is_incident=False))
        == {}
    )


def test_no_ratio_is_made_of_a_cytotoxic_and_its_window_counts_nowhere() -> None:
    doses = [(0, "docetaxel", 100, 100), (0, "clozapine", 90, 150)]
    given = _given(doses, [(0, 10, 4000), (0, 100, 4000), (0, 108, 400), (0, 120, 4000)], [(0, 108, 120)])
    assert _periods(given) == {"reference": (1, 0)}  # what is after the episode counts nowhere either


@pytest.mark.parametrize("order", [1, -1])
def test_who_was_low_before_anything_was_seen_counts_nowhere_though_an_episode_began_on_that_day(order: int) -> None:
    given = _given([(0, "clozapine", 100, 125)], [(0, 0, 4000), (0, 110, 900)], [(0, 110, None)])
    unseen = given.episodes.with_columns(is_incident=pl.lit(value=False))
    assert _periods(given) != {}
    assert _periods(replace(given, episodes=pl.concat([given.episodes, unseen][::order]))) == {}


def test_of_two_cytotoxics_of_one_day_the_longer_window_counts_nowhere() -> None:
    doses = [(0, "docetaxel", 100, 100), (0, "cytarabine", 100, 100), (0, "clozapine", 90, 150)]
    assert _periods(_given(doses, [(0, 10, 4000), (0, 120, 4000)])) == {"reference": (1, 0)}


def test_weeks_of_a_second_course_belong_to_nobody() -> None:
    first, second = (_recognised([(0, "clozapine", start, start + 10)], course_number=number)
                     for start, number in ((100, 1), (300, 2)))  # fmt: skip
    one = _given([(0, "clozapine", 100, 110)], [(0, 10, 4000), (0, 290, 4000), (0, 310, 4000)])
    blocks = find_blocks(pl.concat([first, second]), RULES)
    test_days = one.tests.with_columns(n_tests=pl.lit(1, pl.Int64))
    both = read_drugs_given(blocks, test_days, _no_episodes(), PLAN)
    assert (_periods(one)["reference"], _periods(both)["reference"]) == ((3, 0), (2, 0))


def _no_episodes() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"person_index": pl.UInt32, "rule": pl.String, "threshold_cells_per_ul": pl.Int64,
                "is_incident": pl.Boolean, "is_confirmed": pl.Boolean, "ended_as": pl.String,
                "started": pl.Int32, "ended": pl.Int32}
    )  # fmt: skip


@pytest.fixture
def estimate() -> Callable[..., dict[str, Any]]:
    """Weeks and episodes of one drug to its row of estimates, in a hospital of 10 episodes in 1,000 weeks."""

    def make(**periods: tuple[int, int]) -> dict[str, Any]:
        rows = [("clozapine", "other", period, 50, weeks, episodes) for period, (weeks, episodes) in periods.items()]
        rows.append(("", "", "everybody", 100, 1000, 10))
        schema = ["drug", "drug_class", "period", "n_people", "n_weeks", "n_episodes"]
        drug = pl.DataFrame({"drug": ["clozapine"], "drug_class": ["other"], "n_people": [50]})
        return estimate_ratios(pl.DataFrame(rows, schema=schema, orient="row"), drug, RULES).row(0, named=True)

    return make


def test_a_rate_that_was_raised_before_the_drug_raises_the_pre_exposure_check(estimate: Any) -> None:
    raised = estimate(risk=(100, 20), reference=(200, 10), pre_exposure=(50, 15), on_drug=(100, 20))
    calm = estimate(risk=(100, 20), reference=(200, 10), pre_exposure=(50, 3), on_drug=(100, 20))
    assert (raised["ratio"], raised["pre_ratio"], raised["pre_check"]) == (4.0, 6.0, "raised")
    assert calm["pre_check"] == "not_raised"


def test_a_fall_that_is_seen_in_the_first_days_of_a_drug_raises_the_check(estimate: Any) -> None:
    row = estimate(risk=(100, 20), reference=(200, 10), pre_exposure=(50, 1), around_start=(40, 20), on_drug=(100, 20))
    assert (row["n_pre_exposure"], row["pre_ratio"], row["pre_check"]) == (20, 10.0, "raised")


def test_the_disproportion_is_shrunk_towards_none(estimate: Any) -> None:
    assert estimate(risk=(100, 1), reference=(200, 1), on_drug=(100, 3))["log2_disproportion"] == pytest.approx(
        np.log2(3.5 / 1.5)
    )
    assert estimate(risk=(1, 0), reference=(2, 1), on_drug=(0, 0))["log2_disproportion"] is None


def test_a_ratio_without_an_episode_in_other_weeks_has_no_upper_limit(estimate: Any) -> None:
    row = estimate(risk=(100, 8), reference=(200, 0))
    assert (row["ratio"], row["ratio_hi"]) == (None, None)
    assert row["ratio_lo"] > 1


@pytest.mark.parametrize("swap", [False, True])
def test_a_ratio_and_its_inverse_have_inverse_limits(swap: bool) -> None:
    sides = [(np.array([7]), np.array([90])), (np.array([12]), np.array([300]))]
    one, other = sides[::-1] if swap else sides
    ratio, lo, hi = rate_ratio(*one, *other, level=0.95)
    back, back_lo, back_hi = rate_ratio(*other, *one, level=0.95)
    assert (ratio * back, lo * back_hi, hi * back_lo) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))


def test_mid_p_limits_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    for truth, mean in ((1.0, 8), (1.0, 40), (2.5, 15)):
        one, other = rng.poisson(mean * truth, 4000), rng.poisson(mean * 3, 4000)
        weeks = np.full(4000, 100)
        _, lo, hi = rate_ratio(one, weeks, other, 3 * weeks, level=0.95)
        assert 0.93 <= ((lo <= truth) & (truth <= hi)).mean() <= 0.97, (truth, mean)
