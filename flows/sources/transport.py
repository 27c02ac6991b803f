"""SAS transport files (XPORT, versions 5 and 8), packed or not, are read in pieces into Parquet, value for value.

Zero is 0 and a blank is missing. Dates are those of the SAS formats. A file that ends inside a row, and one that
holds several tables, are refused, because a reader would make rows of what is none.
"""

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import duckdb
import polars as pl

from flows.errors import SourceError
from flows.sources.decisions import generalise_rows
from flows.sources.files import SHUT, open_bytes, refuse_unreadable
from flows.sources.first_lines import not_in_encoding
from flows.sources.opening import Opened
from flows.sources.parquet import open_parquet
from flows.sources.protocol import Kind, SourceFile
from transforms.model.sources import SourceMap

RECORD_BYTES = 80
CHUNK_BYTES = 1 << 23
MAX_HEADER_BYTES = 1 << 24
MARK = b"HEADER RECORD*******"
LIBRARIES = (MARK + b"LIBRARY HEADER RECORD!!!!!!!", MARK + b"LIBV8   HEADER RECORD!!!!!!!")
OBSERVATIONS = MARK + b"OBS"
MEMBER = MARK + b"MEM"
LABEL_ENCODINGS = ("UTF-8", "WINDOWS-1252")
DATES = re.compile(
    r"(B8601|E8601|IS8601)DA|(DD|MM|YY)[DMY]{4}[BCDNPSX]?|DATE|JULIAN|MONYY|WEEKDAT[EX]|WORDDAT[EX]|YYMON"
)
DATETIMES = re.compile(
    r"(B8601|E8601|IS8601)(DT|DZ|LX)|DATETIME|DATEAMPM|MDYAMPM|DTDATE|DTMONYY|(B8601|E8601|IS8601)DN"
)
TIMES = re.compile(r"(B8601|E8601|IS8601)T[MZ]|TIME|TIMEAMPM|HHMM|TOD|MMSS")
FULL_WIDTH = 8


@dataclass(frozen=True)
class Header:
    """What stands before the rows: its bytes, the columns' DuckDB types, labels and widths, and bytes in a row."""

    content: bytes
    types: Mapping[str, str]
    labels: Mapping[str, str]
    widths: Mapping[str, int]

    @property
    def row_bytes(self) -> int:
        """Length of a row; every row has the same."""
        return sum(self.widths.values())


def is_transport(head: bytes, _path: Path) -> bool:
    """Whether the first bytes are those of a transport file."""
    return head.startswith(LIBRARIES)


def look_at_transport(path: Path, shown: str) -> tuple[SourceFile, ...]:
    """The one table in it, with its labels; SourceError when the header is damaged."""
    with open_bytes(path) as stream:
        header = _read_header(stream, shown)
    return (SourceFile(path, "transport", header.types, labels=header.labels, shown=shown),)


def open_transport(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Opened:
    """Write the needed columns to `target` as Parquet and open that; SourceError when the file is cut off."""
    with refuse_unreadable(file.name), open_bytes(file.path) as stream:
        types = _write_rows(connection, stream, file, needed, source_map, target)
    written = replace(file, path=target, kind="parquet", types=types, generalised={})
    return open_parquet(connection, written, needed, source_map)


def _read_header(stream: IO[bytes], name: str) -> Header:
    content = b""
    while not content[-RECORD_BYTES:].startswith(OBSERVATIONS):
        record = stream.read(RECORD_BYTES)
        if len(record) < RECORD_BYTES or len(content) > MAX_HEADER_BYTES:
            raise SourceError(f"{name}: the file ends inside its header.", repair=SHUT)
        content += record
    for encoding in LABEL_ENCODINGS:
        with _refuse_damage(name):
            try:
                _, meta = _parse(content, encoding, metadataonly=True)
            except UnicodeDecodeError:
                continue
            return _describe(content, meta)
    raise not_in_encoding(name, LABEL_ENCODINGS[0])


def _describe(content: bytes, meta: Any) -> Header:
    kinds = meta.readstat_variable_types
    formats = meta.original_variable_types
    return Header(
        content=content,
        types={name: "VARCHAR" if kinds[name] == "string" else _type_of(formats[name]) for name in meta.column_names},
        labels={name: label or "" for name, label in zip(meta.column_names, meta.column_labels, strict=True)},
        widths=meta.variable_storage_width,
    )


def _type_of(sas_format: str | None) -> str:
    word = re.sub(r"[\d.]*$", "", (sas_format or "").upper())
    if DATES.fullmatch(word):
        return "DATE"
    if DATETIMES.fullmatch(word):
        return "TIMESTAMP"
    return "TIME" if TIMES.fullmatch(word) else "DOUBLE"


def _write_rows(
    connection: duckdb.DuckDBPyConnection,
    stream: IO[bytes],
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> dict[str, str]:
    """Parquet with the columns under the names of `needed`; the answer gives their DuckDB types."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import and rarely needed

    header = _read_header(stream, file.name)
    names = _names(header, needed)
    writer = None
    for frame in _read_frames(stream, header, names, file, source_map):
        rows = generalise_rows(connection, frame.to_arrow(compat_level=pl.CompatLevel.oldest()), file)
        writer = writer or pq.ParquetWriter(target, rows.schema)
        writer.write_table(rows)
    if writer is None:
        pq.write_table(generalise_rows(connection, _empty(header, names).to_arrow(), file), target)
    else:
        writer.close()
    types = {names[name]: kind for name, kind in header.types.items() if name in names}
    types = {name: "VARCHAR" if kind == "TIME" else kind for name, kind in types.items()}
    return {name: "VARCHAR" if name in file.generalised else kind for name, kind in types.items()}


def read_transport(file: SourceFile, headers: Iterable[str], source_map: SourceMap) -> Iterator[pl.DataFrame]:
    """Rows of these columns, many at a time, as they are in the file; SourceError when it is cut off."""
    with refuse_unreadable(file.name), open_bytes(file.path) as stream:
        header = _read_header(stream, file.name)
        yield _empty(header, _names(header, headers))
        yield from _read_frames(stream, header, _names(header, headers), file, source_map)


def _names(header: Header, needed: Iterable[str]) -> dict[str, str]:
    own = {name.casefold(): name for name in header.types}
    return {own[wanted.casefold()]: wanted for wanted in needed}


def _read_frames(
    stream: IO[bytes], header: Header, names: Mapping[str, str], file: SourceFile, source_map: SourceMap
) -> Iterator[pl.DataFrame]:
    encoding = source_map.encoding or LABEL_ENCODINGS[0]
    for rows in _read_pieces(stream, header, file.name):
        with _refuse_damage(file.name):
            frame = _read_frame(rows, header, names, encoding, file.name)
        yield frame


def _read_pieces(stream: IO[bytes], header: Header, name: str) -> Iterator[bytes]:
    """Whole rows, many at a time; the blanks that fill the last record are left out."""
    size = header.row_bytes
    piece_bytes = max(1, CHUNK_BYTES // size) * size
    n_bytes, rest, before = 0, b"", b""
    while chunk := stream.read(piece_bytes - len(rest)):
        n_bytes += len(chunk)
        rest += chunk
        if len(rest) == piece_bytes:
            _refuse_members(before + rest, name)
            yield rest
            before, rest = rest[-len(MEMBER) :], b""
    whole = len(rest) // size * size
    if n_bytes % RECORD_BYTES or rest[whole:].strip(b" "):
        raise SourceError(f"{name}: the file ends inside a row.", repair=SHUT)
    _refuse_members(before + rest, name)
    end = whole
    while end and len(rest) - end + size < RECORD_BYTES and not rest[end - size : end].strip(b" "):
        end -= size
    if end:
        yield rest[:end]


def _refuse_members(rows: bytes, name: str) -> None:
    if MEMBER in rows:
        raise SourceError(
            f"{name}: there are several tables in this transport file.",
            repair="Export each table to a file of its own.",
        )


def _read_frame(rows: bytes, header: Header, names: Mapping[str, str], encoding: str, file_name: str) -> pl.DataFrame:
    """The columns of `names`, renamed by it; a row of blanks, which the reader leaves out at the end, is a row."""
    try:
        frame, _ = _parse(header.content + rows, encoding, usecols=list(names))
    except UnicodeDecodeError:
        raise not_in_encoding(file_name, encoding) from None
    n_blank = len(rows) // header.row_bytes - frame.height
    typed = frame.select(_typed(name, header.types[name], header.widths[name]).alias(names[name]) for name in names)
    return pl.concat([typed, typed.clear(n_blank)]) if n_blank else typed


def _typed(name: str, kind: str, width: int) -> pl.Expr:
    column = pl.col(name)
    if kind == "VARCHAR":
        return column.cast(pl.String)
    number = column.cast(pl.Float64)
    if kind == "DATE":
        days = (date(1970, 1, 1) - date(1960, 1, 1)).days
        return (number.floor().cast(pl.Int64) - days).cast(pl.Int32, strict=False).cast(pl.Date)
    if kind in {"TIMESTAMP", "TIME"}:
        micros = (number * 1_000_000).round().cast(pl.Int64)
        if kind == "TIME":
            return (micros * 1000).cast(pl.Time, strict=False).dt.to_string("%H:%M:%S")
        gap = datetime(1970, 1, 1) - datetime(1960, 1, 1)  # noqa: DTZ001 - SAS times have no zone
        return (micros - int(gap.total_seconds()) * 1_000_000).cast(pl.Datetime("us"))
    if width >= FULL_WIDTH:
        return number
    # A number cut to fewer bytes ends in noise; the digits that its bytes can hold are those that were written.
    digits = int(((width - 1) * 8 - 3) * 0.30103)
    return pl.when(number == number.floor()).then(number).otherwise(number.round_sig_figs(digits))


def _empty(header: Header, names: Mapping[str, str]) -> pl.DataFrame:
    kinds = {"DOUBLE": pl.Float64(), "DATE": pl.Date(), "TIMESTAMP": pl.Datetime("us")}
    return pl.DataFrame(schema={names[name]: kinds.get(header.types[name], pl.String()) for name in names})


def _parse(content: bytes, encoding: str, **options: Any) -> tuple[pl.DataFrame, Any]:
    from pyreadstat import read_xport  # noqa: PLC0415 - slow to import and rarely needed

    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*duplicated")  # it would show the name, and read on under another
        frame, meta = read_xport(
            io.BytesIO(content), encoding=encoding, output_format="polars", disable_datetime_conversion=True, **options
        )
    return frame, meta


@contextmanager
def _refuse_damage(name: str) -> Iterator[None]:
    from pyreadstat import PyreadstatError, ReadstatError  # noqa: PLC0415 - slow to import and rarely needed

    try:
        yield
    except (
        PyreadstatError,
        ReadstatError,
        TypeError,
        ValueError,
        OverflowError,
        UserWarning,
    ):  # of names and numbers that are none
        raise SourceError(f"{name}: cannot be read as a SAS transport file.", repair=SHUT) from None
