"""A simulated hospital: an extract in the format asked for, and beside it the truth that produced it.

People are simulated in chunks of a fixed size, each from its own random stream, and written before the next begins:
memory does not grow with people, and the same seed gives the same bytes. The truth comes from the very path of counts
that visits sample. All parameters stand in the YAML beside this file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from flows.errors import WrongUse
from flows.simulation.lab_rows import specimen_frame
from flows.simulation.mimic_columns import HOSP_TABLES
from flows.simulation.mimic_iv import MimicLayout
from flows.simulation.parameters import Parameters, load_parameters
from flows.simulation.records import TABLES, Keys, canonical_tables, person_id
from flows.simulation.truth import TRUTH_COLUMNS, stamp, true_episodes
from flows.simulation.ward import Setting, Ward, run_ward
from flows.simulation.writing import ExtractWriter

Format = Literal["delimited", "parquet", "mimic_iv"]
VisitRegime = Literal["clinic", "symptoms", "fixed", "weekly", "daily"]


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
    """What was written."""

    n_people: int
    n_lab_rows: int
    files: tuple[Path, ...]


def simulate_hospital(request: SimulationRequest) -> SimulationSummary:
    """Simulate `people` over `days` and write the extract into the folder `out` (and the truth, if asked for).

    Raises WrongUse for a request that cannot be simulated.
    """
    parameters = load_parameters()
    _check(request, parameters)
    request.out.mkdir(parents=True, exist_ok=True)
    paths = _paths(request)
    n_lab_rows = 0
    layout = MimicLayout(parameters, request.start_on.year) if request.format == "mimic_iv" else None
    with ExtractWriter(paths) as extract:
        for tables in _chunks(request, parameters):
            n_lab_rows += tables["labs"].height
            extract.append(tables if layout is None else layout.rewrite(tables))
    return SimulationSummary(request.people, n_lab_rows, tuple(paths.values()))


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


def _paths(request: SimulationRequest) -> dict[str, Path]:
    if request.format == "mimic_iv":
        (request.out / "hosp").mkdir(exist_ok=True)
        paths = {name: request.out / "hosp" / f"{name}.csv.gz" for name in HOSP_TABLES}
        return paths | _truth_path(request)
    suffix = dict.fromkeys(TABLES, ".parquet" if request.format == "parquet" else ".csv")
    if request.format == "delimited":
        suffix["labs"] = ".csv.gz"
    return {name: request.out / f"{name}{suffix[name]}" for name in TABLES} | _truth_path(request)


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
