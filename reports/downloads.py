"""Every released table as CSV, JSON and Parquet, a dictionary of all columns, and all of it as one zip.

The same night gives the same bytes. Every file carries the run and the hash of the definitions. A null value has its
reason in the column beside it (`*_mark`). Text that a spreadsheet would run as a formula gets an apostrophe in front.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from reports.rows import TABLES
from transforms.load import Definitions
from transforms.release import Released
from transforms.schemas import Table, schema_of

ARCHIVE = "nadir-released.zip"
DICTIONARY = "data_dictionary"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_TYPES: Mapping[str, Any] = {
    "VARCHAR": pl.String,
    "BIGINT": pl.Int64,
    "INTEGER": pl.Int32,
    "DOUBLE": pl.Float64,
    "DATE": pl.Date,
    "BOOLEAN": pl.Boolean,
}


def download_files(released: Released, definitions: Definitions) -> Iterator[tuple[str, bytes]]:
    """File names and contents; the archive of all others comes last."""
    files: list[tuple[str, bytes]] = []
    for name in TABLES:
        schema = schema_of(f"released.{name}")
        frame = _whole(released.tables.get(schema.name), schema)
        files.append((f"{name}.csv", _csv(frame.columns, frame.iter_rows())))
        files.append((f"{name}.json", _json(frame, schema, definitions)))
        files.append((f"{name}.parquet", _parquet(frame)))
    files += _dictionary(released, definitions)
    yield from files
    yield ARCHIVE, _zip(files)


def safe_text(cell: Any) -> Any:
    """Text that no spreadsheet takes for a formula; anything else unchanged."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _whole(frame: pl.DataFrame | None, schema: Table) -> pl.DataFrame:
    """The table with every column of its schema, in the order of its key."""
    if frame is None:
        return pl.DataFrame(schema={column.name: _TYPES[column.type] for column in schema.columns})
    return frame.select(schema.column_names).sort([name for name in schema.key if name in frame.columns])


def _csv(header: Sequence[str], rows: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_flat(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _flat(cell: Any) -> Any:
    return str(cell).lower() if isinstance(cell, bool) else safe_text(cell)


def _json(frame: pl.DataFrame, schema: Table, definitions: Definitions) -> bytes:
    content = {
        "table": schema.name,
        "one_row_per": schema.one_row_per,
        "run_id": _run_id(frame),
        "definitions_hash": definitions.hash,
        "columns": [{"name": c.name, "type": c.type, "meaning": c.meaning} for c in schema.columns],
        "rows": [dict(zip(frame.columns, row, strict=True)) for row in frame.iter_rows()],
    }
    return (json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n").encode()


def _run_id(frame: pl.DataFrame) -> str:
    return str(frame["run_id"][0]) if frame.height else ""


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content, compression="zstd", statistics=True)
    return content.getvalue()


def _dictionary(released: Released, definitions: Definitions) -> list[tuple[str, bytes]]:
    run_id = next(
        (_run_id(released.tables[name]) for name in sorted(released.tables) if released.tables[name].height), ""
    )
    header = ["table", "one_row_per", "column", "type", "may_be_null", "meaning", "run_id", "definitions_hash"]
    rows = [
        [schema.name, schema.one_row_per, c.name, c.type, c.is_nullable, c.meaning, run_id, definitions.hash]
        for schema in (schema_of(f"released.{name}") for name in TABLES)
        for c in schema.columns
    ]
    content = {
        "run_id": run_id,
        "definitions_hash": definitions.hash,
        "columns": [dict(zip(header[:6], row[:6], strict=True)) for row in rows],
    }
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    return [(f"{DICTIONARY}.csv", _csv(header, rows)), (f"{DICTIONARY}.json", text.encode())]


def _zip(files: Sequence[tuple[str, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)  # its date is the fixed first day of the format
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return content.getvalue()
