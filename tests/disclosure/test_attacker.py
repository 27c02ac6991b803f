"""Somebody who knows every sum of counts and this code finds no hidden count, and narrows none below 1 to 10.

The attacker reads released tables, and solves linear and integer programs over all of them. `make test` attacks one
small hospital, `make attack` 8 cohorts x 12 months x 3 thresholds, completely.
"""

import os
from collections.abc import Mapping

import polars as pl
import pytest

import transforms.hiding_cycles
import transforms.nested
import transforms.release
from tests.disclosure.attacking import WIDTH, read_counts, read_steps, true_counts
from tests.disclosure.drawn_hospital import count_hospital, draw_hospital, estimate_hospital, plan_hospital
from tests.disclosure.puzzle import Key
from tests.disclosure.solving import attack, find_narrowed, find_needless, is_possible
from tests.numbers.telling import MOVED, find_moved
from transforms.cohort_order import order_cohorts
from transforms.load import Definitions
from transforms.release import release

IS_WHOLE = os.environ.get("NADIR_ATTACK") == "all"
PEOPLE, DAYS = (1500, 365) if IS_WHOLE else (260, 85)
SEED = 1
SMALL = 10
TARGETS = None if IS_WHOLE else 150  # of thousands; single sums are looked at for all of them
Tables = Mapping[str, pl.DataFrame]


@pytest.fixture(scope="module")
def estimates(definitions: Definitions) -> Tables:
    plan = plan_hospital(definitions)
    return estimate_hospital(count_hospital(draw_hospital(SEED, n_people=PEOPLE, n_days=DAYS), plan), plan)


@pytest.fixture(scope="module")
def truth(estimates: Tables) -> dict[Key, float]:
    return true_counts(estimates)


@pytest.fixture(scope="module")
def tables(estimates: Tables, definitions: Definitions) -> Tables:
    return _release(estimates, definitions)


def _release(estimates: Tables, definitions: Definitions) -> Tables:
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")
    order = order_cohorts(definitions.cohorts)
    return release(estimates, rule, order, run_id="night", definitions_hash="0123456789abcdef").tables


@pytest.mark.skipif(IS_WHOLE, reason="told of a small hospital")
def test_what_is_shown_of_eight_cohorts_is_what_was_told(estimates: Tables, tables: Tables) -> None:
    assert find_moved("eight_cohorts", {**estimates, **tables}) == [], MOVED


def test_what_the_attacker_believes_is_true(tables: Tables, truth: dict[Key, float]) -> None:
    assert is_possible(read_counts(tables), truth) == []
    assert is_possible(read_steps(tables), truth) == []


def test_no_hidden_count_of_people_or_episodes_can_be_narrowed_below_1_to_10(tables: Tables) -> None:
    puzzle = read_counts(tables)
    assert find_narrowed(puzzle, WIDTH) == []
    targets = sorted(puzzle.hidden, key=str)
    assert len(targets) > 5000
    found = attack(puzzle, targets[:: len(targets) // TARGETS] if TARGETS else targets, WIDTH)
    assert len(found.ranges) >= (TARGETS or len(targets))
    assert found.narrower_than(WIDTH) == []


@pytest.mark.skipif(not IS_WHOLE, reason="the long version is `make attack`")
@pytest.mark.parametrize(("seed", "people", "days"), [(2, 600, 85), (5, 400, 110), (7, 900, 200), (8, 60, 365)])
def test_hospitals_of_other_sizes_are_not_narrowed_by_one_sum_after_the_other(
    seed: int, people: int, days: int, definitions: Definitions
) -> None:
    plan = plan_hospital(definitions)
    estimates = estimate_hospital(count_hospital(draw_hospital(seed, n_people=people, n_days=days), plan), plan)
    puzzle = read_counts(_release(estimates, definitions))
    assert is_possible(puzzle, true_counts(estimates)) == []
    assert find_narrowed(puzzle, WIDTH) == []


def test_at_most_two_counts_are_lost_for_each_small_one(tables: Tables, truth: dict[Key, float]) -> None:
    hidden = [truth[key] for key in read_counts(tables).hidden if key in truth]
    n_small = sum(1 <= count <= SMALL for count in hidden)
    assert 0 < n_small < len(hidden) <= 2 * n_small


@pytest.mark.skipif(not IS_WHOLE, reason="the long version is `make attack`")
@pytest.mark.parametrize(
    ("people", "most_hidden", "most_needless"), [(800, 1.5, 0.7), (1500, 2, 0.7), (5000, 2.4, 0.15), (20_000, 3.6, 0.3)]
)
def test_in_larger_hospitals_most_of_what_goes_beside_small_counts_could_not_be_shown(
    people: int, most_hidden: float, most_needless: float, definitions: Definitions
) -> None:
    """There numbers of people that lie inside each other are often a small number apart, which is no small count."""
    plan = plan_hospital(definitions)
    estimates = estimate_hospital(count_hospital(draw_hospital(SEED, n_people=people, n_days=365), plan), plan)
    truth, puzzle = true_counts(estimates), read_counts(_release(estimates, definitions))
    hidden = sorted((key for key in puzzle.hidden if key in truth), key=str)
    beside = [key for key in hidden if truth[key] > SMALL]
    drawn = beside[:: len(beside) // 200]
    needless = len(find_needless(puzzle, truth, drawn, WIDTH)) / len(drawn)
    n_hidden = len(hidden) / sum(1 <= truth[key] <= SMALL for key in hidden)
    print(f"{people:,} people: {n_hidden:.2f} hidden for each small one; {needless:.0%} of the rest could be shown")
    assert n_hidden <= most_hidden
    assert needless <= most_needless


def test_an_attack_finds_people_where_cohorts_are_not_held_against_each_other(
    estimates: Tables, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforms.nested, "close_people", lambda people, *_: people)
    assert find_narrowed(read_counts(_release(estimates, definitions)), WIDTH)


def test_an_attack_finds_episodes_where_only_one_total_at_a_time_is_looked_at(
    estimates: Tables, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforms.release, "close_episodes", lambda hidden, *_: hidden)
    found = find_narrowed(read_counts(_release(estimates, definitions)), WIDTH)
    assert [key for key, _ in found if key[1] == "episodes"]


def test_an_attack_finds_cycles_where_cohorts_are_not_held_against_each_other(
    estimates: Tables, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforms.hiding_cycles, "close_cycles", lambda cycle, severe, *_: (cycle, severe))
    found = {key[2] for key, _ in find_narrowed(read_counts(_release(estimates, definitions)), WIDTH)}
    assert "cycle" in found
    assert IS_WHOLE or "severe" in found  # in the larger hospital every reason has people enough
