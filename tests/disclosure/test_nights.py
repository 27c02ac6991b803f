"""Somebody who keeps every nightly report and subtracts finds no change of 1 to 10 people.

Nights of a drawn hospital follow each other; each is released against those before. `make test` looks at a few nights,
`make attack` at 30.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import polars as pl
import pytest

import transforms.holding
import transforms.nested
import transforms.release
from tests.disclosure.attacking import WIDTH, read_counts, true_counts
from tests.disclosure.drawn_hospital import count_hospital, draw_hospital, estimate_hospital, plan_hospital
from tests.disclosure.puzzle import MOST, Key, Puzzle, Rule
from tests.disclosure.solving import attack, find_narrowed, is_possible
from tests.numbers.telling import MOVED, find_moved
from transforms.cohort_order import CohortOrder, order_cohorts
from transforms.load import Definitions
from transforms.model.disclosure import DisclosureRule
from transforms.release import Released, release
from transforms.renewal import Earlier
from transforms.schemas import schema_of

IS_WHOLE = os.environ.get("NADIR_ATTACK") == "all"
N_NIGHTS, N_PEOPLE, FIRST_DAY = (30, 800, 120) if IS_WHOLE else (2, 400, 110)
LOOKED_AT = (1, 7, 15, 22, 29) if IS_WHOLE else (1,)  # nights of which every program is solved
TARGETS = 500 if IS_WHOLE else 100
Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Night:
    """What was known, and what was shown of it."""

    estimates: Tables
    released: Released


def follow(estimates: list[Tables], rule: DisclosureRule, order: CohortOrder) -> list[Night]:
    """Each night released against all before."""
    nights: list[Night] = []
    earlier = Earlier()
    for number, night in enumerate(estimates):
        run_id = f"night {number}"
        shown = release(night, rule, order, run_id=run_id, definitions_hash="0123456789abcdef", earlier=earlier)
        nights.append(Night(night, shown))
        earlier = Earlier(shown.tables, pl.concat([earlier.counts, shown.renewed]))
    return nights


@pytest.fixture(scope="module")
def internal(definitions: Definitions) -> DisclosureRule:
    return next(rule for rule in definitions.disclosure if rule.id == "internal")


@pytest.fixture(scope="module")
def drawn(definitions: Definitions) -> list[Tables]:
    plan = plan_hospital(definitions)
    hospital = draw_hospital(3, n_people=N_PEOPLE)
    days = range(FIRST_DAY, FIRST_DAY + N_NIGHTS * 2, 2)
    return [estimate_hospital(count_hospital(hospital, plan, until=day), plan) for day in days]


@pytest.fixture(scope="module")
def nights(drawn: list[Tables], internal: DisclosureRule, definitions: Definitions) -> list[Night]:
    return follow(drawn, internal, order_cohorts(definitions.cohorts))


def fresh(tables: Tables) -> dict[str, pl.DataFrame]:
    """Released tables without what is held: that is of an earlier night."""
    return {
        name: rows.with_columns(
            pl.when(pl.col(f"{value}_mark").ne_missing("held")).then(value).alias(value)
            for value in schema_of(name).values
        )
        for name, rows in tables.items()
    }


def find_small_changes(nights: list[Night]) -> list[str]:
    """Counts of which two reports show numbers 1 to 10 apart, table by table."""
    found: list[str] = []
    shown = [fresh(night.released.tables) for night in nights]
    for (one, before), (other, after) in combinations(enumerate(shown), 2):
        for name, rows in after.items():
            table = schema_of(name)
            key = [column for column in table.key if column not in {"run_id", "channel"}]
            counts = [c.name for c in table.columns if c.name in table.values and c.type == "BIGINT"]
            if name == "released.duration_curve":  # of these only those at risk are counts of their day
                counts = ["n_at_risk"]
            both = rows.join(before[name], on=key, nulls_equal=True, suffix="_before")
            for count in set(counts) - {"degrees_of_freedom"}:
                moved = both.filter((pl.col(count) - pl.col(f"{count}_before")).abs().is_between(1, 10))
                found += [f"{name}.{count}, nights {one} and {other}: {moved.height}"] if moved.height else []
    return found


def test_no_two_reports_show_counts_a_few_people_apart(nights: list[Night]) -> None:
    assert find_small_changes(nights) == []


@pytest.mark.skipif(IS_WHOLE, reason="told of a few nights")
def test_what_is_shown_and_held_of_a_second_night_is_what_was_told(nights: list[Night]) -> None:
    last = nights[-1]
    tables = {**last.estimates, **last.released.tables, "renewed": last.released.renewed}
    assert find_moved("second_night", tables) == [], MOVED


def test_counts_that_hardly_moved_are_held_as_they_were_last_shown(nights: list[Night]) -> None:
    for before, after in pairwise(nights):
        held = after.released.tables["released.prevalence"].filter(pl.col("n_low_mark") == "held")
        assert held.height > 10
        key = [name for name in schema_of("released.prevalence").key if name not in {"run_id", "channel"}]
        both = held.join(before.released.tables["released.prevalence"], on=key, nulls_equal=True, suffix="_before")
        assert both.height == held.height
        assert both["n_low"].to_list() == both["n_low_before"].to_list()


def test_what_has_moved_enough_or_not_at_all_is_shown_as_it_is(nights: list[Night]) -> None:
    shown = fresh(nights[-1].released.tables)["released.testing"]
    now = nights[-1].estimates["estimate.testing"]
    both = shown.join(now, on=["cohort", "interval_unit", "interval_start"], nulls_equal=True, suffix="_now")
    known = both.filter(pl.col("n_tested").is_not_null())
    assert known["n_tested"].to_list() == known["n_tested_now"].to_list()
    assert known.height > 0.2 * both.height


def test_the_same_nights_are_released_with_the_same_bytes(
    drawn: list[Tables], nights: list[Night], internal: DisclosureRule, definitions: Definitions
) -> None:
    again = follow(drawn[:2], internal, order_cohorts(definitions.cohorts))
    for one, other in zip(nights, again, strict=False):
        assert one.released.renewed.equals(other.released.renewed)
        assert all(rows.equals(other.released.tables[name]) for name, rows in one.released.tables.items())


def test_a_night_that_changes_nothing_holds_and_renews_nothing(
    drawn: list[Tables], internal: DisclosureRule, definitions: Definitions
) -> None:
    once, again = follow([drawn[0], drawn[0]], internal, order_cohorts(definitions.cohorts))
    assert again.released.renewed.is_empty()
    for name, rows in once.released.tables.items():
        assert rows.drop("run_id").equals(again.released.tables[name].drop("run_id")), name


def read_night(nights: list[Night], number: int) -> Puzzle:
    """What the report of a night tells, to somebody who kept those before and knows what can only grow."""
    puzzle = read_counts(fresh(nights[number].released.tables))
    held = puzzle.hidden & set(read_counts(nights[number].released.tables).shown)
    for key in held:
        puzzle.least[key] = 0  # what is held may be nobody by now
    puzzle.rules = [known for rule in puzzle.rules for known in _as_held(rule, held)]
    for before in nights[:number]:
        for key, value in read_counts(fresh(before.released.tables)).shown.items():
            if key in puzzle.least and _only_grows(key):
                puzzle.suppose(key, least=value)
    return puzzle


def _as_held(rule: Rule, held: set[Key]) -> list[Rule]:
    """Causes stand as they stood when their total was held: one that is new tonight is not among them."""
    wholes = [key for key in rule.factors if key in held and len(key) > 5 and key[5] == "all"]
    is_of_causes = any(len(key) > 6 and str(key[5]).startswith("cause") for key in rule.factors)
    if not (wholes and is_of_causes):
        return [rule]
    return [replace(rule, most=MOST)] if rule.factors[wholes[0]] > 0 else []


def _only_grows(key: Key) -> bool:
    return len(key) > 2 and (key[2] in {"observed", "tested"} or key[2:4] == ("low", "any_low"))


def solve_all(puzzle: Puzzle) -> list[tuple[Key, tuple[float, float]]]:
    """Every hidden count that a sum alone narrows below 1 to 10, and those of `TARGETS` that some program does."""
    every = sorted(puzzle.hidden, key=str)
    solved = attack(puzzle, every[:: max(1, len(every) // TARGETS)], WIDTH).narrower_than(WIDTH)
    return list(dict([*sum_alone(puzzle), *solved]).items())


def sum_alone(puzzle: Puzzle) -> list[tuple[Key, tuple[float, float]]]:
    """The same as far as one sum after the other tells; quick, and not all there are."""
    return find_narrowed(puzzle, WIDTH)


def find_told_changes(
    nights: list[Night], number: int, look: Callable[[Puzzle], list[tuple[Key, tuple[float, float]]]] = solve_all
) -> list[tuple[Key, tuple[float, float]]]:
    """Hidden or held counts of which this night tells how many of 1 to 10 people have come."""
    before = read_counts(nights[number - 1].released.tables).shown
    told = []
    for key, (least, most) in look(read_night(nights, number)):
        last = before.get(key, 0.0)
        if most - last >= 1 and least - last <= 10:
            told.append((key, (least, most)))
    return told


def test_what_the_keeper_of_reports_believes_is_true(nights: list[Night]) -> None:
    for number in range(1, len(nights)):
        assert is_possible(read_night(nights, number), true_counts(nights[number].estimates)) == []


def test_no_change_of_a_hidden_or_held_count_can_be_worked_out(nights: list[Night]) -> None:
    for number in LOOKED_AT:
        assert find_told_changes(nights, number) == []


def test_subtracting_catches_a_release_that_holds_nothing(
    drawn: list[Tables], internal: DisclosureRule, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = transforms.holding.find_held
    monkeypatch.setattr(
        transforms.holding, "find_held", lambda *given: whole(*given).with_columns(is_held=pl.lit(value=False))
    )
    assert find_small_changes(follow(drawn[:2], internal, order_cohorts(definitions.cohorts)))


def test_programs_catch_a_release_that_holds_counts_alone(
    drawn: list[Tables], internal: DisclosureRule, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforms.nested, "close_people", lambda people, *_: people)
    assert find_told_changes(follow(drawn[:2], internal, order_cohorts(definitions.cohorts)), 1, sum_alone)


@pytest.mark.parametrize("channel", ["internal", "public"])
def test_no_table_shows_counts_a_few_apart_when_a_few_people_come(
    channel: str, draw_growing: Callable[[int], Tables], definitions: Definitions
) -> None:
    sizes = range(540, 540 + 4 * (30 if IS_WHOLE else 3), 4)
    rule = next(rule for rule in definitions.disclosure if rule.id == channel)
    followed = follow([draw_growing(size) for size in sizes], rule, CohortOrder())
    assert find_small_changes(followed) == []
    held = {name for name, rows in followed[-1].released.tables.items() if _has_held(name, rows)}
    assert len(held) > 8, held


def _has_held(name: str, rows: pl.DataFrame) -> bool:
    return any((rows[f"{value}_mark"] == "held").any() for value in schema_of(name).values)
