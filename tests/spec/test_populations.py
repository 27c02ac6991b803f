"""Who is asked about in an interval, by the name of the population, and who of them is low."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.spec.test_prevalence import PLAN, THRESHOLDS, _frames
from transforms.counting import add_counts, count_people
from transforms.frames import fit
from transforms.population_estimates import estimate_populations
from transforms.zeros import with_zeros, without_zeros

TABLE = "counts.population"
LEAST = 0.5
Key = tuple[str, str]
Low = tuple[int, str, str]


def _count(values: Sequence[Any], stays: Sequence[Any], lows: Sequence[Low] = ()) -> pl.DataFrame:
    return count_people(_frames(values, stays, lows), PLAN)[TABLE]


def _of(rows: pl.DataFrame, unit: str, start: str, measure: str = "any_low") -> dict[str, tuple[int, ...]]:
    """population -> (n_low, n_population, n_tested, n_tests) below 1500 in one interval."""
    found = rows.filter(
        pl.col("interval_unit") == unit,
        pl.col("interval_start") == date.fromisoformat(start),
        pl.col("measure") == measure,
        pl.col("rule").is_in(["any_value", "clinical"]),
        pl.col("threshold_cells_per_ul") == 1500,
    )
    numbers = ("n_low", "n_population", "n_tested", "n_tests")
    return {row["denominator_name"]: tuple(row[name] for name in numbers) for row in found.iter_rows(named=True)}


def test_each_name_asks_about_other_people_of_the_same_month() -> None:
    all_month, first_day, half, late = (
        (1, "01-01", "01-31"),
        (2, "01-01", "01-02"),
        (3, "01-10", "01-26"),
        (4, "01-31", "01-31"),
    )
    values = [(1, "01-05", 900), (2, "01-02", 4000), (4, "01-31", 800)]
    found = _of(_count(values, [all_month, first_day, half, late]), "month", "2025-01-01")
    assert found == {
        "observed": (2, 4, 3, 3),
        "day_one": (1, 2, 2, 2),
        "whole_period": (1, 1, 1, 1),
        "sufficient_time": (1, 2, 1, 1),
        "tested": (2, 3, 3, 3),
    }


def test_two_stays_are_enough_time_together_and_never_the_whole_period() -> None:
    found = _of(_count([], [(1, "01-01", "01-08"), (1, "01-20", "01-31")]), "month", "2025-01-01")
    assert found["sufficient_time"][1] == 1
    assert found["observed"][1] == 1
    assert "whole_period" not in found


def test_the_first_test_of_a_person_is_one_test_each_however_often_they_are_tested() -> None:
    values = [(1, "01-02", 4000), (1, "01-05", 900), (2, "01-03", 1200), (2, "01-20", 1100)]
    rows = _count(values, [(1, "01-01", "03-31"), (2, "01-01", "03-31")])
    assert _of(rows, "quarter", "2025-01-01", "index_test") == {"tested": (1, 2, 2, 4)}
    assert _of(rows, "quarter", "2025-01-01")["tested"] == (2, 2, 2, 4)


def test_an_episode_open_on_the_first_day_is_point_prevalence_and_one_that_begins_later_is_not() -> None:
    stays = [(1, "01-01", "03-31"), (2, "01-01", "03-31")]
    rows = _count([(1, "02-03", 900)], stays, [(1, "01-20", "02-10"), (2, "02-02", "02-20")])
    assert _of(rows, "month", "2025-02-01", "point") == {"day_one": (1, 2, 1, 1)}
    assert _of(rows, "quarter", "2025-01-01", "point") == {"day_one": (0, 2, 1, 1)}


def test_weeks_begin_on_monday_and_are_counted_among_the_tested() -> None:
    rows = _count([(1, "01-05", 900), (1, "01-06", 4000)], [(1, "01-01", "01-31")])
    assert _of(rows, "week", "2024-12-30") == {"tested": (1, 1, 1, 1)}
    assert _of(rows, "week", "2025-01-06") == {"tested": (0, 1, 1, 1)}


def test_an_interval_that_was_not_seen_whole_is_marked_and_the_latest_whole_one_as_well() -> None:
    frames = _frames([(1, "02-05", 900)], [(1, "01-01", "04-20")])
    counts = count_people(frames, PLAN)
    rows = estimate_populations(counts[TABLE], counts["counts.observed_time"], PLAN)
    seen = rows.filter(pl.col("denominator_name") == "observed").unique(["interval_unit", "interval_start"])
    complete = {
        (row["interval_unit"], str(row["interval_start"])) for row in seen.filter("is_complete").iter_rows(named=True)
    }
    assert complete == {
        ("all", "None"),
        ("quarter", "2025-01-01"),
        *(("month", f"2025-0{month}-01") for month in (1, 2, 3)),
    }
    latest = {
        row["interval_unit"]: str(row["interval_start"]) for row in seen.filter("is_latest").iter_rows(named=True)
    }
    assert latest == {"all": "None", "quarter": "2025-01-01", "month": "2025-03-01"}


def test_where_nobody_of_a_population_was_tested_nothing_is_known_instead_of_zero() -> None:
    counts = count_people(_frames([(2, "01-05", 4000)], [(1, "01-01", "01-31"), (2, "01-04", "01-06")]), PLAN)
    rows = estimate_populations(counts[TABLE], counts["counts.observed_time"], PLAN).filter(
        pl.col("interval_unit") == "month", pl.col("measure") == "any_low"
    )
    shares = {row["denominator_name"]: row["prevalence"] for row in rows.iter_rows(named=True)}
    assert shares == {"observed": 0, "tested": 0, "day_one": None, "whole_period": None, "sufficient_time": None}


def test_on_the_first_day_of_an_extract_no_episode_could_be_open_so_none_is_told() -> None:
    stays, lows = [(1, "01-01", "03-31"), (2, "01-01", "03-31")], [(1, "01-10", "02-10")]
    counts = count_people(_frames([(1, "01-10", 400), (2, "01-20", 4000)], stays, lows), PLAN)
    rows = estimate_populations(counts[TABLE], counts["counts.observed_time"], PLAN).filter(
        pl.col("interval_unit") == "month", pl.col("measure") == "point", pl.col("threshold_cells_per_ul") == 1500
    )
    shares = {str(row["interval_start"]): row["prevalence"] for row in rows.iter_rows(named=True)}
    assert (shares["2025-01-01"], shares["2025-02-01"]) == (None, 0.5)


def test_whoever_is_low_on_the_first_day_itself_is_counted_and_the_share_is_still_not_told() -> None:
    stays, lows = [(1, "01-01", "03-31"), (2, "01-01", "03-31")], [(1, "01-01", "02-10")]
    counts = count_people(_frames([(1, "01-01", 400), (2, "01-20", 4000)], stays, lows), PLAN)
    rows = estimate_populations(counts[TABLE], counts["counts.observed_time"], PLAN).filter(
        pl.col("measure") == "point"
    )
    first = rows.filter(pl.col("interval_start").cast(pl.String) == "2025-01-01", pl.col("n_low") == 1)
    assert first.height > 0
    assert first.select("prevalence", "prevalence_lo", "prevalence_hi").null_count().row(0) == (first.height,) * 3


def test_of_an_extract_that_begins_within_a_month_the_first_day_of_the_next_one_is_told() -> None:
    stays, lows = [(1, "01-15", "03-31"), (2, "01-15", "03-31")], [(1, "01-20", "02-10")]
    counts = count_people(_frames([(1, "01-20", 400), (2, "01-21", 4000)], stays, lows), PLAN)
    rows = estimate_populations(counts[TABLE], counts["counts.observed_time"], PLAN).filter(
        pl.col("interval_unit") == "month", pl.col("measure") == "point", pl.col("threshold_cells_per_ul") == 1500
    )
    shares = {str(row["interval_start"]): row["prevalence"] for row in rows.iter_rows(named=True)}
    assert shares["2025-02-01"] == 0.5


@st.composite
def _hospitals(draw: st.DrawFn) -> tuple[list[Any], list[Any], list[Low]]:
    """Stays that never touch, tests in and out of them, episodes."""
    first = date(2025, 1, 1)
    values, stays, lows = [], [], []
    for person in range(1, draw(st.integers(1, 6)) + 1):
        edges = sorted(draw(st.lists(st.integers(0, 200), min_size=2, max_size=6, unique=True)))
        for begin, end in zip(edges[::2], edges[1::2], strict=False):
            if not stays or stays[-1][0] != person or begin > stays[-1][3] + 1:
                stays.append((person, *(_text(first, day) for day in (begin, end)), end))
        counts = st.sampled_from([300, 900, 1499, 1500, 4000])
        tests = draw(st.lists(st.tuples(st.integers(0, 210), counts), max_size=6))
        values += [(person, _text(first, day), count) for day, count in tests]
        if draw(st.booleans()):
            begin = draw(st.integers(0, 150))
            lows.append((person, _text(first, begin), _text(first, begin + draw(st.integers(0, 60)))))
    return values, [stay[:3] for stay in stays], lows


def _text(first: date, day: int) -> str:
    return (first + timedelta(days=day)).strftime("%m-%d")


def _days(begin: str, end: str) -> set[date]:
    a, b = (date.fromisoformat(f"2025-{text}") for text in (begin, end))
    return {a + timedelta(days=number) for number in range((b - a).days + 1)}


@settings(deadline=None, max_examples=12)
@given(_hospitals())
def test_counting_person_by_person_and_day_by_day_gives_the_same_numbers(
    hospital: tuple[list[Any], list[Any], list[Low]],
) -> None:
    values, stays, lows = hospital
    rows = _count(values, stays, lows)
    for month in range(1, 8):
        start = date(2025, month, 1)
        interval = {start + timedelta(days=n) for n in range(31) if (start + timedelta(days=n)).month == month}
        expected = _plain(values, stays, lows, interval)
        assert _of(rows, "month", str(start)) == expected["any_low"]
        point = _of(rows, "month", str(start), "point")
        assert {name: counted[:2] for name, counted in point.items()} == expected["point"]


def _plain(values: list[Any], stays: list[Any], lows: list[Low], interval: set[date]) -> dict[str, dict[str, Any]]:
    people: dict[str, list[int]] = {
        name: [] for name in ("observed", "day_one", "whole_period", "sufficient_time", "tested")
    }
    tests: dict[int, list[int]] = {}
    for person in {stay[0] for stay in stays}:
        days = set().union(*(_days(*stay[1:]) for stay in stays if stay[0] == person)) & interval
        tests[person] = [
            count for who, day, count in values if who == person and date.fromisoformat(f"2025-{day}") in days
        ]
        fits = {
            "observed": bool(days),
            "day_one": min(interval) in days,
            "whole_period": days == interval,
            "sufficient_time": len(days) >= LEAST * len(interval),
            "tested": bool(tests[person]),
        }
        for name, is_in in fits.items():
            people[name] += [person] if is_in else []
    low = {name: sum(any(count < 1500 for count in tests[who]) for who in members) for name, members in people.items()}
    any_low = {
        name: (
            low[name],
            len(members),
            sum(bool(tests[who]) for who in members),
            sum(len(tests[who]) for who in members),
        )
        for name, members in people.items()
        if members
    }
    open_ones = {who for who, begin, end in lows if min(interval) in _days(begin, end)} & set(people["day_one"])
    point = {"day_one": (len(open_ones), len(people["day_one"]))} if people["day_one"] else {}
    return {"any_low": any_low, "point": point}


WINTER_AND_SUMMER = ([], [(1, "01-01", "01-02"), (2, "01-01", "01-02"), (4, "06-21", "07-12")], [])


@pytest.mark.slow
@settings(deadline=None, max_examples=5)
@given(_hospitals(), st.integers(2, 4).flatmap(lambda n_parts: st.permutations(range(n_parts))))
@example(WINTER_AND_SUMMER, [2, 0, 1, 3])
def test_any_number_of_parts_of_the_people_in_any_order_give_the_same_counts(
    hospital: tuple[list[Any], list[Any], list[Low]], order: list[int]
) -> None:
    parts = [
        count_people(_frames(*([row for row in rows if row[0] % len(order) == part] for rows in hospital)), PLAN)
        for part in order
    ]
    whole = count_people(_frames(*hospital), PLAN)
    summed = _shown({name: add_counts(name, [part[name] for part in parts]) for name in whole})
    for name, rows in _shown(whole).items():
        assert fit(summed[name], name).equals(fit(rows, name)), name
    assert set(THRESHOLDS) <= set(whole[TABLE]["threshold_cells_per_ul"]) or not hospital[1]


def test_months_in_which_no_part_saw_anybody_are_shown_as_the_zeros_they_are() -> None:
    values, stays, _ = WINTER_AND_SUMMER
    winter, summer = (count_people(_frames(values, part), PLAN) for part in (stays[:2], stays[2:]))
    summed = _shown({name: add_counts(name, [winter[name], summer[name]]) for name in winter})["counts.testing"]
    months = summed.filter(pl.col("interval_unit") == "month").sort("interval_start")
    assert months["interval_start"].dt.month().to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert months["n_observed"].to_list() == [2, 0, 0, 0, 0, 1, 1]


def _shown(counts: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Counts as a report is made of them: rows that are zero say nothing and are put back by rule."""
    return with_zeros(without_zeros(counts), PLAN)
