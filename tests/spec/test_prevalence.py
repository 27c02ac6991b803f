"""Who counts as low, in which month, of whom: from single values, stays in a cohort and episodes."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.counting import add_counts, count_people
from transforms.estimates import estimate_counts
from transforms.load import load_definitions
from transforms.model.estimation import ANY_VALUE, Cut, Plan
from transforms.zeros import with_zeros

DEFINITIONS = load_definitions()
THRESHOLDS = (1500, 1000, 500)
PLAN = Plan(
    estimation=DEFINITIONS.estimation,
    denominators=DEFINITIONS.denominators,
    cuts=tuple(Cut("any_low", ANY_VALUE, each, "lt") for each in THRESHOLDS)
    + tuple(Cut("confirmed", "clinical", each, "lt") for each in THRESHOLDS),
    scales=DEFINITIONS.scales,
    has_calendar=True,
    cohorts=tuple(cohort for cohort in DEFINITIONS.cohorts if cohort.id == "everyone"),
)
ANC = {
    "person_index": pl.UInt32,
    "specimen_id": pl.String,
    "collected_at": pl.Datetime("us"),
    "anc_cells_per_ul": pl.Int64,
    "lower_cells_per_ul": pl.Int64,
    "upper_cells_per_ul": pl.Int64,
    "route": pl.String,
}
SPAN = {"person_index": pl.UInt32, "cohort": pl.String, "started_on": pl.Date, "ended_on": pl.Date}
EPISODE = {
    "person_index": pl.UInt32,
    "episode_id": pl.String,
    "rule": pl.String,
    "threshold_cells_per_ul": pl.Int64,
    "is_incident": pl.Boolean,
    "is_confirmed": pl.Boolean,
    "ended_as": pl.String,
    "onset_after": pl.Datetime("us"),
    "first_low_at": pl.Datetime("us"),
    "last_low_at": pl.Datetime("us"),
    "recovery_by": pl.Datetime("us"),
    "n_values": pl.Int64,
    "nadir_cells_per_ul": pl.Int64,
}
CAUSE = {
    **dict.fromkeys(("episode_id", "cause_group", "agent", "category"), pl.String),
    "is_primary": pl.Boolean,
}
WINDOW = {"episode_id": pl.String, "window": pl.String, "cause_group": pl.String}
Value = tuple[int, str, int | str]
Stay = tuple[int, str, str]
Low = tuple[int, str, str]


def _frames(values: Sequence[Value], stays: Sequence[Stay], lows: Sequence[Low] = ()) -> dict[str, pl.LazyFrame]:
    """values: person, day, count or "<count" (white cells alone) or "gCOUNT" (granulocytes); others: person, days."""
    spans = pl.DataFrame([(person, "everyone", _day(a), _day(b)) for person, a, b in stays], schema=SPAN, orient="row")
    people = sorted({row[0] for row in (*values, *stays)})
    return {
        "person": pl.LazyFrame(
            {"person_index": people, "person_hash": people},
            schema={"person_index": pl.UInt32, "person_hash": pl.UInt64},
        ).with_columns(
            birth_year=pl.lit(None, pl.Int32),
            age_years=pl.lit(None, pl.Int32),
            age_at=pl.lit(None, pl.Date),
            duffy_null=pl.lit(None, pl.Boolean),
        ),
        "observation": spans.lazy().drop("cohort"),
        "cohort_member": spans.lazy(),
        "anc": pl.LazyFrame([_value(number, *row) for number, row in enumerate(values)], schema=ANC, orient="row"),
        "episode": pl.LazyFrame(
            [_episode(number, *row) for number, row in enumerate(lows)], schema=EPISODE, orient="row"
        ),
        "episode_cause": pl.LazyFrame(schema=CAUSE),
        "complication": pl.LazyFrame(schema={"episode_id": pl.String, "complication": pl.String}),
        "complication_look": pl.LazyFrame(schema={"episode_id": pl.String, "look": pl.String}),
        "cause_window": pl.LazyFrame(schema=WINDOW),
    }


def _value(number: int, person: int, day: str, count: int | str) -> dict[str, Any]:
    row = {"person_index": person, "specimen_id": f"s{number}", "collected_at": _time(day), "lower_cells_per_ul": 0}
    if isinstance(count, int):
        return (
            row
            | dict.fromkeys(("anc_cells_per_ul", "lower_cells_per_ul", "upper_cells_per_ul"), count)
            | {"route": "direct_auto"}
        )
    route = "wbc_only" if count.startswith("<") else "granulocytes"
    return row | {"anc_cells_per_ul": None, "upper_cells_per_ul": int(count[1:]), "route": route}


def _episode(number: int, person: int, first: str, last: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(EPISODE)
    return row | {
        "person_index": person,
        "episode_id": f"e{number}",
        "rule": "clinical",
        "threshold_cells_per_ul": 1500,
        "is_incident": True,
        "is_confirmed": True,
        "ended_as": "recovered",
        "first_low_at": _time(first),
        "last_low_at": _time(last),
        "recovery_by": _time(last),
        "n_values": 2,
    }


def _day(text: str) -> date:
    return date.fromisoformat(f"2025-{text}")


def _time(text: str) -> datetime:
    return datetime.combine(_day(text), datetime.min.time()) + timedelta(hours=9)


def _low(
    frames: dict[str, pl.LazyFrame], measure: str = "any_low", threshold: int = 1500
) -> dict[tuple[str, str], Any]:
    return _low_of(count_people(frames, PLAN)["counts.person_interval"], measure, threshold)


def _low_of(counted: pl.DataFrame, measure: str, threshold: int) -> dict[tuple[str, str], Any]:
    """(month or all, denominator) -> (n_low, n_low_possible, n_population)."""
    rows = counted.filter(pl.col("measure") == measure, pl.col("threshold_cells_per_ul") == threshold)
    return {
        (row["interval_start"].strftime("%m") if row["interval_start"] else "all", row["denominator_name"]): (
            row["n_low"],
            row["n_low_possible"],
            row["n_population"],
        )
        for row in rows.iter_rows(named=True)
    }


def test_a_person_counts_once_however_often_they_are_low() -> None:
    low = _low(_frames([(1, "01-05", 900), (1, "01-06", 900), (1, "02-01", 800)], [(1, "01-01", "02-28")]))
    assert low["all", "tested"] == (1, 1, 1)
    assert (low["01", "tested"], low["02", "tested"]) == ((1, 1, 1), (1, 1, 1))


def test_a_count_equal_to_the_threshold_is_not_low_and_zero_is() -> None:
    frames = _frames([(1, "01-05", 1500), (2, "01-05", 0)], [(1, "01-01", "01-31"), (2, "01-01", "01-31")])
    assert _low(frames)["all", "tested"] == (1, 1, 2)
    assert _low(frames, threshold=500)["all", "tested"] == (1, 1, 2)


def test_untested_people_are_in_the_observed_but_not_in_the_tested() -> None:
    low = _low(_frames([(1, "01-05", 900)], [(1, "01-01", "01-31"), (2, "01-10", "03-10")]))
    assert low["01", "observed"] == (1, 1, 2)
    assert low["01", "tested"] == (1, 1, 1)
    assert low["03", "observed"] == (0, 0, 1)
    assert low["03", "tested"] == (0, 0, 0)


def test_two_stays_of_a_person_in_one_month_are_one_person() -> None:
    low = _low(_frames([], [(1, "01-01", "01-05"), (1, "01-10", "02-05"), (1, "02-20", "02-21")]))
    assert (low["01", "observed"], low["02", "observed"], low["all", "observed"]) == ((0, 0, 1),) * 3


def test_a_value_outside_the_stay_does_not_count_for_the_cohort() -> None:
    low = _low(_frames([(1, "01-05", 900), (1, "01-20", 2000)], [(1, "01-10", "01-31")]))
    assert low["all", "tested"] == (0, 0, 1)


def test_white_cells_alone_prove_neutropenia_when_they_are_low_and_say_nothing_when_not() -> None:
    stays = [(1, "01-01", "01-31"), (2, "01-01", "01-31")]
    low = _low(_frames([(1, "01-05", "<100"), (2, "01-05", "<6000")], stays))
    assert low["all", "tested"] == (1, 1, 1)
    assert low["all", "observed"] == (1, 1, 2)


def test_a_bound_that_proves_one_threshold_is_undecided_at_the_next() -> None:
    frames = _frames([(1, "01-05", "<1200")], [(1, "01-01", "01-31")])
    assert _low(frames, threshold=1500)["all", "tested"] == (1, 1, 1)
    assert _low(frames, threshold=1000)["all", "tested"] == (0, 1, 1)


def test_granulocytes_make_a_person_possibly_low_but_not_tested() -> None:
    low = _low(_frames([(1, "01-05", "g4000")], [(1, "01-01", "01-31")]))
    assert low["all", "observed"] == (0, 1, 1)
    assert low["all", "tested"] == (0, 0, 0)


def test_an_open_episode_counts_in_every_month_it_touches_and_among_the_tested_only_where_tested() -> None:
    frames = _frames([(1, "01-20", 900), (1, "03-02", 2000)], [(1, "01-01", "04-30")], [(1, "01-20", "03-02")])
    low = _low(frames, "confirmed")
    assert [low[month, "observed"][0] for month in ("01", "02", "03", "04")] == [1, 1, 1, 0]
    assert [low[month, "tested"] for month in ("01", "02", "03")] == [(1, 1, 1), (0, 0, 0), (1, 1, 1)]


def test_an_episode_over_before_the_stay_begins_is_not_the_cohorts() -> None:
    frames = _frames([(1, "01-20", 2000)], [(1, "01-15", "01-31")], [(1, "01-02", "01-10")])
    assert _low(frames, "confirmed")["01", "observed"] == (0, 0, 1)


def test_nobody_tested_gives_no_prevalence_among_tested_or_observed_instead_of_zero() -> None:
    counts = count_people(_frames([], [(1, "01-01", "01-31")]), PLAN)
    rows = estimate_counts(counts, PLAN, run_id="r")["estimate.prevalence"]
    assert rows["prevalence"].null_count() == rows.height
    assert set(rows["method"]) == {"none"}


def test_a_month_is_complete_only_when_the_extract_covers_all_of_it() -> None:
    counts = count_people(_frames([], [(1, "01-05", "02-10"), (2, "02-05", "03-31"), (3, "04-01", "04-29")]), PLAN)
    rows = estimate_counts(counts, PLAN, run_id="r")["estimate.prevalence"].drop_nulls("interval_start")
    complete = {row["interval_start"].month: row["is_complete"] for row in rows.iter_rows(named=True)}
    assert complete == {1: False, 2: True, 3: True, 4: False}


def test_dates_that_are_shifted_give_the_whole_extract_and_no_months() -> None:
    plan = Plan(PLAN.estimation, PLAN.denominators, PLAN.cuts, PLAN.scales, has_calendar=False)
    counts = count_people(_frames([(1, "01-05", 900)], [(1, "01-01", "03-31")]), plan)
    assert set(counts["counts.person_interval"]["interval_unit"]) == {"all"}


def test_an_extract_without_dates_answers_for_everybody() -> None:
    plan = Plan(PLAN.estimation, PLAN.denominators, PLAN.cuts, PLAN.scales, has_calendar=False, has_dates=False)
    frames = _frames([(1, "01-05", 900), (2, "01-05", 2000)], [])
    always = [(person, "everyone", None, None) for person in (1, 2)]
    frames["cohort_member"] = pl.LazyFrame(always, SPAN, orient="row")
    frames["anc"] = frames["anc"].with_columns(collected_at=pl.lit(None, pl.Datetime("us")))
    rows = count_people(frames, plan)["counts.person_interval"].filter(pl.col("threshold_cells_per_ul") == 1500)
    low = rows.filter(pl.col("measure") == "any_low", pl.col("denominator_name") == "tested")
    assert low.select("cohort", "n_low", "n_population").rows() == [("everyone", 1, 2)]


def _estimates(frames: dict[str, pl.LazyFrame]) -> dict[str, pl.DataFrame]:
    return estimate_counts(count_people(frames, PLAN), PLAN, run_id="r")


def test_one_visit_for_each_person_confirms_nothing_and_gives_no_zero_for_it() -> None:
    stays = [(person, "01-01", "03-31") for person in (1, 2, 3)]
    once = _estimates(_frames([(1, "01-05", 900), (2, "01-06", 2000), (3, "02-07", 1200)], stays))
    assert set(once["estimate.prevalence"]["measure"]) == {"any_low"}
    steps = [step.id for step in PLAN.estimation.attrition]
    assert once["estimate.attrition"]["step_order"].max() == steps.index("low") + 1
    again = _estimates(_frames([(1, "01-05", 900), (1, "01-16", 2000), (3, "02-07", 1200)], stays))
    confirmed = again["estimate.prevalence"].filter(pl.col("measure") == "confirmed")
    assert confirmed["n_low"].unique().to_list() == [0]
    assert again["estimate.attrition"].height == len(steps)


def test_people_of_a_grade_and_worse_are_those_low_at_its_boundary() -> None:
    values = [(1, "01-05", 1200), (2, "01-05", 700), (3, "01-05", "<300"), (4, "01-05", 50), (5, "01-05", 5000)]
    counts = count_people(_frames(values, [(person, "01-01", "01-31") for person in range(1, 6)]), PLAN)
    grades = counts["counts.severity"].filter(
        pl.col("interval_unit") == "all", pl.col("scale") == "clinical", pl.col("is_intended")
    )
    assert dict(grades.select("severity", "n_people").rows()) == {
        "not_applicable": 0,
        "none": 1,
        "mild": 1,
        "moderate": 1,
        "severe": 1,
        "profound": 1,
    }


DAYS = st.integers(1, 90)
COUNTS = st.one_of(st.integers(0, 2500), st.sampled_from(["<100", "<1200", "<1500", "<5000", "g1400", "g3000"]))
PEOPLE = st.integers(1, 6)


def _text(day: int) -> str:
    return (date(2025, 1, 1) + timedelta(days=day - 1)).strftime("%m-%d")


@st.composite
def hospitals(draw: st.DrawFn) -> tuple[list[Value], list[Stay], list[Low]]:
    """A few people with values, stays that do not touch, and episodes."""
    values = [(draw(PEOPLE), _text(draw(DAYS)), draw(COUNTS)) for _ in range(draw(st.integers(0, 25)))]
    stays: list[Stay] = []
    for person in range(1, 7):
        edges = sorted(draw(st.sets(st.integers(1, 45), max_size=6)))
        stays += [
            (person, _text(2 * first), _text(2 * last)) for first, last in zip(edges[::2], edges[1::2], strict=False)
        ]
    lows = []
    for _ in range(draw(st.integers(0, 6))):
        first = draw(DAYS)
        lows.append((draw(PEOPLE), _text(first), _text(min(first + draw(st.integers(0, 50)), 90))))
    return values, stays, lows


@settings(max_examples=8, deadline=None)
@given(hospitals())
def test_no_step_of_the_attrition_has_more_people_than_the_one_before(
    hospital: tuple[list[Value], list[Stay], list[Low]],
) -> None:
    counted = with_zeros(count_people(_frames(*hospital), PLAN), PLAN)["counts.attrition"]
    steps = counted.sort("step_order")["n_people"].to_list()
    assert len(steps) == len(DEFINITIONS.estimation.attrition)
    assert steps == sorted(steps, reverse=True)


@settings(max_examples=15, deadline=None)
@given(hospitals())
def test_counting_people_one_by_one_gives_the_same_numbers(hospital: tuple[list[Value], list[Stay], list[Low]]) -> None:
    counted = count_people(_frames(*hospital), PLAN)["counts.person_interval"]
    for measure, threshold in (("any_low", 1500), ("any_low", 500), ("confirmed", 1500)):
        for (month, denominator), told in _low_of(counted, measure, threshold).items():
            low, possible, tested = _count_by_hand(hospital, month, measure, threshold)
            if denominator == "tested":
                assert told[2] == len(tested)
                low, possible = low & tested, possible & tested
            assert told[0] == len(low), (month, denominator, measure)
            if measure == "any_low":
                assert told[1] == len(possible), (month, denominator)


def _count_by_hand(
    hospital: tuple[list[Value], list[Stay], list[Low]], month: str, measure: str, threshold: int
) -> tuple[set[int], set[int], set[int]]:
    """People low, possibly low and tested in the month, going through every person and day."""
    values, stays, lows = hospital
    stayed = {(person, day) for person, first, last in stays for day in _days(first, last)}
    low, possible, tested = set(), set(), set()
    for person, day, count in values:
        if (person, day) not in stayed or month not in ("all", day[:2]):
            continue
        least, most = (count, count) if isinstance(count, int) else (0, int(count[1:]))
        is_test = isinstance(count, int) or most < 1500
        if is_test:
            tested.add(person)
        if measure == "any_low" and is_test and most < threshold:
            low.add(person)
        if least < threshold and (is_test or str(count).startswith("g")):
            possible.add(person)
    if measure == "confirmed":
        for person, first, last in lows:
            if any((person, day) in stayed and month in ("all", day[:2]) for day in _days(first, last)):
                low.add(person)
    return low, possible, tested


def _days(first: str, last: str) -> list[str]:
    start, end = _day(first), _day(last)
    return [(start + timedelta(days=step)).strftime("%m-%d") for step in range((end - start).days + 1)]


@settings(max_examples=8, deadline=None)
@given(hospitals(), st.sets(PEOPLE, max_size=5))
def test_counts_of_two_halves_of_the_people_add_up_to_the_counts_of_all(
    hospital: tuple[list[Value], list[Stay], list[Low]], half: set[int]
) -> None:
    whole = count_people(_frames(*hospital), PLAN)
    halves = [
        count_people(_frames(*([row for row in rows if (row[0] in half) == is_in] for rows in hospital)), PLAN)
        for is_in in (True, False)
    ]
    for name, rows in whole.items():
        added = add_counts(name, [part[name] for part in halves])
        numbers = [column for column in rows.columns if column.startswith("n_")]
        is_something = pl.any_horizontal(pl.col(numbers) > 0)
        assert added.filter(is_something).equals(rows.filter(is_something)), name


@settings(max_examples=10, deadline=None)
@given(hospitals(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(hospital: tuple[list[Value], list[Stay], list[Low]], rng: Any) -> None:
    once = estimate_counts(count_people(_frames(*hospital), PLAN), PLAN, run_id="r")
    frames = {
        name: rows.collect().sample(fraction=1, shuffle=True, seed=rng.randrange(1000)).lazy()
        for name, rows in _frames(*hospital).items()
    }
    again = estimate_counts(count_people(frames, PLAN), PLAN, run_id="r")
    for name, rows in once.items():
        assert rows.equals(again[name]), name
