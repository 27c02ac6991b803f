"""Every rate, agent, code and spelling of the simulated hospital, read from the YAML beside this file.

An unknown or missing key is an error when the files are read, never a silent default.
"""

from functools import cache
from pathlib import Path

import yaml

from flows.simulation.layout_parts import Fhir, Layouts, Omop
from flows.simulation.part import Part
from flows.simulation.population import Groups, Hospital
from flows.simulation.reporting import Laboratories, Mimic, Visits
from flows.simulation.stay_parts import Stays
from flows.simulation.treatment import Causes, Regimens

HERE = Path(__file__).parent


class Parameters(Part):
    """All of it, one field a file."""

    hospital: Hospital
    groups: Groups
    regimens: Regimens
    causes: Causes
    visits: Visits
    stays: Stays
    laboratories: Laboratories
    layouts: Layouts
    mimic_iv: Mimic
    omop: Omop
    fhir: Fhir


@cache
def load_parameters() -> Parameters:
    """Read and check the shipped parameters, once a process."""
    return Parameters.model_validate({name: _read(name) for name in Parameters.model_fields})


def _read(name: str) -> object:
    return yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
