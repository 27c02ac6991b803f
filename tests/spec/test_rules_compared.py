"""What each rule makes of the same counts, and of how many people it is certain that they were low."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from transforms.certainty import count_certainty, estimate_certainty
from transforms.examples_of_episodes import Chart, count_row, find_charted
from transforms.load import load_definitions
from transforms.plan import plan_of
from transforms.rules_compared import count_rules, estimate_rules, expected_rules

DEFINITIONS = load_definitions()
PLAN = plan_of(DEFINITIONS, has_calendar=False, has_dates=True)
# Worked example 1: low at 1500 from day 8 to 16, recovered on day 20, its last count.
EXAMPLE = {0: 4000, 5: 2500, 8: 900, 10: 300, 13: 600, 16: 1200, 20: 3000}


def rules_of(*people: Mapping[float, object]) -> dict[tuple[str, int], dict[str, Any]]:
    rows = [
        count_row(day, count) | {"person_index": who} for who, own in enumerate(people) for day, count in own.items()
    ]
    found = pl.concat([find_charted(Chart(rows), rule) for rule in DEFINITIONS.rules])
    made = estimate_rules(count_rules(found.lazy(), PLAN))
    return {(row["compared_rule"], row["limit_cells_per_ul"]): row for row in made.to_dicts()}


def test_one_patient_has_another_length_under_every_rule() -> None:
    found = rules_of(EXAMPLE)
    assert found["simple_run", 1500]["mean_days"] == pytest.approx(12)  # first low to first recovered
    assert found["clinical", 1500]["mean_days"] == pytest.approx(12)
    assert found["simple_run", 500]["mean_days"] == pytest.approx(3)
    assert found["allmt", 500]["mean_days"] == pytest.approx(7)  # from day 10 to day 16 in whole weeks
    assert found["ohdsi_213", 1500]["mean_days"] == pytest.approx(8)  # 3,000 is no recovery, so nothing ended it
    longer = rules_of({**EXAMPLE, 60: 3000})["ohdsi_213", 1500]
    assert longer["mean_days"] == pytest.approx(16 - 8 + 21)  # the clock did, 21 days after the last low
    assert ("icaht_early", 500) not in found


def test_an_episode_without_an_end_counts_to_its_last_low_value_and_one_without_a_second_low_not_at_all() -> None:
    found = rules_of({0: 3000, 5: 900, 9: 800}, {0: 3000, 5: 900, 12: 3000})
    own = found["clinical", 1500]
    assert (own["n_people"], own["n_episodes"], own["mean_days"]) == (1, 1, pytest.approx(4))
    plain = found["simple_run", 1500]
    assert (plain["n_people"], plain["n_episodes"], plain["mean_days"]) == (2, 2, pytest.approx((4 + 7) / 2))


def test_every_rule_for_everybody_has_a_row_for_each_of_its_limits_and_none_where_there_are_no_dates() -> None:
    every = {rule.id for rule in DEFINITIONS.rules if not rule.anchor}
    assert set(expected_rules(PLAN)["compared_rule"]) == every
    assert expected_rules(replace(PLAN, has_dates=False)).is_empty()


def test_every_rule_says_how_it_differs() -> None:
    assert all(len(rule.differs) > 20 for rule in DEFINITIONS.rules)


def certainty_of(*people: list[tuple[int | None, int, int | None, int, int | None]]) -> dict[tuple[str, int, str], int]:
    """People with counts of (number, lower, upper, possible lower, possible upper)."""
    names = [f"{name}_cells_per_ul" for name in ("anc", "lower", "upper", "possible_lower", "possible_upper")]
    rows = [
        {"person_index": who, "route": "direct_auto", **dict(zip(names, count, strict=True))}
        for who, own in enumerate(people)
        for count in own
    ]
    schema = {"person_index": pl.UInt32, "route": pl.String, **dict.fromkeys(names, pl.Int64)}
    made = estimate_certainty(count_certainty(pl.LazyFrame(rows, schema=schema), PLAN))
    keys = ("bounds", "threshold_cells_per_ul", "certainty")
    return {tuple(row[key] for key in keys): row["n_people"] for row in made.to_dicts()}  # type: ignore[misc]


def test_a_count_by_hand_that_is_low_as_told_may_be_undecided_by_what_a_hundred_cells_leave_open() -> None:
    found = certainty_of([(450, 450, 450, 300, 640)], [(2000, 2000, 2000, 2000, 2000)])
    assert [found["as_told", 500, part] for part in ("low", "undecided", "not_low")] == [1, 0, 1]
    assert [found["left_open", 500, part] for part in ("low", "undecided", "not_low")] == [0, 1, 1]
    assert [found["left_open", 1000, part] for part in ("low", "undecided", "not_low")] == [1, 0, 1]


def test_a_count_that_is_not_low_as_told_may_have_been_low() -> None:
    found = certainty_of([(520, 520, 520, 380, 700)])
    assert [found["as_told", 500, part] for part in ("low", "undecided", "not_low")] == [0, 0, 1]
    assert [found["left_open", 500, part] for part in ("low", "undecided", "not_low")] == [0, 1, 0]


def test_one_certain_low_count_makes_a_person_certainly_low_whatever_the_others_leave_open() -> None:
    found = certainty_of([(100, 100, 100, 100, 100), (520, 520, 520, 380, 700)])
    assert found["left_open", 500, "low"] == 1


def test_a_limit_of_the_laboratory_is_undecided_as_told_too() -> None:
    found = certainty_of([(None, 0, 600, 0, 600), (2000, 2000, 2000, 2000, 2000)])
    assert [found["as_told", 500, part] for part in ("low", "undecided", "not_low")] == [0, 1, 0]
