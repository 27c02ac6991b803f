"""Derived tables leave the warehouse with their dictionary, for their owner only, and not into what others read."""

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows.errors import WrongUse
from flows.handover import Published
from flows.settings import Settings
from flows.table_export import export_tables
from transforms.schemas import load_tables


def test_every_derived_table_is_written_with_the_meaning_of_each_column(
    published_night: tuple[Path, Published], tmp_path: Path
) -> None:
    workspace, published = published_night
    written = export_tables(tmp_path / "tables", Settings(workspace=workspace))
    derived = {name: table for name, table in load_tables().items() if name.startswith("derived.")}
    assert set(written.rows) == set(derived)
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as warehouse:
        for name, table in derived.items():
            frame = pl.read_parquet(tmp_path / "tables" / f"{name.removeprefix('derived.')}.parquet")
            assert tuple(frame.columns) == table.column_names
            assert frame.height == warehouse.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
            assert frame.rows() == frame.sort(table.key).rows()
    listed = json.loads((tmp_path / "tables" / "data_dictionary.json").read_text())
    assert {(one["table"], one["column"]) for one in listed} == {
        (name, column) for name, table in derived.items() for column in table.column_names
    }
    with (tmp_path / "tables" / "data_dictionary.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(listed)
    said = (tmp_path / "tables" / "README.txt").read_text()
    assert "inside the secure environment only" in said
    assert published.run_id in said


def test_what_is_written_is_for_its_owner_only(published_night: tuple[Path, Published], tmp_path: Path) -> None:
    export_tables(tmp_path / "tables", Settings(workspace=published_night[0]))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tables").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "tables").stat().st_mode) == 0o700


def test_rows_of_people_do_not_go_into_the_site_nor_over_what_is_there(
    published_night: tuple[Path, Published], tmp_path: Path
) -> None:
    settings = Settings(workspace=published_night[0])
    with pytest.raises(WrongUse, match="lies in the site"):
        export_tables(published_night[0] / "site" / "tables", settings)
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(WrongUse, match="not empty"):
        export_tables(tmp_path, settings)
    with pytest.raises(WrongUse, match="no published run"):
        export_tables(tmp_path / "new", Settings(workspace=tmp_path / "empty"))


def test_export_asks_for_a_run_or_for_tables(nadir: Callable[..., object]) -> None:
    done = nadir("export")
    assert "takes a RUN_ID or --tables" in str(done)
