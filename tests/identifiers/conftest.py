"""A table of columns is scanned as one of an extract is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb
import polars as pl
import pytest

from flows.identifying import ScannedTable, scan_table
from transforms.identifiers import ColumnFinding
from transforms.load import load_definitions

Scan = Callable[..., Mapping[str, Mapping[str, ColumnFinding]]]


@pytest.fixture(scope="session")
def scan() -> Scan:
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
        return found

    return run
