"""Each disclosure rule hides what it says and rounds as it says; shares are no finer than their counts."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest

from flows.settings import read_settings
from tests.disclosure.attacking import WIDTH, read_counts
from tests.disclosure.drawn_hospital import count_hospital, draw_hospital, estimate_hospital, plan_hospital
from tests.disclosure.solving import attack
from transforms.audit import find_small_cells
from transforms.cohort_order import CohortOrder, order_cohorts
from transforms.load import Definitions
from transforms.model.disclosure import DisclosureRule
from transforms.release import Released, release
from transforms.rounding import round_counts
from transforms.schemas import schema_of

LIMITS = {"ohdsi": (5, 1), "opensafely": (8, 5), "cms": (11, 1), "internal": (11, 1), "public": (11, 1)}
Tables = Mapping[str, pl.DataFrame]


@pytest.fixture(scope="module")
def released(draw_growing: Callable[[int], Tables], definitions: Definitions) -> dict[str, Released]:
    estimates = draw_growing(540)
    return {
        rule.id: release(estimates, rule, CohortOrder(), run_id="night", definitions_hash="0123456789abcdef")
        for rule in definitions.disclosure
    }


def _rule(definitions: Definitions, name: str) -> DisclosureRule:
    return next(rule for rule in definitions.disclosure if rule.id == name)


def _counts(released: Released) -> list[Any]:
    found: list[Any] = []
    for name, rows in released.tables.items():
        table = schema_of(name)
        for column in (c.name for c in table.columns if c.name in table.values and c.type == "BIGINT"):
            found += rows[column].drop_nulls().to_list() if column != "degrees_of_freedom" else []
    return found


@pytest.mark.parametrize("name", LIMITS)
def test_a_rule_shows_no_count_below_its_limit_and_some_just_above(
    name: str, released: dict[str, Released], definitions: Definitions
) -> None:
    least, step = LIMITS[name]
    rule = _rule(definitions, name)
    assert (rule.min_cell, rule.round_to) == (least, step)
    counts = _counts(released[name])
    assert not [count for count in counts if 0 < count < least]
    assert [count for count in counts if count <= least + 10 and count]
    assert released[name].closed == ()


def test_a_lower_limit_shows_more(released: dict[str, Released]) -> None:
    shown = {
        name: sum(each.n_values - each.n_hidden for each in night.utility.values()) for name, night in released.items()
    }
    assert shown["ohdsi"] > shown["cms"] > 0


def test_a_channel_is_chosen_in_the_settings() -> None:
    assert read_settings(channel="opensafely").channel == "opensafely"


def test_rounded_counts_are_multiples_of_five_and_shares_are_made_of_them(released: dict[str, Released]) -> None:
    assert {count % 5 for count in _counts(released["opensafely"])} == {0}
    rows = released["opensafely"].tables["released.prevalence"]
    shown = rows.filter(~pl.col("is_weighted"), pl.col("standard") == "crude", pl.col("prevalence").is_not_null())
    assert shown.height > 10
    for row in shown.iter_rows(named=True):
        assert row["prevalence"] == pytest.approx(row["n_low"] / row["n_population"] if row["n_low"] else 0)
        steps = [row[limit] * row["n_population"] / 5 for limit in ("prevalence_lo", "prevalence_hi")]
        assert steps == pytest.approx([round(each) for each in steps], abs=1e-6)
        assert row["prevalence_lo"] <= row["prevalence"] <= row["prevalence_hi"]


def test_rounding_again_changes_nothing(released: dict[str, Released]) -> None:
    tables = released["opensafely"].tables
    again = round_counts(tables, 5)
    for name, rows in tables.items():
        table = schema_of(name)
        counts = [c.name for c in table.columns if c.name in table.values and c.type == "BIGINT"]
        assert rows.select(counts).equals(again[name].select(counts))


def test_the_last_look_of_a_rule_would_find_what_a_lower_limit_shows(released: dict[str, Released]) -> None:
    assert find_small_cells(released["ohdsi"].tables, 11)


@pytest.mark.slow
def test_no_count_of_people_or_episodes_hidden_by_the_limit_of_ohdsi_can_be_narrowed_below_1_to_4(
    definitions: Definitions,
) -> None:
    plan = plan_hospital(definitions)
    estimates = estimate_hospital(count_hospital(draw_hospital(1, n_people=160, n_days=60), plan), plan)
    order, rule = order_cohorts(definitions.cohorts), _rule(definitions, "ohdsi")
    puzzle = read_counts(release(estimates, rule, order, run_id="night", definitions_hash="0").tables)
    of_people = [key for key in sorted(puzzle.hidden, key=str) if key[-1] not in {"tests", "gaps"}]
    found = attack(puzzle, of_people, rule.min_cell - 2)
    assert len(found.ranges) > 100
    assert rule.min_cell - 2 < WIDTH
    assert found.narrower_than(rule.min_cell - 2) == []
