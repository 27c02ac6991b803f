"""New episodes for time at risk: checked day by day against a slow plain count, and estimated from counts alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.counting import add_counts, count_people
from transforms.estimates import estimate_counts
from transforms.load import load_definitions
from transforms.plan import plan_of

DEFINITIONS = load_definitions()
PLAN = replace(plan_of(DEFINITIONS, has_calendar=True, has_dates=True), chronic=())
WASHOUT = DEFINITIONS.estimation.incidence.washout_days
RULE = DEFINITIONS.estimation.default_rule
START = date(2023, 10, 1)
Value = tuple[int, int, int]  # person, day, count
Span = tuple[int, int, int]  # person, first day, last day
PERSON: Mapping[str, Any] = {
    "person_index": pl.UInt32,
    "person_hash": pl.UInt64,
    "birth_year": pl.Int32,
    "age_years": pl.Int32,
    "age_at": pl.Date,
    "duffy_null": pl.Boolean,
    "sex": pl.String,
    "weight": pl.Float64,
    "stratum": pl.String,
    "psu": pl.String,
}

DATES = ("started_on", "ended_on", "course_started_on", "window_from_on", "window_until_on")
BLOCK = {
    "person_index": pl.UInt32,
    **dict.fromkeys(("drug", "drug_class", "anchor"), pl.String),
    **dict.fromkeys(("course_number", "onset_min_days", "onset_max_days"), pl.Int32),
    **dict.fromkeys(DATES, pl.Date),
}


def _day(day: int) -> date:
    return START + timedelta(days=day)


def _time(day: int) -> datetime:
    return datetime.combine(_day(day), datetime.min.time()) + timedelta(hours=9)


def frames_of(values: Sequence[Value], stays: Sequence[Span], lows: Sequence[Span] = ()) -> dict[str, pl.LazyFrame]:
    """Everybody is born in 1950; people of odd numbers are women. `lows` are confirmed episodes at the highest cut."""
    people = sorted({row[0] for row in (*values, *stays)})
    spans = pl.DataFrame(
        [(person, "everyone", _day(a), _day(b)) for person, a, b in stays],
        schema={"person_index": pl.UInt32, "cohort": pl.String, "started_on": pl.Date, "ended_on": pl.Date},
        orient="row",
    )
    cause = {
        **dict.fromkeys(("episode_id", "cause_group", "agent", "category"), pl.String),
        "is_primary": pl.Boolean,
    }
    person = [
        (each, each, 1950, None, None, None, "female" if each % 2 else "male", None, None, None) for each in people
    ]
    return {
        "person": pl.LazyFrame(person, schema=PERSON, orient="row"),
        "observation": spans.lazy().drop("cohort"),
        "cohort_member": spans.lazy(),
        "anc": _anc_of(values),
        "episode": _episodes_of(lows),
        "episode_cause": pl.LazyFrame(schema=cause),
        "drug_block": pl.LazyFrame(schema=BLOCK),
        "cause_window": pl.LazyFrame(schema=dict.fromkeys(("episode_id", "window", "cause_group"), pl.String)),
        "complication": pl.LazyFrame(schema={"episode_id": pl.String, "complication": pl.String}),
        "complication_look": pl.LazyFrame(schema={"episode_id": pl.String, "look": pl.String}),
    }


def _anc_of(values: Sequence[Value]) -> pl.LazyFrame:
    names = ("anc_cells_per_ul", "lower_cells_per_ul", "upper_cells_per_ul")
    return pl.LazyFrame(
        [(person, _time(day), *(count,) * 3, "direct_auto") for person, day, count in values],
        schema={
            "person_index": pl.UInt32,
            "collected_at": pl.Datetime("us"),
            **dict.fromkeys(names, pl.Int64),
            "route": pl.String,
        },
        orient="row",
    )


def _episodes_of(lows: Sequence[Span]) -> pl.LazyFrame:
    return pl.LazyFrame(
        [
            (person, f"e{number}", RULE, 1500, True, True, "recovered", _time(a), _time(b), _time(b), 2)
            for number, (person, a, b) in enumerate(lows)
        ],
        schema={
            "person_index": pl.UInt32,
            "episode_id": pl.String,
            "rule": pl.String,
            "threshold_cells_per_ul": pl.Int64,
            "is_incident": pl.Boolean,
            "is_confirmed": pl.Boolean,
            "ended_as": pl.String,
            "first_low_at": pl.Datetime("us"),
            "last_low_at": pl.Datetime("us"),
            "recovery_by": pl.Datetime("us"),
            "n_values": pl.Int64,
        },
        orient="row",
    ).with_columns(
        onset_after=pl.lit(None, pl.Datetime("us")),
        nadir_cells_per_ul=pl.lit(600, pl.Int64),
        duration_ruled_days=(pl.col("recovery_by") - pl.col("first_low_at")).dt.total_seconds() / 86_400,
    )


def _counted(frames: dict[str, pl.LazyFrame], threshold: int = 1500) -> dict[tuple[str, str], tuple[int, int]]:
    """(all or year, onset) -> (episodes, days)."""
    rows = count_people(frames, PLAN)["counts.incidence"].filter(
        pl.col("rule") == RULE, pl.col("threshold_cells_per_ul") == threshold
    )
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows.iter_rows(named=True):
        when = str(row["interval_start"].year) if row["interval_start"] else "all"
        found[when, row["onset"], "episodes"] += row["n_episodes"]
        found[when, row["onset"], "days"] += row["n_days"]
    return {key[:2]: (found[*key[:2], "episodes"], found[*key[:2], "days"]) for key in found}


def test_a_person_is_at_risk_from_the_day_after_a_value_that_is_not_low_for_the_days_of_the_washout() -> None:
    assert _counted(frames_of([(1, 10, 3000)], [(1, 0, 200)]))["all", "every"] == (0, WASHOUT)


def test_nobody_is_at_risk_without_a_value_or_outside_the_stay() -> None:
    assert _counted(frames_of([], [(1, 0, 200)])) == {}
    assert _counted(frames_of([(1, 10, 3000)], [(1, 15, 20)]))["all", "every"] == (0, 6)


def test_a_low_value_ends_the_time_at_risk_until_the_next_that_is_not_low() -> None:
    found = _counted(frames_of([(1, 10, 3000), (1, 12, 900), (1, 20, 3000)], [(1, 0, 30)]))
    assert found["all", "every"] == (0, 2 + 10)


def test_a_count_of_exactly_the_threshold_is_not_low_and_puts_at_risk() -> None:
    assert _counted(frames_of([(1, 10, 1500)], [(1, 0, 12)]))["all", "every"] == (0, 2)
    assert _counted(frames_of([(1, 10, 1499)], [(1, 0, 12)])) == {}


def test_an_episode_counts_where_its_first_low_day_is_at_risk_and_its_open_days_do_not_count() -> None:
    values = [(1, 0, 3000), (1, 5, 800), (1, 7, 700), (1, 12, 2000)]
    found = _counted(frames_of(values, [(1, 0, 20)], [(1, 5, 12)]))
    assert found["all", "every"] == (1, 5 + 8)
    assert found["all", "first"] == (1, 5)


def test_an_episode_whose_start_was_not_seen_is_not_new() -> None:
    found = _counted(frames_of([(1, 5, 800), (1, 12, 2000)], [(1, 0, 20)], [(1, 5, 12)]))
    assert found["all", "every"] == (0, 8)


def test_a_value_that_is_not_low_longer_ago_than_the_washout_does_not_make_an_episode_new() -> None:
    late = [(1, 0, 3000), (1, WASHOUT + 1, 800)]
    in_time = [(1, 0, 3000), (1, WASHOUT, 800)]
    for values, expected in ((late, 0), (in_time, 1)):
        low = values[-1][1]
        found = _counted(frames_of(values, [(1, 0, 400)], [(1, low, low + 5)]))
        assert found["all", "every"] == (expected, WASHOUT)


def test_days_and_episodes_belong_to_their_calendar_year() -> None:
    """The first of January 2024 is day 92."""
    found = _counted(frames_of([(1, 90, 3000), (1, 93, 900)], [(1, 0, 200)], [(1, 93, 99)]))
    assert (found["2023", "first"], found["2024", "first"]) == ((0, 1), (1, 2))
    assert found["all", "every"] == (1, 3)


VALUES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 250), st.sampled_from([400, 1400, 1500, 4000])), max_size=12
)


@st.composite
def _apart(draw: st.DrawFn) -> list[Span]:
    spans = []
    for person in range(3):
        day = draw(st.integers(0, 60))
        for _ in range(draw(st.integers(0, 2))):
            end = day + draw(st.integers(0, 90))
            spans.append((person, day, end))
            day = end + 2 + draw(st.integers(0, 60))
    return spans


def _plain(values: Sequence[Value], stays: Sequence[Span], lows: Sequence[Span]) -> dict[str, tuple[int, int]]:
    found = {"first": [0, 0], "every": [0, 0]}
    for person in range(3):
        lowest: dict[int, int] = {}
        for who, day, count in values:
            if who == person:
                lowest[day] = min(count, lowest.get(day, count))
        open_days = {day for who, a, b in lows if who == person for day in range(a + 1, b + 1)}
        starts = [a for who, a, _ in lows if who == person]
        has_had = False
        for day in range(400):
            last = max((each for each in lowest if each < day), default=None)
            is_at_risk = last is not None and lowest[last] >= 1500 and day - last <= WASHOUT and day not in open_days
            if not is_at_risk or not any(who == person and a <= day <= b for who, a, b in stays):
                continue
            new = starts.count(day)
            found["every"][0] += new
            found["every"][1] += 1
            if not has_had:
                found["first"][0] += new
                found["first"][1] += 1
            has_had = has_had or new > 0
    return {name: (episodes, days) for name, (episodes, days) in found.items()}


@given(values=VALUES, stays=_apart(), lows=_apart())
@settings(max_examples=20, deadline=None)
def test_counting_day_by_day_gives_the_same_numbers(values: list[Value], stays: list[Span], lows: list[Span]) -> None:
    found = _counted(frames_of(values, stays, lows)) if values or stays else {}
    for onset, expected in _plain(values, stays, lows).items():
        assert found.get(("all", onset), (0, 0)) == expected
        of_years = [numbers for (when, kind), numbers in found.items() if when != "all" and kind == onset]
        if onset == "first":
            assert tuple(map(sum, zip(*of_years, strict=True))) == (expected if of_years else ())


def _ward(n_people: int) -> dict[str, pl.LazyFrame]:
    """Each person in turn has no, one or two episodes."""
    values, stays, lows = [], [], []
    for person in range(n_people):
        stays.append((person, 0, 300))
        values.append((person, 0, 3000))
        for number in range(person % 3):
            day = 20 + 60 * number + person % 7
            lows.append((person, day, day + 6))
            values += [(person, day, 600), (person, day + 2, 700), (person, day + 6, 2500)]
    return frames_of(values, stays, lows)


@pytest.fixture(scope="module")
def ward() -> pl.DataFrame:
    return estimate_counts(count_people(_ward(90), PLAN), PLAN, run_id="night")["estimate.incidence"].filter(
        pl.col("threshold_cells_per_ul") == 1500, pl.col("rule") == RULE
    )


def test_first_episodes_have_the_exact_interval_and_every_episode_that_of_resampled_people(ward: pl.DataFrame) -> None:
    whole = ward.filter(pl.col("interval_unit") == "all", pl.col("standard") == "crude")
    rows = {row["onset"]: row for row in whole.iter_rows(named=True)}
    assert (rows["first"]["n_episodes"], rows["every"]["n_episodes"]) == (60, 90)
    assert (rows["first"]["method"], rows["every"]["method"]) == ("garwood", "person_bootstrap")
    years = rows["first"]["person_days"] / 365.25
    assert rows["first"]["rate_per_1000_py"] == pytest.approx(1000 * 60 / years, rel=1e-12)
    assert rows["first"]["rate_lo"] == pytest.approx(1000 * 45.785 / years, rel=1e-4)
    for row in rows.values():
        assert row["rate_lo"] < row["rate_per_1000_py"] < row["rate_hi"]


def test_rates_are_standardised_to_every_standard_with_enough_episodes_and_refused_with_fewer(
    ward: pl.DataFrame,
) -> None:
    adjusted = ward.filter(pl.col("standard") != "crude")
    assert set(adjusted["standard"]) == {standard.id for standard in DEFINITIONS.standards}
    assert set(adjusted["status"]) == {"estimated"}
    few = estimate_counts(count_people(_ward(20), PLAN), PLAN, run_id="night")["estimate.incidence"]
    refused = few.filter(pl.col("standard") != "crude", pl.col("threshold_cells_per_ul") == 1500)
    assert set(refused["status"]) == {"too_few_events"}
    assert refused["rate_per_1000_py"].null_count() == refused.height


def test_counts_of_any_partition_of_the_people_add_up_to_the_counts_of_all() -> None:
    frames = _ward(30)
    whole = count_people(frames, PLAN)
    for n_parts in (2, 7):
        parts = [
            count_people(
                {
                    name: frame.filter(pl.col("person_index") % n_parts == part)
                    if "person_index" in frame.collect_schema().names()
                    else frame
                    for name, frame in frames.items()
                },
                PLAN,
            )
            for part in reversed(range(n_parts))
        ]
        for name, rows in whole.items():
            assert add_counts(name, [part[name] for part in parts]).equals(rows), name
