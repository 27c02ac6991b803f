"""The same hospital as FHIR R4: a bulk export in NDJSON, or transaction bundles of some people each.

Every version of a result is a resource of its own with its status; a bound is a comparator, a differential that was
not done has no value but a reason. Times carry the offset of the hospital's clock. Who was under observation when has
no resource, nor has the Duffy phenotype one that is agreed upon; both are left out.
"""

from collections.abc import Mapping

import polars as pl

from flows.simulation.parameters import Parameters
from flows.simulation.resources import concept, given, moment, quantity, record, reference, resource
from transforms.load import load_definitions

FHIR_FILES: Mapping[str, str] = {
    "Patient": "Patient.000.ndjson",
    "Encounter": "Encounter.000.ndjson.gz",
    "Specimen": "Specimen.000.ndjson.gz",
    "laboratory": "Observation.000.ndjson.gz",
    "vital-signs": "Observation.001.ndjson.gz",
    "Condition": "Condition.000.ndjson",
    "MedicationAdministration": "MedicationAdministration.000.ndjson",
    "MedicationRequest": "MedicationRequest.000.ndjson",
    "MedicationDispense": "MedicationDispense.000.ndjson",
    "MedicationStatement": "MedicationStatement.000.ndjson",
}
MEDICATIONS: Mapping[str, str] = {
    "MedicationAdministration": "administered",
    "MedicationRequest": "ordered",
    "MedicationDispense": "dispensed",
    "MedicationStatement": "reported",
}
BLOOD = "blood"
PERSON = pl.col("person_id")


class FhirLayout:
    """Rewrites canonical chunks as lines of JSON, counting resources on from chunk to chunk."""

    def __init__(self, parameters: Parameters, *, in_bundles: bool) -> None:
        self._fhir = parameters.fhir
        self._in_bundles = in_bundles
        definitions = load_definitions()
        self._units = definitions.codes("units").select(unit="source_unit", ucum="ucum_code").unique("unit")
        drugs = definitions.codes("drugs").drop_nulls(["atc", "rxnorm_ingredient"])
        self._drugs = drugs.select("atc", rxnorm="rxnorm_ingredient").unique("atc", keep="first", maintain_order=True)
        self._counters: dict[str, int] = {}

    def rewrite(self, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """The resources of one chunk by file, or the bundles of its people."""
        labs = tables["labs"].with_columns(sample=_sample())
        resources = {
            "Patient": self._patients(tables["persons"]),
            "Encounter": self._encounters(tables["encounters"]),
            "Specimen": self._specimens(labs),
            "laboratory": self._results(labs),
            "vital-signs": self._temperatures(tables["vitals"]),
            "Condition": self._conditions(tables["diagnoses"]),
            **{kind: self._medications(kind, tables["exposures"]) for kind in MEDICATIONS},
        }
        if self._in_bundles:
            written = {"bundles": self._bundles(pl.concat(resources.values()))}
        else:
            written = {name: frame.select("line") for name, frame in resources.items()}
        return written | ({"truth": tables["truth"]} if "truth" in tables else {})

    def _numbered(self, frame: pl.DataFrame, kind: str) -> pl.DataFrame:
        first = self._counters.get(kind, 0)
        self._counters[kind] = first + frame.height
        number = pl.int_range(first + 1, first + frame.height + 1, dtype=pl.Int64)
        return frame.with_columns(id=pl.format("{}-{}", pl.lit(kind.lower()), number))

    def _patients(self, persons: pl.DataFrame) -> pl.DataFrame:
        line = resource(
            "Patient",
            id=PERSON,
            gender=pl.col("sex"),
            birthDate=pl.col("birth_year").cast(pl.String),
            deceasedDateTime=pl.col("died_on").cast(pl.String),
        )
        return _lines(persons.with_columns(id=PERSON), "Patient", line)

    def _encounters(self, encounters: pl.DataFrame) -> pl.DataFrame:
        classes = pl.col("setting").replace_strict(self._fhir.encounter_classes)
        elements = {"class": record(system=self._fhir.systems["encounter_class"], code=classes)}
        line = resource(
            "Encounter",
            id=pl.col("id"),
            status="finished",
            **elements,
            subject=reference("Patient", PERSON),
            period=self._period(),
        )
        return _lines(self._numbered(encounters, "encounter"), "Encounter", line)

    def _specimens(self, labs: pl.DataFrame) -> pl.DataFrame:
        taken = labs.unique("sample", keep="first", maintain_order=True)
        kind = {word: parts["code"] for word, parts in self._fhir.specimens.items()}
        shown = {word: parts["display"] for word, parts in self._fhir.specimens.items()}
        fluid = pl.col("specimen")
        line = resource(
            "Specimen",
            id=pl.col("sample"),
            type=concept(self._fhir.systems["snomed"], fluid.replace_strict(kind), fluid.replace_strict(shown)),
            subject=reference("Patient", PERSON),
            collection=record(collectedDateTime=moment("collected_at", self._fhir.utc_offset)),
        )
        return _lines(taken.with_columns(id="sample"), "Specimen", line)

    def _results(self, labs: pl.DataFrame) -> pl.DataFrame:
        rows = labs.join(self._units, on="unit", how="left", maintain_order="left").with_columns(
            sign=pl.col("value").str.extract("^([<>]=?)"),
            number=pl.col("value").str.strip_chars_start("<>=").cast(pl.Float64, strict=False),
        )
        low = quantity(pl.col("reference_low"), pl.col("unit"), self._ucum())
        line = resource(
            "Observation",
            id=pl.col("id"),
            status=pl.col("status"),
            category=pl.concat_list(concept(self._fhir.systems["category"], "laboratory")),
            code=concept(self._fhir.systems["loinc"], pl.col("test_code"), pl.col("test_name")),
            subject=reference("Patient", PERSON),
            effectiveDateTime=moment("collected_at", self._fhir.utc_offset),
            issued=moment("resulted_at", self._fhir.utc_offset),
            valueQuantity=quantity(pl.col("number"), pl.col("unit"), self._ucum(), pl.col("sign")),
            dataAbsentReason=given(
                pl.col("number").is_null(), concept(self._fhir.systems["absent"], self._fhir.not_done)
            ),
            specimen=reference("Specimen", pl.col("sample")),
            referenceRange=given(pl.col("reference_low").is_not_null(), pl.concat_list(record(low=low))),
        )
        return _lines(self._numbered(rows, "lab"), "Observation", line)

    def _temperatures(self, vitals: pl.DataFrame) -> pl.DataFrame:
        test, unit = self._fhir.temperature, pl.lit(self._fhir.temperature.unit)
        line = resource(
            "Observation",
            id=pl.col("id"),
            status="final",
            category=pl.concat_list(concept(self._fhir.systems["category"], "vital-signs")),
            code=concept(self._fhir.systems["loinc"], test.code, test.name),
            subject=reference("Patient", PERSON),
            effectiveDateTime=moment("measured_at", self._fhir.utc_offset),
            valueQuantity=quantity(pl.col("celsius"), unit, (self._fhir.systems["ucum"], unit)),
            bodySite=record(text=pl.col("site")),
        )
        return _lines(self._numbered(vitals, "vital"), "Observation", line)

    def _conditions(self, diagnoses: pl.DataFrame) -> pl.DataFrame:
        line = resource(
            "Condition",
            id=pl.col("id"),
            clinicalStatus=concept(self._fhir.systems["clinical"], "active"),
            verificationStatus=concept(self._fhir.systems["verification"], "confirmed"),
            code=concept(self._fhir.systems["icd10cm"], pl.col("code")),
            subject=reference("Patient", PERSON),
            recordedDate=moment("recorded_at", self._fhir.utc_offset),
        )
        return _lines(self._numbered(diagnoses, "condition"), "Condition", line)

    def _medications(self, kind: str, exposures: pl.DataFrame) -> pl.DataFrame:
        """What was given, ordered, handed over or reported, each in its own resource."""
        mine = exposures.filter(pl.col("evidence") == MEDICATIONS[kind])
        rows = self._numbered(mine, kind).join(self._drugs, on="atc", how="left", maintain_order="left")
        systems = self._fhir.systems
        coded = given(pl.col("rxnorm").is_not_null(), record(system=systems["rxnorm"], code=pl.col("rxnorm")))
        codings = pl.concat_list(record(system=systems["atc"], code=pl.col("atc")), coded)
        common: dict[str, pl.Expr | str] = {
            "id": pl.col("id"),
            "status": "completed",
            "medicationCodeableConcept": record(coding=codings, text=pl.col("drug")),
            "subject": reference("Patient", PERSON),
        }
        return _lines(rows, kind, resource(kind, **common, **self._given(kind)))

    def _given(self, kind: str) -> dict[str, pl.Expr | str]:
        start, dose = (
            moment("started_at", self._fhir.utc_offset),
            record(value=pl.col("dose"), unit=pl.col("dose_unit")),
        )
        route = record(text=pl.col("route"))
        if kind == "MedicationAdministration":
            return {"effectivePeriod": self._period(), "dosage": record(route=route, dose=dose)}
        amount = pl.concat_list(record(doseQuantity=dose))
        if kind == "MedicationRequest":
            bounds = record(repeat=record(boundsPeriod=self._period()))
            taken = record(timing=bounds, route=route, doseAndRate=amount)
            return {"intent": "order", "authoredOn": start, "dosageInstruction": pl.concat_list(taken)}
        if kind == "MedicationStatement":
            return {
                "effectivePeriod": self._period(),
                "dosage": pl.concat_list(record(route=route, doseAndRate=amount)),
            }
        days = (pl.col("ended_at") - pl.col("started_at")).dt.total_days().clip(lower_bound=1)
        supply = quantity(days, pl.lit("days"), (self._fhir.systems["ucum"], pl.lit("d")))
        taken = record(route=route, doseAndRate=amount)
        return {"whenHandedOver": start, "daysSupply": supply, "dosageInstruction": pl.concat_list(taken)}

    def _bundles(self, resources: pl.DataFrame) -> pl.DataFrame:
        """Transactions of so many people each: their resources in the order of the files."""
        first = self._counters.get("bundle", 0)
        place = (pl.col("person_id").rank("dense").cast(pl.Int64) - 1) // self._fhir.people_per_bundle
        request = (pl.lit(',"request":{"method":"PUT","url":"'), "url", pl.lit('"}}'))
        entry = pl.concat_str(pl.lit('{"resource":'), "line", *request)
        opening = pl.lit('{"resourceType":"Bundle","type":"transaction","entry":[')
        text = pl.concat_str(opening, pl.col("entry").str.join(","), pl.lit("]}"))
        batches = resources.select(number=place + first + 1, entry=entry).group_by("number").agg(line=text)
        self._counters["bundle"] = first + batches.height
        name = pl.format("bundle-{}", pl.col("number").cast(pl.String).str.zfill(5))
        return batches.sort("number").select("line", name=name)

    def _period(self) -> pl.Expr:
        return record(start=moment("started_at", self._fhir.utc_offset), end=moment("ended_at", self._fhir.utc_offset))

    def _ucum(self) -> tuple[str, pl.Expr]:
        return self._fhir.systems["ucum"], pl.col("ucum")


def _sample() -> pl.Expr:
    """Blood of one draw is one specimen; its urine or serum is another."""
    other = pl.format("{}-{}", "specimen_id", "specimen")
    return pl.when(pl.col("specimen") == BLOOD).then("specimen_id").otherwise(other)


def _lines(rows: pl.DataFrame, kind: str, line: pl.Expr) -> pl.DataFrame:
    return rows.select("person_id", url=pl.format("{}/{}", pl.lit(kind), "id"), line=line)
