"""Nights that could not be received leave no trace in the next good one: its pages and rows are as without them."""

import gzip
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.checker import Worker
from flows.errors import UserError
from flows.handover import Published, Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from flows.workspace import Workspace
from tests.fuzz.cases import make_case
from tests.fuzz.judging import judge, write_extract
from tests.plain_checker import PlainChecker

SEED, N_NIGHTS = 0, 3
KEPT = ("canonical", "derived", "counts", "estimate", "released")


class NoClock(Progress):
    """Takes no time of any stage, because the report would show it."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        yield


class NoWorker(Worker):
    """For nights that end before anything is checked."""

    def __init__(self) -> None:
        """No process is started."""

    def close(self) -> None:
        """None is ended."""


def night(workspace: Path, extract: Path, worker: Worker) -> Published:
    settings = Settings(workspace=workspace, steady_seconds=0)
    return run_night(Request((extract,)), settings, NoClock(is_quiet=True), worker)


def contents(workspace: Path) -> dict[str, bytes]:
    """Every page, and every staged file."""
    folders = (workspace / "site", workspace / "staged")
    files = (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(workspace)): path.read_bytes() for path in files}


def rows(workspace: Path) -> dict[str, list[Any]]:
    """Every table of results, as one number that does not depend on the order of its rows."""
    with duckdb.connect(str(Workspace(workspace).warehouse), read_only=True) as connection:
        tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
        return {
            f"{schema}.{name}": connection.execute(
                f"SELECT count(*), sum(hash(t)::HUGEINT) FROM {schema}.{name} t"
            ).fetchall()
            for schema, name in tables
            if schema in KEPT
        }


@pytest.fixture
def refused_extracts(tmp_path: Path) -> list[Path]:
    """The first damaged extracts that are refused."""
    found: list[Path] = []
    for number in count():
        case, folder = make_case(SEED, number), tmp_path / "refused" / str(number)
        if case.way == "receive" and not case.change and not case.is_named:
            folder.mkdir(parents=True)
            if judge(case, folder).outcome.startswith("SourceError"):
                shutil.rmtree(folder)
                folder.mkdir()
                found += write_extract(case, folder / "extract")
        if len(found) == N_NIGHTS:
            return found
    return found


@pytest.fixture
def next_extract(tmp_path: Path, small_extract: Path) -> Path:
    """The extract of the published night, with one result less."""
    extract = tmp_path / "next"
    shutil.copytree(small_extract, extract)
    labs = next(extract.glob("labs.csv*"))
    lines = gzip.decompress(labs.read_bytes()).splitlines(keepends=True)
    labs.write_bytes(gzip.compress(b"".join(lines[:-1]), mtime=0))
    return extract


@pytest.mark.slow
def test_a_good_night_after_damaged_ones_is_as_it_would_have_been(
    tmp_path: Path,
    workspace_copy: Path,
    refused_extracts: list[Path],
    next_extract: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(workspace_copy, undisturbed)
    before = contents(workspace_copy), rows(workspace_copy)
    for extract in refused_extracts:
        with pytest.raises(UserError) as caught:
            night(workspace_copy, extract, NoWorker())
        assert caught.value.exit_code == 11
        assert not list((workspace_copy / "work").glob("*"))
    assert (contents(workspace_copy), rows(workspace_copy)) == before
    monkeypatch.setattr("flows.night.datetime", _pinned())
    monkeypatch.setattr("flows.night.secrets.token_hex", lambda _: "abcdef")
    for workspace in (workspace_copy, undisturbed):
        assert night(workspace, next_extract, PlainChecker()).is_new
    assert contents(workspace_copy) == contents(undisturbed)
    assert rows(workspace_copy) == rows(undisturbed)


def _pinned() -> Callable[..., Any]:
    class Pinned(datetime):
        """A clock that stands still."""

        @classmethod
        def now(cls, tz: Any = None) -> "Pinned":
            return cls(2027, 2, 1, tzinfo=tz)

    return Pinned
