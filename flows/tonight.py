"""Tonight's rows of one canonical table: what was staged, less what was set aside.

The answer is SQL text over Parquet, so that each stage reads it in its own connection without a copy.
"""

from pathlib import Path

from flows.handover import Received, Validated
from transforms.schemas import schema_of


def tonight_rows(night: Received | Validated, table: str) -> str:
    """`SELECT` of tonight's accepted rows of `table`, with the columns of its schema in order.

    Of `Received`: after duplicates and superseded rows. Of `Validated`: after quarantined rows too.
    """
    received = night.received if isinstance(night, Validated) else night
    columns = ", ".join(f's."{name}"' for name in schema_of(table).column_names)
    files = received.staged.get(table, ())
    if not files:
        empty = ", ".join(f'NULL::{c.type} AS "{c.name}"' for c in schema_of(table).columns)
        return f"SELECT {empty} WHERE false"
    key = ", ".join(row_key(table))
    asides = [received.dropped] + ([night.set_aside] if isinstance(night, Validated) else [])
    return (
        f"SELECT {columns} FROM read_parquet({_list(files)}) s ANTI JOIN "
        f"(SELECT {key} FROM read_parquet({_list(asides)}) WHERE table_name = '{table}') a USING ({key})"
    )


def row_key(table: str) -> tuple[str, ...]:
    """Columns that say where a row of `table` came from: the file, its row, and for results the place in the row."""
    return ("input_id", "row_number", *(["column_number"] if table == "canonical.lab" else []))


def _list(paths: tuple[Path, ...] | list[Path]) -> str:
    return "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths) + "]"
