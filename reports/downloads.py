"""Every released table as CSV, JSON and Parquet, a dictionary of all columns, and all of it as one zip.

The same night gives the same bytes. Every file carries the run and the hash of the definitions. A null value has its
reason in the column beside it (`*_mark`). Text that a spreadsheet would run as a formula gets an apostrophe in front.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        files.append((f"{name}.csv", _csv(frame.columns, zip(*map(_cells, frame.get_columns()), strict=True))))
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


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _cells(column: pl.Series) -> list[Any]:
    """One column as the CSV writes it; only text like a formula and truth values are written otherwise."""
    is_text = column.dtype == pl.String
    if column.dtype == pl.Boolean or (is_text and column.str.head(1).is_in(FORMULA_STARTS).any()):
        return [_flat(cell) for cell in column.to_list()]
    return column.to_list()


def _flat(cell: Any) -> Any:
    return str(cell).lower() if isinstance(cell, bool) else safe_text(cell)


def _json(frame: pl.DataFrame, schema: Table, definitions: Definitions) -> bytes:
    content = {
        "table": schema.name,
        "one_row_per": schema.one_row_per,
        "run_id": _run_id(frame),
        "definitions_hash": definitions.hash,
        "columns": [{"name": c.name, "type": c.type, "meaning": c.meaning} for c in schema.columns],
    }
    head = json.dumps(content, ensure_ascii=False, indent=1).removesuffix("\n}")
    return f'{head},\n "rows": {_json_rows(frame)}\n}}\n'.encode()


def _json_rows(frame: pl.DataFrame) -> str:
    """What `json.dumps` writes with `indent=1`, at a tenth of its time: only without an indent is it compiled.

    A line break inside a text is written as two letters, so a real one stands only where the separator put it.
    """
    if not frame.height:
        return "[]"
    text = json.dumps(frame.to_dicts(), ensure_ascii=False, separators=(",\n   ", ": "), default=str)
    rows = text[2:-2].replace("},\n   {", "\n  },\n  {\n   ")
    return f"[\n  {{\n   {rows}\n  }}\n ]"


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
    flat = [[_flat(cell) for cell in row] for row in rows]
    return [(f"{DICTIONARY}.csv", _csv(header, flat)), (f"{DICTIONARY}.json", text.encode())]


def _zip(files: Sequence[tuple[str, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)  # its date is the fixed first day of the format
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return content.getvalue()
