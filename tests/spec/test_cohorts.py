"""Cohort memberships are the observed days on which a criterion holds: checked day by day against plain sets."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.codelists import read_conditions, read_drugs
from transforms.cohort_events import with_tests
from transforms.cohorts import Histories, find_entries, find_members
from transforms.errors import DefinitionError
from transforms.examples_of_patients import DIAGNOSIS, ENCOUNTER, EXPOSURE, PERSON, TESTS, find_patients
from transforms.exposures import recognise_drugs
from transforms.load import load_definitions
from transforms.model.cohorts import Cohort, Criterion
from transforms.model.examples import CohortExample
from transforms.spans import SPAN, intersect_spans, merge_spans, subtract_spans

DEFINITIONS = load_definitions()
SPANS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(-1, 10)), max_size=10)
Days = set[tuple[int, int]]


def _days(spans: list[tuple[int, int, int]]) -> Days:
    return {(person, day) for person, start, length in spans for day in range(start, start + length + 1)}


def _frame(spans: list[tuple[int, int, int]]) -> pl.LazyFrame:
    rows = [(person, start, start + length) for person, start, length in spans]
    schema = {"person_index": pl.UInt32, "start_day": pl.Int32, "end_day": pl.Int32}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def _told(spans: pl.LazyFrame) -> Days:
    """The days of merged spans, after checking that they are sorted, disjoint and never touch."""
    rows = spans.select(SPAN).collect().rows()
    assert rows == sorted(rows)
    for (person, _, end), (next_person, start, _) in pairwise(rows):
        assert person != next_person or start > end + 1
    return {(person, day) for person, start, end in rows for day in range(start, end + 1)}


@given(spans=SPANS, more=SPANS)
@settings(max_examples=60, deadline=None)
def test_joined_spans_hold_every_day_once(spans: list[tuple[int, int, int]], more: list[tuple[int, int, int]]) -> None:
    assert _told(merge_spans([_frame(spans), _frame(more)])) == _days(spans) | _days(more)


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (lambda a, b: intersect_spans([a, b]), Days.intersection),
        (subtract_spans, Days.difference),
    ],
    ids=["days in both", "days in the first alone"],
)
@given(spans=SPANS, more=SPANS)
@settings(max_examples=60, deadline=None)
def test_spans_cut_with_others_hold_the_right_days(
    cut: Callable[[pl.LazyFrame, pl.LazyFrame], pl.LazyFrame],
    expected: Callable[[Days, Days], Days],
    spans: list[tuple[int, int, int]],
    more: list[tuple[int, int, int]],
) -> None:
    found = cut(merge_spans([_frame(spans)]), merge_spans([_frame(more)]))
    assert _told(found) == expected(_days(spans), _days(more))


def _cohort(name: str, criterion: dict[str, Any]) -> Cohort:
    facts = {"version": "1", "title": name, "source": "a test", "why": "a test", "rule": "a test"}
    return Cohort.model_validate({"id": name, **facts, "criterion": criterion})


def _patient(**facts: Any) -> CohortExample:
    return CohortExample.model_validate({"title": "", "expect": [], **facts})


YEAR = ("2020-01-01", "2020-12-31")


def _members(cohorts: list[Cohort], **facts: Any) -> dict[str, list[tuple[str, str]]]:
    """Spans by cohort of one person, observed in 2020, with facts as rows."""
    spans: dict[str, list[tuple[str, str]]] = {cohort.id: [] for cohort in cohorts}
    for _, cohort, start, end in find_members(_histories(**facts), cohorts).collect().rows():
        spans[cohort].append((start.isoformat(), end.isoformat()))
    return spans


def _entries(cohorts: list[Cohort], **facts: Any) -> list[tuple[int, str, int]]:
    return find_entries(_histories(**facts), cohorts).collect().rows()


def _histories(**facts: Any) -> Histories:
    rows = {"person": [{}], "exposure": [], "diagnosis": [], "observed": [YEAR], "encounter": [], "tests": [], **facts}
    diagnosis = pl.LazyFrame(
        [{"person_index": 0, "code_system": "icd10cm", **row} for row in rows["diagnosis"]], schema=_text(DIAGNOSIS)
    ).cast(DIAGNOSIS)
    exposure = pl.LazyFrame(
        [{"person_index": 0, "evidence": "administered", **row} for row in rows["exposure"]], schema=_text(EXPOSURE)
    ).cast(EXPOSURE)
    person = pl.LazyFrame(
        [{"person_index": 0, **row} for row in rows["person"]], schema={**PERSON, "race_ethnicity": pl.String}
    )
    observed = pl.LazyFrame(
        [(0, date.fromisoformat(a), date.fromisoformat(b)) for a, b in rows["observed"]],
        schema={"person_index": pl.UInt32, "started_on": pl.Date, "ended_on": pl.Date},
        orient="row",
    )
    drugs, conditions = read_drugs(DEFINITIONS), read_conditions(DEFINITIONS)
    recognised = recognise_drugs(exposure, diagnosis, drugs, conditions, DEFINITIONS.exposures).collect().lazy()
    encounter = pl.LazyFrame([{"person_index": 0, **row} for row in rows["encounter"]], schema=ENCOUNTER)
    tests = pl.LazyFrame([{"person_index": 0, "n_tests": 1, **row} for row in rows["tests"]], schema=TESTS)
    tests = tests.with_columns(pl.col("day").to_physical())
    return Histories(person, observed, recognised, diagnosis, conditions, encounter, tests)


def _text(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: pl.Datetime("us") if dtype == pl.Datetime("us") else dtype for name, dtype in schema.items()}


def _on(day: str) -> Any:
    return pl.Series([day]).str.to_datetime().item()


def test_a_cohort_defined_two_equivalent_ways_gives_one_answer() -> None:
    """Not (child or man) is adult and not a man, day by day through a birthday year."""
    child, man = {"age": {"at_most_years": 17}}, {"sex": "male"}
    cohorts = [
        _cohort("one_way", {"none_of": [{"any_of": [child, man]}]}),
        _cohort("other_way", {"all_of": [{"age": {"at_least_years": 18}}, {"none_of": [man]}]}),
    ]
    person = [{"sex": "female", "age_years": 17, "age_at": date(2019, 7, 1)}]
    found = _members(cohorts, person=person)
    assert found["one_way"] == found["other_way"] == [("2020-07-01", "2020-12-31")]


FACTS = st.sampled_from(
    [
        {"sex": "male"},
        {"age": {"at_most_years": 17}},
        {"age": {"at_least_years": 65}},
        {"race_ethnicity": ["a", "b"]},
        {"exposure": {"drugs": ["docetaxel"], "at_risk_days": 10}},
        {"diagnosis": {"prefixes": {"icd10cm": ["C50"]}, "lasts_days": 30}},
        {"setting": {"settings": ["inpatient"]}},
        {"testing": {"at_least_tests": 2, "within_days": 20}},
        {"low": {"below_cells_per_ul": 1000, "lasts_days": 14}},
        {"index": {"of": {"low": {"below_cells_per_ul": 1000, "lasts_days": 0}}, "until_days": 60}},
    ]
)
TESTS_OF_A_YEAR = st.lists(st.tuples(st.integers(0, 365), st.integers(0, 3000)), max_size=12)


def _tests(counts: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Tests of one person by the day of 2020, the lowest of a day."""
    days = sorted({day for day, _ in counts})
    found = {day: [count for other, count in counts if other == day] for day in days}
    first = date(2020, 1, 1)
    return [
        {"day": first + timedelta(days=day), "n_tests": len(each), "lowest_cells_per_ul": min(each)}
        for day, each in found.items()
    ]


@given(counts=TESTS_OF_A_YEAR, least=st.integers(1, 4), within=st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_people_are_in_a_cohort_of_the_closely_tested_on_the_days_that_have_enough_tests_behind_them(
    counts: list[tuple[int, int]], least: int, within: int
) -> None:
    tests = pl.LazyFrame([{"person_index": 0, **row} for row in _tests(counts)], schema=TESTS)
    criterion = Criterion.model_validate({"testing": {"at_least_tests": least, "within_days": within}}).testing
    assert criterion is not None
    spans = with_tests(tests.with_columns(pl.col("day").to_physical()), criterion)
    first = pl.Series([date(2020, 1, 1)]).to_physical().item()
    told = {day - first for _, day in _told(spans)}
    assert told & set(range(366)) == {
        day for day in range(366) if sum(day - within < tested <= day for tested, _ in counts) >= least
    }


@given(counts=TESTS_OF_A_YEAR, until=st.one_of(st.none(), st.integers(0, 90)))
@settings(max_examples=5, deadline=None)
def test_stays_tests_and_events_written_two_ways_give_one_answer(
    counts: list[tuple[int, int]], until: int | None
) -> None:
    """Settings together or apart; a first test is a low value at no limit; an event without an end is for good."""
    inpatient, emergency = ({"setting": {"settings": [word]}} for word in ("inpatient", "emergency"))
    low_on_the_day = {"low": {"below_cells_per_ul": 1000, "lasts_days": 0}}
    within = {} if until is None else {"until_days": until}
    pairs = [
        ({"setting": {"settings": ["inpatient", "emergency"]}}, {"any_of": [emergency, inpatient]}),
        ({"testing": {"at_least_tests": 1}}, {"low": {"below_cells_per_ul": 10**6}}),
        ({"testing": {"at_least_tests": 1}}, {"index": {"of": {"testing": {"at_least_tests": 1}}}}),
        ({"index": {"of": low_on_the_day}}, {"low": {"below_cells_per_ul": 1000}}),
        (
            {"index": {"of": low_on_the_day, **within}},
            {"all_of": [{"low": {"below_cells_per_ul": 1000}}, {"index": {"of": low_on_the_day, **within}}]},
        ),
    ]
    cohorts = [
        _cohort(f"{side}_{number}", criterion)
        for number, pair in enumerate(pairs)
        for side, criterion in zip(("left", "right"), pair, strict=True)
    ]
    stays = [
        {"started_at": _on("2020-03-01"), "ended_at": _on("2020-03-09"), "setting": "inpatient"},
        {"started_at": _on("2020-02-29"), "ended_at": None, "setting": "emergency"},
    ]
    found = _members(cohorts, tests=_tests(counts), encounter=stays)
    assert found["left_0"] == [("2020-02-29", "2020-03-09")]
    for number in range(len(pairs)):
        assert found[f"left_{number}"] == found[f"right_{number}"], pairs[number]


def test_people_on_the_way_into_a_cohort_that_asks_for_several_things_are_known_by_what_they_have() -> None:
    """A woman with clozapine and a man without: two parts hold of her until the third does not."""
    exposed, tested = {"exposure": {"drugs": ["clozapine"], "at_risk_days": 28}}, {"testing": {"at_least_tests": 1}}
    cohort = _cohort("all", {"all_of": [{"sex": "female"}, exposed, tested]})
    facts = {
        "person": [{"person_index": 0, "sex": "female"}, {"person_index": 1, "sex": "male"}],
        "exposure": [{"agent": "clozapine", "started_at": _on("2020-02-01")}],
    }
    assert _entries([cohort], **facts) == [(0, "all", 1), (0, "all", 2)]
    assert _members([cohort], **facts)["all"] == []
    assert _entries([_cohort("one", {"sex": "female"})], **facts) == []


@given(one=FACTS, other=FACTS, third=FACTS, birth_year=st.integers(1940, 2019), counts=TESTS_OF_A_YEAR)
@settings(max_examples=10, deadline=None)
def test_and_or_and_not_obey_their_laws_whatever_they_join(
    one: dict[str, Any], other: dict[str, Any], third: dict[str, Any], birth_year: int, counts: list[tuple[int, int]]
) -> None:
    """De Morgan, distribution, and a double not."""
    pairs = [
        ({"none_of": [one, other]}, {"all_of": [{"none_of": [one]}, {"none_of": [other]}]}),
        (
            {"all_of": [one, {"any_of": [other, third]}]},
            {"any_of": [{"all_of": [one, other]}, {"all_of": [third, one]}]},
        ),
        ({"none_of": [{"none_of": [one]}]}, one),
    ]
    cohorts = [
        _cohort(f"{side}_{number}", criterion)
        for number, pair in enumerate(pairs)
        for side, criterion in zip(("left", "right"), pair, strict=True)
    ]
    found = _members(
        cohorts,
        person=[{"sex": "male", "birth_year": birth_year, "race_ethnicity": "b"}],
        diagnosis=[{"code": "C509", "recorded_at": _on("2020-03-05")}],
        exposure=[{"agent": "Docetaxel 80 mg", "started_at": _on("2020-03-01")}],
        encounter=[{"started_at": _on("2020-03-04"), "ended_at": _on("2020-04-01"), "setting": "inpatient"}],
        tests=_tests(counts),
    )
    for number in range(len(pairs)):
        assert found[f"left_{number}"] == found[f"right_{number}"], pairs[number]


def test_all_of_is_the_days_on_which_every_part_holds() -> None:
    cohort = _cohort(
        "both",
        {
            "all_of": [
                {"diagnosis": {"prefixes": {"icd10cm": ["C50"]}}},
                {"exposure": {"drugs": ["docetaxel"], "at_risk_days": 10}},
            ]
        },
    )
    found = _members(
        [cohort],
        diagnosis=[{"code": "C509", "recorded_at": _on("2020-03-05")}],
        exposure=[{"agent": "Docetaxel 80 mg", "started_at": _on("2020-03-01")}],
    )
    assert found["both"] == [("2020-03-05", "2020-03-11")]


def test_time_at_risk_ends_with_observation() -> None:
    cohort = _cohort("exposed", {"exposure": {"drugs": ["clozapine"], "at_risk_days": 28}})
    exposure = [{"agent": "clozapine", "started_at": _on("2019-12-20"), "ended_at": _on("2019-12-25")}]
    assert _members([cohort], exposure=exposure)["exposed"] == [("2020-01-01", "2020-01-22")]
    late = [{"agent": "clozapine", "started_at": _on("2020-12-20")}]
    assert _members([cohort], exposure=late)["exposed"] == [("2020-12-20", "2020-12-31")]


def test_a_diagnosis_that_lasts_ends_after_its_days_and_begins_again_with_the_next_code() -> None:
    cohort = _cohort("lasting", {"diagnosis": {"subgroups": ["viral_influenza"], "lasts_days": 14}})
    codes = [{"code": "J101", "recorded_at": _on(day)} for day in ("2020-02-01", "2020-02-10", "2020-11-01")]
    spans = _members([cohort], diagnosis=codes)["lasting"]
    assert spans == [("2020-02-01", "2020-02-24"), ("2020-11-01", "2020-11-15")]


def test_a_code_of_another_system_does_not_count() -> None:
    cohort = _cohort("own", {"diagnosis": {"prefixes": {"icd9cm": ["042"]}}})
    codes = [{"code": "042", "code_system": "icd10cm", "recorded_at": _on("2020-02-01")}]
    assert _members([cohort], diagnosis=codes)["own"] == []


def test_drug_given_but_charted_as_not_given_gives_no_membership() -> None:
    cohort = _cohort("exposed", {"exposure": {"is_cytotoxic": True, "at_risk_days": 42}})
    dose = {"agent": "IDArubicin", "started_at": _on("2020-02-01")}
    assert _members([cohort], exposure=[{**dose, "status": "Not Given"}])["exposed"] == []
    assert _members([cohort], exposure=[{**dose, "status": "Administered"}])["exposed"] == [
        ("2020-02-01", "2020-03-14")
    ]


@pytest.mark.parametrize("birth_year", [1900, 1954, 1955, 1956, 2001, 2002, 2003, 2020])
def test_everybody_of_known_age_is_a_child_or_an_adult_on_every_observed_day(birth_year: int) -> None:
    patient = _patient(person={"birth_year": birth_year}, observed=[YEAR])
    found = find_patients(DEFINITIONS, [patient])
    days = sum(
        (end - start + timedelta(days=1)).days
        for _, cohort, start, end in found.rows()
        if cohort in {"adults", "children"}
    )
    assert days == 366


def test_members_come_sorted_whatever_the_order_of_the_cohorts() -> None:
    patient = _patient(person={"sex": "female", "birth_year": 1950}, observed=[YEAR])
    found = find_patients(DEFINITIONS, [patient, patient])
    assert found.rows() == sorted(found.rows())
    assert set(found["cohort"]) == {"everyone", "women", "adults", "age_65_plus"}


@pytest.mark.parametrize(
    "criterion",
    [
        pytest.param({"sex": "female", "observed": True}, id="two at once"),
        pytest.param({}, id="none"),
        pytest.param({"any_of": []}, id="an empty or"),
        pytest.param({"diagnosis": {}}, id="a diagnosis without codes"),
        pytest.param({"shoe_size": 42}, id="an unknown key"),
    ],
)
def test_a_criterion_that_is_not_exactly_one_thing_is_refused_at_load(
    criterion: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "cohorts").mkdir()
    text = f'id: wrong\nversion: "1"\ntitle: t\nsource: s\nwhy: w\nrule: r\ncriterion: {criterion}\n'
    (tmp_path / "cohorts" / "wrong.yaml").write_text(text.replace("True", "true"), encoding="utf-8")
    with pytest.raises(DefinitionError, match="not a valid Cohort"):
        load_definitions(tmp_path)


def test_nobody_is_in_any_cohort_without_observation() -> None:
    patient = _patient(person={"sex": "female", "birth_year": 1950}, observed=[])
    assert find_patients(DEFINITIONS, [patient]).is_empty()


def test_two_hundred_thousand_people_take_seconds() -> None:
    """A guard against a plan that grows with the square of the people, not a benchmark."""
    n = 200_000
    person = pl.LazyFrame({"person_index": range(n)}).select(
        pl.col("person_index").cast(pl.UInt32),
        sex=pl.lit("female"),
        birth_year=pl.lit(1960, pl.Int32),
        age_years=pl.lit(None, pl.Int32),
        age_at=pl.lit(None, pl.Date),
        duffy_null=pl.lit(None, pl.Boolean),
    )
    observed = person.select("person_index", started_on=pl.date(2019, 1, 1), ended_on=pl.date(2020, 12, 31))
    conditions, drugs = read_conditions(DEFINITIONS), read_drugs(DEFINITIONS)
    nothing, no_doses = pl.LazyFrame(schema=DIAGNOSIS), pl.LazyFrame(schema=EXPOSURE)
    recognised = recognise_drugs(no_doses, nothing, drugs, conditions, DEFINITIONS.exposures).collect().lazy()
    began = perf_counter()
    stays, tests = pl.LazyFrame(schema=ENCOUNTER), pl.LazyFrame(schema={**TESTS, "day": pl.Int32})
    known = Histories(person, observed, recognised, nothing, conditions, stays, tests)
    found = find_members(known, DEFINITIONS.cohorts).collect()
    assert perf_counter() - began < 20
    assert found["cohort"].value_counts().sort("cohort").rows() == [
        (cohort, n) for cohort in ("adults", "age_40_to_64", "everyone", "women")
    ]
