"""What the first lines of a text tell: how it is written, what divides its cells, and the names of its columns."""

import codecs
import csv
import io
from collections.abc import Sequence

from flows.errors import SourceError
from transforms.model.sources import SourceMap

MOST_COLUMNS = 1 << 14
DELIMITERS = (",", "\t", ";", "|")
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def find_encoding(name: str, head: bytes, source_map: SourceMap | None) -> str:
    """How a text is written, by its first bytes and what the map declares; a SourceError if it is not."""
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head and not (source_map and source_map.encoding):
        raise SourceError(
            f"{name}: this is a binary file, not text.",
            details=["It is none of the formats that nadir reads: nadir sources"],
            repair="Export it as CSV or Parquet.",
        )
    declared = (source_map.encoding if source_map else "") or "utf-8"
    try:
        codecs.getincrementaldecoder(declared)().decode(head)
    except LookupError:
        raise SourceError(
            "The source map names an encoding that does not exist.",
            repair="For example latin-1 or cp1252.",
        ) from None
    except UnicodeDecodeError:
        raise not_in_encoding(name, declared) from None
    return declared


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
