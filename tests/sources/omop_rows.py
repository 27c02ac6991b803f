"""Rows of OMOP tables as a small hospital sends them."""

from pathlib import Path

HEADERS = {
    "PERSON": "person_id gender_concept_id year_of_birth month_of_birth day_of_birth birth_datetime race_concept_id "
    "ethnicity_concept_id person_source_value gender_source_value race_source_value ethnicity_source_value",
    "OBSERVATION_PERIOD": "observation_period_id person_id observation_period_start_date "
    "observation_period_end_date period_type_concept_id",
    "VISIT_OCCURRENCE": "visit_occurrence_id person_id visit_concept_id visit_start_date visit_start_datetime "
    "visit_end_date visit_end_datetime visit_type_concept_id admitted_from_concept_id",
    "MEASUREMENT": "measurement_id person_id measurement_concept_id measurement_date measurement_datetime "
    "measurement_time measurement_type_concept_id operator_concept_id value_as_number value_as_concept_id "
    "unit_concept_id range_low range_high measurement_source_value measurement_source_concept_id unit_source_value "
    "value_source_value",
    "DRUG_EXPOSURE": "drug_exposure_id person_id drug_concept_id drug_exposure_start_date "
    "drug_exposure_start_datetime drug_exposure_end_date drug_exposure_end_datetime drug_type_concept_id "
    "route_concept_id drug_source_value drug_source_concept_id route_source_value",
    "CONDITION_OCCURRENCE": "condition_occurrence_id person_id condition_concept_id condition_start_date "
    "condition_start_datetime condition_type_concept_id condition_source_value condition_source_concept_id",
    "DEATH": "person_id death_date death_datetime death_type_concept_id",
    "CONCEPT": "concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code",
}
MEASURED = {
    "person_id": "1",
    "measurement_concept_id": "3013650",
    "measurement_date": "2020-03-01",
    "measurement_datetime": "2020-03-01 08:30:00",
    "operator_concept_id": "0",
    "value_as_number": "1.2",
    "unit_concept_id": "8848",
    "measurement_source_value": "751-8",
    "unit_source_value": "10*3/uL",
}
GIVEN = {
    "person_id": "1",
    "drug_concept_id": "19073183",
    "drug_exposure_start_date": "2020-02-01",
    "drug_exposure_end_date": "2020-02-05",
    "drug_type_concept_id": "32818",
    "drug_source_value": "308182",
}
SUFFERED = {"person_id": "1", "condition_concept_id": "4250734", "condition_start_date": "2020-03-02"}
VOCABULARY = [
    {
        "concept_id": "19073183",
        "concept_name": "Amoxicillin 250 MG",
        "vocabulary_id": "RxNorm",
        "concept_code": "308182",
    },
    {"concept_id": "45582969", "concept_name": "x", "vocabulary_id": "ICD10CM", "concept_code": "D70.1"},
    {"concept_id": "4250734", "concept_name": "y", "vocabulary_id": "SNOMED", "concept_code": "165517008"},
    {"concept_id": "40762351", "concept_name": "z", "vocabulary_id": "LOINC", "concept_code": "26499-4"},
]
SHIPPED = Path(__file__).parents[2] / "transforms" / "definitions" / "source_maps" / "omop.yaml"
