"""Excel and OpenDocument workbooks: every sheet that is not empty is a table, and every cell its text as it is shown.

4.2 stays 4.2, 93703 stays 93703, a formula is its value, a date is ISO text (a time of midnight is a date only). Lines
above the header, such as a title, are left out and said; so are hidden sheets, which are read. Empty rows are no rows,
and the others keep their place below the header as row number.
"""

import logging
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from flows.errors import SourceError
from flows.parsing import read_times
from flows.sources.decisions import generalise_rows
from flows.sources.files import SHUT, open_bytes
from flows.sources.first_lines import HEADER_WITHIN, header_note, unique_names
from flows.sources.opening import Opened
from flows.sources.protocol import Kind, SourceFile, literal
from flows.sources.sheet_spans import refuse_far_cells
from transforms.model.sources import SourceMap

if TYPE_CHECKING:
    from fastexcel import ExcelReader, ExcelSheet

ZIP = b"PK\x03\x04"
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
NUMBERS = frozenset({"int", "float"})
MIDNIGHT = r"^(\d{4}-\d\d-\d\d) 00:00:00$"
CLOCK = r"^(?:1899-12-3[01]|1900-01-01) (\d\d:\d\d:\d\d)$"


@dataclass(frozen=True)
class Layout:
    """Where the header of a sheet stands (from 0), what it says, and which columns hold numbers only."""

    header_row: int
    names: Sequence[str]
    numeric: frozenset[str]


def is_workbook(head: bytes, _path: Path) -> bool:
    """Whether the first bytes are those of a workbook; zip archives of files have been unpacked before."""
    return head.startswith((ZIP, COMPOUND))


def look_at_workbook(path: Path, shown: str) -> tuple[SourceFile, ...]:
    """One table for each sheet that is not empty; SourceError when the workbook cannot be read or is locked."""
    reader = _open(path, shown, is_first=True)
    tables = []
    for name in reader.sheet_names:
        sheet = _load(reader, name, shown)
        layout = _find_layout(reader, name, sheet.to_polars())
        if layout is None:
            continue
        types = {column: "DOUBLE" if column in layout.numeric else "VARCHAR" for column in layout.names}
        notes = _notes(f"{shown}#{name}", sheet, layout)
        tables.append(SourceFile(path, "workbook", types, member=name, shown=shown, notes=notes))
    if not tables:
        raise SourceError(f"{shown}: no sheet of the workbook has a table.", repair="Export it again, or leave it out.")
    return tuple(tables)


def open_workbook(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Opened:
    """Write the needed columns of one sheet to `target` as Parquet of text, with their row numbers."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import and rarely needed

    rows = read_sheet(file, tuple(needed))
    pq.write_table(generalise_rows(connection, rows.to_arrow(compat_level=pl.CompatLevel.oldest()), file), target)
    columns: dict[str, Kind] = {**needed, "row_number": "text"}
    types = dict.fromkeys(columns, "VARCHAR")
    return Opened(f"({read_times(f'read_parquet({literal(str(target))})', columns, types, source_map)})", rows.height)


def read_sheet(file: SourceFile, needed: Sequence[str]) -> pl.DataFrame:
    """These columns of a sheet as text, and `row_number`."""
    reader = _open(file.path, file.name)
    cells = _load(reader, file.member, file.name).to_polars()
    layout = _find_layout(reader, file.member, cells)
    if layout is None:
        raise SourceError(f"{file.name}: the sheet is empty now.", repair=SHUT)
    places = {name.casefold(): place for place, name in enumerate(layout.names)}
    number = pl.int_range(pl.len(), dtype=pl.Int64).alias("row_number")
    return (
        cells.slice(layout.header_row + 1)
        .with_columns(number + 1)
        .filter(pl.any_horizontal(pl.col(cells.columns).str.strip_chars().str.len_chars() > 0))
        .select("row_number", *(_text(cells.columns[places[name.casefold()]], name) for name in needed))
    )


def _text(column: str, name: str) -> pl.Expr:
    """The cell as text; Excel keeps a date as midnight of it, and a time of day as that of its first day."""
    return pl.col(column).str.replace(MIDNIGHT, "${1}").str.replace(CLOCK, "${1}").alias(name)


def _find_layout(reader: "ExcelReader", name: str, cells: pl.DataFrame) -> Layout | None:
    filled = [sum(bool(cell and cell.strip()) for cell in row) for row in cells.head(HEADER_WITHIN).rows()]
    widest = max(filled, default=0)
    if widest == 0:
        return None
    header_row = next(place for place, count in enumerate(filled) if count * 2 > widest)
    names = unique_names([(cell or "").strip() for cell in cells.row(header_row)])
    return Layout(header_row, names, _find_numeric(reader, name, names, header_row))


def _find_numeric(reader: "ExcelReader", name: str, names: Sequence[str], header_row: int) -> frozenset[str]:
    """Columns in which every cell is a number; none when the cells of some column are of kinds that do not mix."""
    from fastexcel import FastExcelError  # noqa: PLC0415 - rarely needed

    try:
        columns = reader.load_sheet(name, header_row=header_row, schema_sample_rows=None).available_columns()
    except FastExcelError:
        return frozenset()
    return frozenset(names[column.index] for column in columns if column.dtype in NUMBERS)


def _notes(name: str, sheet: "ExcelSheet", layout: Layout) -> tuple[str, ...]:
    notes = []
    if sheet.visible != "visible":
        notes.append(f"{name} is hidden in the workbook; it was read all the same.")
    if layout.header_row:
        notes.append(header_note(name, layout.header_row + 1))
    return tuple(notes)


def _open(path: Path, name: str, *, is_first: bool = False) -> "ExcelReader":
    from fastexcel import read_excel  # noqa: PLC0415 - rarely needed

    with open_bytes(path) as stream:
        content = stream.read()
    if content.startswith(COMPOUND) and ENCRYPTED in content:
        raise _locked(name)
    for library in ("calamine", "fastexcel"):  # they warn of every sheet that holds a chart, and of empty columns
        logging.getLogger(library).setLevel(logging.CRITICAL)
    with _refuse_damage(name):
        if is_first and content.startswith(ZIP):
            refuse_far_cells(content, name)
        return read_excel(content)


def _load(reader: "ExcelReader", sheet: str, name: str) -> "ExcelSheet":
    """The sheet as text, from its first line."""
    with _refuse_damage(name):
        return reader.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")


@contextmanager
def _refuse_damage(name: str) -> Iterator[None]:
    from fastexcel import FastExcelError  # noqa: PLC0415 - rarely needed

    try:
        yield
    except (zipfile.BadZipFile, RuntimeError, ValueError):
        raise SourceError(f"{name}: cannot be read as a workbook.", repair=SHUT) from None
    except FastExcelError as error:
        if "password" in str(error).casefold():
            raise _locked(name) from None
        raise SourceError(f"{name}: cannot be read as a workbook.", repair=SHUT) from None


def _locked(name: str) -> SourceError:
    return SourceError(
        f"{name}: the workbook is protected by a password.", repair="Save it without a password, then run again."
    )
