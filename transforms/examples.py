"""Runs the examples of definitions through the functions that the pipeline uses.

All but those of receiving, source maps and laboratory codes, which need DuckDB: `flows/examples_of_receiving.py`.
"""

from transforms.example_results import ExampleResult
from transforms.examples_of_codelists import check_codelists
from transforms.examples_of_complications import check_complications
from transforms.examples_of_counts import check_counts
from transforms.examples_of_cycles import check_cycles
from transforms.examples_of_drugs import check_after_drugs
from transforms.examples_of_episodes import check_episodes
from transforms.examples_of_estimates import check_estimates
from transforms.examples_of_mapping import check_mapping
from transforms.examples_of_patients import check_patients
from transforms.examples_of_person_days import check_person_days
from transforms.examples_of_showing import check_showing
from transforms.examples_of_standards import check_standards
from transforms.load import Definitions

__all__ = ["ExampleResult", "check_examples"]


def check_examples(definitions: Definitions) -> list[ExampleResult]:
    """Every example that needs no file, in a fixed order; DefinitionError when one is not written as it should be."""
    return [
        *check_counts(definitions),
        *check_episodes(definitions),
        *check_cycles(definitions),
        *check_person_days(definitions),
        *check_codelists(definitions),
        *check_patients(definitions),
        *check_complications(definitions),
        *check_estimates(definitions),
        *check_standards(definitions),
        *check_after_drugs(definitions),
        *check_mapping(definitions),
        *check_showing(definitions),
    ]
