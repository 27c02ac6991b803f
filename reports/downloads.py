"""Every released table as CSV, JSON and Parquet, a dictionary of all columns, and all of it as one zip.

The same night gives the same bytes. Every file carries the run and the hash of the definitions. A null value has its
reason in the column beside it (`*_mark`). Text that a spreadsheet would run as a formula gets an apostrophe in front.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
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
        files.append((f"{name}.csv", _csv(frame)))
        files.append((f"{name}.json", _json(frame, schema, definitions)))
        files.append((f"{name}.parquet", _parquet(frame)))
    files += _dictionary(released, definitions)
    yield from files
    yield ARCHIVE, _zip(files)


def safe_text(texts: pl.Expr) -> pl.Expr:
    """Columns of text with an apostrophe in front of what a spreadsheet would take for a formula."""
    is_formula = texts.str.head(1).is_in(FORMULA_STARTS)
    return pl.when(~is_formula).then(texts).otherwise("'" + texts)


def _whole(frame: pl.DataFrame | None, schema: Table) -> pl.DataFrame:
    """The table with every column of its schema, in the order of its key."""
    if frame is None:
        return pl.DataFrame(schema={column.name: _TYPES[column.type] for column in schema.columns})
    return frame.select(schema.column_names).sort([name for name in schema.key if name in frame.columns])


def _csv(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.with_columns(safe_text(pl.col(pl.String))).write_csv(content, line_terminator="\r\n")
    return content.getvalue()


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
    """A line for each row; a line break inside a text is written as two letters, so that no other ends a line."""
    content = io.BytesIO()
    frame.write_ndjson(content)
    lines = content.getvalue().decode().removesuffix("\n").replace("\n", ",\n  ")
    return f"[\n  {lines}\n ]" if lines else "[]"


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
    head = json.dumps({"run_id": run_id, "definitions_hash": definitions.hash}, ensure_ascii=False, indent=1)
    text = head.removesuffix("\n}") + ",\n" + _columns_text().removeprefix("{\n") + "\n"
    columns = pl.DataFrame(_columns())
    flat = columns.with_columns(run_id=pl.lit(run_id), definitions_hash=pl.lit(definitions.hash))
    return [(f"{DICTIONARY}.csv", _csv(flat)), (f"{DICTIONARY}.json", text.encode())]


def _columns() -> list[dict[str, object]]:
    return [
        {
            "table": schema.name,
            "one_row_per": schema.one_row_per,
            "column": c.name,
            "type": c.type,
            "may_be_null": c.is_nullable,
            "meaning": c.meaning,
        }
        for schema in (schema_of(f"released.{name}") for name in TABLES)
        for c in schema.columns
    ]


@cache
def _columns_text() -> str:
    """The columns of all released tables as JSON: the same every night."""
    return json.dumps({"columns": _columns()}, ensure_ascii=False, indent=1)


def _zip(files: Sequence[tuple[str, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)  # its date is the fixed first day of the format
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return content.getvalue()
