"""People in parts: who belongs to which is a hash of the person, the same on every machine and night.

Each part is a folder with the files of its people, by the same names; `person_index` stays what it is among all.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

from flows.part import PEOPLE
from flows.population import PERSON_HASH, quoted
from flows.workspace import make_private


def split_people(
    connection: duckdb.DuckDBPyConnection, folder: Path, names: Sequence[str], n_parts: int
) -> tuple[Path, ...]:
    """Write NAME.parquet of each of `names` in `folder` as one file a part; the folders of the parts."""
    parts = tuple(folder / f"part_{number:04}" for number in range(n_parts))
    for part in parts:
        make_private(part)
    people = f"read_parquet('{quoted(folder / f'{PEOPLE}.parquet')}') r"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE part_of AS
        SELECT person_index, person_hash % {n_parts} AS part FROM (SELECT person_index, {PERSON_HASH} FROM {people})"""
    ).fetchall()
    connection.execute(f"SET partitioned_write_max_open_files = {n_parts + 1}").fetchall()
    for name in names:
        _split_file(connection, folder / f"{name}.parquet", parts)
    connection.execute("DROP TABLE part_of").fetchall()
    return parts


def join_parts(folder: Path, parts: Sequence[Path], names: Sequence[str]) -> None:
    """Write NAME.parquet of each of `names` in `folder` from those of all parts."""
    for name in names:
        rows = pl.scan_parquet([part / f"{name}.parquet" for part in parts])
        rows.sink_parquet(folder / f"{name}.parquet", compression="snappy")


def _split_file(connection: duckdb.DuckDBPyConnection, path: Path, parts: Sequence[Path]) -> None:
    aside = path.with_name(f"split_{path.stem}")
    rows = f"read_parquet('{quoted(path)}')"
    connection.execute(
        f"""COPY (SELECT t.*, part_of.part FROM {rows} t JOIN part_of USING (person_index)) TO '{quoted(aside)}'
        (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (part), OVERWRITE_OR_IGNORE)"""
    ).fetchall()
    for number, part in enumerate(parts):
        target, written = part / path.name, sorted(aside.glob(f"part={number}/*.parquet"))
        if len(written) == 1:
            written[0].rename(target)
            continue
        files = ", ".join(f"'{quoted(file)}'" for file in written)
        found = f"read_parquet([{files}], hive_partitioning = false)" if written else f"{rows} LIMIT 0"
        connection.execute(f"COPY (FROM {found}) TO '{quoted(target)}' (FORMAT parquet, COMPRESSION snappy)").fetchall()
    shutil.rmtree(aside, ignore_errors=True)
