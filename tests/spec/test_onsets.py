"""The share of people with a first new episode by a day: from the first good value on, while death competes."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import pytest

from transforms.load import load_definitions
from transforms.onsets import count_onsets, estimate_onsets
from transforms.person_time import Stays
from transforms.plan import plan_of
from transforms.risk_time import RiskTime

DEFINITIONS = load_definitions()
PLAN = plan_of(DEFINITIONS, has_calendar=True, has_dates=True)
RULE, WASHOUT = DEFINITIONS.estimation.default_rule, DEFINITIONS.estimation.incidence.washout_days
STEP, LAST = DEFINITIONS.estimation.incidence.step_days, DEFINITIONS.estimation.incidence.curve_days[-1]
LIMIT = 1500
Span = tuple[int, int, int]


def _spans(rows: Sequence[Span], ends: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"person_index": pl.UInt32, ends[0]: pl.Int32, ends[1]: pl.Int32}, orient="row")


def _count(
    runs: Sequence[Span], new: Sequence[tuple[int, int]] = (), died: Sequence[tuple[int, int]] = (),
    stays: Sequence[Span] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Days at risk, first days of new episodes, deaths, and stays in the cohort (left out: everybody, always)."""
    people = sorted({person for person, *_ in runs})
    at_risk = _spans(runs, ("from_day", "to_day")).with_columns(threshold_cells_per_ul=pl.lit(LIMIT, pl.Int64))
    begun = pl.DataFrame(new, schema={"person_index": pl.UInt32, "day": pl.Int32}, orient="row").with_columns(
        rule=pl.lit(RULE), threshold_cells_per_ul=pl.lit(LIMIT, pl.Int64)
    )
    deaths = pl.DataFrame(died, schema={"person_index": pl.UInt32, "died": pl.Int32}, orient="row")
    spans = _stays(stays or [(person, 0, 5000) for person in people])
    time = RiskTime(at_risk, at_risk.clear().with_columns(rule=pl.lit("")), begun)
    return count_onsets(Stays(spans, pl.DataFrame()), time, deaths, PLAN)


def _stays(stays: Sequence[Span]) -> pl.DataFrame:
    """Stays of people in one cohort."""
    spans = _spans(stays, ("started", "ended"))
    return spans.with_columns(of_person="person_index", cohort=pl.lit(0, pl.UInt32))


def _told(counted: pl.DataFrame) -> list[tuple[str, int, int]]:
    return sorted(counted.select("ended_as", "day", "n_people").rows())


def test_a_person_is_followed_until_the_first_of_episode_death_and_the_end() -> None:
    """Times from the day before the first day at risk, to the end of a week."""
    counted = _count([(1, 11, 60), (2, 11, 60), (3, 11, 60)], new=[(1, 24), (1, 50)], died=[(2, 60), (3, 61), (1, 60)])
    assert _told(counted) == [("died", 56, 1), ("episode", 14, 1), ("left", 56, 1)]


def test_low_values_that_are_no_episode_do_not_end_it_and_a_long_gap_does() -> None:
    runs = [(1, 11, 20), (1, 20 + WASHOUT, 200), (2, 11, 20), (2, 21 + WASHOUT, 200)]
    counted = _count(runs, new=[(1, 150), (2, 150)])
    assert _told(counted) == [("episode", 140, 1), ("left", 14, 1)]


def test_what_happens_outside_of_the_cohort_is_not_seen() -> None:
    assert _told(_count([(1, 11, 60)], new=[(1, 50)], stays=[(1, 20, 40)])) == [("left", 21, 1)]
    assert _count([(1, 11, 60)], stays=[(1, 100, 140)]).is_empty()


def test_whoever_is_followed_for_longer_than_is_told_counts_as_followed_on_the_last_day() -> None:
    counted = _count([(1, 1, 2000), (2, 1, 2000)], new=[(1, 900)])
    assert _told(counted) == [("left", LAST + STEP, 2)]
    row = estimate_onsets(counted, PLAN).filter(pl.col("day") == LAST).row(0, named=True)
    assert (row["n_people"], row["n_episodes"], row["n_followed"], row["cumulative_share"]) == (2, 0, 2, 0.0)


def test_who_dies_without_an_episode_will_never_have_one() -> None:
    """Ten people: 2 episodes in the first week, 4 deaths in the second, 1 episode in the third among the 4 left."""
    runs = [(person, 1, 400) for person in range(10)]
    new, died = [(0, 3), (1, 5), (2, 20)], [(person, 12) for person in (3, 4, 5, 6)]
    rows = estimate_onsets(_count(runs, new=new, died=died), PLAN).sort("day")
    assert rows["cumulative_share"].to_list() == pytest.approx([0.3] * rows.height)
    assert rows["n_died"].to_list() == [4] * rows.height
    censored = estimate_onsets(_count(runs[:7], new=new, died=died), PLAN)
    assert censored["cumulative_share"].to_list() == pytest.approx([3 / 7] * rows.height)


def test_nothing_is_said_of_days_to_which_nobody_was_followed() -> None:
    rows = estimate_onsets(_count([(1, 1, 60), (2, 1, 60)], new=[(1, 10)]), PLAN).sort("day")
    assert rows["cumulative_share"].is_null().to_list() == [False, *[True] * (rows.height - 1)]
    assert rows["n_followed"].to_list() == [1, *[0] * (rows.height - 1)]


def test_none_of_few_people_is_not_told_as_certainly_none() -> None:
    """0 of 20: the exact limits of Clopper and Pearson are 0 and 16.8 %."""
    rows = estimate_onsets(_count([(person, 1, 400) for person in range(20)]), PLAN)
    assert rows["cumulative_share"].to_list() == [0.0] * rows.height
    assert rows["cumulative_lo"].to_list() == [0.0] * rows.height
    assert rows["cumulative_hi"].to_list() == pytest.approx([0.1684] * rows.height, abs=1e-4)


def test_counts_of_hospitals_add_up_to_those_of_all_their_people() -> None:
    runs, new = [(person, 1, 100 + person) for person in range(6)], [(1, 30), (4, 50)]
    whole = _count(runs, new=new)
    halves = pl.concat(_count([run for run in runs if run[0] % 2 == half], new=new) for half in (0, 1))
    key = [name for name in whole.columns if name != "n_people"]
    added = halves.group_by(key).agg(pl.col("n_people").sum()).select(whole.columns)
    assert added.sort(key).equals(whole.sort(key))


def test_a_rule_that_is_not_the_default_one_counts_nothing() -> None:
    others = replace(PLAN, estimation=PLAN.estimation.model_copy(update={"default_rule": "simple_run"}))
    at_risk = _spans([(1, 11, 60)], ("from_day", "to_day")).with_columns(threshold_cells_per_ul=pl.lit(LIMIT, pl.Int64))
    begun = pl.DataFrame({"person_index": [1], "day": [20], "rule": [RULE], "threshold_cells_per_ul": [LIMIT]})
    begun = begun.cast({"person_index": pl.UInt32, "day": pl.Int32})
    stays = Stays(_stays([(1, 0, 100)]), pl.DataFrame())
    nobody = pl.DataFrame(schema={"person_index": pl.UInt32, "died": pl.Int32})
    counted = count_onsets(stays, RiskTime(at_risk, at_risk, begun), nobody, others)
    assert _told(counted) == [("left", 56, 1)]
