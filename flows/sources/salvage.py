"""What can still be looked into of a text that cannot be read as it should be, and whether a text is a table at all."""

import codecs
import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from flows.sources.files import (
    HEAD_BYTES,
    LENIENT,
    TABLE_SUFFIXES,
    UNREADABLE,
    Found,
    compression_of,
    lookers,
    open_bytes,
)
from flows.sources.first_lines import find_delimiter, first_row, unique_names
from flows.sources.protocol import SourceFile

LINES_ALIKE = 20


def look_leniently(found: Found) -> tuple[SourceFile, ...]:
    """Text that cannot be read as it should be, as far as it unpacks, in an encoding that can be read; else none."""
    head = salvage(found.path, HEAD_BYTES)
    if not head or b"\0" in head or any(is_kind(head, found.path) for is_kind, _ in lookers()):
        return ()
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = LENIENT
    lines = head.decode(encoding, errors="ignore")
    if "\n" not in lines and len(head) == HEAD_BYTES:
        return ()  # a first line without end names no columns
    types = dict.fromkeys(unique_names(first_row(lines, find_delimiter(lines))), "VARCHAR")
    looked = SourceFile(found.path, "delimited", types, find_delimiter(lines), encoding=encoding, shown=found.shown)
    return (looked,) if types else ()


def salvage(path: Path, n_bytes: int) -> bytes:
    """The first bytes of a file, as far as it unpacks; of what is no file, as a pipe, none."""
    if not path.is_file():
        return b""
    try:
        if compression_of(path) == "gzip":
            with path.open("rb") as stream:
                return zlib.decompressobj(wbits=31).decompress(stream.read(n_bytes), n_bytes)
        with open_bytes(path) as stream:
            return stream.read(n_bytes)
    except (*UNREADABLE, MemoryError):  # a damaged frame may ask for any amount of room
        return b""


def is_tabular(file: SourceFile, named: Sequence[Path]) -> bool:
    """Whether a file is meant as a table: somebody named it, it is called like one, or its first lines are alike."""
    if file.kind != "delimited" or file.path in named:
        return True
    if TABLE_SUFFIXES & {suffix.casefold() for suffix in file.path.suffixes}:
        return True
    text = salvage(file.path, HEAD_BYTES).decode(file.encoding, errors="ignore")
    widths = {len(row) for row in islice(_rows(text, file.delimiter), LINES_ALIKE)}
    return widths == {len(file.headers)} and len(file.headers) > 1


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows of a text that are whole; it may be cut off in the last one."""
    try:
        yield from (row for row in csv.reader(io.StringIO(text[: text.rfind("\n") + 1]), delimiter=delimiter) if row)
    except csv.Error:
        return
