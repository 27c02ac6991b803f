"""Where the scan draws its lines: what identifies, what a limited data set may keep, and what cannot be said."""
# ruff: noqa: S311, DTZ001 - chance of a test; extracts have no time zones

from datetime import date, datetime, timedelta
from random import Random

import polars as pl
import pytest

from tests.identifiers import numbers
from tests.identifiers.conftest import Scan
from tests.identifiers.corpus import COMMENTS, FAMILY, GIVEN

COMMENT = [COMMENTS[row % len(COMMENTS)] for row in range(10_000)]


def _said(scan: Scan, header: str, cells: list[object], **options: object) -> dict[str, str]:
    found = scan({header: cells}, **options)
    return {name: finding.disposition for name, finding in found[header].items()}


@pytest.mark.parametrize(
    ("ages", "is_found"),
    [
        ([30, 88, 89], False),
        ([30, 89, 90, 91], True),
        ([30, 89, 90, 90, 90], False),
        ([30, 91, 91, 91], False),
        ([30, 300, 301, 302], False),
        (["30", "89", "90+", "90+"], False),
        (["30", ">89", ">89"], False),
        (["30", "94 years", "97 years"], True),
        ([30.5, 89.9], False),
        ([30.5, 90.1, 94.7], True),
    ],
)
def test_ages_above_89_are_a_finding_unless_they_are_one_top_code(
    scan: Scan, ages: list[object], is_found: bool
) -> None:
    assert ("found" in _said(scan, "age", ages).values()) == is_found


def test_only_the_rows_with_an_age_above_89_are_counted(scan: Scan) -> None:
    finding = scan({"age": [30, 89, 90, 95, 95]})["age"]["age_over_89"]
    assert (finding.n_rows, finding.n_given, finding.evidence) == (3, 5, "name")


def test_an_age_that_the_map_names_is_judged_under_any_header(scan: Scan) -> None:
    assert _said(scan, "col4", [30, 93, 97], mapped={"col4": "age_years"}) == {"age_over_89": "found"}


@pytest.mark.parametrize(
    ("planted", "identifier_class"),
    [
        ("123-45-6789", "national_id"),
        ("kim@example.org", "email"),
        ("call (555) 123-4567", "phone"),
        ("Mr Smith", "name"),
        ("DOB: 3/4/1951", "date_of_birth"),
    ],
)
def test_one_comment_of_ten_thousand_is_enough(scan: Scan, planted: str, identifier_class: str) -> None:
    finding = scan({"comment": [*COMMENT, f"clotted, {planted}, repeat"]})["comment"][identifier_class]
    assert (finding.disposition, finding.n_rows, finding.evidence) == ("found", 1, "free_text")


def test_comments_without_identifiers_are_unjudged_and_never_called_free_of_them(scan: Scan) -> None:
    assert _said(scan, "comment", COMMENT) == {"name": "unjudged"}


def test_digits_that_have_a_check_digit_by_chance_alone_are_no_finding(scan: Scan) -> None:
    rng = Random(3)
    lengths = (9, 10, 11, 12, 13, 15, 16)
    found = scan({f"col{length}": [numbers.digits(rng, length) for _ in range(2000)] for length in lengths})
    assert not [one for findings in found.values() for one in findings.values() if one.disposition == "found"]


def test_digits_that_all_have_a_check_digit_are_a_finding_also_as_a_number_column(scan: Scan) -> None:
    rng = Random(3)
    valid = [int(numbers.nhs(rng)) for _ in range(300)]
    finding = scan({"col1": valid})["col1"]["national_id"]
    assert (finding.disposition, finding.evidence, finding.n_rows) == ("found", "statistics", 300)


def test_a_few_valid_numbers_are_chance(scan: Scan) -> None:
    assert "found" not in _said(scan, "col1", [numbers.nhs(Random(1))]).values()


def test_nine_digits_are_a_social_security_number_only_if_the_header_says_so(scan: Scan) -> None:
    cells = [f"{row:09d}" for row in range(123_450_000, 123_450_200)]
    assert _said(scan, "ssn", cells) == {"national_id": "found"}
    assert "found" not in _said(scan, "col1", cells).values()
    assert "found" not in _said(scan, "specimen_id", cells).values()


def test_codes_with_verhoeffs_digit_are_no_national_numbers_where_the_map_says_code(scan: Scan) -> None:
    rng = Random(2)
    cells = [numbers.aadhaar(rng) for _ in range(200)]
    assert "found" not in _said(scan, "col1", cells, mapped={"col1": "code"}).values()
    assert _said(scan, "col1", cells)["national_id"] == "found"


@pytest.mark.parametrize(
    "key",
    [
        "p1 p2 p3",
        "10000032 10001217 10002428",
        "41c7f626-c51d-3b68-b728-85019a121f3c 632f0553-50c2-3f65-be6b-3c33b5e2416c",
    ],
)
def test_the_key_of_people_is_allowed_and_listed(scan: Scan, key: str) -> None:
    assert _said(scan, "mrn", key.split(), person="mrn") == {"person_key": "allowed"}


def test_a_key_that_is_itself_an_identifier_is_a_finding(scan: Scan) -> None:
    rng = Random(4)
    people = [f"{family}, {given}" for family, given in zip(FAMILY[:40], GIVEN[:40], strict=True)]
    assert _said(scan, "pid", people, person="pid") == {"name": "found"}
    assert _said(scan, "pid", [f"user{row}@example.org" for row in range(9)], person="pid") == {"email": "found"}
    assert _said(scan, "pid", [numbers.ssn(rng) for _ in range(9)], person="pid") == {"national_id": "found"}
    assert _said(scan, "pid", [numbers.bsn(rng) for _ in range(90)], person="pid") == {"national_id": "found"}
    assert _said(scan, "ssn", [numbers.digits(rng, 9) for _ in range(9)], person="ssn") == {"national_id": "found"}


def test_dates_of_birth_without_a_header_are_told_by_how_they_lie_over_people(scan: Scan) -> None:
    rng = Random(5)
    born = [date(1930, 1, 1) + timedelta(days=rng.randrange(28_000)) for _ in range(100)]
    table = pl.DataFrame(
        {
            "pat": [f"p{row % 100}" for row in range(400)],
            "col1": [born[row % 100] for row in range(400)],
            "col2": [datetime(2021, 1, 1) + timedelta(hours=rng.randrange(9000)) for _ in range(400)],
            "entnommen": [datetime(2021, 1, 1) + timedelta(hours=rng.randrange(9000)) for _ in range(400)],
        }
    )
    found = scan(table, "pat", {"entnommen": "collected_at"})
    assert found["col1"]["date_of_birth"].disposition == "found"
    assert found["col2"]["event_date"].disposition == "allowed"
    assert found["entnommen"]["event_date"].disposition == "allowed"


def test_dates_of_death_and_shifted_dates_are_events(scan: Scan) -> None:
    rng = Random(6)
    shifts = [rng.randrange(36_500) for _ in range(100)]
    admitted = [datetime(2110, 1, 1) + timedelta(days=shifts[row % 100], hours=row) for row in range(300)]
    died = [date(2110, 3, 1) + timedelta(days=shifts[row % 100]) for row in range(300)]
    people = [f"p{row % 100}" for row in range(300)]
    found = scan(pl.DataFrame({"pat": people, "charttime": admitted, "col1": died, "dod": died}), "pat")
    assert {name for header in ("charttime", "col1", "dod") for name in found[header]} == {"event_date"}


@pytest.mark.parametrize(
    "cells", [["1951", "1960", "1972"], [1951, 1960, 1972], ["1951-01-01", "1960-01-01", "1972-01-01"]]
)
def test_a_year_of_birth_may_stay(scan: Scan, cells: list[object]) -> None:
    assert _said(scan, "dob", cells) == {"birth_year": "allowed"}


@pytest.mark.parametrize("header", ["dob", "month_of_birth", "birth_datetime"])
def test_a_date_of_birth_is_found_in_any_type(scan: Scan, header: str) -> None:
    for cells in (["1951-12-03", "1960-01-28"], [date(1951, 12, 3), date(1960, 1, 28)], ["03.12.51"], [18_965, 22_008]):
        assert _said(scan, header, cells) == {"date_of_birth": "found"}


def test_a_birth_year_that_is_mapped_from_whole_dates_is_a_finding(scan: Scan) -> None:
    assert _said(scan, "col1", ["1951-12-03", "1960-02-28"], mapped={"col1": "birth_year"}) == {
        "date_of_birth": "found"
    }


def test_three_digits_of_a_postcode_may_stay(scan: Scan) -> None:
    assert _said(scan, "zip", ["627", "100", "902"]) == {"geography": "allowed"}
    assert _said(scan, "zip", ["627", "100", "90210"]) == {"geography": "found"}


def test_wards_that_are_named_after_people_are_not_people(scan: Scan) -> None:
    wards = ["Elizabeth", "Victoria", "Florence", "Albert"]
    people = [f"p{row // 4}" for row in range(400)]
    found = scan({"pat": people, "col1": [wards[row * 7 % 4] for row in range(400)]}, "pat")
    assert {name: finding.disposition for name, finding in found["col1"].items()} == {"name": "unjudged"}


def test_the_few_names_of_few_people_are_found(scan: Scan) -> None:
    people = [row % 12 for row in range(600)]
    names = [f"{GIVEN[row % 12]} {FAMILY[row % 12]}" for row in range(600)]
    assert scan({"pat": people, "col1": names}, "pat")["col1"]["name"].disposition == "found"


def test_a_column_that_is_mapped_to_a_code_or_drug_is_searched_for_addresses_all_the_same(scan: Scan) -> None:
    cells = ["filgrastim"] * 500 + ["filgrastim for kim@example.org"]
    assert _said(scan, "patient_name", cells, mapped={"patient_name": "agent"}) == {"email": "found"}


def test_yes_and_no_under_a_telling_header_are_no_finding(scan: Scan) -> None:
    for header in ("phone", "email", "photo", "ssn", "passport"):
        assert _said(scan, header, ["Y", "N", "Y"]) == {}


def test_masked_cells_and_empty_columns_are_no_finding(scan: Scan) -> None:
    assert _said(scan, "patient_name", ["___", "***", "[REDACTED]"]) == {}
    assert _said(scan, "patient_name", [None, "", "  "]) == {}


def test_a_header_that_its_cells_contradict_is_unjudged(scan: Scan) -> None:
    assert _said(scan, "phone", ["ward", "at home"]) == {"phone": "unjudged"}


def test_a_finding_holds_counts_and_no_cell(scan: Scan) -> None:
    finding = scan({"note": ["a", "mail kim@example.org"]})["note"]["email"]
    assert "kim" not in repr(finding)
    assert (finding.file, finding.column, finding.n_rows, finding.n_given) == ("file.csv", "note", 1, 2)
