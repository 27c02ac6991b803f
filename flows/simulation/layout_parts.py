"""Parameters of the layouts: what each can carry, and the words and numbers that OMOP and FHIR need."""

from collections.abc import Mapping
from datetime import date

from flows.simulation.part import Part
from flows.simulation.reporting import Test


class LayoutRule(Part):
    """What one layout writes, and what it has no place for, with what is done instead."""

    title: str
    leaves_out: Mapping[str, str]


class Layouts(Part):
    """layouts.yaml."""

    title: str
    source: str
    features: Mapping[str, str]
    layouts: Mapping[str, LayoutRule]

    def left_out(self, layout: str) -> Mapping[str, str]:
        """Features that `layout` has no place for, and what is written instead."""
        return self.layouts[layout].leaves_out

    def explain(self, layout: str) -> Mapping[str, str]:
        """The same in words."""
        return {self.features[name]: instead for name, instead in self.left_out(layout).items()}


class StandardConcept(Part):
    """A concept that is neither test, drug nor unit."""

    name: str
    domain: str
    vocabulary: str
    concept_class: str
    code: str


class Omop(Part):
    """omop.yaml: concept numbers."""

    title: str
    source: str
    cdm_version: str
    cdm_version_concept: int
    vocabulary_version: str
    first_local_concept: int
    genders: Mapping[str, int]
    visits: Mapping[str, int]
    operators: Mapping[str, int]
    drug_types: Mapping[str, int]
    record_type: int
    test_concepts: Mapping[str, int]
    unit_concepts: Mapping[str, int]
    unit_codes: Mapping[int, str]
    temperature: Test
    concepts: Mapping[int, StandardConcept]
    valid_from: date
    valid_until: date


class Fhir(Part):
    """fhir.yaml: code systems and words."""

    title: str
    source: str
    utc_offset: str
    people_per_bundle: int
    systems: Mapping[str, str]
    encounter_classes: Mapping[str, str]
    specimens: Mapping[str, Mapping[str, str]]
    not_done: str
    temperature: Test
