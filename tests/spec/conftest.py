"""Small tables a clinician can read, turned into the frames the transforms take."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from transforms.anc import choose_anc, derive_candidates
from transforms.episodes import find_episodes
from transforms.load import SHIPPED, _read
from transforms.model.anc import AncRoutes
from transforms.model.episodes import EpisodeRule
from transforms.model.scales import Scale

DAY_0 = datetime.fromisoformat("2020-01-01T08:00")
LAB_SCHEMA = {
    "person_index": pl.UInt32,
    "specimen_id": pl.String,
    "collected_at": pl.Datetime("us"),
    "time_precision": pl.String,
    "analyte": pl.String,
    "method": pl.String,
    "value": pl.Decimal(18, 6),
    "lower_bound": pl.Decimal(18, 6),
    "upper_bound": pl.Decimal(18, 6),
    "comparator": pl.String,
    "unit": pl.String,
    "status": pl.String,
}


def read_table(text: str) -> list[dict[str, str]]:
    """Rows of an ASCII table: the first line names the columns, `|` parts cells, a dash or blank is no value."""
    lines = [line.strip().strip("|") for line in text.strip().splitlines() if not re.fullmatch(r"[\s|:+-]+", line)]
    names = [cell.strip() for cell in lines[0].split("|")]
    return [
        {name: "" if cell.strip() == "-" else cell.strip() for name, cell in zip(names, line.split("|"), strict=True)}
        for line in lines[1:]
    ]


def lab_row(analyte: str, result: object, **given: Any) -> dict[str, Any]:
    """One result of one specimen; `<100` and `>20` are limits."""
    comparator, number = re.fullmatch(r"(<=|>=|<|>)?\s*([0-9.]+)", str(result)).groups()  # type: ignore[union-attr]
    value = Decimal(number)
    row: dict[str, Any] = {
        "person_index": 0,
        "specimen_id": "s1",
        "collected_at": DAY_0,
        "time_precision": "minute",
        "analyte": analyte,
        "method": "auto",
        "value": None if comparator else value,
        "lower_bound": value if comparator in {None, ">", ">="} else Decimal(0),
        "upper_bound": value if comparator in {None, "<", "<="} else None,
        "comparator": comparator,
        "unit": "%" if analyte.endswith("_pct") else "1" if analyte.endswith("_fraction") else "cells/uL",
        "status": "final",
    }
    return row | given


@pytest.fixture(scope="session")
def routes() -> AncRoutes:
    return _read(SHIPPED / "anc" / "routes.yaml", AncRoutes)


@pytest.fixture(scope="session")
def clinical_scale() -> Scale:
    return _read(SHIPPED / "scales" / "clinical.yaml", Scale)


@pytest.fixture
def candidates_of(routes: AncRoutes) -> Any:
    def derive(rows: list[dict[str, Any]]) -> pl.DataFrame:
        return derive_candidates(pl.DataFrame(rows, schema=LAB_SCHEMA).lazy(), routes).collect()

    return derive


@pytest.fixture
def anc_of(routes: AncRoutes, clinical_scale: Scale, candidates_of: Any) -> Any:
    """Lab rows to the chosen count of each specimen."""

    def choose(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return choose_anc(candidates_of(rows).lazy(), routes, clinical_scale).collect().to_dicts()

    return choose


@pytest.fixture
def specimen() -> Any:
    """`anc_direct auto: 900` entries to the lab rows of one specimen."""

    def build(results: Mapping[str, object], **given: Any) -> list[dict[str, Any]]:
        rows = []
        for name, result in results.items():
            analyte, _, method = name.partition(" ")
            rows.append(lab_row(analyte, result, method=method or "auto", **given))
        return rows

    return build


@pytest.fixture(name="table")
def table_reader() -> Any:
    return read_table


def at_day(day: float) -> datetime:
    return DAY_0 + timedelta(days=day)


ANC_SCHEMA = {
    "person_index": pl.UInt32,
    "specimen_id": pl.String,
    "collected_at": pl.Datetime("us"),
    "time_precision": pl.String,
    "anc_cells_per_ul": pl.Int64,
    "lower_cells_per_ul": pl.Int64,
    "upper_cells_per_ul": pl.Int64,
}


def anc_row(day: float, count: object, **given: Any) -> dict[str, Any]:
    """One count on a day: `900`, or bounds as `0-100` (`2000-` has no upper one)."""
    least, dash, most = str(count).partition("-")
    lower = int(least)
    upper = (int(most) if most else None) if dash else lower
    row = {
        "person_index": 0,
        "specimen_id": "s",
        "collected_at": at_day(day),
        "time_precision": "minute",
        "anc_cells_per_ul": lower if lower == upper else None,
        "lower_cells_per_ul": lower,
        "upper_cells_per_ul": upper,
    }
    return row | given


@pytest.fixture
def day_0() -> datetime:
    return DAY_0


@pytest.fixture
def episodes_of() -> Any:
    """Counts by day of one person to episodes."""

    def find(
        counts: Mapping[float, object] | list[dict[str, Any]],
        rule: EpisodeRule,
        *,
        doses: Sequence[float] = (),
        gcsf: Sequence[float] = (),
        died: float | None = None,
    ) -> list[dict[str, Any]]:
        rows = counts if isinstance(counts, list) else [anc_row(day, count) for day, count in counts.items()]
        dead = [] if died is None else [{"person_index": 0, "died_on": at_day(died).date()}]
        given = [
            pl.DataFrame(
                [{"person_index": 0, "given_at": at_day(day)} for day in days],
                schema={"person_index": pl.UInt32, "given_at": pl.Datetime("us")},
            ).lazy()
            for days in (doses, gcsf)
        ]
        deaths = pl.DataFrame(dead, schema={"person_index": pl.UInt32, "died_on": pl.Date}).lazy()
        anc = pl.DataFrame(rows, schema=ANC_SCHEMA).lazy()
        return find_episodes(anc, [rule], deaths, *given).collect().to_dicts()

    return find


@pytest.fixture(name="anc")
def anc_builder() -> Any:
    """`anc_row` as a fixture."""
    return anc_row


@pytest.fixture
def day_at() -> Any:
    """A day's number to its time."""
    return at_day
