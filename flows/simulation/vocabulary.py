"""The concepts of a simulated OMOP extract: standard ones from the code lists, and a site's own where those have none.

All that could be used is listed, whoever is simulated, so that the numbers do not depend on people or chunks.
"""

from dataclasses import dataclass

import polars as pl

from flows.simulation.parameters import Parameters
from flows.simulation.reporting import Test
from transforms.load import load_definitions

ICD = "ICD10CM"
SCHEMA = {
    "concept_id": pl.Int64,
    "concept_name": pl.String,
    "domain_id": pl.String,
    "vocabulary_id": pl.String,
    "concept_class_id": pl.String,
    "standard_concept": pl.String,
    "concept_code": pl.String,
}
Row = tuple[int | None, str, str, str, str, str | None, str]


@dataclass(frozen=True)
class Vocabulary:
    """Rows of CONCEPT, and what finds them: tests and diagnoses by code, units by spelling, drugs by ATC."""

    concepts: pl.DataFrame
    tests: pl.DataFrame  # test_code, concept, source_concept
    units: pl.DataFrame  # unit, unit_concept
    drugs: pl.DataFrame  # atc, drug_concept
    diagnoses: pl.DataFrame  # code, source_concept


def build_vocabulary(parameters: Parameters) -> Vocabulary:
    """Number everything that the parameters can write."""
    omop = parameters.omop
    units, drugs = _units(parameters), _drugs(parameters)
    titles = parameters.mimic_iv.icd_titles
    rows: list[Row] = [
        *((n, c.name, c.domain, c.vocabulary, c.concept_class, "S", c.code) for n, c in omop.concepts.items()),
        *_tests(parameters),
        *((number, code, "Unit", "UCUM", "Unit", "S", code) for number, code in units.values()),
        *((number, name, "Drug", "RxNorm", "Ingredient", "S", code) for number, code, name in drugs.values()),
        *((None, title, "Condition", ICD, "ICD10 code", None, code) for code, title in titles.items()),
    ]
    named = pl.DataFrame(rows, SCHEMA, orient="row")
    frame = named.unique(["vocabulary_id", "concept_code"], keep="first", maintain_order=True).sort(
        "vocabulary_id", "concept_code"
    )
    is_own = pl.col("concept_id").is_null()
    own = is_own.cast(pl.Int64).cum_sum() + omop.first_local_concept - 1
    standard = pl.col("concept_id").fill_null(0)
    number = pl.when(is_own).then(own).otherwise("concept_id")
    loinc, icd = pl.col("vocabulary_id") == "LOINC", pl.col("vocabulary_id") == ICD
    dates = {"valid_start_date": pl.lit(omop.valid_from), "valid_end_date": pl.lit(omop.valid_until)}
    return Vocabulary(
        concepts=frame.with_columns(concept_id=number, **dates).sort("concept_id"),
        tests=frame.with_columns(source_concept=number)
        .filter(loinc)
        .select("source_concept", test_code="concept_code", concept=standard),
        units=pl.DataFrame({"unit": list(units), "unit_concept": [number for number, _ in units.values()]}),
        drugs=pl.DataFrame({"atc": list(drugs), "drug_concept": [number for number, *_ in drugs.values()]}),
        diagnoses=frame.with_columns(source_concept=number).filter(icd).select("source_concept", code="concept_code"),
    )


def _tests(parameters: Parameters) -> list[Row]:
    listed = load_definitions().codes("labs").drop_nulls("omop_concept_id")
    numbers = dict(listed.select("loinc", pl.col("omop_concept_id").cast(pl.Int64)).iter_rows())
    numbers |= parameters.omop.test_concepts
    found: list[Row] = []
    for test in _written_tests(parameters):
        number = numbers.get(test.code)
        found.append((number, test.name, "Measurement", "LOINC", "Lab Test", "S" if number else None, test.code))
    return found


def _written_tests(parameters: Parameters) -> list[Test]:
    shared, vitamin = parameters.laboratories, parameters.causes.vitamin_b12
    tests = [shared.haemoglobin, shared.platelets, shared.lymphocytes, parameters.omop.temperature]
    tests.append(Test(code=shared.urine.code, name=shared.urine.name, unit=shared.urine.unit))
    tests.append(Test(code=vitamin.code, name=vitamin.name, unit=vitamin.unit))
    for site in shared.laboratories:
        tests += [test for test in (site.wbc, site.anc, site.neutrophils, site.segs, site.bands) if test is not None]
    return tests


def _units(parameters: Parameters) -> dict[str, tuple[int, str]]:
    """Concept and UCUM code of each spelling: the list's own number, else that of the same code, else omop.yaml's."""
    omop, listed = parameters.omop, load_definitions().codes("units")
    numbers, codes = dict(omop.unit_concepts), {omop.temperature.unit: omop.temperature.unit}
    for spelling, code, number in listed.select("source_unit", "ucum_code", "omop_unit_concept_id").iter_rows():
        codes.setdefault(spelling, code)
        if number is not None:
            numbers.setdefault(code, int(number))
            numbers.setdefault(spelling, int(number))
    written = {test.unit for test in _written_tests(parameters)} - {""} | {"%"}
    written |= {site.unit for site in parameters.laboratories.laboratories}
    found = {unit: numbers.get(unit, numbers[codes[unit]]) for unit in sorted(written)}
    return {unit: (number, omop.unit_codes.get(number, codes[unit])) for unit, number in found.items()}


def _drugs(parameters: Parameters) -> dict[str, tuple[int, str, str]]:
    """Concept, RxNorm code and name of the ingredient of each ATC code that has all three."""
    listed = load_definitions().codes("drugs").drop_nulls(["omop_concept_id", "rxnorm_ingredient"])
    found: dict[str, tuple[int, str, str]] = {}
    for row in listed.iter_rows(named=True):
        for code in f"{row['atc'] or ''}|{row['atc_previous'] or ''}".split("|"):
            found.setdefault(code, (int(row["omop_concept_id"]), row["rxnorm_ingredient"], row["generic_name"]))
    return {atc: found[atc] for atc in sorted(_written_atc(parameters)) if atc in found}


def _written_atc(parameters: Parameters) -> set[str]:
    regimens, causes = parameters.regimens, parameters.causes.causes.values()
    atc = {agent.atc for agent in regimens.agents.values()} | {drug.atc for drug in parameters.groups.null_drugs}
    atc |= {drug.atc for cause in causes for drug in cause.drugs}
    return atc | {regimens.filgrastim.atc, regimens.pegfilgrastim.atc}
