"""A context to receive in, extracts written as text, and a stand-in for the commit of a night."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.attempts import record_night
from flows.code_version import code_version
from flows.commit import install_staged, merge_canonical
from flows.handover import Received, Request, RunContext, Validated
from flows.population import TABLES
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.receive import receive
from flows.tonight import tonight_rows
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from transforms.load import Definitions, load_definitions

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

    def receive(self, *paths: Path, source: str = "auto", **declared: Any) -> Received:
        self.n_nights += 1
        started = FIRST_NIGHT + timedelta(days=self.n_nights)
        self.context = RunContext(
            f"run_{self.n_nights}", started, self.workspace, Settings(), self.definitions, Progress(is_quiet=True)
        )
        return receive(Request(paths, source, **declared), self.context)

    def receive_text(self, text: str, *, name: str = "labs.csv", **how: Any) -> Received:
        return self.receive(self.write(name, text, f"night_{self.n_nights}"), **how)

    def commit(self, night: Received) -> None:
        """What publish does with canonical and ops rows."""
        with open_warehouse(self.workspace.warehouse, memory_limit="1GB") as warehouse:
            run = (self.context.run_id, self.context.started_at, self.definitions.hash, code_version())
            warehouse.execute(
                "INSERT INTO ops.run (run_id, started_at, definitions_hash, code_version, state) "
                "VALUES (?, ?, ?, ?, 'published')",
                run,
            ).fetchall()
            record_night(warehouse, self.context, night)
            for name in TABLES:
                merge_canonical(warehouse, Validated(night, "go", (), night.dropped, night.ledger), f"canonical.{name}")
        install_staged(self.workspace, self.context.run_id)

    def canonical(self, table: str, columns: str) -> list[tuple[object, ...]]:
        with open_warehouse(self.workspace.warehouse, memory_limit="1GB") as warehouse:
            return warehouse.execute(f"SELECT {columns} FROM canonical.{table} ORDER BY ALL").fetchall()


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
