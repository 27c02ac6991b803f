"""Looks at the first bytes of each file and says what it is; the name decides nothing but how loud a refusal is.

A file that was named, or that is called like a table, must be readable; anything else in a folder (a licence, a
readme, a picture) is left unread and listed.
"""

import codecs
import csv
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, cast

import duckdb

from flows.errors import SourceError, TryAgainLater
from flows.sources.protocol import SourceFile
from transforms.model.sources import SourceMap

HEAD_BYTES = 1 << 18
DELIMITERS = (",", "\t", ";", "|")
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".psv", ".tab", ".parquet", ".pq"})
SHUT = "The file is cut off or damaged. Copy it again and compare its size with the original."
Compression = Literal["none", "gzip", "zstd", "xz"]
MAGIC: Sequence[tuple[bytes, Compression]] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
)
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def list_files(paths: Sequence[Path]) -> list[Path]:
    """All files under `paths`, sorted, hidden ones left out; a path that is not there is a SourceError."""
    found: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path}: there is nothing here.", repair="Check the path of the extract.")
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.is_file())
            found.update(file for file in inside if not any(p.startswith(".") for p in file.relative_to(path).parts))
        else:
            found.add(path)
    return sorted(found)


def look_at(path: Path, source_map: SourceMap | None, *, is_named: bool) -> SourceFile | None:
    """What `path` is, or None when it is no table and nobody said that it was one."""
    is_table = is_named or bool(TABLE_SUFFIXES & set(path.suffixes))
    try:
        return _look(path, source_map)
    except SourceError:
        if is_table:
            raise
        return None


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked."""
    compression = _compression(path)
    if compression == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if compression == "xz":
        return cast("IO[bytes]", lzma.open(path, "rb"))
    if compression == "zstd":
        import pyarrow  # noqa: PLC0415 - slow to import and rarely needed

        return cast("IO[bytes]", pyarrow.input_stream(str(path), compression="zstd"))
    return path.open("rb")


@contextmanager
def refuse_unreadable(name: str) -> Iterator[None]:
    """Turn what a reader raises into a SourceError without a word of the file's content."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        if "no space left" in str(error).lower():
            raise TryAgainLater("The disk is full.", repair="Free some space, then run again.") from None
        raise SourceError(f"{name}: cannot be read to its end.", repair=SHUT) from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError) as error:
        raise SourceError(f"{name}: cannot be unpacked ({type(error).__name__}).", repair=SHUT) from None


def _look(path: Path, source_map: SourceMap | None) -> SourceFile:
    if path.stat().st_size == 0:
        raise SourceError(f"{path.name}: the file is empty.", repair="Export it again, or leave it out.")
    with path.open("rb") as stream:
        magic = stream.read(8)
    if magic.startswith(b"PAR1"):
        return _look_at_parquet(path)
    with refuse_unreadable(path.name), open_bytes(path) as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise SourceError(f"{path.name}: there is nothing in it.", repair="Export it again, or leave it out.")
    encoding = _encoding(path.name, head, source_map)
    lines = head.decode(encoding, errors="ignore")
    delimiter = (source_map.delimiter if source_map else "") or _delimiter(lines)
    names = _first_row(lines, delimiter)
    return SourceFile(
        path, "delimited", dict.fromkeys(_unique(names), "VARCHAR"), delimiter, _compression(path), encoding
    )


def _look_at_parquet(path: Path) -> SourceFile:
    with refuse_unreadable(path.name), duckdb.connect() as connection:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    return SourceFile(path, "parquet", {name: kind for name, kind, *_ in described})


def _compression(path: Path) -> Compression:
    with path.open("rb") as stream:
        magic = stream.read(8)
    return next((name for mark, name in MAGIC if magic.startswith(mark)), "none")


def _encoding(name: str, head: bytes, source_map: SourceMap | None) -> str:
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
            f"The source map names an encoding that does not exist: {declared!r}.",
            repair="For example latin-1 or cp1252.",
        ) from None
    except UnicodeDecodeError:
        raise not_in_encoding(name, declared) from None
    return declared


def not_in_encoding(name: str, encoding: str) -> SourceError:
    """The error of a text that is not written as it should be."""
    return SourceError(
        f"{name}: the text is not {encoding.upper()}.",
        repair="Write the encoding into a source map (encoding: latin-1, cp1252, utf-16, ...), or export as UTF-8.",
    )


def _delimiter(text: str) -> str:
    return max(DELIMITERS, key=lambda mark: len(_first_row(text, mark)))


def _first_row(text: str, delimiter: str) -> list[str]:
    try:
        rows = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
        return [name.strip() for name in next((row for row in rows if row), [])]
    except csv.Error:
        return []


def _unique(names: Sequence[str]) -> list[str]:
    unique: list[str] = []
    for position, name in enumerate(names, start=1):
        base = name or f"column_{position}"
        unique.append(base if base not in unique else f"{base}_{position}")
    return unique
