"""All scales over the same people: who is under which level, whom a scale is not meant for, who changes grade."""

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from transforms.load import load_definitions
from transforms.person_time import find_test_days, stays_of
from transforms.plan import plan_of
from transforms.severities import count_severity, estimate_scale_changes, estimate_severity, read_grading

DEFINITIONS = load_definitions()
PLANS = {
    dates: plan_of(DEFINITIONS, has_calendar=dates == "real", has_dates=dates != "none")
    for dates in ("real", "shifted", "none")
}
PERSON = {
    "person_index": pl.UInt32,
    "birth_year": pl.Int32,
    "age_years": pl.Int32,
    "age_at": pl.Date,
    "duffy_null": pl.Boolean,
}


def count(people: list[dict[str, Any]], dates: str = "real", **given: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One person an entry: what is known of them, and `counts`, a list of (day of 2025 or None, count or bounds)."""
    values = []
    for index, person in enumerate(people):
        for day, value, *limit in person["counts"]:
            lower, upper = (0, int(value[1:]) - 1) if isinstance(value, str) else (value, value)
            at = None if day is None else datetime.fromisoformat(f"2025-{day}T08:00")
            number = None if isinstance(value, str) else value
            row = {"anc_cells_per_ul": number, "lower_cells_per_ul": lower, "upper_cells_per_ul": upper}
            of = {"person_index": index, "collected_at": at, "route": "direct_auto"}
            values.append({**of, **row, "reference_low_cells_per_ul": limit[0] if limit else None})
    types = {"person_index": pl.UInt32, "collected_at": pl.Datetime("us"), "route": pl.String}
    numbers = ("anc_cells_per_ul", "lower_cells_per_ul", "upper_cells_per_ul", "reference_low_cells_per_ul")
    anc = pl.LazyFrame(values, schema={**types, **dict.fromkeys(numbers, pl.Int64)})
    facts = [{name: person.get(name) for name in PERSON} | {"person_index": i} for i, person in enumerate(people)]
    plan = PLANS[dates]
    spans = {"person_index": list(range(len(people))), "cohort": "everyone", "started": -(10**8), "ended": 10**8}
    members = pl.DataFrame(spans, schema_overrides={"person_index": pl.UInt32, "started": pl.Int32, "ended": pl.Int32})
    stays = stays_of("everyone", members, find_test_days(anc, plan.tested, plan.any_low))
    return count_severity(stays, read_grading(pl.LazyFrame(facts, schema=PERSON), plan), plan)


def levels(severity: pl.DataFrame, scale: str, *, is_intended: bool = True, unit: str = "all") -> dict[str, int]:
    """Levels of a scale that somebody has."""
    rows = severity.filter(
        pl.col("scale") == scale,
        pl.col("is_intended") == is_intended,
        pl.col("interval_unit") == unit,
        pl.col("n_people") > 0,
    )
    return dict(rows.sort("severity_order").select("severity", "n_people").iter_rows())


def adult(*counts: Any, **facts: Any) -> dict[str, Any]:
    return {"birth_year": 1970, "counts": counts, **facts}


def test_the_same_lowest_count_stands_on_every_scale() -> None:
    severity, _ = count([adult(("01-05", 3000), ("02-05", 450)), adult(("01-05", 1000))])
    assert {scale.id: levels(severity, scale.id) for scale in DEFINITIONS.scales} == {
        "clinical": {"mild": 1, "severe": 1},
        "ctcae_v4": {"grade_2": 1, "grade_4": 1},
        "ctcae_v5": {"grade_2": 1, "grade_4": 1},
        "ctcae_v6": {"grade_1": 1, "grade_3": 1},
        "ctc_v2": {"grade_2": 1, "grade_4": 1},
        "fda_vaccine": {"grade_2": 1, "grade_4": 1},
        "daids_v2_1": {"grade_1": 1, "grade_3": 1},
        "dmid_paediatric": {"not_applicable": 2},
        "icaht_late": {"grade_2": 1, "grade_3": 1},
        "clozapine": {"mild": 1, "severe": 1},
        "clozapine_duffy_null": {"not_applicable": 2},
    }


def test_a_count_below_a_limit_is_graded_at_the_worst_that_it_proves() -> None:
    severity, _ = count([adult(("01-05", "<500"))])
    assert levels(severity, "clinical") == {"severe": 1}
    assert levels(severity, "icaht_late") == {"grade_3": 1}


def test_infants_are_visibly_not_applicable_and_counted_in_the_run_on_everybody() -> None:
    infant, unknown = {"birth_year": 2025, "counts": [("03-01", 900)]}, {"counts": [("03-01", 900)]}
    severity, _ = count([infant, unknown, adult(("03-01", 900))])
    assert levels(severity, "clinical") == {"not_applicable": 1, "moderate": 2}
    assert levels(severity, "clinical", unit="month") == {"not_applicable": 1, "moderate": 2}
    assert levels(severity, "clinical", is_intended=False) == {"moderate": 3}


def test_a_child_is_under_the_paediatric_scale_until_eighteen() -> None:
    by_birth = [{"birth_year": year, "counts": [("03-01", 300)]} for year in (2025, 2024, 2008, 2007)]
    known_at = {"age_years": 17, "age_at": date(2024, 2, 1), "counts": [("03-01", 300)]}
    severity, _ = count([*by_birth, known_at])
    assert levels(severity, "dmid_paediatric") == {"not_applicable": 3, "grade_3": 2}


def test_without_dates_the_age_is_the_one_given() -> None:
    severity, _ = count([{"age_years": age, "counts": [(None, 300)]} for age in (0, 5, 40)], "none")
    assert levels(severity, "dmid_paediatric") == {"not_applicable": 2, "grade_3": 1}


def test_only_people_recorded_as_duffy_null_are_under_their_scale() -> None:
    people = [adult(("01-05", 1200), duffy_null=known) for known in (True, False, None)]
    severity, _ = count(people)
    assert levels(severity, "clozapine_duffy_null") == {"not_applicable": 2, "none": 1}
    assert levels(severity, "clozapine_duffy_null", is_intended=False) == {"none": 3}
    assert levels(severity, "clinical") == {"mild": 3}


def test_a_persons_own_laboratory_says_whether_there_is_a_grade_1() -> None:
    severity, _ = count(
        [
            adult(("01-05", 1700, 1800)),
            adult(("01-05", 1700, 1600), ("01-06", 2500, 1600)),
            adult(("01-05", 2500, 1600), ("01-06", 2400)),
            adult(("01-05", 1700, 1800), ("01-06", 2400)),
            adult(("01-05", 1400, 1200)),
        ]
    )
    assert levels(severity, "ctcae_v5") == {"grade_0": 1, "below_grade_2": 1, "grade_1": 2, "grade_2": 1}


def test_without_limits_of_normal_grade_1_is_not_told_from_none() -> None:
    severity, _ = count([adult(("01-05", 1700)), adult(("01-05", 5000))])
    assert levels(severity, "ctcae_v5") == {"below_grade_2": 2}


@pytest.mark.parametrize("dates", ["real", "shifted"])
def test_months_are_graded_on_the_default_scale_where_dates_are_real(dates: str) -> None:
    severity, _ = count([adult(("01-05", 700), ("02-05", 3000))], dates)
    months = severity.filter(pl.col("interval_unit") == "month", pl.col("n_people") > 0, pl.col("is_intended"))
    expected = [("clinical", "moderate"), ("clinical", "none")] if dates == "real" else []
    assert months.sort("interval_start").select("scale", "severity").rows() == expected


def test_nobody_tested_leaves_no_row() -> None:
    severity, changes = count([adult()])
    assert (severity.height, changes.height) == (0, 0)


def test_who_changes_grade_between_two_scales_is_counted_pair_by_pair() -> None:
    people = [adult(("01-05", value)) for value in (5000, 1200, 1100, 700, 500, 300, 50)]
    _, changes = count(people)
    rows = estimate_scale_changes(changes).filter(pl.col("scale") == "ctcae_v5").sort("from_severity_order")
    assert rows.select("from_severity", "severity", "change", "n_people").rows() == [
        ("none", "below_grade_2", "same", 1),
        ("mild", "grade_2", "worse", 2),
        ("moderate", "grade_3", "worse", 2),
        ("severe", "grade_4", "worse", 1),
        ("profound", "grade_4", "same", 1),
    ]
    assert rows["share"].sum() == pytest.approx(1)
    at_limit = changes.filter(pl.col("scale") == "icaht_late", pl.col("from_severity") == "moderate")
    assert at_limit.sort("severity").select("severity", "n_people").rows() == [("grade_2", 1), ("grade_3", 1)]


def test_pairs_of_levels_add_up_to_the_levels_of_either_scale() -> None:
    people = [adult(("01-05", value)) for value in range(0, 2600, 37)]
    severity, changes = count(people)
    for scale in (scale for scale in DEFINITIONS.scales if not scale.is_default):
        pairs = changes.filter(pl.col("scale") == scale.id)
        for name, other in (
            ("severity", scale),
            ("from_severity", next(s for s in DEFINITIONS.scales if s.is_default)),
        ):
            added = dict(pairs.group_by(name).agg(pl.col("n_people").sum()).iter_rows())
            assert added == levels(severity, other.id, is_intended=other.applies_to is None)


def test_a_share_is_of_those_the_scale_is_applied_to() -> None:
    infant = {"birth_year": 2025, "counts": [("03-01", 900)]}
    severity, _ = count([infant, adult(("03-01", 900)), adult(("03-01", 5000))])
    rows = estimate_severity(severity).filter(
        pl.col("scale") == "clinical", pl.col("is_intended"), pl.col("interval_unit") == "all", pl.col("n_people") > 0
    )
    found = dict(rows.sort("severity_order").select("severity", "share").iter_rows())
    assert found == {"not_applicable": None, "none": 0.5, "moderate": 0.5}


def test_of_nobody_there_is_no_share() -> None:
    severity, _ = count([adult(("03-01", 900))])
    rows = estimate_severity(severity).filter(pl.col("scale") == "dmid_paediatric", pl.col("is_intended"))
    assert rows["share"].to_list() == [None] * rows.height
    assert not estimate_severity(severity)["share"].is_nan().any()
