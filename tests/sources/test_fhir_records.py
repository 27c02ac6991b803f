"""People, stays, drugs, diagnoses and temperatures of FHIR, R4 and STU3."""

from typing import Any

import pytest

from tests.sources.fhir_resources import (
    SNOMED,
    UCUM,
    Aside,
    Resource,
    Rows,
    bundle,
    concept,
    lines,
    observation,
    patient,
    quantity,
    send,
)

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
TEMPERATURE = "8310-5"


def drug(kind: str, **more: Any) -> Resource:
    return {
        "resourceType": kind,
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": concept("3639", RXNORM, display="Doxorubicin"),
        **more,
    }


def test_a_stay_over_the_night_that_clocks_go_back_does_not_end_before_it_starts(hospital: Any, accepted: Rows) -> None:
    period = {"start": "2020-11-01T01:50:00-04:00", "end": "2020-11-01T01:20:00-05:00"}
    stay = {"resourceType": "Encounter", "status": "finished", "subject": {"reference": "Patient/p1"}, "period": period}
    night = send(hospital, {**stay, "class": {"code": "IMP"}})
    columns = "setting, started_at::VARCHAR, ended_at::VARCHAR"
    assert accepted(night, columns, "canonical.encounter") == [
        ("inpatient", "2020-11-01 01:50:00", "2020-11-01 02:20:00")
    ]


def test_the_class_of_a_stay_is_read_in_every_version(hospital: Any, accepted: Rows) -> None:
    classes = [{"code": "EMER"}, "ambulatory", [{"coding": [{"code": "IMP"}]}], {"code": "HH"}]
    stays = [
        {
            "resourceType": "Encounter",
            "status": "finished",
            "subject": {"reference": "Patient/p1"},
            "class": given,
            "period": {"start": f"2020-03-0{day}"},
        }
        for day, given in enumerate(classes, start=1)
    ]
    night = send(hospital, *stays, {**stays[0], "status": "cancelled", "period": {"start": "2020-04-01"}})
    settings = [("emergency",), ("outpatient",), ("inpatient",), ("other",)]
    assert accepted(night, "setting", "canonical.encounter") == sorted(settings)


DRUGS = {
    "administered": drug("MedicationAdministration", effectiveDateTime="2020-03-01T10:00:00+01:00"),
    "dispensed": drug("MedicationDispense", whenHandedOver="2020-03-02"),
    "ordered": drug("MedicationRequest", intent="order", authoredOn="2020-03-03"),
    "reported": drug("MedicationStatement", effectivePeriod={"start": "2020-03-04", "end": "2020-03-06"}),
}


def test_the_type_of_a_resource_says_what_it_proves_of_a_drug(hospital: Any, accepted: Rows) -> None:
    night = send(hospital, *DRUGS.values())
    assert accepted(night, "evidence, agent, rxnorm, started_at::DATE::VARCHAR", "canonical.exposure") == [
        (evidence, "doxorubicin", "3639", f"2020-03-0{day}") for day, evidence in enumerate(DRUGS, start=1)
    ]


@pytest.mark.parametrize(
    "given",
    [
        drug("MedicationAdministration", status="not-done", effectiveDateTime="2020-03-01"),
        drug("MedicationAdministration", notGiven=True, effectiveDateTime="2020-03-01"),
        drug("MedicationStatement", taken="n", effectiveDateTime="2020-03-01"),
        drug("MedicationStatement", status="not-taken", effectiveDateTime="2020-03-01"),
        drug("MedicationDispense", notDone=True, whenHandedOver="2020-03-01"),
        drug("MedicationRequest", doNotPerform=True, authoredOn="2020-03-01"),
        drug("MedicationRequest", intent="proposal", authoredOn="2020-03-01"),
        drug("MedicationRequest", status="entered-in-error", authoredOn="2020-03-01"),
    ],
    ids=["not_done", "not_given", "not_taken_in_stu3", "not_taken", "not_dispensed", "forbidden", "proposal", "error"],
)
def test_a_drug_that_was_not_given_is_no_exposure(hospital: Any, given: Resource) -> None:
    night = send(hospital, given)
    assert [(line.table_name, line.n_irrelevant, line.n_accepted) for line in night.ledger if line.n_received] == [
        ("canonical.exposure", 1, 0)
    ]


MEDICATION = {"resourceType": "Medication", "id": "m1", "code": concept("L01DB01", ATC, display="Doxorubicin")}


@pytest.mark.parametrize("place", ["contained", "entry", "same_file", "file_of_its_own"])
def test_a_drug_is_found_wherever_it_is_described(hospital: Any, accepted: Rows, place: str) -> None:
    reference = {"contained": "#m1", "entry": "urn:uuid:77"}.get(place, "Medication/m1")
    order = drug("MedicationRequest", medicationReference={"reference": reference}, authoredOn="2020-03-01")
    del order["medicationCodeableConcept"]
    if place == "contained":
        hospital.write("orders.json", bundle({**order, "contained": [MEDICATION]}))
    elif place == "file_of_its_own":
        hospital.write("Medication.ndjson", lines(MEDICATION))
        hospital.write("MedicationRequest.ndjson", lines(order))
    else:
        hospital.write("orders.json", bundle(order, MEDICATION, urls={1: "urn:uuid:77"}))
    night = hospital.receive(hospital.folder / "extract")
    assert accepted(night, "agent, atc", "canonical.exposure") == [("doxorubicin", "L01DB01")]


def test_dose_and_route_are_read_in_both_versions(hospital: Any, accepted: Rows) -> None:
    amount = {"value": 60, "unit": "mg", "system": UCUM, "code": "mg"}
    r4 = drug(
        "MedicationRequest", authoredOn="2020-03-01", dosageInstruction=[{"doseAndRate": [{"doseQuantity": amount}]}]
    )
    bounds = {"repeat": {"boundsPeriod": {"start": "2020-03-02", "end": "2020-03-09"}}}
    stu3 = drug("MedicationRequest", dosageInstruction=[{"doseQuantity": amount, "timing": bounds}])
    given = drug(
        "MedicationAdministration",
        effectiveDateTime="2020-03-03",
        dosage={"dose": amount, "route": {"text": "Intravenous"}},
    )
    night = send(hospital, r4, stu3, given)
    columns = "started_at::DATE::VARCHAR, ended_at::DATE::VARCHAR, dose, dose_unit, route"
    assert accepted(night, columns, "canonical.exposure") == [
        ("2020-03-01", None, 60.0, "mg", None),
        ("2020-03-02", "2020-03-09", 60.0, "mg", None),
        ("2020-03-03", "2020-03-03", 60.0, "mg", "Intravenous"),
    ]


SID = "http://hl7.org/fhir/sid"


def condition(*codings: tuple[str, str], **more: Any) -> Resource:
    coded = {"coding": [{"system": system, "code": code} for system, code in codings]}
    return {"resourceType": "Condition", "subject": {"reference": "Patient/p1"}, "code": coded, **more}


def test_a_diagnosis_is_its_icd_code_when_it_was_recorded(hospital: Any, accepted: Rows, set_aside: Aside) -> None:
    snomed = (SNOMED, "165517008")
    status = concept("refuted", "http://terminology.hl7.org/CodeSystem/condition-ver-status")
    night = send(
        hospital,
        condition(
            snomed, ("http://hl7.org/fhir/sid/icd-10-cm", "D70.1"), recordedDate="2020-03-01", onsetDateTime="2011"
        ),
        condition(("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "D70.0"), assertedDate="2020-03-02"),
        condition((f"{SID}/icd-9-cm", "288.0"), onsetDateTime="2020-03-03"),
        condition(snomed, onsetDateTime="2020-03-04", clinicalStatus="resolved"),
        condition(snomed, onsetDateTime="2011"),
        condition(snomed, onsetDateTime="2020-03-05", verificationStatus=status),
        condition(snomed, onsetDateTime="2020-03-06", verificationStatus="entered-in-error"),
    )
    assert accepted(night, "recorded_at::DATE::VARCHAR, code, code_system", "canonical.diagnosis") == [
        ("2020-03-01", "D701", "icd10cm"),
        ("2020-03-02", "D700", "icd10gm"),
        ("2020-03-03", "2880", "icd9cm"),
        ("2020-03-04", "165517008", "other"),
    ]
    assert set_aside(night) == {"date_missing": 1}


def test_temperatures_are_celsius_whatever_they_were_measured_in(
    hospital: Any, accepted: Rows, set_aside: Aside
) -> None:
    sent = [
        observation(TEMPERATURE, valueQuantity=quantity(38.5, "Cel")),
        observation("8331-1", valueQuantity=quantity(101.3, "[degF]"), effectiveDateTime="2020-03-02"),
        observation(TEMPERATURE, valueQuantity=quantity(310, "K"), effectiveDateTime="2020-03-03"),
        observation(TEMPERATURE, valueQuantity=quantity(40, "Cel"), status="entered-in-error"),
    ]
    night = send(hospital, *sent)
    assert accepted(night, "celsius::VARCHAR, site", "canonical.vital") == [("38.50", "oral"), ("38.50", "unknown")]
    assert set_aside(night) == {"value_not_a_number": 1}


def test_a_year_of_birth_is_all_that_is_read_of_a_birthday_and_a_partial_death_is_no_date(
    hospital: Any, accepted: Rows
) -> None:
    night = send(
        hospital,
        patient("a", deceasedDateTime="2020-06-01T10:00:00Z", birthDate="1950"),
        patient("b", deceasedDateTime="2020", gender="unknown"),
        patient("c", deceasedBoolean=True),
    )
    assert accepted(night, "person_id, sex, birth_year, died_on::VARCHAR", "canonical.person") == [
        ("a", "female", 1950, "2020-06-01"),
        ("b", None, 1960, None),
        ("c", "female", 1960, None),
    ]
