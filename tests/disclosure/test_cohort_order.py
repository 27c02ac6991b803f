"""What a reader of the definitions knows of cohorts: which lie in which, and which have nobody in common."""

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import product

import numpy as np
import polars as pl
import pytest

from tests.disclosure.attacking import WIDTH, read_counts, true_counts
from tests.disclosure.drawn_hospital import Hospital, count_hospital, draw_hospital, estimate_hospital, plan_hospital
from tests.disclosure.drawn_shelf import Shelf, draw_shelf
from tests.disclosure.puzzle import Puzzle
from tests.disclosure.solving import attack, find_narrowed, is_possible
from tests.disclosure.test_attacker import IS_WHOLE
from tests.numbers.telling import MOVED, find_moved
from transforms.cohort_order import CohortOrder, order_cohorts
from transforms.load import Definitions
from transforms.model.cohorts import Cohort
from transforms.release import release

CHILD = {"age": {"at_most_years": 17}}
ADULT = {"age": {"at_least_years": 18}}
OLD = {"age": {"at_least_years": 65}}
MALE, FEMALE = {"sex": "male"}, {"sex": "female"}
TOLD = 12
LONG = pytest.mark.skipif(not IS_WHOLE, reason="the long version is `make attack`")
SOME = ("everyone", "men", "women", "age_65_plus", "men_65_plus", "women_65_plus")


def _order(definitions: Definitions, **criteria: object) -> CohortOrder:
    pattern = definitions.cohorts[0].model_dump(exclude_unset=True)
    named = {"everyone": {"observed": True}, **criteria}
    return order_cohorts(
        [
            Cohort.model_validate({**pattern, "id": name, "criterion": criterion, "examples": []})
            for name, criterion in named.items()
        ]
    )


def test_what_follows_from_the_definitions_of_a_shelf_is_what_was_told(definitions: Definitions) -> None:
    shelf = draw_shelf(definitions)
    known = {}
    for seed in range(TOLD):
        names = np.random.default_rng(seed).choice(sorted(shelf.members), 3 + seed, replace=False)
        some = [cohort for cohort in shelf.cohorts if cohort.id in {"everyone", *names}]
        known |= {f"{seed} {name}": pl.DataFrame({"told": [repr(told)]}) for name, told in _told(some)}
    known |= {f"all {name}": pl.DataFrame({"told": [repr(told)]}) for name, told in _told(shelf.cohorts)}
    assert find_moved("cohort_order", known) == [], MOVED


def _told(cohorts: Sequence[Cohort]) -> list[tuple[str, object]]:
    order = order_cohorts(cohorts)
    return [(one.name, getattr(order, one.name)) for one in fields(order)]


def test_of_the_cohorts_that_ship_ages_and_sexes_are_apart(definitions: Definitions) -> None:
    assert order_cohorts(definitions.cohorts).apart == (
        ("adults", ("age_18_to_39", "age_40_to_64", "age_65_plus")),
        ("children", ("adolescents", "children_1_to_4", "children_5_to_11", "infants")),
        ("everyone", ("adults", "children")),
        ("everyone", ("men", "women")),
    )


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ({"setting": {"settings": ["inpatient"]}}, {"setting": {"settings": ["emergency", "inpatient"]}}),
        ({"testing": {"at_least_tests": 5, "within_days": 90}}, {"testing": {"at_least_tests": 4, "within_days": 90}}),
        ({"low": {"below_cells_per_ul": 500}}, {"low": {"below_cells_per_ul": 1000}}),
        ({"age": {"at_least_years": 66}}, {"age": {"at_least_years": 65}}),
        (MALE, {"any_of": [MALE, OLD]}),
        ({"any_of": [CHILD, OLD]}, {"any_of": [OLD, CHILD, MALE]}),
    ],
)
def test_fewer_settings_more_tests_a_lower_limit_and_fewer_choices_lie_inside_and_not_the_other_way(
    part: object, whole: object, definitions: Definitions
) -> None:
    inside = _order(definitions, part=part, whole=whole).inside
    assert ("part", "whole") in inside
    assert ("whole", "part") not in inside


def test_whoever_is_let_in_by_tests_or_by_a_low_count_is_tested(definitions: Definitions) -> None:
    tests, low = {"testing": {"at_least_tests": 5, "within_days": 90}}, {"low": {"below_cells_per_ul": 500}}
    assert _order(definitions, watched=tests, low=low, men=MALE).tested == ("low", "watched")


def test_a_cohort_by_sex_and_age_lies_in_that_of_the_sex_and_in_that_of_the_age(definitions: Definitions) -> None:
    order = _order(definitions, men=MALE, old=OLD, old_men={"all_of": [MALE, OLD]})
    assert {("old_men", "men"), ("old_men", "old")} <= set(order.inside)


def test_old_men_and_old_women_are_apart_within_the_old(definitions: Definitions) -> None:
    both = {"old_men": {"all_of": [OLD, MALE]}, "old_women": {"all_of": [FEMALE, OLD]}}
    assert _order(definitions, old=OLD, **both).apart == (("old", ("old_men", "old_women")),)


def test_without_a_cohort_between_a_family_is_one_of_everybody(definitions: Definitions) -> None:
    four = {
        f"{age}_{sex}": {"all_of": [of_age, of_sex]}
        for (age, of_age), (sex, of_sex) in product(
            {"child": CHILD, "adult": ADULT}.items(), {"female": FEMALE, "male": MALE}.items()
        )
    }
    assert _order(definitions, **four).apart == (("everyone", tuple(sorted(four))),)


def test_bands_that_meet_are_in_families_of_their_own(definitions: Definitions) -> None:
    young = {"age": {"at_least_years": 18, "at_most_years": 30}}
    middle = {"age": {"at_least_years": 25, "at_most_years": 50}}
    order = _order(definitions, children=CHILD, middle=middle, old=OLD, young=young)
    assert order.apart == (
        ("everyone", ("children", "middle", "old")),
        ("everyone", ("children", "old", "young")),
    )


def test_either_of_two_is_apart_from_what_both_are_apart_from(definitions: Definitions) -> None:
    either = {"any_of": [CHILD, OLD]}
    between = {"age": {"at_least_years": 30, "at_most_years": 50}}
    assert _order(definitions, either=either, between=between).apart == (("everyone", ("between", "either")),)
    assert _order(definitions, either=either, adults=ADULT).apart == ()


def test_people_on_a_drug_at_one_time_and_off_it_at_another_are_not_apart(definitions: Definitions) -> None:
    drug = {"exposure": {"drugs": ["clozapine"], "at_risk_days": 30}}
    assert _order(definitions, on=drug, off={"none_of": [drug]}).apart == ()


def test_two_cohorts_that_ask_for_the_same_are_no_family(definitions: Definitions) -> None:
    order = _order(definitions, men=MALE, males=MALE, women=FEMALE)
    assert {("men", "males"), ("males", "men")} <= set(order.inside)
    assert ("everyone", ("men", "women")) in order.apart


@pytest.mark.parametrize(
    ("people", "days", "names", "targets"),
    [
        pytest.param(400, 60, SOME, 0, id="a few"),
        pytest.param(400, 90, None, 300, id="forty", marks=LONG),
        pytest.param(1500, 5 * 365, None, 500, id="forty for sixty months", marks=LONG),
    ],
)
def test_cohorts_of_a_site_by_sex_and_age_narrow_no_hidden_count(
    people: int, days: int, names: tuple[str, ...] | None, targets: int, definitions: Definitions
) -> None:
    """By single sums for all counts, by programs for a sample."""
    shelf = draw_shelf(definitions)
    cohorts = [cohort for cohort in shelf.cohorts if names is None or cohort.id in names]
    hospital = draw_hospital(1, n_people=people, n_days=days)
    puzzle = _attacked(shelf, cohorts, definitions, order_cohorts(cohorts), hospital)
    assert find_narrowed(puzzle, WIDTH) == []
    hidden = sorted(puzzle.hidden, key=str)
    if targets:
        assert attack(puzzle, hidden[:: len(hidden) // targets], WIDTH).narrower_than(WIDTH) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100) if IS_WHOLE else [45])
def test_whatever_cohorts_a_site_chooses_narrow_no_hidden_count_by_single_sums(
    seed: int, definitions: Definitions
) -> None:
    shelf, random = draw_shelf(definitions), np.random.default_rng(seed)
    names = random.choice(sorted(shelf.members), random.integers(3, 12), replace=False)
    cohorts = [cohort for cohort in shelf.cohorts if cohort.id in {"everyone", *names}]
    people, days = int(random.choice([60, 120, 200, 300, 450, 700])), int(random.choice([20, 60, 100, 200]))
    hospital = draw_hospital(seed, n_people=people, n_days=days)
    puzzle = _attacked(shelf, cohorts, definitions, order_cohorts(cohorts), hospital)
    assert find_narrowed(puzzle, WIDTH) == []


def test_an_attack_finds_people_where_only_the_ages_and_the_sexes_are_taken_as_apart(definitions: Definitions) -> None:
    shelf = draw_shelf(definitions)
    cohorts = [cohort for cohort in shelf.cohorts if cohort.id in SOME]
    order = order_cohorts(cohorts)
    blind = replace(order, apart=tuple(family for family in order.apart if family[0] == "everyone"))
    puzzle = _attacked(shelf, cohorts, definitions, blind, draw_hospital(1, n_people=400, n_days=60))
    assert [key for key, _ in find_narrowed(puzzle, WIDTH) if key[0] in {"men_65_plus", "women_65_plus"}]


def _attacked(
    shelf: Shelf, cohorts: Sequence[Cohort], definitions: Definitions, order: CohortOrder, hospital: Hospital
) -> Puzzle:
    ids = {cohort.id for cohort in cohorts}
    members = {name: is_in for name, is_in in shelf.members.items() if name in ids}
    entries = [entry for entry in shelf.entries if entry[0] in ids]
    plan = plan_hospital(definitions, cohorts)
    estimates = estimate_hospital(count_hospital(hospital, plan, members=members, entries=entries), plan)
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")
    tables = release(estimates, rule, order, run_id="night", definitions_hash="0123456789abcdef").tables
    puzzle = read_counts(tables, shelf.background)
    assert is_possible(puzzle, true_counts(estimates, shelf.background)) == []
    return puzzle
