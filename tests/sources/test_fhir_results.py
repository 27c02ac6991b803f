"""Observations of FHIR, R4 and STU3: codes, values, units, statuses, versions, panels, times and specimens."""

from typing import Any

import pytest
import yaml

from tests.sources.fhir_resources import (
    ANC,
    LOINC,
    SHIPPED,
    SNOMED,
    UCUM,
    WBC,
    Aside,
    Resource,
    Rows,
    bundle,
    concept,
    lines,
    observation,
    quantity,
    send,
)

PERCENT = "770-8"


def test_a_code_is_matched_by_system_wherever_it_stands_and_never_by_display(hospital: Any, accepted: Rows) -> None:
    local = {"system": "http://lab.example.org", "code": "NEU", "display": "Lymphocytes"}
    odd = {"system": LOINC, "code": ANC, "display": "Something [#/\u200bvolume]"}
    foreign = concept(WBC, "http://lab.example.org", display="Leukocytes [#/volume] in Blood")
    night = send(hospital, observation(code={"coding": [local, odd]}), observation(code=foreign))
    assert accepted(night, "analyte, source_code") == [("anc_direct", ANC)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"valueQuantity": quantity(0.1, comparator="<")}, ("<", 0, 100)),
        ({"valueQuantity": quantity(20, comparator=">=")}, (">=", 20000, None)),
        ({"valueQuantity": quantity(0)}, (None, 0, 0)),
        ({"valueQuantity": quantity(5.123456789012345)}, (None, 5123.456789, 5123.456789)),
        ({"valueQuantity": {"value": 1500, "unit": "cells/uL"}}, (None, 1500, 1500)),
        ({"valueQuantity": {"value": 1.5, "unit": "G/l", "system": UCUM, "code": "10*9/L"}}, (None, 1500, 1500)),
        ({"valueQuantity": {"value": 1.5, "unit": "10*9/L", "system": "urn:local", "code": "U7"}}, (None, 1500, 1500)),
    ],
    ids=["below", "at_least", "zero", "many_decimals", "unit_in_words", "ucum_before_words", "words_before_local_code"],
)
def test_a_value_becomes_bounds(hospital: Any, accepted: Rows, given: Resource, expected: tuple[Any, ...]) -> None:
    night = send(hospital, observation(value=None, **given))
    bounds = accepted(night, "comparator, lower_bound::DOUBLE, upper_bound::DOUBLE")
    assert bounds == [expected]


@pytest.mark.parametrize(
    "given",
    [
        {"valueCodeableConcept": {"text": "Not done"}},
        {"valueString": "see comment"},
        {"dataAbsentReason": concept("not-performed", "http://terminology.hl7.org/CodeSystem/data-absent-reason")},
    ],
    ids=["concept", "text", "absent"],
)
def test_a_test_without_a_result_is_no_result(hospital: Any, given: Resource) -> None:
    night = send(hospital, observation(), observation(value=None, **given))
    labs = [line for line in night.ledger if line.table_name == "canonical.lab"]
    assert [(line.n_accepted, line.n_irrelevant, line.n_quarantined) for line in labs] == [(1, 1, 0)]


def test_unknown_status_is_kept_and_what_was_an_error_is_not(hospital: Any, accepted: Rows, set_aside: Aside) -> None:
    statuses = ["unknown", "registered", "amended", "entered-in-error", "cancelled"]
    sent = [
        observation(status=status, effectiveDateTime=f"2020-03-0{day}") for day, status in enumerate(statuses, start=1)
    ]
    night = send(hospital, *sent)
    assert accepted(night, "status") == [("corrected",), ("preliminary",), ("unknown",)]
    assert set_aside(night) == {"result_withdrawn": 1, "status_refused": 1}


@pytest.mark.parametrize("is_later_first", [True, False], ids=["later_first", "in_order"])
def test_of_two_versions_the_one_issued_later_stays_whatever_its_offset(
    hospital: Any, accepted: Rows, *, is_later_first: bool
) -> None:
    earlier = observation(ANC, 9.0, issued="2020-03-01T10:00:00+01:00")
    later = observation(ANC, 1.0, issued="2020-03-01T09:30:00Z")
    night = send(hospital, *([later, earlier] if is_later_first else [earlier, later]))
    assert accepted(night, "value::INTEGER, version_at::VARCHAR") == [(1000, "2020-03-01 10:30:00")]


def test_the_parts_of_a_panel_are_results_of_their_own(hospital: Any, accepted: Rows) -> None:
    parts = [
        {"code": concept(WBC), "valueQuantity": quantity(4)},
        {"code": concept(PERCENT), "valueQuantity": quantity(50, "%")},
        {"code": concept(ANC), "dataAbsentReason": {"text": "clotted"}},
    ]
    night = send(hospital, observation("58410-2", None, component=parts), observation("777-3", 200))
    assert accepted(night, "analyte, value::INTEGER, row_number, column_number") == [
        ("neut_pct", 50, 1, 3),
        ("platelets", 200000, 2, 0),
        ("wbc", 4000, 1, 2),
    ]
    assert [(line.n_received, line.n_accepted) for line in night.ledger if line.n_received] == [(2, 2)]


def test_a_time_is_local_as_written_and_a_partial_date_is_none(hospital: Any, accepted: Rows, set_aside: Aside) -> None:
    times = ["2020-03-01T23:30:00-05:00", "2020-03-02T00:10:00.250+01:00", "2020-03-03T07:15:00Z", "2020-03-04"]
    sent = [observation(effectiveDateTime=time) for time in [*times, "2020", "2020-03", "yesterday"]]
    sent.append({**observation(), "effectivePeriod": {"start": "2020-03-05T10:00:00+01:00"}})
    del sent[-1]["effectiveDateTime"]
    night = send(hospital, *sent)
    assert accepted(night, "collected_at::VARCHAR, time_precision") == [
        ("2020-03-01 23:30:00", "minute"),
        ("2020-03-02 00:10:00", "minute"),
        ("2020-03-03 07:15:00", "minute"),
        ("2020-03-04 00:00:00", "day"),
        ("2020-03-05 10:00:00", "minute"),
    ]
    assert set_aside(night) == {"date_missing": 2, "date_invalid": 1}


def test_a_time_zone_in_the_source_map_puts_all_times_on_one_clock(hospital: Any, accepted: Rows) -> None:
    own = yaml.safe_load(SHIPPED.read_text())
    own |= {"id": "ours", "examples": [], "values": {**own["values"], "time_zone": ["America/New_York"]}}
    hospital.write("source.yaml", yaml.safe_dump(own))
    times = ["2020-07-02T02:00:00Z", "2020-07-01T21:30:00-04:00", "2020-07-03"]
    path = hospital.write("export.json", bundle(*(observation(effectiveDateTime=time) for time in times)))
    assert accepted(hospital.receive(path.parent), "collected_at::VARCHAR") == [
        ("2020-07-01 21:30:00",),
        ("2020-07-01 22:00:00",),
        ("2020-07-03 00:00:00",),
    ]


SPECIMEN = {
    "resourceType": "Specimen",
    "id": "s1",
    "type": concept("122575003", SNOMED, display="Urine"),
}


BLOOD = {**SPECIMEN, "id": "s2", "type": concept("119297000", SNOMED, display="Blood specimen")}


DRAWN = [
    observation(WBC, value, specimen={"reference": f"Specimen/{key}"}) for key, value in (("s1", 1.0), ("s2", 2.0))
]


@pytest.mark.parametrize("is_apart", [True, False], ids=["file_of_its_own", "same_file"])
def test_urine_is_never_blood(hospital: Any, accepted: Rows, *, is_apart: bool) -> None:
    if is_apart:
        hospital.write("Specimen.ndjson", lines(SPECIMEN, BLOOD))
    path = hospital.write("Observation.ndjson", lines(*DRAWN) if is_apart else lines(*DRAWN, SPECIMEN, BLOOD))
    night = hospital.receive(path.parent)
    assert accepted(night, "specimen_id, value::INTEGER") == [("Specimen/s2", 2000)]


def test_the_display_of_a_specimen_counts_only_if_it_is_a_word_for_one(hospital: Any, accepted: Rows) -> None:
    shown = ["Venous blood sample", "Tube 4711", "Urine specimen"]
    sent = [
        observation(specimen={"reference": f"Specimen/x{place}", "display": text}) for place, text in enumerate(shown)
    ]
    assert accepted(send(hospital, *sent), "specimen_id") == [("Specimen/x0",), ("Specimen/x1",)]


def test_day_only_white_cells_and_shares_of_one_day_are_one_specimen(hospital: Any, accepted: Rows) -> None:
    sent = [observation(code, value, effectiveDateTime="2012-04-05") for code, value in ((WBC, 4.0), (PERCENT, 50))]
    sent[1]["valueQuantity"] = quantity(50, "%")
    assert accepted(send(hospital, *sent), "count(*), count(DISTINCT specimen_id)") == [(2, 1)]


def test_results_that_a_report_contains_are_read_as_its_parts(hospital: Any, accepted: Rows, set_aside: Aside) -> None:
    inside = [
        {**observation(WBC, 4.0), "id": "r1"},
        {**observation(PERCENT, None, valueQuantity=quantity(50, "%")), "id": "r2"},
        {**observation(ANC, 0.1, status="entered-in-error"), "id": "r3"},
        {"resourceType": "Specimen", "id": "s1"},
    ]
    report = {**observation("58410-2", None), "resourceType": "DiagnosticReport", "contained": inside}
    report["result"] = [{"reference": f"#{part['id']}"} for part in inside]
    night = send(hospital, report, {**observation("58410-2", None), "resourceType": "DiagnosticReport"})
    assert accepted(night, "analyte, value::INTEGER, person_id") == [("neut_pct", 50, "p1"), ("wbc", 4000, "p1")]
    assert set_aside(night) == {"result_withdrawn": 1}
    assert [(line.table_name, line.n_received, line.n_accepted) for line in night.ledger] == [
        ("canonical.lab", 1, 1),
        ("unused", 1, 0),
    ]


def test_a_result_with_a_modifier_that_nadir_does_not_know_is_set_aside(
    hospital: Any, accepted: Rows, set_aside: Aside
) -> None:
    """FHIR: such an extension may turn what the resource says into its opposite, so it must not be read without it."""
    modified = observation(ANC, 0.1, modifierExtension=[{"url": "http://example.org/not", "valueBoolean": True}])
    night = send(hospital, observation(ANC, 3.0, effectiveDateTime="2020-03-02"), modified)
    assert accepted(night, "value::INTEGER") == [(3000,)]
    assert set_aside(night) == {"status_unknown": 1}
