"""Measurements of OMOP in small: which of two things that a row says is taken, and when neither is."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.errors import SourceError
from tests.sources.omop_rows import HEADERS, MEASURED, SHIPPED, VOCABULARY


@pytest.fixture
def measure(hospital: Any) -> Callable[..., Any]:
    """The night of measurements that differ from the usual one as given, with CONCEPT beside them."""

    def receive(*changes: Mapping[str, str], source: str = "omop") -> Any:
        rows = [{"measurement_id": str(number), **MEASURED, **change} for number, change in enumerate(changes, 1)]
        for name, filled in {"MEASUREMENT": rows, "CONCEPT": VOCABULARY}.items():
            columns = HEADERS[name].split()
            lines = [",".join(row.get(column, "") for column in columns) for row in filled]
            hospital.write(f"{name}.csv", "\n".join([",".join(columns), *lines]) + "\n")
        return hospital.receive(Path(hospital.folder / "extract"), source=source)

    return receive


@pytest.fixture
def own_map(hospital: Any) -> Callable[..., str]:
    """A copy of the shipped map with other entries; entries of `values` are added to its own."""

    def write(**changes: Any) -> str:
        entry = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        changes["values"] = {**entry["values"], **changes.get("values", {})}
        return str(hospital.write("own.yaml", yaml.safe_dump({**entry, **changes}), "maps"))

    return write


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"measurement_source_value": "", "measurement_source_concept_id": "0"}, "anc_direct"),
        ({"measurement_concept_id": "0"}, "anc_direct"),
        ({"measurement_concept_id": "0", "measurement_source_value": "NEUT"}, None),
        (
            {
                "measurement_concept_id": "0",
                "measurement_source_value": "NEUT",
                "measurement_source_concept_id": "40762351",
            },
            "anc_direct",
        ),
        ({"measurement_concept_id": "3013650.0"}, "anc_direct"),
        ({"measurement_concept_id": "3000000", "measurement_source_value": "2345-7"}, None),
        ({"measurement_concept_id": "40762351", "measurement_source_value": "NEUT"}, "anc_direct"),
    ],
    ids=[
        "concept_alone",
        "loinc_in_the_source_value",
        "nothing_known",
        "loinc_through_the_source_concept",
        "concept_written_as_a_float",
        "another_test",
        "concept_known_through_its_loinc",
    ],
)
def test_a_test_is_known_by_its_concept_or_else_by_its_source_code(
    measure: Any, accepted: Any, set_aside: Any, change: Mapping[str, str], expected: str | None
) -> None:
    night = measure(change)
    assert accepted(night, "analyte") == ([(expected,)] if expected else [])
    assert set_aside(night) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"measurement_source_value": "6690-2"},
        {"measurement_source_value": "2345-7"},
        {"measurement_concept_id": "4298431"},
    ],
    ids=["two_blood_counts", "the_source_is_no_blood_count", "the_concept_is_unknown"],
)
def test_a_row_whose_concept_and_source_disagree_is_listed(
    measure: Any, accepted: Any, set_aside: Any, change: Mapping[str, str]
) -> None:
    night = measure(change)
    assert accepted(night) == []
    assert set_aside(night) == {"code_contradicts": 1}


def test_two_codes_of_the_same_analyte_agree(measure: Any, accepted: Any) -> None:
    assert accepted(measure({"measurement_source_value": "26499-4"}), "analyte, source_code") == [
        ("anc_direct", "3013650")
    ]


def test_a_concept_that_is_no_loinc_can_be_translated_in_the_map(measure: Any, accepted: Any, own_map: Any) -> None:
    night = measure({"measurement_concept_id": "4298431"}, source=own_map(codes={"4298431": "751-8"}))
    assert accepted(night, "analyte, value") == [("anc_direct", 1200)]


@pytest.mark.parametrize(
    ("unit", "concept", "expected"),
    [
        ("10*3/uL", "0", 1200),
        ("10*3/uL", "", 1200),
        ("", "8848", 1200),
        ("thousands", "8848", 1200),
        ("10*9/L", "8848", 1200),
        ("x10E3/µL", "9444.0", 1200),
        ("/uL", "8647", 1),
        ("/uL", "8848", "unit_ambiguous"),
        ("10*3/uL", "8554", "unit_ambiguous"),
        ("10*3/uL", "8555", "unit_ambiguous"),
        ("", "8554", "unit_of_other_kind"),
        ("", "0", "unit_missing"),
    ],
)
def test_a_unit_is_taken_from_text_and_concept_unless_they_disagree(
    measure: Any, accepted: Any, set_aside: Any, unit: str, concept: str, expected: float | str
) -> None:
    night = measure({"unit_source_value": unit, "unit_concept_id": concept})
    if isinstance(expected, str):
        assert (accepted(night), set_aside(night)) == ([], {expected: 1})
    else:
        assert accepted(night, "round(value)::INTEGER") == [(expected,)]


@pytest.mark.parametrize(
    ("number", "operator", "text", "bounds"),
    [
        ("0.1", "4171756", "", ("<", 0, 100)),
        ("0.1", "4171754", "", ("<=", 0, 100)),
        ("20", "4172704", "", (">", 20000, None)),
        ("20", "4171755", "", (">=", 20000, None)),
        ("0.1", "4172703", "0.1", (None, 100, 100)),
        ("0.1", "0", "<0.1", ("<", 0, 100)),
        ("0.1", "0", "less than 0.1", ("<", 0, 100)),
        ("", "0", "<0.1", ("<", 0, 100)),
        ("", "4171756", "0.1", ("<", 0, 100)),
        ("0", "0", "0.0", (None, 0, 0)),
        ("0", "0", "ND", None),
        ("", "0", "ND", None),
    ],
)
def test_a_comparator_is_found_wherever_the_row_has_it(
    measure: Any, accepted: Any, number: str, operator: str, text: str, bounds: tuple[Any, ...] | None
) -> None:
    night = measure({"value_as_number": number, "operator_concept_id": operator, "value_source_value": text})
    assert accepted(night, "comparator, lower_bound, upper_bound") == ([bounds] if bounds else [])


@pytest.mark.parametrize("operator", ["0", "4171756"])
def test_a_test_without_any_value_is_no_error(measure: Any, accepted: Any, set_aside: Any, operator: str) -> None:
    night = measure({"value_as_number": "", "operator_concept_id": operator, "value_source_value": ""})
    assert (accepted(night), set_aside(night)) == ([], {})


@pytest.mark.parametrize(
    ("given", "precision", "expected"),
    [
        (("2020-03-01 08:30:00", ""), "auto", ("2020-03-01 08:30:00", "minute")),
        (("2020-03-01 00:00:00", "2020-03-01"), "auto", ("2020-03-01 00:00:00", "day")),
        (("", ""), "auto", ("2020-03-01 00:00:00", "day")),
        (("", "08:30:00"), "auto", ("2020-03-01 08:30:00", "minute")),
        (("2020-03-01 00:00:00", "08:30"), "auto", ("2020-03-01 08:30:00", "minute")),
        (("2020-03-01 00:00:00", ""), "minute", ("2020-03-01 00:00:00", "minute")),
        (("2020-03-01 08:30:00", ""), "day", ("2020-03-01 08:30:00", "day")),
    ],
    ids=[
        "a_time",
        "midnight_and_a_date_as_time",
        "date_only",
        "time_of_day_apart",
        "midnight_and_a_time_of_day",
        "true_midnight_by_the_map",
        "invented_time_by_the_map",
    ],
)
def test_a_midnight_is_a_day_unless_the_map_says_that_times_are_times(
    measure: Any, accepted: Any, own_map: Any, given: tuple[str, str], precision: str, expected: tuple[str, str]
) -> None:
    change = dict(zip(("measurement_datetime", "measurement_time"), given, strict=True))
    night = measure(change, source=own_map(time_precision=precision))
    assert accepted(night, "collected_at::VARCHAR, time_precision") == [expected]


def test_the_precision_of_a_row_does_not_depend_on_the_rows_around_it(measure: Any, accepted: Any) -> None:
    midnight = {"measurement_datetime": "2020-03-02 00:00:00"}
    alone = accepted(measure(midnight), "record_key, time_precision")
    together = accepted(measure({}, midnight), "record_key, time_precision")
    assert set(alone) < set(together)


def test_a_temperature_is_no_result_of_the_laboratory(measure: Any, accepted: Any, set_aside: Any) -> None:
    fever = {"measurement_concept_id": "3020891", "measurement_source_value": "8310-5"}
    night = measure(
        {},
        {**fever, "value_as_number": "38.5", "unit_concept_id": "586323", "unit_source_value": "Cel"},
        {**fever, "value_as_number": "101.3", "unit_concept_id": "9289", "unit_source_value": "[degF]"},
        {**fever, "value_as_number": "39", "unit_concept_id": "0", "unit_source_value": ""},
    )
    assert accepted(night, "celsius::VARCHAR", "canonical.vital") == [("38.50",)]
    assert set_aside(night) == {"same_as_another": 1, "value_not_a_number": 1}
    names = {entry.input_id: entry.name for entry in night.inputs}
    lines = [line for line in night.ledger if names[line.input_id] == "MEASUREMENT.csv"]
    assert {line.table_name: line.n_received for line in lines} == {"canonical.vital": 3, "canonical.lab": 1}


def test_the_same_row_is_one_result_with_and_without_the_vocabulary(hospital: Any, measure: Any, accepted: Any) -> None:
    with_names = accepted(measure({}, {"measurement_source_value": ""}), "record_key")
    (hospital.folder / "extract" / "CONCEPT.csv").unlink()
    without = hospital.receive(hospital.folder / "extract", source="omop")
    assert accepted(without, "record_key") == with_names


def test_an_extract_in_which_every_test_contradicts_its_concept_is_stopped(measure: Any) -> None:
    rows = [{"person_id": str(number), "measurement_concept_id": "4298431"} for number in range(30)]
    with pytest.raises(SourceError) as stopped:
        measure(*rows)
    assert "codes" in stopped.value.repair
