"""What a value and a unit become on their way in."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from flows.errors import SourceError
from transforms.load import load_definitions
from transforms.units import normalise_unit, read_units

DEFINITIONS = load_definitions()
UNITS = read_units(DEFINITIONS.codes("units"))
HEADER = "person_id\tcollected_at\ttest_code\tvalue\tunit\tspecimen\n"
BOUNDS = "value, comparator, lower_bound, upper_bound, unit"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("K/\u00b5L", "K/\u03bcL"),
        ("10\u2079/L", "10^9/L"),
        (" K/uL\t", "K/uL"),
        ("\uff05", "%"),
        ("/mm\u00b3", "/mm^3"),
    ],
    ids=["both_micro_signs", "superscripts", "blanks_and_tabs", "wide_forms", "cubic"],
)
def test_spellings_that_look_the_same_are_the_same(one: str, other: str) -> None:
    assert normalise_unit(one) == normalise_unit(other)


def test_every_spelling_of_the_list_is_decided_as_the_list_says() -> None:
    listed = DEFINITIONS.codes("units").drop_nulls("source_unit").filter(pl.col("kind") != "missing")
    for row in listed.iter_rows(named=True):
        decision = UNITS.decide(row["quantity"], row["source_unit"])
        assert (decision.factor is not None) == (row["kind"] in {"count", "percent", "fraction", "other"}), row


@pytest.mark.parametrize(
    ("unit", "number"),
    [("10*9/L", 1), ("10*3/uL", 1), ("K/uL", 1), ("cells/uL", 1000), ("/mm3", 1000), ("G/L", 1), ("Gpt/L", 1)],
)
def test_one_thousand_cells_per_microlitre_have_seven_names(unit: str, number: int) -> None:
    factor = UNITS.decide("count", unit).factor
    assert factor is not None
    assert factor * number == 1000


@pytest.mark.parametrize(
    ("code", "value", "unit", "expected"),
    [
        ("751-8", "<0.1", "K/uL", (None, "<", 0, 100, "cells/uL")),
        ("751-8", ">20", "10*9/L", (None, ">", 20000, None, "cells/uL")),
        ("6690-2", "1.5", "10^9/L", (1500, None, 1500, 1500, "cells/uL")),
        ("6690-2", "4500000000", "/L", (4500, None, 4500, 4500, "cells/uL")),
        ("6690-2", "1.4999999", "10*9/L", (Decimal("1499.9999"), None, *2 * (Decimal("1499.9999"),), "cells/uL")),
        ("6690-2", "4.500", "G/L", (4500, None, 4500, 4500, "cells/uL")),
        ("751-8", "412.125", "/uL", (Decimal("412.125"), None, *2 * (Decimal("412.125"),), "cells/uL")),
        ("751-8", "50.000", "/uL", (50, None, 50, 50, "cells/uL")),
        ("751-8", "0.000", "/uL", (0, None, 0, 0, "cells/uL")),
        ("6690-2", "45", "10^2/uL", (4500, None, 4500, 4500, "cells/uL")),
        ("6690-2", "1.2e1", "G/L", (12000, None, 12000, 12000, "cells/uL")),
        ("770-8", "45.5", "%", (Decimal("45.5"), None, *2 * (Decimal("45.5"),), "%")),
        ("71676-1", "0.455", "1", (Decimal("45.5"), None, *2 * (Decimal("45.5"),), "%")),
        ("718-7", "135", "g/l", (Decimal("13.5"), None, *2 * (Decimal("13.5"),), "g/dL")),
    ],
)
def test_counts_are_stored_in_cells_per_microlitre(
    hospital: Any, accepted: Callable[..., Any], code: str, value: str, unit: str, expected: tuple[object, ...]
) -> None:
    night = hospital.receive_text(HEADER + f"P1\t2024-03-01 08:00\t{code}\t{value}\t{unit}\tblood\n", name="labs.tsv")
    assert accepted(night, BOUNDS) == [expected]


def test_a_fraction_becomes_a_percentage_under_the_name_of_one(hospital: Any, accepted: Callable[..., Any]) -> None:
    night = hospital.receive_text(HEADER + "P1\t2024-03-01\t71676-1\t0.4\tratio\tblood\n", name="labs.tsv")
    assert accepted(night, "analyte, value, source_value, source_unit") == [("neut_pct", 40, "0.4", "ratio")]


@pytest.mark.parametrize(
    ("code", "specimen"),
    [
        ("5821-4", "urine"),
        ("26506-6", ""),
        ("17351-8", "serum"),
        ("751-8", "CSF"),
        ("6690-2", "Ascites"),
        ("99999-9", "blood"),
    ],
    ids=["urine", "csf_code", "anca_is_not_anc", "csf_specimen", "ascites_specimen", "unlisted_code"],
)
def test_what_is_no_blood_count_is_counted_and_left_out(
    hospital: Any, accepted: Callable[..., Any], code: str, specimen: str
) -> None:
    night = hospital.receive_text(HEADER + f"P1\t2024-03-01\t{code}\t3\tK/uL\t{specimen}\n", name="labs.tsv")
    assert accepted(night) == []
    assert night.ledger[0].n_irrelevant == 1


def test_a_specimen_nobody_knows_is_set_aside(hospital: Any, set_aside: Callable[..., Any]) -> None:
    night = hospital.receive_text(HEADER + "P1\t2024-03-01\t751-8\t3\tK/uL\tmoonwater\n", name="labs.tsv")
    assert set_aside(night) == {"specimen_unknown": 1}


def test_without_a_specimen_the_collection_time_names_it(hospital: Any, accepted: Callable[..., Any]) -> None:
    night = hospital.receive_text(HEADER + "93703.0\t2024-03-01T08:05:00\t751-8\t3\tK/uL\t\n", name="labs.tsv")
    found = accepted(night, "person_id, specimen_id, time_precision, specimen_type, method, status")
    assert found == [("93703", "2024-03-01 08:05:00", "minute", "blood", "auto", "unknown")]


def test_two_counts_of_one_day_are_both_kept_when_only_the_date_is_known(
    hospital: Any, accepted: Callable[..., Any]
) -> None:
    rows = "P1\t2024-03-01\t751-8\t3\tK/uL\t\nP1\t2024-03-01\t751-8\t2\tK/uL\t\nP1\t2024-03-01\t751-8\t2\tK/uL\t\n"
    night = hospital.receive_text(HEADER + rows, name="labs.tsv")
    assert accepted(night, "value, time_precision") == [(2000, "day"), (3000, "day")]
    assert night.ledger[0].n_duplicate == 1


@pytest.mark.parametrize(
    ("value", "unit", "cells"),
    [
        ("4.500", "/µl", 4500),
        ("150.000", "/µl", 150_000),
        ("<1.200", "/µl", 1200),
        ("1.234,5", "/µl", Decimal("1234.5")),
        ("4 500", "/µl", 4500),
        ("4\u202f500,5", "/µl", Decimal("4500.5")),
        ("12'400", "/µl", 12_400),
        ("0,45", "G/l", 450),
        ("4.500", "G/l", None),
        ("4.5", "/µl", None),
        ("0.500", "/µl", None),
    ],
)
def test_marks_between_thousands_are_read_where_they_can_be_nothing_else(
    hospital: Any, accepted: Callable[..., Any], value: str, unit: str, cells: object
) -> None:
    """With a decimal comma declared, a point before three digits divides thousands of cells, and nothing else."""
    hospital.write("source.yaml", GERMAN)
    lines = ["pat;zeit;test;wert;einheit", *(f"P{i};2024-03-01 08:00;751-8;1,5;G/l" for i in range(9))]
    path = hospital.write("labs.csv", "\n".join([*lines, f"P9;2024-03-01 08:00;751-8;{value};{unit}\n"]))
    night = hospital.receive(path.parent)
    found = [upper for person, upper in accepted(night, "person_id, upper_bound") if person == "P9"]
    assert found == ([cells] if cells else [])


GERMAN = """
id: ours
decimal: ","
tables:
  - table: lab
    columns: {person_id: pat, collected_at: zeit, code: test, value: wert, unit: einheit}
"""


@pytest.mark.parametrize(
    ("comparator", "value", "expected"),
    [
        ("LT", "0.1", ("<", 100)),
        ("EQ", "0.1", (None, 100)),
        ("NI", "0.1", (None, 100)),
        ("<", "0.1", ("<", 100)),
        ("<", "<0.1", ("<", 100)),
        ("", "0.1", (None, 100)),
        ("LT", "", None),
        ("whatever", "0.1", None),
    ],
)
def test_a_column_of_comparators_is_read_by_its_words(
    hospital: Any, accepted: Callable[..., Any], comparator: str, value: str, expected: object
) -> None:
    """As PCORnet sends it (RESULT_MODIFIER), and beside a value that has the sign already."""
    rows = "".join(f"P{i}\t2024-03-01\t751-8\t3\tK/uL\t=\n" for i in range(9))
    header = HEADER.replace("specimen", "comparator")
    rows += f"P9\t2024-03-01\t751-8\t{value}\tK/uL\t{comparator}\n"
    night = hospital.receive_text(header + rows, name="labs.tsv")
    found = accepted(night, "person_id, comparator, upper_bound::INTEGER")
    assert [tuple(rest) for person, *rest in found if person == "P9"] == ([expected] if expected else [])


def test_results_that_are_mostly_no_numbers_stop_the_night_with_what_to_set(hospital: Any) -> None:
    rows = "".join(f"P{i}\t2024-03-01\t751-8\thigh\tK/uL\t\n" for i in range(30))
    with pytest.raises(SourceError, match="not a number"):
        hospital.receive_text(HEADER + rows, name="labs.tsv")
