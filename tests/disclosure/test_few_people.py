"""What is told of episodes and tests is told of eleven people or of none: one person may have a dozen of either."""

from collections.abc import Mapping

import polars as pl
import pytest

from tests.disclosure.conftest import draw_plan, growing_hospital
from tests.disclosure.test_release import ORDER
from transforms.counting import count_people
from transforms.deciding import hold_told
from transforms.estimates import estimate_counts
from transforms.holding import Holding
from transforms.load import Definitions
from transforms.release import release
from transforms.schemas import schema_of

N_ILL = 7  # people on chemotherapy, with all that any of those on it has
MIN_CELL = 11
Tables = Mapping[str, pl.DataFrame]
# Values of a row that are of its people alone, and tell as much of each of them.
OF_PEOPLE: Mapping[str, tuple[str, ...]] = {
    "episode": ("n_episodes",),
    "cause": ("n_episodes", "share"),
    "duration": ("n_episodes", "median_days", "median_lo", "median_hi", "rmst_days", "median_lower_days", "status"),
    "complication": ("n_episodes", "share"),
    "cycle": ("n_cycles", "n_tested", "tests_per_cycle"),
    "rule": ("n_episodes", "mean_days"),
}


@pytest.fixture(scope="module")
def estimates(definitions: Definitions) -> Tables:
    """A hospital in which seven people on chemotherapy are ill all the time, and the others on it never."""
    plan, frames = draw_plan(definitions), growing_hospital()
    member = frames["cohort_member"].collect()
    on_drug = member.filter(pl.col("cohort") == "chemotherapy")["person_index"].unique().sort()
    ill = on_drug.gather(pl.int_range(len(on_drug), eager=True) % N_ILL)
    moved = pl.col("person_index").replace(on_drug, ill)
    is_low = pl.col("upper_cells_per_ul") < max(cut.threshold_cells_per_ul for cut in plan.cuts)
    frames["episode"] = frames["episode"].with_columns(moved)
    frames["anc"] = frames["anc"].with_columns(
        pl.when(is_low).then(moved).otherwise("person_index").alias("person_index")
    )
    return estimate_counts(count_people(frames, plan), plan, run_id="night")


@pytest.fixture(scope="module")
def released(estimates: Tables, definitions: Definitions) -> Tables:
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")
    return release(estimates, rule, ORDER, run_id="night", definitions_hash="0123456789abcdef").tables


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_nothing_is_shown_that_1_to_10_people_have_however_often(
    name: str, estimates: Tables, released: Tables
) -> None:
    key = [column for column in schema_of(f"estimate.{name}").key if column != "run_id"]
    few = estimates[f"estimate.{name}"].filter(pl.col("n_people").is_between(1, MIN_CELL - 1)).select(key)
    rows = released[f"released.{name}"].join(few, on=key, nulls_equal=True)
    assert {value: rows[value].count() for value in OF_PEOPLE[name]} == dict.fromkeys(OF_PEOPLE[name], 0)


def test_a_few_people_may_have_many_episodes_there(estimates: Tables) -> None:
    rows = estimates["estimate.duration"].filter(pl.col("cohort") == "chemotherapy", pl.col("cause_group") == "all")
    assert set(rows["n_people"]) <= set(range(N_ILL + 1))
    assert max(rows["n_episodes"]) > MIN_CELL


def test_curves_of_few_people_are_hidden(estimates: Tables, released: Tables) -> None:
    key = ["cohort", "cause_group", "rule", "threshold_cells_per_ul"]
    few = estimates["estimate.duration"].filter(pl.col("n_people").is_between(1, MIN_CELL - 1)).select(key).unique()
    rows = released["released.duration_curve"].join(few, on=key)
    assert rows["still_low"].count() == 0


def test_low_tests_of_few_people_are_hidden(estimates: Tables, released: Tables) -> None:
    key = ["cohort", "threshold_cells_per_ul"]
    is_asked = {"interval_unit": "all", "measure": "any_low", "denominator_name": "tested", "standard": "crude"}
    rows = estimates["estimate.prevalence"].filter(*(pl.col(name) == value for name, value in is_asked.items()))
    few = rows.filter(pl.col("n_low").is_between(1, MIN_CELL - 1)).select(key)
    tests = estimates["estimate.test_share"].join(few, on=key)
    assert max(tests["n_tests_low"]) > MIN_CELL
    assert released["released.test_share"].join(few, on=key)["n_tests_low"].count() == 0


@pytest.mark.parametrize(("name", "count"), [("prevalence", "n_low"), ("incidence", "n_episodes")])
def test_a_hidden_number_is_not_said_to_be_enough_to_standardise_or_not(
    name: str, count: str, released: Tables
) -> None:
    """Of 25 people low, men enough (20 or more) leave 1 to 5 women."""
    rows = released[f"released.{name}"].filter(pl.col("standard") != "crude")
    hidden = rows.filter(pl.col(count).is_null())
    assert hidden.height > 0
    assert hidden["status"].count() == 0
    assert rows.filter(pl.col(count).is_not_null())["status"].null_count() == 0


@pytest.mark.parametrize(("n_new", "is_held"), [(36, True), (20, False)])
def test_people_with_an_episode_are_not_told_by_as_many_with_a_first_one(n_new: int, *, is_held: bool) -> None:
    """36 first episodes of a cohort, and 36 people of everybody whose episodes have its cause, told the 36 hidden."""
    place = {"cohort": "chemotherapy", "interval_unit": "all", "interval_start": None, "node": "new|clinical|1500"}
    known = {"cohort": pl.String, "interval_unit": pl.String, "interval_start": pl.Date, "node": pl.String}
    numbers = dict.fromkeys(("n_people", "n_shown", "least", "most"), pl.Int64)
    people = pl.DataFrame([{**place, "n_people": n_new, "n_shown": n_new}], schema=known | numbers)
    rule = {"cohort": "chemotherapy", "rule": "clinical", "threshold_cells_per_ul": 1500, "is_confirmed": True}
    episode = pl.DataFrame([{**rule, "ended_as": "all", "n_people": 36, "hide_n_people": True}])
    before = Holding(pl.DataFrame(schema=known | {"last": pl.Int64, "is_held": pl.Boolean}), {}, pl.DataFrame())
    after = hold_told(before, people, episode)
    assert (after is not None) is is_held
    assert after is None or after.people.select("node", "is_held").rows() == [(place["node"], True)]
