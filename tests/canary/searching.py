"""Searches everything that a run wrote for canaries, through every packing they may lie in, and says where each was.

A canary is a text, a number or a date that occurs nowhere but in one cell of a made-up extract. Read are: plain bytes,
UTF-16, percent and base64 forms, gzip, zstd, xz, zip, the cells, dictionaries and footers of Parquet, every table of
a SQLite or DuckDB file, and the names of files and folders.
"""

import base64
import io
import lzma
import re
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import duckdb
import pyarrow
import pyarrow.parquet

STEM, END = "Zqxcanary", "7F3"
DIGITS = "73918246"
MONTH, DAY = "03", "29"
# Only a canary falls on this day of these years; a run of nadir itself may fall on it in others.
YEARS = r"(?:1[89]\d\d|20[01]\d|202[0-3]|2[1-9]\d\d)"
TEXT = re.compile(rf"{STEM}([a-z]{{3}})?({END})?".encode(), re.IGNORECASE)
NUMBER = re.compile(rb"(?<![0-9.])" + b"[.,]?".join(bytes([digit]) for digit in DIGITS.encode()))
FORMS = ("{y}-{m}-{d}", r"(?<![0-9.]){y}{m}{d}", r"{d}\.{m}\.{y}", "{m}/{d}/{y}", "{d} Mar {y}", "Mar {d}, {y}")
DATE = re.compile("|".join(FORMS).format(y=YEARS, m=MONTH, d=DAY).encode())
ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
MIXED = re.compile(rb"(?=.*[0-9+/_-])(?=.*[A-Z])(?=.*[a-z])")
# The drawing library holds long words and no word of ours; looking into each of them takes longer than all the rest.
SAME_EVERY_NIGHT = re.compile(r"plotly-[0-9.]+\.min\.js")


@dataclass(frozen=True, order=True)
class Finding:
    """A canary and where it was: a path below the folder that was searched, and the table or member inside it."""

    canary: str
    path: str
    inside: str = ""

    @property
    def place(self) -> str:
        """Where, in one line."""
        return f"{self.path}:{self.inside}" if self.inside else self.path


def search_folder(root: Path, left_out: Iterable[Path] = ()) -> list[Finding]:
    """Every canary below `root`, but for what lies in the folders or files of `left_out`."""
    spared = tuple(left_out)
    found: set[Finding] = set()
    for path in sorted(root.rglob("*")):
        if any(path.is_relative_to(other) for other in spared) or SAME_EVERY_NIGHT.fullmatch(path.name):
            continue
        where = path.relative_to(root).as_posix()
        found |= {Finding(canary, where, "its name") for canary in search_bytes(path.name.encode())}
        if path.is_file() and not path.is_symlink():
            found |= {Finding(canary, where, inside) for canary, inside in search_file(path)}
    return sorted(found)


def search_file(path: Path) -> set[tuple[str, str]]:
    """Every canary in one file, with the table or member it is in."""
    return set(_search(path.read_bytes(), "", path))


def search_text(text: str) -> set[str]:
    """Every canary in what a program printed."""
    return {canary for canary, _ in _search(text.encode(), "", None)}


def search_bytes(content: bytes) -> Iterator[str]:
    """Canaries that stand in `content` as they are."""
    for found in TEXT.finditer(content):
        yield found[0].decode().casefold()
    for pattern in (NUMBER, DATE):
        for found in pattern.finditer(content):
            yield found[0].decode()


def _search(content: bytes, inside: str, path: Path | None) -> Iterator[tuple[str, str]]:
    for form in _forms(content):
        yield from ((canary, inside) for canary in search_bytes(form))
    for name, part in _parts(content, path):
        yield from _search(part, f"{inside}/{name}" if inside else name, None)


def _forms(content: bytes) -> Iterator[bytes]:
    yield content
    if b"\0" in content:
        yield content.replace(b"\0", b"")  # UTF-16 of plain letters
    if b"%" in content:
        yield unquote_to_bytes(content)
    for run in ENCODED.findall(content):
        if MIXED.match(run):
            plain = run.translate(bytes.maketrans(b"-_", b"+/"))
            for start in range(4):
                part = plain[start:]
                yield base64.b64decode(part[: len(part) - len(part) % 4])


def _parts(content: bytes, path: Path | None) -> Iterator[tuple[str, bytes]]:
    """What is packed in `content`, each part with its name; of gzip and xz that are cut off, what is there."""
    if content.startswith(b"\x1f\x8b"):
        yield "gzip", zlib.decompressobj(wbits=31).decompress(content)
    elif content.startswith(b"\xfd7zXZ\x00"):
        yield "xz", lzma.LZMADecompressor().decompress(content)
    elif content.startswith(b"\x28\xb5\x2f\xfd"):
        yield "zstd", pyarrow.CompressedInputStream(pyarrow.BufferReader(content), "zstd").read()
    elif content.startswith(b"PK\x03\x04"):
        yield from _members(content)
    elif content.startswith(b"PAR1"):
        yield from _columns(content)
    elif content.startswith(b"SQLite format 3\0"):
        yield from _sqlite_tables(content, path)
    elif content[8:12] == b"DUCK":
        yield from _duckdb_tables(content, path)


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                yield "name", member.filename.encode()
                yield member.filename, archive.read(member)
    except zipfile.BadZipFile:
        return


def _columns(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The cells of each column, and the words of its dictionary, which may be more than its cells."""
    try:
        opened = pyarrow.parquet.ParquetFile(io.BytesIO(content))
        names = [field.name for field in opened.schema_arrow if pyarrow.types.is_string(field.type)]
        table = pyarrow.parquet.read_table(io.BytesIO(content), read_dictionary=names)
    except (pyarrow.ArrowInvalid, OSError):
        return
    yield "schema", str(opened.metadata.metadata).encode() + str(opened.schema_arrow).encode()
    for name, column in zip(table.column_names, table.columns, strict=True):
        for chunk in column.chunks:
            words = chunk.dictionary if isinstance(chunk, pyarrow.DictionaryArray) else chunk
            yield name, "\n".join(str(cell) for cell in words.to_pylist()).encode()


def _sqlite_tables(content: bytes, path: Path | None) -> Iterator[tuple[str, bytes]]:
    with _as_file(content, path, ("-wal", "-shm")) as copy, sqlite3.connect(copy) as connection:
        connection.text_factory = bytes
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in (name.decode() for name in names):
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            yield name, b"\n".join(_cell(cell) for row in rows for cell in row)


def _cell(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode()


def _duckdb_tables(content: bytes, path: Path | None) -> Iterator[tuple[str, bytes]]:
    with _as_file(content, path, (".wal",)) as copy, duckdb.connect(copy) as connection:
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        for schema, table in tables:
            rows = connection.execute(f'SELECT COLUMNS(*)::VARCHAR FROM "{schema}"."{table}"')
            names = [column[0] for column in rows.description or ()]
            for name, cells in zip(names, zip(*rows.fetchall(), strict=True), strict=False):  # no row has no column
                yield f"{schema}.{table}.{name}", "\n".join(map(str, cells)).encode()


class _as_file:  # noqa: N801 - reads as what it does
    """A copy of a database with what lies beside it, in a folder of its own that is gone afterwards."""

    def __init__(self, content: bytes, path: Path | None, beside: Iterable[str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="searched-", dir=SEARCHED))
        self.copy = self.folder / "database"
        self.copy.write_bytes(content)
        for suffix in beside:
            other = path.with_name(path.name + suffix) if path else None
            if other is not None and other.exists():
                shutil.copy(other, self.folder / f"database{suffix}")

    def __enter__(self) -> str:
        return str(self.copy)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


SEARCHED = tempfile.gettempdir()  # as it was when this was imported: a test may search another one
