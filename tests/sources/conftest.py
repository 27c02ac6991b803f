"""A context to receive in, extracts written as text, and a stand-in for the commit of a night."""

from collections.abc import Callable
from dataclasses import astuple
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pytest

from flows.code_version import code_version
from flows.handover import Received, Request, RunContext
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.receive import receive
from flows.tonight import tonight_rows
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from transforms.load import Definitions, load_definitions
from transforms.schemas import schema_of

FIRST_NIGHT = datetime(2026, 1, 1)  # noqa: DTZ001


@cache
def shipped() -> Definitions:
    return load_definitions()


class Hospital:
    """Writes extracts, receives them, and commits nights into one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder / "workspace").create()
        self.definitions = shipped()
        self.n_nights = 0

    def write(self, name: str, content: str | bytes, night: str = "extract") -> Path:
        path = self.folder / night / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def receive(self, *paths: Path, source: str = "auto") -> Received:
        self.n_nights += 1
        started = FIRST_NIGHT + timedelta(days=self.n_nights)
        self.context = RunContext(
            f"run_{self.n_nights}", started, self.workspace, Settings(), self.definitions, Progress(is_quiet=True)
        )
        return receive(Request(paths, source), self.context)

    def receive_text(self, text: str, *, name: str = "labs.csv", source: str = "auto") -> Received:
        return self.receive(self.write(name, text, f"night_{self.n_nights}"), source=source)

    def commit(self, night: Received) -> None:
        """What publish does with canonical and ops rows."""
        with open_warehouse(self.workspace.warehouse, memory_limit="1GB") as warehouse:
            run = (self.context.run_id, self.context.started_at, self.definitions.hash, code_version())
            warehouse.execute(
                "INSERT INTO ops.run (run_id, started_at, definitions_hash, code_version, state) "
                "VALUES (?, ?, ?, ?, 'published')",
                run,
            ).fetchall()
            for entry in night.inputs:
                head = (entry.input_id, run[0], entry.source_id, entry.name, entry.bytes)
                _insert(warehouse, "ops.input", (*head, entry.sha256, entry.rows, entry.source_format))
            for line in night.ledger:
                _insert(warehouse, "ops.row_ledger", (run[0], *astuple(line)))
            warehouse.execute(
                "INSERT INTO quarantine.row BY NAME SELECT ? AS run_id, input_id, row_number, "
                "column_number, table_name, rule, reason "
                f"FROM '{night.dropped}' WHERE outcome = 'quarantined'",
                run[:1],
            ).fetchall()
            for table in night.staged:
                replaced = (
                    f"SELECT (source_id, person_id, record_key) FROM '{night.replaced}' WHERE table_name = '{table}'"
                )
                warehouse.execute(
                    f"DELETE FROM {table} WHERE (source_id, person_id, record_key) IN ({replaced})"
                ).fetchall()
                warehouse.execute(f"INSERT INTO {table} BY NAME {tonight_rows(night, table)}").fetchall()

    def canonical(self, table: str, columns: str) -> list[tuple[object, ...]]:
        with open_warehouse(self.workspace.warehouse, memory_limit="1GB") as warehouse:
            return warehouse.execute(f"SELECT {columns} FROM canonical.{table} ORDER BY ALL").fetchall()


def _insert(warehouse: duckdb.DuckDBPyConnection, table: str, values: tuple[object, ...]) -> None:
    names = schema_of(table).column_names[: len(values)]
    marks = ", ".join("?" for _ in values)
    warehouse.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", values).fetchall()


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


@pytest.fixture(scope="session")
def make_hospital(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Hospital]:
    return lambda: Hospital(tmp_path_factory.mktemp("hospital"))


@pytest.fixture
def accepted() -> Callable[..., list[tuple[object, ...]]]:
    """Rows of a table after duplicates and superseded rows."""

    def read(night: Received, columns: str = "*", table: str = "canonical.lab") -> list[tuple[object, ...]]:
        return duckdb.sql(f"SELECT {columns} FROM ({tonight_rows(night, table)}) ORDER BY ALL").fetchall()

    return read


@pytest.fixture
def set_aside() -> Callable[[Received], dict[str, int]]:
    """Rows set aside, by rule."""

    def read(night: Received) -> dict[str, int]:
        return dict(duckdb.sql(f"SELECT rule, count(*)::INTEGER FROM '{night.dropped}' GROUP BY rule").fetchall())

    return read
