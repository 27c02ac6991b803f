"""People of several cohorts are counted once for all of them: each cohort's numbers are those of it alone."""

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spec.test_prevalence import DEFINITIONS, PLAN, Low, Stay, Value, _frames, hospitals
from transforms import counting
from transforms.circles import add_circles, find_circles
from transforms.counting import count_people
from transforms.frames import fit
from transforms.zeros import with_zeros, without_zeros

NAMES = [cohort.id for cohort in DEFINITIONS.cohorts][:3]
ALL_PLAN = replace(PLAN, cohorts=DEFINITIONS.cohorts, chronic=DEFINITIONS.chronic, person_days=DEFINITIONS.person_days)
OF_EVERYBODY = {"counts.attrition"}  # has the first steps of every cohort, whoever is counted
Hospital = tuple[list[Value], list[Stay], list[Low]]


def _members(stays: list[Stay], memberships: list[tuple[int, int]]) -> pl.DataFrame:
    """Each stay in the cohorts that the memberships say: a set of stays of a person may be that of several."""
    spans = _frames([], stays)["cohort_member"].collect().with_row_index("stay")
    named = [(stay % max(1, spans.height), NAMES[cohort]) for stay, cohort in memberships]
    links = pl.DataFrame(named, schema={"stay": pl.UInt32, "cohort": pl.String}, orient="row").unique()
    return spans.drop("cohort").join(links, on="stay").drop("stay").sort("person_index", "cohort", "started_on")


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(hospitals(), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), max_size=40))
def test_a_cohort_counted_with_others_has_the_numbers_of_it_alone(
    hospital: Hospital, memberships: list[tuple[int, int]]
) -> None:
    frames = _frames(*hospital)
    members = _members(hospital[1], memberships)
    together = _shown(frames | {"cohort_member": members.lazy()})
    for cohort in members["cohort"].unique():
        alone = _shown(frames | {"cohort_member": members.filter(pl.col("cohort") == cohort).lazy()})
        for name in sorted(alone.keys() - OF_EVERYBODY):
            if "cohort" in alone[name].columns:
                own = together[name].filter(pl.col("cohort") == cohort)
                assert fit(own, name).equals(fit(alone[name], name)), (name, cohort)


def _shown(frames: dict[str, pl.LazyFrame]) -> dict[str, pl.DataFrame]:
    return with_zeros(without_zeros(count_people(frames, ALL_PLAN)), ALL_PLAN)


def test_however_many_stays_are_counted_at_once_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    stays = [(person, "01-05", "02-10") for person in range(1, 6)] + [(6, "01-01", "01-20"), (6, "02-03", "03-01")]
    values: list[Value] = [(person, f"01-{10 + person}", 300 * person) for person in range(1, 7)]
    lows = [(1, "01-11", "01-30"), (6, "01-16", "02-20")]
    frames = _frames(values, stays, lows)
    frames["cohort_member"] = _members(stays, [(stay, stay % 3) for stay in range(7)] + [(6, 0), (1, 2)]).lazy()
    whole = _shown(frames)
    monkeypatch.setattr(counting, "_STAYS_AT_ONCE", 2)
    parts = _shown(frames)
    for name, rows in whole.items():
        assert fit(parts[name], name).equals(fit(rows, name)), name
    assert whole["counts.episode"]["cohort"].n_unique() > 1


def test_stays_are_divided_between_circles_and_never_within_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_STAYS_AT_ONCE", 4)
    spans = pl.DataFrame({"cohort": [0, 0, 0, 1, 1, 1, 2, 3, 3], "stay": range(9)})
    assert [part["stay"].to_list() for part in counting._divide(spans)] == [[0, 1, 2, 3, 4, 5], [6, 7, 8]]


def test_people_with_the_same_days_in_the_same_cohorts_are_one_circle() -> None:
    stays = [("a", 1, 0, 9), ("a", 2, 0, 9), ("b", 1, 0, 9), ("b", 2, 0, 4), ("b", 2, 6, 9), ("c", 2, 0, 4)]
    members = pl.DataFrame(stays, schema=["cohort", "person_index", "started", "ended"], orient="row")
    circles = find_circles(members.cast({"person_index": pl.UInt32, "started": pl.Int32, "ended": pl.Int32}))
    told = circles.spans.select("of_person", "started", "ended", circle="cohort")
    numbered = circles.cohorts.with_columns(cohort=circles.names[circles.cohorts["number"]])
    named = told.join(numbered, on="circle")
    assert sorted(named.select("cohort", "of_person", "started", "ended").rows()) == sorted(stays)
    assert circles.spans["cohort"].n_unique() == 4  # person 1 in a and b; 2 in a, in b, and in c for other days each


def test_more_cohorts_than_one_number_tells_apart_are_counted_apart() -> None:
    names = [f"cohort_{number:03}" for number in range(140)]
    stays = [(name, person, 0, 9) for name in names for person in range(3) if is_member(name, person)]
    members = pl.DataFrame(stays, schema=["cohort", "person_index", "started", "ended"], orient="row")
    circles = find_circles(members.cast({"person_index": pl.UInt32, "started": pl.Int32, "ended": pl.Int32}))
    people = circles.spans.group_by("cohort", "started").agg(n_people=pl.len().cast(pl.Int64))
    expected = members.group_by("cohort").agg(n_people=pl.len().cast(pl.Int64)).sort("cohort")
    assert add_circles(people, circles, ["cohort", "started"]).select("cohort", "n_people").equals(expected)


def is_member(name: str, person: int) -> bool:
    """Whether the person is in the cohort: every second, third or fourth is."""
    return int(name[-3:]) % (person + 2) == 0
