"""What is counted of a night, from the rows as they were staged."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from expectations.profile import Fact, Profile, mark_part, profiles_of
from flows.changes import Against, Before, compare_night, judge_changes
from flows.handover import LedgerLine, Received, ReceivedInput
from flows.profiling import profile_files, profile_rows
from transforms.load import load_definitions

STARTED_ON = date(2024, 6, 1)  # the day on which the nights of these tests begin, a Saturday
DAY = "2024-05-30"


def arrive(night: Any, rows: list[dict[str, Any]], **entry: Any) -> Received:
    """These lab rows as a file of source `site` that was read tonight."""
    received: Received = night.receive({"lab": rows, "person": night.good()["person"]})
    file = ReceivedInput(night.input_id, "site", "labs.csv", 1, "x", len(rows), "long", dates="real", **entry)
    return replace(received, inputs=(file,))


def profile(night: Any, received: Received) -> Profile:
    facts = profile_rows(received, night.context)
    assert not isinstance(facts, str)
    (found,) = profiles_of((*profile_files(received, received.ledger, frozenset()), *facts), STARTED_ON)
    return found


@pytest.fixture(scope="module")
def counted(new_night: Any) -> Profile:
    """20 neutrophil counts of 20 people on one day, 10 white-cell counts of 5 people a week before, 1 in the future."""
    night = new_night("counted")
    first = [
        night.lab(
            n, "anc_direct", str(100 * n), person_id=f"p{n}", specimen_id=f"s{n}", source_unit="10*3/uL",
            collected_at=f"{DAY} 08:00:00",
        )
        for n in range(1, 21)
    ]  # fmt: skip
    others = [
        night.lab(
            20 + n, "wbc", "5000", person_id=f"p{n % 5}", specimen_id=f"t{n}", source_unit=None,
            collected_at="2024-05-20 08:00:00", version_at=None,
        )
        for n in range(10)
    ]  # fmt: skip
    future = night.lab(40, "wbc", "5000", person_id="p1", specimen_id="u", collected_at="2224-05-30 08:00:00")
    return profile(night, arrive(night, [*first, *others, future]))


@pytest.mark.parametrize(
    ("measure", "part", "value"),
    [
        ("rows", "", 31),
        ("rows", "anc_direct", 20),
        ("rows", "wbc", 11),
        ("specimens", "", 31),
        ("people", "", 21),
        ("unit_rows", "anc_direct|10*3/uL", 20),
        ("unit_rows", "wbc|", 11),
        ("code_rows", mark_part("wbc"), 11),
        ("values", "anc_direct", 20),
        ("median", "anc_direct", 1000),
        ("tail", "anc_direct|0.05", 100),
        ("tail", "anc_direct|0.95", 1900),
        ("counted_values", "", 20),
        ("low_values", "500", 4),
        ("low_values", "1500", 14),
        ("rows_per_day", "", 20),
        ("days_behind", "", 2),
        ("days_covered", "", 12),
        ("weekday", "", 4),
        ("late_rows", "", 10),
        ("day_rows", DAY, 20),
        ("empty", "lab.version_at", 10),
        ("could_be_filled", "lab.version_at", 31),
        ("could_be_filled", "person.sex", 4),
        ("received", "", 31),
        ("dates", "real", 1),
    ],
)
def test_a_night_is_counted(counted: Profile, measure: str, part: str, value: float) -> None:
    assert counted.get(measure, part) == value


def test_a_few_people_are_never_taken_for_many(counted: Profile) -> None:
    assert 11 <= counted.get("unit_people", "anc_direct|10*3/uL") <= 20
    assert 1 <= counted.get("unit_people", "wbc|") <= 5


def test_a_unit_that_few_people_share_is_kept_by_its_mark_alone(night: Any) -> None:
    rows = [night.lab(n, "wbc", "5000", specimen_id=f"s{n}", source_unit="Frau Meier") for n in range(20)]
    known = [night.lab(20 + n, "anc_direct", "5000", specimen_id=f"k{n}", source_unit="K/uL") for n in range(3)]
    found = profile(night, arrive(night, [*rows, *known]))
    assert found.parts("unit_rows") == {mark_part("wbc|Frau Meier"): 20, "anc_direct|K/uL": 3}
    assert "Meier" not in str(found)


def test_a_median_of_few_values_is_not_kept_and_one_of_many_with_two_digits(night: Any) -> None:
    few = [night.lab(n, "anc_direct", "4321", specimen_id=f"a{n}") for n in range(10)]
    many = [night.lab(10 + n, "wbc", "7391", specimen_id=f"w{n}") for n in range(11)]
    found = profile(night, arrive(night, [*few, *many]))
    assert (found.get("values", "anc_direct"), found.parts("median")) == (10, {"wbc": 7400})
    assert set(found.parts("tail").values()) == {7400}


def test_long_past_days_are_kept_by_month(night: Any) -> None:
    rows = [
        night.lab(n, "wbc", "5000", specimen_id=f"s{n}", collected_at=f"{day} 08:00:00")
        for n, day in enumerate(["2020-02-03", "2020-02-17", DAY, DAY])
    ]
    assert profile(night, arrive(night, rows)).parts("day_rows") == {"2020-02": 2, DAY: 2}


def test_rows_of_earlier_nights_that_are_weighed_again_are_not_counted(night: Any) -> None:
    rows = [night.lab(1, "wbc", "5000"), night.lab(2, "wbc", "5000", input_id="of another night", specimen_id="s2")]
    assert profile(night, arrive(night, rows)).get("rows") == 1


def test_a_source_that_sent_no_results_has_no_profile(night: Any) -> None:
    received = night.receive({"person": night.good()["person"]})
    file = ReceivedInput(night.input_id, "site", "people.csv", 1, "x", 4, "long", dates="real")
    assert profile_rows(replace(received, inputs=(file,)), night.context) == ()


def test_a_file_of_results_without_a_row_has_one(night: Any) -> None:
    received = replace(arrive(night, []), ledger=(LedgerLine(night.input_id, "canonical.lab", 0, 0),))
    assert profile(night, received).get("rows") == 0
    assert profile(night, received).dates == "real"


def test_what_was_known_and_what_is_declared_is_kept(night: Any) -> None:
    received = arrive(night, [night.lab(1, "wbc", "5000")], is_snapshot=True)
    ledger = [LedgerLine(night.input_id, "canonical.lab", 10, 1, n_duplicate=5, n_quarantined=1, n_irrelevant=3)]
    facts = profile_files(received, ledger, frozenset({night.input_id}))
    assert {(fact.measure, fact.value) for fact in facts} == {
        *{("dates", 1), ("received", 10), ("known", 5), ("refused", 1), ("irrelevant", 3)},
        *{("is_snapshot", 1), ("files_again", 1)},
    }


def test_dates_that_are_not_real_have_no_calendar(night: Any) -> None:
    received = arrive(night, [night.lab(1, "wbc", "5000")])
    received = replace(received, inputs=(replace(received.inputs[0], dates="shifted"),))
    measures = profile(night, received).facts
    assert not measures.keys() & {"day_rows", "days_behind", "weekday", "late_rows"}


def test_a_date_before_the_common_era_breaks_no_later_night(night: Any) -> None:
    rows = [night.lab(1, "wbc", "5000", collected_at="0044-03-15 (BC) 08:00:00"), night.lab(2, "wbc", "5000")]
    assert profile(night, arrive(night, rows)).parts("day_rows") == {"2024-03-01": 1}


def test_rows_that_cannot_be_counted_are_an_error_that_stops(night: Any) -> None:
    night.types = {"lab": {"collected_at": "BLOB"}}
    received = arrive(night, [night.lab(1, "wbc", "5000")])
    error = profile_rows(received, night.context)
    assert error == "ConversionException"
    checks, profile = compare_night(received, received.ledger, error, night.context, Against())
    assert {check.status for check in checks} == {"error"}
    assert profile == ()


def test_a_profile_is_numbers_by_short_words(counted: Profile) -> None:
    facts = [Fact("site", m, part, value) for m, parts in counted.facts.items() for part, value in parts.items()]
    assert len(facts) < 120
    assert not any("p1" in fact.part for fact in facts)


def test_all_checks_can_be_judged_from_a_counted_night(counted: Profile) -> None:
    checks, _ = judge_changes([counted], Before({"site": [counted] * 5}), load_definitions())
    assert {check.status for check in checks} <= {"passed", "not_applicable"}
