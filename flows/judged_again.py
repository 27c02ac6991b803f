"""All that was ever received of the people whom tonight touches, from the staged files of earlier nights.

What is kept of a person is then decided from the whole, so that it does not matter on which night a row came. Rows of
a file whose staged rows have gone are taken as the warehouse has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.earlier import WAREHOUSE
from flows.picking import pick_rows
from flows.sources.protocol import literal
from flows.tonight import row_key
from flows.touched import parquet
from transforms.schemas import schema_of


@dataclass(frozen=True)
class Gathering:
    """Where the earlier rows of one table lie: by input that is not read tonight; `lost` inputs have no file left."""

    table: str
    earlier: Mapping[str, Sequence[Path]]
    lost: Sequence[str]


def gather_rows(
    connection: duckdb.DuckDBPyConnection, gathering: Gathering, touched: Path, folder: Path
) -> tuple[Path, Path] | None:
    """Parquet of the rows themselves, and of which of them are in the warehouse; None when there are none.

    The second has table_name, input_id, row_number, column_number, was_accepted. The warehouse must be attached.
    """
    table, short = gathering.table, gathering.table.split(".")[1]
    rows, places = folder / f"again_{short}.parquet", folder / f"again_places_{short}.parquet"
    people = parquet([touched])
    files = pick_rows([path for paths in gathering.earlier.values() for path in paths], touched, folder)
    copied = connection.execute(
        f"COPY (SELECT * FROM ({_rows(gathering, files)}) SEMI JOIN {people} p USING (source_id, person_id)) "
        f"TO {literal(str(rows))} (FORMAT parquet, COMPRESSION snappy)"
    ).fetchall()
    if not copied[0][0]:
        return None
    key = ", ".join(row_key(table))
    column = "column_number" if "column_number" in row_key(table) else "0 AS column_number"
    connection.execute(
        f"""COPY (
            SELECT {literal(table)} AS table_name, input_id, row_number, {column}, k.is_kept IS NOT NULL AS was_accepted
            FROM {parquet([rows])} LEFT JOIN (
                SELECT DISTINCT {key}, true AS is_kept FROM {WAREHOUSE}.{table}
                SEMI JOIN {people} p USING (source_id, person_id)
            ) k USING ({key})
        ) TO {literal(str(places))} (FORMAT parquet, COMPRESSION snappy)"""
    ).fetchall()
    return rows, places


def _rows(gathering: Gathering, files: Sequence[Path]) -> str:
    """A staged file of an older version may lack a column that the table has now."""
    table = gathering.table
    columns = schema_of(table).columns
    parts = ["SELECT " + ", ".join(f"NULL::{c.type} AS {c.name}" for c in columns) + " WHERE false"]
    if files:
        listed = ", ".join(literal(str(path)) for path in files)
        parts.append(f"SELECT * FROM read_parquet([{listed}], union_by_name=true)")
    if gathering.lost:
        listed = ", ".join(literal(input_id) for input_id in gathering.lost)
        parts.append(f"SELECT * FROM {WAREHOUSE}.{table} WHERE input_id IN ({listed})")
    names = ", ".join(
        "coalesce(column_number, 0) AS column_number" if c.name == "column_number" else c.name for c in columns
    )
    return f"SELECT {names} FROM ({' UNION ALL BY NAME '.join(parts)})"
