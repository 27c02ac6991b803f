"""Small tables a clinician can read, turned into the frames the transforms take."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from transforms.anc import choose_anc, list_candidates, measure_specimens
from transforms.definition_files import read_definition
from transforms.examples_of_counts import LAB, lab_row
from transforms.examples_of_episodes import Chart, count_row, day_at, find_charted
from transforms.load import SHIPPED
from transforms.model.anc import AncRoutes
from transforms.model.episodes import EpisodeRule
from transforms.model.scales import Scale


def read_table(text: str) -> list[dict[str, str]]:
    """Rows of an ASCII table: the first line names the columns, `|` parts cells, a dash or blank is no value."""
    lines = [line.strip().strip("|") for line in text.strip().splitlines() if not re.fullmatch(r"[\s|:+-]+", line)]
    names = [cell.strip() for cell in lines[0].split("|")]
    return [
        {name: "" if cell.strip() == "-" else cell.strip() for name, cell in zip(names, line.split("|"), strict=True)}
        for line in lines[1:]
    ]


@pytest.fixture(scope="session")
def routes() -> AncRoutes:
    return read_definition(SHIPPED / "anc" / "routes.yaml", AncRoutes)


@pytest.fixture(scope="session")
def clinical_scale() -> Scale:
    return read_definition(SHIPPED / "scales" / "clinical.yaml", Scale)


@pytest.fixture
def candidates_of(routes: AncRoutes) -> Any:
    def derive(rows: list[dict[str, Any]]) -> pl.DataFrame:
        return list_candidates(measure_specimens(pl.LazyFrame(rows, schema=LAB), routes)).collect()

    return derive


@pytest.fixture
def anc_of(routes: AncRoutes, clinical_scale: Scale) -> Any:
    """Lab rows to the chosen count of each specimen."""

    def choose(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        specimens = measure_specimens(pl.LazyFrame(rows, schema=LAB), routes)
        return choose_anc(specimens, routes, clinical_scale).collect().to_dicts()

    return choose


@pytest.fixture
def specimen() -> Any:
    """`anc_direct auto: 900` entries to the lab rows of one specimen."""

    def build(results: Mapping[str, object], **given: Any) -> list[dict[str, Any]]:
        return [lab_row(name, result) | given for name, result in results.items()]

    return build


@pytest.fixture(name="table")
def table_reader() -> Any:
    return read_table


@pytest.fixture
def day_0() -> datetime:
    return day_at(0)


@pytest.fixture
def episodes_of() -> Any:
    """Counts by day of one person to episodes."""

    def find(
        counts: Mapping[float, object] | list[dict[str, Any]], rule: EpisodeRule, *, doses: Sequence[float] = ()
    ) -> list[dict[str, Any]]:
        rows = counts if isinstance(counts, list) else [count_row(day, count) for day, count in counts.items()]
        return find_charted(Chart(rows, doses=[(0, day) for day in doses]), rule).to_dicts()

    return find


@pytest.fixture(name="anc")
def anc_builder() -> Any:
    """One count on a day, with what else is given of it."""
    return lambda day, count, **given: count_row(day, count) | given


@pytest.fixture(name="day_at")
def time_of_a_day() -> Any:
    """A day's number to its time."""
    return day_at
