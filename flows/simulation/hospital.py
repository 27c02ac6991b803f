"""A simulated hospital: an extract in the format asked for, and beside it the truth that produced it.

People are simulated in chunks of a fixed size, each from its own random stream, and written before the next begins:
memory does not grow with people, and the same seed gives the same bytes. The truth comes from the very path of counts
that visits sample. All parameters stand in the YAML beside this file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import polars as pl

from flows.errors import WrongUse
from flows.simulation.fhir import FHIR_FILES, FhirLayout
from flows.simulation.lab_rows import specimen_frame
from flows.simulation.mimic_columns import HOSP_TABLES
from flows.simulation.mimic_iv import MimicLayout
from flows.simulation.omop import OmopLayout
from flows.simulation.omop_columns import OMOP_TABLES
from flows.simulation.parameters import Parameters, load_parameters
from flows.simulation.records import TABLES, Keys, canonical_tables, person_id
from flows.simulation.truth import TRUTH_COLUMNS, stamp, true_episodes
from flows.simulation.ward import Setting, Ward, run_ward
from flows.simulation.writing import ExtractWriter

Format = Literal["delimited", "parquet", "omop", "mimic_iv", "fhir", "fhir_bundles"]
VisitRegime = Literal["clinic", "symptoms", "fixed", "weekly", "daily"]


class Layout(Protocol):
    """Turns the tables of one chunk into those of another layout."""

    def rewrite(self, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """What is written, by the name of its file."""


@dataclass(frozen=True)
class SimulationRequest:
    """What to simulate and where to write it.

    `visits`: `clinic` reacts to observed counts, `symptoms` also to fever, `fixed` to nothing; `weekly` and `daily`
    count everyone. `start_on`: day 0, by default the one of hospital.yaml.
    """

    people: int
    days: int
    format: Format
    out: Path
    seed: int
    truth: Path | None = None
    is_noise_free: bool = False
    visits: VisitRegime = "clinic"
    start_on: date = field(default_factory=lambda: load_parameters().hospital.start_on)


@dataclass(frozen=True)
class SimulationSummary:
    """What was written, and in words what the layout has no place for, with what stands there instead."""

    n_people: int
    n_lab_rows: int
    files: tuple[Path, ...]
    left_out: Mapping[str, str]


def simulate_hospital(request: SimulationRequest) -> SimulationSummary:
    """Simulate `people` over `days` and write the extract into the folder `out` (and the truth, if asked for).

    Raises WrongUse for a request that cannot be simulated.
    """
    parameters = load_parameters()
    _check(request, parameters)
    request.out.mkdir(parents=True, exist_ok=True)
    paths = _paths(request)
    n_lab_rows = 0
    layout = _layout(request, parameters)
    with ExtractWriter(paths) as extract:
        for tables in _chunks(request, parameters):
            n_lab_rows += tables["labs"].height
            extract.append(tables if layout is None else layout.rewrite(tables))
    files = tuple(file for path in paths.values() for file in (sorted(path.iterdir()) if path.is_dir() else [path]))
    return SimulationSummary(request.people, n_lab_rows, files, parameters.layouts.explain(request.format))


def _check(request: SimulationRequest, parameters: Parameters) -> None:
    if request.people < 1 or request.days < 1 or request.seed < 0:
        raise WrongUse(
            "A hospital cannot be simulated from these numbers.",
            details=[f"people: {request.people}, days: {request.days}, seed: {request.seed}"],
            repair="People and days are at least 1, the seed is not negative.",
        )
    if request.visits not in parameters.visits.regimes:
        raise WrongUse("The visits asked for are not known.", details=sorted(parameters.visits.regimes))
    if request.truth is not None and request.truth.suffix not in {".csv", ".parquet"}:
        raise WrongUse("The truth is written as CSV or Parquet.", repair="Give a path that ends in .csv or .parquet.")


def _layout(request: SimulationRequest, parameters: Parameters) -> Layout | None:
    if request.format == "mimic_iv":
        return MimicLayout(parameters, request.start_on.year)
    if request.format == "omop":
        return OmopLayout(parameters, request.start_on + timedelta(days=request.days))
    if request.format in {"fhir", "fhir_bundles"}:
        return FhirLayout(parameters, in_bundles=request.format == "fhir_bundles")
    return None


def _paths(request: SimulationRequest) -> dict[str, Path]:
    names = _file_names(request.format)
    for name in names.values():
        (request.out / name).parent.mkdir(exist_ok=True)
    return {table: request.out / name for table, name in names.items()} | _truth_path(request)


def _file_names(form: Format) -> dict[str, str]:
    if form == "mimic_iv":
        return {name: f"hosp/{name}.csv.gz" for name in HOSP_TABLES}
    if form == "omop":
        return {name: f"{name}.csv" for name in OMOP_TABLES} | {"MEASUREMENT": "MEASUREMENT.csv.gz"}
    if form == "fhir":
        return dict(FHIR_FILES)
    if form == "fhir_bundles":
        return {"bundles": "bundles"}
    if form == "parquet":
        return {name: f"{name}.parquet" for name in TABLES}
    return {name: f"{name}.csv" for name in TABLES} | {"labs": "labs.csv.gz"}


def _truth_path(request: SimulationRequest) -> dict[str, Path]:
    if request.truth is None:
        return {}
    request.truth.parent.mkdir(parents=True, exist_ok=True)
    return {"truth": request.truth}


def _chunks(request: SimulationRequest, parameters: Parameters) -> Iterator[Mapping[str, pl.DataFrame]]:
    setting = Setting(parameters, request.days, request.visits, request.is_noise_free)
    hospital = parameters.hospital
    size = max(1, min(hospital.chunk_people, hospital.chunk_person_days[request.visits] // request.days))
    first_specimen = 0
    for chunk, first_person in enumerate(range(0, request.people, size)):
        rng = np.random.default_rng([request.seed, chunk])
        ward = run_ward(rng, min(size, request.people - first_person), setting)
        specimens = specimen_frame(ward)
        keys = Keys(first_person, first_specimen, request.start_on)
        tables = canonical_tables(ward, specimens, keys)
        if request.truth is not None:
            tables["truth"] = _truth(ward, specimens, keys)
        first_specimen += specimens.height
        yield tables


def _truth(ward: Ward, specimens: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    start = pl.lit(keys.start).dt.cast_time_unit("us")
    return (
        true_episodes(ward, specimens)
        .with_columns(
            person_id=person_id(keys),
            onset_at=stamp("onset_s", start),
            end_at=stamp("end_s", start),
            nadir_at=stamp("nadir_s", start),
        )
        .select(TRUTH_COLUMNS)
    )
