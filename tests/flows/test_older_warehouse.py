"""A warehouse that an older nadir made is given the columns it lacks, and its rows stay."""

from pathlib import Path

import duckdb
import pytest

from flows.warehouse import open_warehouse
from transforms.schemas import load_tables


def test_a_column_that_is_missing_is_added_with_an_empty_value(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path, memory_limit="1GB") as warehouse:
        warehouse.execute("ALTER TABLE canonical.lab DROP COLUMN column_number").fetchall()
        warehouse.execute("ALTER TABLE ops.run DROP COLUMN message").fetchall()
        warehouse.execute("ALTER TABLE ops.run DROP COLUMN finished_at").fetchall()
        warehouse.execute(
            "INSERT INTO ops.run (run_id, started_at, definitions_hash, code_version, state) "
            "VALUES ('r', '2026-01-01', 'd', 'c', 'published')"
        ).fetchall()
    with open_warehouse(path, memory_limit="1GB") as warehouse:
        assert warehouse.execute("SELECT run_id, message, finished_at FROM ops.run").fetchall() == [("r", None, None)]
        assert warehouse.execute("SELECT column_number FROM canonical.lab").fetchall() == []


def test_who_only_reads_an_older_warehouse_misses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path, memory_limit="1GB") as warehouse:
        warehouse.execute("ALTER TABLE canonical.lab DROP COLUMN column_number").fetchall()
        warehouse.execute("DROP TABLE derived.cycle").fetchall()
    with open_warehouse(path, memory_limit="1GB", read_only=True) as warehouse:
        assert warehouse.execute("SELECT column_number FROM canonical.lab").fetchall() == []
        assert warehouse.execute("SELECT * FROM derived.cycle").fetchall() == []
        with pytest.raises(duckdb.Error):
            warehouse.execute("DROP TABLE derived.cycle").fetchall()


def test_every_table_can_lose_any_column_and_get_it_back(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        for schema in sorted({name.split(".")[0] for name in load_tables()}):
            connection.execute(f"CREATE SCHEMA {schema}").fetchall()
        for table in load_tables().values():
            connection.execute(table.create_sql()).fetchall()
            column = table.columns[-1]
            connection.execute(f'ALTER TABLE {table.name} DROP COLUMN "{column.name}"').fetchall()
            connection.execute(table.add_sql(column)).fetchall()
            names = {row[0] for row in connection.execute(f"DESCRIBE {table.name}").fetchall()}
            assert names == set(table.column_names)


def test_what_an_older_nadir_always_filled_may_be_left_empty_where_it_may_be_now(tmp_path: Path) -> None:
    """`released.prevalence.status` was never null before it could be hidden. What is no column any more stays empty."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        for schema in sorted({name.split(".")[0] for name in load_tables()}):
            connection.execute(f"CREATE SCHEMA {schema}").fetchall()
        for table in load_tables().values():
            columns = ", ".join(f'"{column.name}" {column.type} NOT NULL' for column in table.columns)
            connection.execute(f"CREATE TABLE {table.name} ({columns}, given_up VARCHAR NOT NULL)").fetchall()
    with open_warehouse(path, memory_limit="1GB") as warehouse:
        found = warehouse.execute(
            "SELECT schema_name || '.' || table_name, column_name, is_nullable FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
    allowed = {(name, column): is_nullable for name, column, is_nullable in found}
    for table in load_tables().values():
        assert allowed.pop((table.name, "given_up"))
        assert all(allowed.pop((table.name, column.name)) == column.is_nullable for column in table.columns)
    assert allowed == {}
