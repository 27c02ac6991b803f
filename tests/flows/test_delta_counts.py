"""Counts of a later night, made of those that stand and of the people it touches, are those of counting everybody."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.counting import count_people
from transforms.estimates import estimate_counts
from transforms.frames import fit, stack
from transforms.load import load_definitions
from transforms.plan import plan_of
from transforms.zeros import number_columns, replace_counted, with_zeros, without_zeros

DEFINITIONS = load_definitions()
PLANS = {
    dates: plan_of(DEFINITIONS, has_calendar=dates == "real", has_dates=dates != "none")
    for dates in ("real", "shifted", "none")
}
START = datetime.fromisoformat("2024-01-01")  # times of an extract have no zone
RULES = [(rule.id, rule.version, each.low_cells_per_ul) for rule in DEFINITIONS.rules for each in rule.thresholds]
SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "person": {
        "person_index": pl.UInt32,
        "person_hash": pl.UInt64,
        "weight": pl.Float64,
        "stratum": pl.String,
        "psu": pl.String,
        "birth_year": pl.Int32,
        "age_years": pl.Int32,
        "age_at": pl.Date,
        "duffy_null": pl.Boolean,
    },
    "observation": {"person_index": pl.UInt32, "started_on": pl.Date, "ended_on": pl.Date},
    "anc": {
        "person_index": pl.UInt32,
        "collected_at": pl.Datetime("us"),
        "anc_cells_per_ul": pl.Int64,
        "lower_cells_per_ul": pl.Int64,
        "upper_cells_per_ul": pl.Int64,
        "route": pl.String,
    },
    "episode": {
        "person_index": pl.UInt32,
        "episode_id": pl.String,
        "rule": pl.String,
        "threshold_cells_per_ul": pl.Int64,
        "is_incident": pl.Boolean,
        "is_confirmed": pl.Boolean,
        "onset_after": pl.Datetime("us"),
        "first_low_at": pl.Datetime("us"),
        "last_low_at": pl.Datetime("us"),
        "recovery_by": pl.Datetime("us"),
        "ended_as": pl.String,
        "n_values": pl.Int64,
        "nadir_cells_per_ul": pl.Int64,
        "duration_ruled_days": pl.Float64,
    },
    "complication": {"episode_id": pl.String, "complication": pl.String},
    "complication_look": {"episode_id": pl.String, "look": pl.String},
    "episode_cause": {
        "episode_id": pl.String,
        "cause_group": pl.String,
        "agent": pl.String,
        "category": pl.String,
        "is_primary": pl.Boolean,
    },
    "cause_window": {"episode_id": pl.String, "window": pl.String, "cause_group": pl.String, "agent": pl.String},
    "drug_block": {
        "person_index": pl.UInt32,
        "drug": pl.String,
        "drug_class": pl.String,
        "anchor": pl.String,
        "course_number": pl.Int32,
        **dict.fromkeys(("started_on", "ended_on", "course_started_on", "window_from_on", "window_until_on"), pl.Date),
        "onset_min_days": pl.Int32,
        "onset_max_days": pl.Int32,
    },
    "cohort_member": {
        "person_index": pl.UInt32,
        "cohort": pl.String,
        "started_on": pl.Date,
        "ended_on": pl.Date,
    },
}
Person = dict[str, list[tuple[Any, ...]]]

HOURS = st.integers(0, 24 * 150)


@st.composite
def episodes(draw: st.DrawFn) -> tuple[tuple[Any, ...], tuple[Any, ...], set[str], set[str]]:
    """One episode without its person and id, its primary cause, its complications, and what was looked at."""
    rule, _, threshold = draw(st.sampled_from(RULES))
    first = START + timedelta(hours=draw(HOURS))
    last = first + timedelta(hours=draw(st.integers(0, 200)))
    before = draw(st.none() | st.integers(1, 300))
    after = draw(st.none() | st.integers(1, 300))
    return (
        (
            rule,
            threshold,
            before is not None,
            draw(st.booleans()),
            None if before is None else first - timedelta(hours=before),
            first,
            last,
            None if after is None else last + timedelta(hours=after),
            "recovered" if after is not None else draw(st.sampled_from(["censored_end", "died"])),
            draw(st.integers(1, 5)),
            draw(st.integers(0, threshold - 1)),
            None if after is None else (last - first) / timedelta(days=1) + after / 24,
        ),
        (
            draw(st.sampled_from(["chemotherapy", "infection", "unexplained"])),
            draw(st.sampled_from(["", "one"])),
            draw(st.sampled_from(["expected", "none"])),
            True,
        ),
        draw(st.sets(st.sampled_from(["fn_vogel", "pneumonia"]))),
        draw(st.sets(st.sampled_from(["temperatures", "codes"]))),
    )


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Any, ...]:
    """One block of doses that is a course, without its person."""
    drug, drug_class, anchor = draw(
        st.sampled_from([("docetaxel", "cytotoxic", "each_dose"), ("clozapine", "other", "course_start")])
    )
    start = date(2024, 1, 1) + timedelta(days=draw(st.integers(0, 100)))
    end = start + timedelta(days=draw(st.integers(0, 30)))
    return drug, drug_class, anchor, start, end, start, start + timedelta(days=3), end + timedelta(days=20), 3, 30


@st.composite
def people(draw: st.DrawFn) -> Person:
    """All rows of one person, without the person."""
    first = date(2024, 1, 1) + timedelta(days=draw(st.integers(0, 90)))
    last = first + timedelta(days=draw(st.integers(0, 120)))
    values = []
    for hours in draw(st.lists(HOURS, max_size=6, unique=True)):
        value = draw(st.none() | st.integers(0, 3000))
        lower, upper = (value, value) if value is not None else (0, draw(st.none() | st.integers(50, 4000)))
        route = draw(st.sampled_from(["direct_auto", "wbc_only"])) if value is None else "direct_auto"
        values.append((START + timedelta(hours=hours), value, lower, upper, route))
    is_sampled = draw(st.booleans())
    return {
        "person": [
            (
                *((draw(st.floats(0, 9999)), "s1", draw(st.sampled_from(["1", "2"]))) if is_sampled else (None,) * 3),
                draw(st.none() | st.integers(1940, 2024)),
                draw(st.none() | st.integers(0, 80)),
                draw(st.none() | st.just(date(2023, 6, 1))),
                draw(st.none() | st.booleans()),
            )
        ],
        "observation": [(first, last)],
        "anc": values,
        "episode": [*draw(st.lists(episodes(), max_size=2))],
        "drug_block": [
            (*row[:3], place, *row[3:]) for place, row in enumerate(draw(st.lists(blocks(), max_size=2)), start=1)
        ],
        "cohort_member": [
            (cohort, first, last) for cohort in draw(st.sets(st.sampled_from(["everyone", "women", "dialysis"])))
        ],
    }


HOSPITALS = st.dictionaries(st.integers(0, 9), people(), max_size=6)


SECOND = ("possible", False)


def _frames(hospital: Mapping[int, Person]) -> dict[str, pl.LazyFrame]:
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in SCHEMAS}
    for person, of in hospital.items():
        for name in ("person", "observation", "anc", "drug_block", "cohort_member"):
            key = (person, 1000 + person) if name == "person" else (person,)
            rows[name] += [(*key, *row) for row in of[name]]
        for place, (episode, cause, complications, looks) in enumerate(of["episode"]):
            rows["episode"].append((person, f"{person}-{place}", *episode))
            rows["episode_cause"] += [(f"{person}-{place}", *cause), (f"{person}-{place}", "infection", "b", *SECOND)]
            rows["complication"] += [(f"{person}-{place}", name) for name in sorted(complications)]
            rows["complication_look"] += [(f"{person}-{place}", name) for name in sorted(looks)]
            rows["cause_window"] += [(f"{person}-{place}", window, "infection", "") for window in ("half", "double")]
    return {name: pl.LazyFrame(rows[name], schema=dict(schema), orient="row") for name, schema in SCHEMAS.items()}


def _count(hospital: Mapping[int, Person], dates: str) -> dict[str, pl.DataFrame]:
    return without_zeros(count_people(_frames(hospital), PLANS[dates]))


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(HOSPITALS, HOSPITALS, st.sets(st.integers(0, 9)), st.sampled_from(sorted(PLANS)))
def test_counts_by_difference_are_those_of_everybody(
    before: dict[int, Person], tonight: dict[int, Person], removed: set[int], dates: str
) -> None:
    """People arrive, change and vanish; those who do neither are not counted again."""
    after = {person: rows for person, rows in {**before, **tonight}.items() if person not in removed}
    touched = tonight.keys() | removed
    standing = _count(before, dates)
    found = replace_counted(
        standing,
        _count({person: rows for person, rows in before.items() if person in touched}, dates),
        _count({person: rows for person, rows in after.items() if person in touched}, dates),
    )
    for name, rows in _count(after, dates).items():
        assert fit(found[name].rows, name).equals(rows), name
        facts = found[name].gone.columns
        stays = standing[name].join(found[name].gone, on=facts, how="anti", nulls_equal=True)
        assert stack([stays, found[name].came], name).equals(rows), name


@settings(max_examples=5, deadline=None)
@given(HOSPITALS)
def test_leaving_zeros_out_and_rows_in_any_order_changes_no_estimate(hospital: dict[int, Person]) -> None:
    plan = PLANS["real"]
    counted = count_people(_frames(hospital), plan)
    once = estimate_counts(counted, plan, run_id="r")
    found = {name: rows.sample(fraction=1, shuffle=True, seed=1) for name, rows in without_zeros(counted).items()}
    again = estimate_counts(with_zeros(found, plan), plan, run_id="r")
    for name, rows in once.items():
        assert again[name].equals(rows), name


def test_people_who_do_not_stand_in_the_counts_are_not_taken_away() -> None:
    person: Person = {
        "person": [(None,) * 7],
        "observation": [(date(2024, 1, 1), date(2024, 2, 1))],
        "anc": [],
        "episode": [],
        "drug_block": [],
        "cohort_member": [("everyone", date(2024, 1, 1), date(2024, 2, 1))],
    }
    with pytest.raises(RuntimeError, match="does not hold the people"):
        replace_counted(_count({}, "real"), _count({1: person}, "real"), _count({}, "real"))


def test_every_counts_table_says_which_of_its_columns_are_numbers() -> None:
    for name in _count({}, "real"):
        assert number_columns(name), name
