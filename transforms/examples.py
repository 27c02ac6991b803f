"""Runs the examples of definitions through the functions that the pipeline uses.

All but those of receiving, source maps and laboratory codes, which need DuckDB: `flows/examples_of_receiving.py`.
"""

from collections.abc import Callable, Iterable, Mapping

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

__all__ = ["CHECKS", "Check", "ExampleResult"]

Check = Callable[[Definitions], Iterable[ExampleResult]]

CHECKS: Mapping[Check, tuple[str, ...]] = {
    check_counts: ("anc", "scales"),
    check_episodes: ("episodes", "chronic"),
    check_cycles: ("cycles",),
    check_person_days: ("person_days",),
    check_codelists: ("codelists", "exposures", "regimens"),
    check_patients: ("causes", "causality", "cohorts"),
    check_complications: ("complications",),
    check_estimates: ("denominators", "estimation", "survey", "disclosure"),
    check_standards: ("standards",),
    check_after_drugs: ("after_drugs",),
    check_mapping: ("mapping",),
    check_showing: ("showing",),
}
"""What runs the examples of which folders."""
