"""A context to receive in, extracts written as text, and a stand-in for the commit of a night."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

from flows.attempts import record_night
from flows.code_version import code_version
from flows.commit import install_files, merge_canonical, replace_people
from flows.handover import Received, Request, RunContext, Validated
from flows.population import TABLES
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.derive import derive
from flows.stages.estimate import estimate
from flows.stages.receive import receive
from flows.stages.validate import validate
from flows.tonight import tonight_rows
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from tests.plain_checker import PlainChecker
from transforms.load import Definitions, load_definitions

FIRST_NIGHT = datetime(2026, 1, 1)  # noqa: DTZ001


@cache
def shipped() -> Definitions:
    return load_definitions()


@cache
def empty_warehouse() -> bytes:
    """Made once; its hundred tables are a tenth of what a night of these tests costs."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        with open_warehouse(path, memory_limit="1GB"):
            pass
        return path.read_bytes()


class Hospital:
    """Writes extracts, receives them, and commits nights into one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder / "workspace").create()
        self.definitions = shipped()
        self.settings = Settings()
        self.n_nights = 0

    def copy(self, folder: Path) -> "Hospital":
        """Another one that has gone through the same nights."""
        other = Hospital(folder)
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        other.n_nights = self.n_nights
        return other

    def write(self, name: str, content: str | bytes, night: str = "extract") -> Path:
        path = self.folder / night / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def receive(self, *paths: Path, source: str = "auto", **declared: Any) -> Received:
        self.n_nights += 1
        started = FIRST_NIGHT + timedelta(days=self.n_nights)
        self.context = RunContext(
            f"run_{self.n_nights}", started, self.workspace, self.settings, self.definitions, Progress(is_quiet=True)
        )
        return receive(Request(paths, source, **declared), self.context)

    def receive_text(self, text: str, *, name: str = "labs.csv", **how: Any) -> Received:
        return self.receive(self.write(name, text, f"night_{self.n_nights}"), **how)

    def take(self, *paths: Path, **how: Any) -> Received:
        """Receive and commit one night of rows that no check sets aside: half of what `spend` costs."""
        received = self.receive(*paths, **how)
        self.commit(received)
        return received

    def take_text(self, text: str, *, name: str = "labs.csv", **how: Any) -> Received:
        return self.take(self.write(name, text, f"night_{self.n_nights}"), **how)

    def spend(self, *paths: Path, **how: Any) -> Validated:
        """Receive, validate and commit one night."""
        received = self.receive(*paths, **how)
        validated = validate(received, self.context, PlainChecker())
        self.commit(validated)
        return validated

    def live(self, *paths: Path, **how: Any) -> Validated:
        """A night with all that is derived and counted of it; no release, no report."""
        validated = validate(self.receive(*paths, **how), self.context, PlainChecker())
        estimated = estimate(derive(validated, self.context), self.context)
        self.commit(validated, lambda warehouse: replace_people(warehouse, estimated))
        return validated

    def spend_text(self, text: str, *, name: str = "labs.csv", **how: Any) -> Validated:
        return self.spend(self.write(name, text, f"night_{self.n_nights}"), **how)

    def commit(
        self, night: Received | Validated, replace: Callable[[duckdb.DuckDBPyConnection], None] | None = None
    ) -> None:
        """What publish does with canonical and ops rows; with `replace`, what it does with all others too."""
        if not self.workspace.warehouse.exists():
            self.workspace.warehouse.write_bytes(empty_warehouse())
        with open_warehouse(self.workspace.warehouse, memory_limit="1GB") as warehouse:
            run = (self.context.run_id, self.context.started_at, self.definitions.hash, code_version())
            warehouse.execute(
                "INSERT INTO ops.run (run_id, started_at, definitions_hash, code_version, state) "
                "VALUES (?, ?, ?, ?, 'published')",
                run,
            ).fetchall()
            record_night(warehouse, self.context, night)
            if isinstance(night, Received):
                night = Validated(night, "go", (), night.dropped, night.ledger)
            if replace:
                replace(warehouse)
            else:
                for name in TABLES:
                    merge_canonical(warehouse, night, f"canonical.{name}")
        install_files(self.workspace, self.context.run_id)

    def canonical(self, table: str, columns: str) -> list[tuple[object, ...]]:
        with open_warehouse(self.workspace.warehouse, memory_limit="1GB") as warehouse:
            return warehouse.execute(f"SELECT {columns} FROM canonical.{table} ORDER BY ALL").fetchall()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.workspace.warehouse, memory_limit="1GB") as warehouse:
            return warehouse.execute(f"SELECT * FROM ({sql}) ORDER BY ALL").fetchall()


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
