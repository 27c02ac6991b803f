"""A table of columns is scanned as one of an extract is."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import polars as pl
import pytest

from flows.identifying import ScannedTable, scan_table
from tests.numbers.telling import MOVED, Said
from transforms.identifiers import ColumnFinding
from transforms.load import load_definitions

Scan = Callable[..., Mapping[str, Mapping[str, ColumnFinding]]]


@pytest.fixture(scope="session")
def said() -> Iterator[Said]:
    """What is found, in all tests, is what was told; more corpora than are tried each time were told of nowhere."""
    said = Said("identifiers")
    yield said
    assert os.environ.get("NADIR_CORPUS_SEEDS") or said.wrong() == [], MOVED


@pytest.fixture(scope="session")
def scan(said: Said) -> Scan:
    """Findings by header and class; headers may not differ by case alone, as DuckDB does not tell them apart."""
    identifiers = load_definitions().identifiers
    connection = duckdb.connect(config={"threads": 2})

    def run(
        columns: Mapping[str, Sequence[Any]] | pl.DataFrame,
        person: str | None = None,
        mapped: Mapping[str, str] | None = None,
    ) -> Mapping[str, Mapping[str, ColumnFinding]]:
        frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame({h: list(c) for h, c in columns.items()})
        connection.register("sent", frame)
        types = {name: kind for name, kind, *_ in connection.execute("DESCRIBE sent").fetchall()}
        found: dict[str, dict[str, ColumnFinding]] = {header: {} for header in types}
        for finding in scan_table(
            connection, ScannedTable("file.csv", "sent", types, mapped or {}, person), identifiers
        ):
            found[finding.column][finding.identifier_class] = finding
        said.add(repr(found))
        return found

    return run
