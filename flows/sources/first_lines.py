"""What the first lines of a text tell: how it is written, what divides its cells, and the names of its columns."""

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from flows.errors import SourceError
from transforms.model.sources import SourceMap

MOST_COLUMNS = 1 << 14
HEADER_WITHIN, LEAST_COLUMNS = 30, 3
DELIMITERS = (",", "\t", ";", "|")
MOST_NULS = 4  # of as many bytes one at most; in UTF-16 it is every second
OTHER_TEXTS = (
    *((mark, "an HL7 version 2 message") for mark in (b"MSH|", b"FHS|", b"BHS|")),
    (b"<", "XML or a web page"),
)
OTHERWISE = "Export results as CSV with a row or a column for each, or as FHIR in JSON: nadir sources."
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Header:
    """The names of the columns, what divides them, and how many rows stand above, `titles` of which are not empty.

    `line` is that of the header in the text, in which a cell may break.
    """

    names: list[str]
    delimiter: str
    rows_above: int = 0
    titles: int = 0
    line: int = 1


def find_header(text: str, declared: str) -> Header:
    """The first row; if that is a title, which has one filled cell at most, the first that is nearly as full as any."""
    delimiter = declared or find_delimiter(text)
    names = first_row(text, delimiter)
    if sum(map(bool, names)) >= LEAST_COLUMNS:
        return Header(names, delimiter)
    below = [_look_below_titles(text, mark) for mark in ((declared,) if declared else DELIMITERS)]
    return max(
        (found for found in below if found), key=lambda found: len(found.names), default=Header(names, delimiter)
    )


def _look_below_titles(text: str, delimiter: str) -> Header | None:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
    try:
        rows = [([cell.strip() for cell in row], reader.line_num) for row in islice(reader, HEADER_WITHIN)]
    except csv.Error:
        return None
    filled = [sum(map(bool, row)) for row, _ in rows]
    widest = max(filled, default=0)
    if widest < LEAST_COLUMNS:
        return None
    place = next(place for place, n_filled in enumerate(filled) if n_filled * 2 > widest)
    first = next(n_filled for n_filled, (row, _) in zip(filled, rows, strict=True) if row)
    if place == 0 or first > 1 or len(rows[place][0]) > MOST_COLUMNS:
        return None
    titles = sum(bool(row) for row, _ in rows[:place])
    return Header(rows[place][0], delimiter, place, titles, rows[place - 1][1] + 1)


def find_encoding(name: str, head: bytes, source_map: SourceMap | None) -> str:
    """How a text is written, by its first bytes and what the map declares; a SourceError if it is not."""
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head and not (source_map and source_map.encoding):
        raise _no_text(name, head)
    for mark, kind in OTHER_TEXTS:
        if head.lstrip().startswith(mark):
            raise SourceError(f"{name}: this is {kind}, which nadir does not read.", repair=OTHERWISE)
    declared = (source_map.encoding if source_map else "") or "utf-8"
    try:
        codecs.getincrementaldecoder(declared)().decode(head)
    except LookupError:
        raise SourceError(
            f"{name}: the source map names an encoding that does not exist.",
            repair="Correct `encoding` in the source map: latin-1, cp1252, utf-16 or another name that Python knows.",
        ) from None
    except UnicodeDecodeError:
        raise not_in_encoding(name, declared) from None
    return declared


def _no_text(name: str, head: bytes) -> SourceError:
    """The error of bytes that no text has: a text with a few of them was damaged, anything else never was one."""
    if head.count(0) * MOST_NULS < len(head):
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head)
        except UnicodeDecodeError:
            pass
        else:
            return SourceError(
                f"{name}: there are NUL bytes in it, the first in line {head[: head.index(0)].count(10) + 1:,}.",
                details=["No text has them; a file is filled up with them where writing it broke off."],
                repair="Export or copy it again.",
            )
    return SourceError(
        f"{name}: this is a binary file, not text.",
        details=["It is none of the formats that nadir reads: nadir sources"],
        repair="Export it as CSV or Parquet.",
    )


def not_in_encoding(name: str, encoding: str) -> SourceError:
    """The error of a text that is not written as it should be."""
    return SourceError(
        f"{name}: the text is not {encoding.upper()}.",
        repair="Write the encoding into a source map (encoding: latin-1, cp1252, utf-16, ...), as `nadir map` does, "
        "or export as UTF-8.",
    )


def find_delimiter(text: str) -> str:
    """The mark that gives the first row the most cells."""
    return max(DELIMITERS, key=lambda mark: len(first_row(text, mark)))


def header_note(name: str, line: int) -> str:
    """What is said of a file whose header is not its first line."""
    return f"{name}: the header is line {line}; the lines above it were left out."


def first_row(text: str, delimiter: str) -> list[str]:
    """The cells of the first row; none of one that names more columns than a table has."""
    try:
        rows = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
        names = [name.strip() for name in next((row for row in rows if row), [])]
        return names if len(names) <= MOST_COLUMNS else []
    except csv.Error:
        return []


def unique_names(names: Sequence[str]) -> list[str]:
    """Headers told apart: one without a name, and one that is there already in any case, get their place."""
    unique: list[str] = []
    taken: set[str] = set()
    for position, name in enumerate(names, start=1):
        own = name or f"column_{position}"
        while own.casefold() in taken:
            own = f"{own}_{position}"
        unique.append(own)
        taken.add(own.casefold())
    return unique
