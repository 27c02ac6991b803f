"""Delimited text, packed or not, in any declared encoding: read once, in order, into Parquet with the needed columns.

Lines with too many or too few columns, or with a quote that never closes, are counted and set aside with their row
number; the rows around them keep theirs. Text that is not in its encoding is refused as a whole.
"""

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import duckdb

from flows.errors import SourceError
from flows.parsing import read_times
from flows.sources.decisions import generalised
from flows.sources.files import SHUT, not_in_encoding, open_bytes, refuse_unreadable
from flows.sources.opening import Opened
from flows.sources.protocol import Kind, SourceFile, literal
from transforms.model.sources import SourceMap

CHUNK_BYTES = 1 << 22
REJECTS = "store_rejects=true, rejects_limit=0, rejects_table='rejected', rejects_scan='rejected_scan'"
PLAIN_ENCODINGS = frozenset({"utf-8", "utf8", "utf-8-sig", "ascii"})


def open_delimited(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Opened:
    """Write the needed columns to `target` as Parquet, times parsed; SourceError when the text cannot be read."""
    plain = as_utf8(file, target.with_suffix(".txt"))
    connection.execute("SET preserve_insertion_order=true").fetchall()
    try:
        with refuse_unreadable(file.name):
            connection.execute(_copy(file, plain, needed, source_map, target)).fetchall()
        return _count(connection, file, target)
    finally:
        connection.execute("SET preserve_insertion_order=false").fetchall()
        connection.execute("DROP TABLE IF EXISTS rejected").fetchall()
        connection.execute("DROP TABLE IF EXISTS rejected_scan").fetchall()
        if plain != file.path:
            plain.unlink(missing_ok=True)


def _copy(file: SourceFile, plain: Path, needed: Mapping[str, Kind], source_map: SourceMap, target: Path) -> str:
    text = read_text(file, plain, REJECTS)
    rows = read_times(generalised(text, file, needed), needed, file.types, source_map)
    return f"COPY ({rows}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 20000)"


def read_text(file: SourceFile, plain: Path, on_fault: str) -> str:
    """SQL that reads every column as text; `plain` is the file itself or its text as UTF-8."""
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in file.headers)
    compression = "auto_detect" if plain != file.path else file.compression
    return f"""read_csv({literal(str(plain))}, delim={literal(file.delimiter)}, quote='"', escape='"', header=true,
        auto_detect=false, columns={{{columns}}}, compression='{compression}', {on_fault})"""


def as_utf8(file: SourceFile, target: Path) -> Path:
    """The file itself if DuckDB reads it as it is, else a copy of its text at `target`."""
    is_plain = file.encoding.lower() in PLAIN_ENCODINGS and file.compression != "xz"
    if is_plain:
        return file.path
    try:
        with (
            refuse_unreadable(file.name),
            open_bytes(file.path) as source,
            target.open("w", encoding="utf-8", newline="") as copy,
        ):
            _transcode(source, copy, file.encoding)
    except UnicodeDecodeError:
        raise not_in_encoding(file.name, file.encoding) from None
    return target


def _transcode(source: IO[bytes], copy: IO[str], encoding: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    while chunk := source.read(CHUNK_BYTES):
        copy.write(decoder.decode(chunk))
    copy.write(decoder.decode(b"", True))


def _count(connection: duckdb.DuckDBPyConnection, file: SourceFile, target: Path) -> Opened:
    rejected = connection.execute(
        "SELECT line, bool_or(error_type = 'INVALID ENCODING') FROM rejected GROUP BY line ORDER BY line"
    ).fetchall()
    if any(is_encoding for _, is_encoding in rejected):
        raise not_in_encoding(file.name, "utf-8")
    if rejected and file.compression != "none":
        _refuse_damaged(file)
    kept = f"read_parquet({literal(str(target))}, file_row_number=true)"
    n_kept = connection.execute(f"SELECT count(*) FROM {kept}").fetchall()[0][0]
    malformed = tuple(line - 1 for line, _ in rejected)
    return Opened(_numbered(kept, malformed), n_kept + len(malformed), malformed)


def _numbered(kept: str, malformed: tuple[int, ...]) -> str:
    if not malformed:
        return f"(SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS row_number FROM {kept})"
    shifts = {row - place: place + 1 for place, row in enumerate(malformed)}
    steps = ", ".join(f"({first}, {shift})" for first, shift in shifts.items())
    return (
        "(SELECT k.* EXCLUDE (file_row_number), file_row_number + 1 + coalesce(shift, 0) AS row_number "
        f"FROM {kept} k ASOF LEFT JOIN (VALUES {steps}) s(first_row, shift) ON k.file_row_number + 1 >= s.first_row)"
    )


def _refuse_damaged(file: SourceFile) -> None:
    """Lines of the wrong shape in a packed file are either the sender's or damage; its checksum tells which."""
    with refuse_unreadable(file.name), open_bytes(file.path) as stream:
        while stream.read(CHUNK_BYTES):
            pass
    if not file.path.exists():
        raise SourceError(f"{file.name}: the file has gone.", repair=SHUT)
