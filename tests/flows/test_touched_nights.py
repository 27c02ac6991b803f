"""A later night touches whom it must, and ends in the tables of one load of everything."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flows.handover import Published
from transforms.schemas import load_tables, schema_of

Run = Callable[..., None]
PLACES = {"input_id", "row_number", "column_number"}


def _differing_rows(one: Path, other: Path, table: str) -> int:
    columns = ", ".join(f'"{name}"' for name in schema_of(table).column_names if name not in PLACES)
    with duckdb.connect() as connection:
        for name, workspace in (("one", one), ("other", other)):
            connection.execute(f"ATTACH '{workspace / 'warehouse.duckdb'}' AS {name} (READ_ONLY)").fetchall()
        return sum(
            connection.execute(
                f"SELECT count(*) FROM (SELECT {columns} FROM {a}.{table} EXCEPT ALL SELECT {columns} FROM {b}.{table})"
            ).fetchall()[0][0]
            for a, b in (("one", "other"), ("other", "one"))
        )


@pytest.mark.slow
def test_the_first_drugs_of_all_may_be_suspected_in_everybody(
    tmp_path: Path, small_extract: Path, published_night: tuple[Path, Published], count_directly: Run
) -> None:
    """Until then a cause by drug could not be ruled out for anybody, also not for those who never got one."""
    first, second, workspace = tmp_path / "first", tmp_path / "second", tmp_path / "workspace"
    drugs = next(small_extract.glob("exposures*"))
    shutil.copytree(small_extract, first, ignore=shutil.ignore_patterns(drugs.name))
    second.mkdir()
    shutil.copy(drugs, second)
    count_directly(workspace, first)
    count_directly(workspace, second)
    tables = [name for name in load_tables() if name.split(".")[0] in {"derived", "counts"}]
    assert {name: _differing_rows(workspace, published_night[0], name) for name in tables} == dict.fromkeys(tables, 0)
