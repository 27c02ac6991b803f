"""A sandbox for nights on planted extracts, and an extract that many of them read."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.checker import Worker
from tests.canary.planting import Planted, plant
from tests.canary.sandbox import Sandbox


@pytest.fixture
def sandbox(
    tmp_path: Path, warm_worker: Worker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path, warm_worker, capfd)
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    logging.getLogger("nadir").addHandler(made.log)
    yield made
    logging.getLogger("nadir").removeHandler(made.log)
    made.log.close()


@pytest.fixture(scope="session")
def small_planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """A planted extract of few rows, for nights in which something else is at stake."""
    return plant("wide", tmp_path_factory.mktemp("planted") / "extract")
