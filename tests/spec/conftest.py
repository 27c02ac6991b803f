"""Small tables a clinician can read, turned into the frames the transforms take."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from transforms.anc import choose_anc, derive_candidates
from transforms.load import SHIPPED, _read
from transforms.model.anc import AncRoutes
from transforms.model.scales import Scale

DAY_0 = datetime(2020, 1, 1, 8)
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
