"""A small good night as canonical Parquet, checked by the warm checking process that all tests share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.checker import Worker
from flows.handover import DatePolicy, LedgerLine, Received, RunContext, Validated
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.validate import validate
from flows.workspace import Workspace
from transforms.load import load_definitions
from transforms.schemas import schema_of

INPUT = "input-1"
shipped_definitions = cache(load_definitions)
Row = dict[str, Any]


def lab(number: int, analyte: str, value: str | None, **changes: Any) -> Row:
    """One blood result of person p1, specimen s1, unless `changes` says otherwise."""
    unit = "%" if analyte.endswith("_pct") else "g/dL" if analyte == "hgb" else "cells/uL"
    row = {
        "person_id": "p1",
        "source_id": "site",
        "specimen_id": "s1",
        "specimen_type": "blood",
        "collected_at": "2024-03-01 08:00:00",
        "time_precision": "minute",
        "analyte": analyte,
        "method": "auto",
        "value": value,
        "lower_bound": value or "0",
        "upper_bound": value,
        "unit": unit,
        "status": "final",
        "version_at": "2024-03-01 09:00:00",
        "record_key": 1000 + number,
        "source_code": analyte,
        "input_id": INPUT,
        "row_number": number,
        "column_number": 0,
    }
    return {**row, **changes}


def good_night() -> dict[str, list[Row]]:
    """Two people, one whole differential each, one row in every other table."""
    here = {"source_id": "site", "input_id": INPUT}
    panel = {"wbc": "5000", "anc_direct": "3000", "neut_pct": "60", "lymph_pct": "30", "mono_pct": "7", "eos_pct": "3"}
    labs = [lab(n, analyte, value) for n, (analyte, value) in enumerate(panel.items(), 1)]
    labs += [
        lab(n, analyte, value, person_id="p2", specimen_id="s2")
        for n, (analyte, value) in enumerate(panel.items(), len(panel) + 1)
    ]
    labs += [lab(20, "platelets", "150000"), lab(21, "hgb", "13")]
    people = {"p1": {}, "p2": {}, "young": {"birth_year": 2000}, "dead": {"died_on": "2024-03-01"}}
    start, end = "2024-01-01 00:00:00", "2024-01-03 00:00:00"
    return {
        "person": [
            {**here, "person_id": p, "sex": "female", "birth_year": 1970, "record_key": n, "row_number": n} | life
            for n, (p, life) in enumerate(people.items(), 1)
        ],
        "observation": [
            {"started_on": "2024-01-01", "ended_on": "2024-05-31", "is_inferred": False, "record_key": 1}
            | {**here, "person_id": "p1", "row_number": 1}
        ],
        "encounter": [
            {"started_at": start, "ended_at": end, "setting": "inpatient", "record_key": 1}
            | {**here, "person_id": "p1", "row_number": 1}
        ],
        "lab": labs,
        "exposure": [
            {"agent": "clozapine", "started_at": start, "ended_at": end, "evidence": "ordered", "record_key": 1}
            | {**here, "person_id": "p1", "row_number": 1, "dose": 1.0}
        ],
        "diagnosis": [
            {"code": "D709", "code_system": "icd10cm", "recorded_at": start, "record_key": 1}
            | {**here, "person_id": "p1", "row_number": 1}
        ],
        "vital": [
            {"measured_at": start, "celsius": "38.5", "site": "oral", "record_key": 1}
            | {**here, "person_id": "p1", "row_number": 1}
        ],
    }


def write_table(path: Path, table: str, rows: list[Row], **types: str) -> Path:
    """Write rows as Parquet with the columns and types of the schema (or the types given)."""
    schema = schema_of(table)
    empty = ", ".join(f'NULL::{types.get(c.name, c.type)} AS "{c.name}"' for c in schema.columns)
    listed = " UNION ALL ".join(
        "SELECT " + ", ".join(f"{_literal(row.get(c.name))}::{types.get(c.name, c.type)}" for c in schema.columns)
        for row in rows
    )
    sql = f"SELECT {empty} WHERE false" + (f" UNION ALL {listed}" if rows else "")
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
    return path


def _literal(value: object) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


@dataclass
class Night:
    """A workspace in which nights are validated, and the rows to make them of."""

    root: Path
    worker: Worker | None
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    own_suites: tuple[Path, ...] = ()

    input_id = INPUT
    lab = staticmethod(lab)
    good = staticmethod(good_night)

    @property
    def context(self) -> RunContext:
        """The context of the run."""
        shipped, own = shipped_definitions(), {f"suites/{path.name}": path for path in self.own_suites}
        definitions = replace(shipped, files={**shipped.files, **own}) if own else shipped
        workspace = Workspace(self.root / "workspace")
        started = datetime(2024, 6, 1, tzinfo=UTC)
        context = RunContext("run-1", started, workspace, Settings(), definitions, Progress(is_quiet=True))
        context.work.mkdir(parents=True, exist_ok=True)
        return context

    def receive(
        self, tables: Mapping[str, list[Row]], dates: DatePolicy = "real", dropped: list[Row] | None = None
    ) -> Received:
        """`tables` as the receive stage would hand them over; absent tables have no file."""
        staged = {
            f"canonical.{name}": (
                write_table(self.root / f"{name}.parquet", f"canonical.{name}", rows, **self.types.get(name, {})),
            )
            for name, rows in tables.items()
        }
        gone = self.root / "dropped.parquet"
        place = "input_id VARCHAR, row_number BIGINT, column_number INTEGER"
        columns = f"table_name VARCHAR, {place}, outcome VARCHAR, rule VARCHAR"
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE d ({columns}, reason VARCHAR)").fetchall()
            for row in dropped or []:
                connection.execute(
                    "INSERT INTO d VALUES (?, ?, ?, 0, 'duplicate', 'x', 'x')",
                    [row["table_name"], row["input_id"], row["row_number"]],
                ).fetchall()
            connection.execute(f"COPY d TO '{gone}' (FORMAT parquet)").fetchall()
        n_gone = len(dropped or [])
        ledger = tuple(
            LedgerLine(INPUT, f"canonical.{name}", len(rows), len(rows) - (n_gone if name == "lab" else 0), n_gone)
            if name == "lab"
            else LedgerLine(INPUT, f"canonical.{name}", len(rows), len(rows))
            for name, rows in tables.items()
        )
        nobody = self.root / "replaced.parquet"
        duckdb.sql(f"COPY (SELECT '' AS source_id, '' AS person_id WHERE false) TO '{nobody}' (FORMAT parquet)")
        return Received((), staged, gone, nobody, ledger, dates, "result", fresh=frozenset({INPUT}))

    def check(self, tables: Mapping[str, list[Row]], **options: Any) -> Validated:
        """Validate a night of these tables."""
        return validate(self.receive(tables, **options), self.context, self.worker)


@pytest.fixture(scope="session")
def new_night(warm_worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Night]:
    return lambda name: Night(tmp_path_factory.mktemp(name), warm_worker)


@pytest.fixture
def night(new_night: Callable[[str], Night]) -> Night:
    return new_night("night")
