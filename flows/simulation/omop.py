"""The same hospital as tables of the OMOP common data model 5.4, as a load would have filled them.

Results are in the unit they were measured in, a bound is an operator and a number, and a repeated row gets a number of
its own. The model has no result status, so only the result that stands is written; diagnoses keep their ICD-10-CM code
as source concept and are not mapped to SNOMED; a test or drug whose standard concept is not known has concept 0.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl

from flows.simulation.omop_columns import OMOP_COLUMNS
from flows.simulation.parameters import Parameters
from flows.simulation.standing import standing_results
from flows.simulation.vocabulary import build_vocabulary

NO_CONCEPT = pl.lit(0)


class OmopLayout:
    """Rewrites canonical chunks, counting row numbers on from chunk to chunk."""

    def __init__(self, parameters: Parameters, extracted_on: date) -> None:
        self._omop = parameters.omop
        self._extracted_on = extracted_on
        self._vocabulary = build_vocabulary(parameters)
        self._counters: dict[str, int] = {}
        self._has_dictionaries = False

    def rewrite(self, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """The tables of one chunk; the concepts come with the first."""
        written = {
            "PERSON": self._persons(tables["persons"]),
            "OBSERVATION_PERIOD": self._periods(tables["observations"]),
            "VISIT_OCCURRENCE": self._visits(tables["encounters"]),
            "MEASUREMENT": self._measurements(tables),
            "DRUG_EXPOSURE": self._drugs(tables["exposures"]),
            "CONDITION_OCCURRENCE": self._conditions(tables["diagnoses"]),
            "DEATH": self._deaths(tables["persons"]),
        }
        if not self._has_dictionaries:
            written |= {"CDM_SOURCE": self._source(), "CONCEPT": self._vocabulary.concepts}
            self._has_dictionaries = True
        written = {name: _in_order(name, frame) for name, frame in written.items()}
        if "truth" in tables:
            written["truth"] = tables["truth"].with_columns(person_id=_person().cast(pl.String))
        return written

    def _numbered(self, frame: pl.DataFrame, column: str) -> pl.DataFrame:
        first = self._counters.get(column, 0)
        self._counters[column] = first + frame.height
        return frame.with_columns(pl.int_range(first + 1, first + frame.height + 1, eager=True).alias(column))

    def _persons(self, persons: pl.DataFrame) -> pl.DataFrame:
        zeros = ("race", "ethnicity", "gender_source", "race_source", "ethnicity_source")
        return persons.select(
            person_id=_person(),
            gender_concept_id=pl.col("sex").replace_strict(self._omop.genders, return_dtype=pl.Int64),
            year_of_birth="birth_year",
            gender_source_value="sex",
            **{f"{name}_concept_id": NO_CONCEPT for name in zeros},
        )

    def _periods(self, observations: pl.DataFrame) -> pl.DataFrame:
        rows = observations.select(
            person_id=_person(),
            observation_period_start_date="started_on",
            observation_period_end_date="ended_on",
            period_type_concept_id=self._record_type(),
        )
        return self._numbered(rows, "observation_period_id")

    def _visits(self, encounters: pl.DataFrame) -> pl.DataFrame:
        rows = encounters.select(
            person_id=_person(),
            visit_concept_id=pl.col("setting").replace_strict(self._omop.visits, return_dtype=pl.Int64),
            **_moments("visit_start", pl.col("started_at")),
            **_moments("visit_end", pl.col("ended_at")),
            visit_type_concept_id=self._record_type(),
            visit_source_value="setting",
            visit_source_concept_id=NO_CONCEPT,
        )
        return self._numbered(rows, "visit_occurrence_id")

    def _measurements(self, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        temperature = self._omop.temperature
        labs = standing_results(tables["labs"]).select(
            "person_id", "test_code", "value", "unit", at="collected_at", low="reference_low"
        )
        vitals = tables["vitals"].select(
            "person_id",
            test_code=pl.lit(temperature.code),
            value=pl.col("celsius").cast(pl.String),
            unit=pl.lit(temperature.unit),
            at="measured_at",
            low=pl.lit(None, dtype=pl.Float64),
        )
        rows = pl.concat([labs, vitals])
        rows = rows.join(self._vocabulary.tests, on="test_code", how="left", maintain_order="left")
        rows = rows.join(self._vocabulary.units, on="unit", how="left", maintain_order="left")
        sign = pl.col("value").str.extract("^([<>]=?)").fill_null("=")
        number = pl.col("value").str.strip_chars_start("<>=").cast(pl.Float64, strict=False)
        operator = sign.replace_strict(self._omop.operators, return_dtype=pl.Int64)
        measured = rows.select(
            person_id=_person(),
            measurement_concept_id="concept",
            **_moments("measurement", pl.col("at")),
            measurement_time=pl.col("at").dt.strftime("%H:%M:%S"),
            measurement_type_concept_id=self._record_type(),
            operator_concept_id=pl.when(number.is_not_null()).then(operator).otherwise(NO_CONCEPT),
            value_as_number=number,
            value_as_concept_id=NO_CONCEPT,
            unit_concept_id=pl.col("unit_concept").fill_null(0),
            range_low="low",
            measurement_source_value="test_code",
            measurement_source_concept_id="source_concept",
            unit_source_value="unit",
            value_source_value="value",
        )
        return self._numbered(measured, "measurement_id")

    def _drugs(self, exposures: pl.DataFrame) -> pl.DataFrame:
        rows = exposures.join(self._vocabulary.drugs, on="atc", how="left", maintain_order="left").select(
            person_id=_person(),
            drug_concept_id=pl.col("drug_concept").fill_null(0),
            **_moments("drug_exposure_start", pl.col("started_at")),
            **_moments("drug_exposure_end", pl.col("ended_at")),
            drug_type_concept_id=pl.col("evidence").replace_strict(self._omop.drug_types, return_dtype=pl.Int64),
            quantity="dose",
            route_concept_id=NO_CONCEPT,
            drug_source_value="drug",
            drug_source_concept_id=NO_CONCEPT,
            route_source_value="route",
            dose_unit_source_value="dose_unit",
        )
        return self._numbered(rows, "drug_exposure_id")

    def _conditions(self, diagnoses: pl.DataFrame) -> pl.DataFrame:
        rows = diagnoses.join(self._vocabulary.diagnoses, on="code", how="left", maintain_order="left").select(
            person_id=_person(),
            condition_concept_id=NO_CONCEPT,
            **_moments("condition_start", pl.col("recorded_at")),
            condition_type_concept_id=self._record_type(),
            condition_status_concept_id=NO_CONCEPT,
            condition_source_value="code",
            condition_source_concept_id="source_concept",
        )
        return self._numbered(rows, "condition_occurrence_id")

    def _deaths(self, persons: pl.DataFrame) -> pl.DataFrame:
        return persons.drop_nulls("died_on").select(
            person_id=_person(),
            **_moments("death", pl.col("died_on").cast(pl.Datetime("us"))),
            death_type_concept_id=self._record_type(),
            cause_concept_id=NO_CONCEPT,
            cause_source_concept_id=NO_CONCEPT,
        )

    def _source(self) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "cdm_source_name": ["Simulated hospital"],
                "cdm_source_abbreviation": ["SIM"],
                "source_release_date": [self._extracted_on],
                "cdm_release_date": [self._extracted_on],
                "cdm_version": [self._omop.cdm_version],
                "cdm_version_concept_id": [self._omop.cdm_version_concept],
                "vocabulary_version": [self._omop.vocabulary_version],
            }
        )

    def _record_type(self) -> pl.Expr:
        return pl.lit(self._omop.record_type)


def _person() -> pl.Expr:
    """The model's whole-number key of a person; person_source_value, where record numbers stand, is left empty."""
    return pl.col("person_id").str.strip_prefix("P").cast(pl.Int64)


def _moments(name: str, at: pl.Expr) -> dict[str, pl.Expr]:
    return {f"{name}_date": at.dt.date(), f"{name}_datetime": at}


def _in_order(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """All columns of the model; what the hospital does not know is empty."""
    blank = pl.lit(None, dtype=pl.String)
    return frame.select(pl.col(name) if name in frame.columns else blank.alias(name) for name in OMOP_COLUMNS[table])
