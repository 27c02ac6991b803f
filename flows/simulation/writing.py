"""Appends the chunks of a simulated extract to its files; the same chunks give the same bytes.

Parquet: one row group a chunk, zstd. Delimited: CSV, and for big tables one gzip member a chunk, whose header holds
no time and no name. NDJSON: the column `line`, packed in the same way. A folder gets one file a row. Nothing but the
current chunk is in memory.
"""

import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

GZIP_WINDOW = 31  # zlib's way to say: gzip header and trailer, time 0
GZIP_LEVEL = 3
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


class TableWriter:
    """One file, written chunk by chunk; its name decides the format (.parquet, .csv, .ndjson, each also with .gz)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parquet: Any = None
        self._file: BinaryIO | None = None
        self._is_empty = True

    def append(self, frame: pl.DataFrame) -> None:
        """Add the rows of one chunk."""
        if self.path.suffix == ".parquet":
            self._append_parquet(frame)
            return
        if self._file is None:
            self._file = self.path.open("wb")
        text = self._text(frame)
        self._is_empty = False
        self._file.write(_gzipped(text.encode()) if self.path.suffix == ".gz" else text.encode())

    def _text(self, frame: pl.DataFrame) -> str:
        if ".ndjson" in self.path.suffixes:
            return "".join(f"{line}\n" for line in frame["line"])
        return frame.write_csv(include_header=self._is_empty, datetime_format=TIME_FORMAT, line_terminator="\n")

    def close(self) -> None:
        """Finish the file."""
        if self._parquet is not None:
            self._parquet.close()
        if self._file is not None:
            self._file.close()

    def _append_parquet(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._parquet is None:
            schema = pa.schema([pa.field(f.name, _plain(f.type)) for f in table.schema])
            self._parquet = pq.ParquetWriter(self.path, schema, compression="zstd", store_schema=False)
        self._parquet.write_table(table.cast(self._parquet.schema))


class FolderWriter:
    """A folder with one packed file a row: columns `name` and `line`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, frame: pl.DataFrame) -> None:
        """Add the files of one chunk."""
        self.path.mkdir(exist_ok=True)
        for name, line in frame.select("name", "line").iter_rows():
            (self.path / f"{name}.json.gz").write_bytes(_gzipped(f"{line}\n".encode()))

    def close(self) -> None:
        """Nothing is open."""


class ExtractWriter:
    """The files of one extract by table; closes them all, whatever happens."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._writers = {name: TableWriter(path) if path.suffix else FolderWriter(path) for name, path in paths.items()}

    def append(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Add one chunk of every table."""
        for name, frame in tables.items():
            self._writers[name].append(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()


def _gzipped(content: bytes) -> bytes:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    return packer.compress(content) + packer.flush()


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) else kind
