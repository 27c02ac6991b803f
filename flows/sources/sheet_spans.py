"""How far the cells of an Excel workbook lie from each other, known before anything makes room for all between them.

One stray cell in the last corner of a sheet asks a reader for 17,000,000,000 cells, which ends the process.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from flows.errors import SourceError

SHEETS = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
CELL = re.compile(rb"""\sr=["']([A-Za-z]+)([0-9]+)["']""")
CHUNK_BYTES, LONGEST_REFERENCE = 1 << 20, 64
MOST_COLUMNS = 16_384  # of a sheet in Excel
MOST_CELLS = 1 << 26  # the room of a gigabyte or two


@dataclass(frozen=True)
class Span:
    """The last column and the last row in which a cell stands."""

    n_columns: int
    n_rows: int


def refuse_far_cells(content: bytes, name: str) -> None:
    """SourceError when the cells of a sheet of a workbook (.xlsx) span more than there is room for."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            if not SHEETS.fullmatch(member):
                continue
            with archive.open(member) as stream:
                span = find_span(stream)
            if span.n_columns > MOST_COLUMNS or span.n_columns * span.n_rows > MOST_CELLS:
                raise SourceError(
                    f"{name}: the cells of a sheet span {span.n_columns:,} columns and {span.n_rows:,} rows.",
                    repair="Delete what stands far away from the table, or export it as CSV.",
                )


def find_span(stream: IO[bytes]) -> Span:
    """The span of the cells whose place is written in the XML of a sheet."""
    columns: set[bytes] = set()
    n_rows = 0
    for piece in _read_pieces(stream):
        found = CELL.findall(piece)
        columns |= {column for column, _ in found}
        n_rows = max(n_rows, *(int(row[:12]) for _, row in found), 0)
    return Span(max((_count_columns(column) for column in columns), default=0), n_rows)


def _read_pieces(stream: IO[bytes]) -> Iterator[bytes]:
    before = b""
    while chunk := stream.read(CHUNK_BYTES):
        yield before + chunk
        before = chunk[-LONGEST_REFERENCE:]


def _count_columns(letters: bytes) -> int:
    """The place of a column from 1: A, B, ..., Z, AA."""
    place = 0
    for letter in letters[:8].upper():
        place = place * 26 + letter - ord("A") + 1
    return place
