"""Delimited text, packed or not, in any declared encoding: read once, in order, into Parquet with the needed columns.

Lines with too many or too few columns, or with a quote that never closes, are counted and set aside with their row
number; the rows around them keep theirs. Text that is not in its encoding is refused as a whole.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import duckdb

from flows.errors import SourceError
from flows.parsing import read_times
from flows.sources.decisions import generalised
from flows.sources.files import HEAD_BYTES, SHUT, open_bytes, refuse_unreadable
from flows.sources.first_lines import not_in_encoding
from flows.sources.opening import Needs, Opened, find_needs
from flows.sources.protocol import Kind, SourceFile, literal, pattern
from flows.sources.together import Together, first_number
from transforms.model.sources import SourceMap

CHUNK_BYTES = 1 << 22
LONGEST_FIELD = 1 << 30
REJECTS = "store_rejects=true, rejects_limit=0, rejects_table='rejected', rejects_scan='rejected_scan'"
PLACE = "nadir_file"  # a column that tells of which file a row is
PLAIN_ENCODINGS = frozenset({"utf-8", "utf8", "utf-8-sig", "ascii"})


def open_delimited(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Opened:
    """Write the needed columns to `target` as Parquet, times parsed; SourceError when the text cannot be read."""
    with _keeping_order(connection), _as_plain([file], target) as (plain,):
        with refuse_unreadable(file.name), refuse_line_ends(file.name):
            text = read_text(file, plain, REJECTS)
            connection.execute(_copy(text, file, needed, source_map, target)).fetchall()
        return _count(connection, file, plain, target)


def open_delimited_together(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[SourceFile],
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Together | None:
    """The same for files with the same headers, by one query; None when one of them is not as it should be."""
    first = files[0]
    if PLACE in {header.casefold() for header in first.headers}:
        return None
    try:
        needs = find_needs(first, needed)
        with _keeping_order(connection), _as_plain(files, target) as plain:
            n_above = {_count_lines_above(file, path) for file, path in zip(files, plain, strict=True)}
            if len(n_above) > 1:
                return None
            with refuse_unreadable(first.name), refuse_line_ends(first.name):
                text = f"(SELECT *, file_index AS {PLACE} FROM {_read_csv(first, plain, n_above.pop(), REJECTS)})"
                columns: Mapping[str, Kind] = {PLACE: "text", **needs.found}
                connection.execute(_copy(text, needs.file, columns, source_map, target)).fetchall()
                if connection.execute("FROM rejected LIMIT 1").fetchall():
                    return None
    except SourceError:
        return None
    return _divide(connection, needs, len(files), target)


def _divide(connection: duckdb.DuckDBPyConnection, needs: Needs, n_files: int, target: Path) -> Together:
    """The rows of the Parquet at `target` by file: they stand there file by file, each in its order."""
    kept = f"read_parquet({literal(str(target))}, file_row_number=true)"
    found = connection.execute(f"SELECT {PLACE}, count(*) FROM {kept} GROUP BY 1").fetchall()
    n_rows = dict(found)
    shifts, alone, before = list[str](), list[Opened](), 0
    for place in range(n_files):
        own = n_rows.get(place, 0)
        rows = f"FROM {kept} WHERE file_row_number BETWEEN {before} AND {before + own - 1}"
        columns = f"* EXCLUDE (file_row_number, {PLACE})"
        relation = f"(SELECT {columns}, file_row_number + {1 - before} AS row_number {rows})"
        alone.append(needs.complete(Opened(relation, own)))
        shifts.append(str(first_number(place) + 1 - before))
        before += own
    number = f"file_row_number + [{', '.join(shifts)}][{PLACE}::BIGINT + 1]"
    relation = f"(SELECT * EXCLUDE (file_row_number, {PLACE}), {number} AS row_number FROM {kept})"
    return Together(needs.complete_rows(relation), tuple(alone))


@contextmanager
def _keeping_order(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Rows are written as they are read; of what could not be read nothing is left."""
    connection.execute("SET preserve_insertion_order=true").fetchall()
    try:
        yield
    finally:
        connection.execute("SET preserve_insertion_order=false").fetchall()
        connection.execute("DROP TABLE IF EXISTS rejected").fetchall()
        connection.execute("DROP TABLE IF EXISTS rejected_scan").fetchall()


@contextmanager
def _as_plain(files: Sequence[SourceFile], target: Path) -> Iterator[tuple[Path, ...]]:
    """Each file as UTF-8: itself, or a copy of its text that is removed at the end."""
    copies = [target.with_name(f"{target.stem}_{place}.txt") for place in range(len(files))]
    try:
        yield tuple(as_utf8(file, copy) for file, copy in zip(files, copies, strict=True))
    finally:
        for copy in copies:
            copy.unlink(missing_ok=True)


def _copy(text: str, file: SourceFile, needed: Mapping[str, Kind], source_map: SourceMap, target: Path) -> str:
    rows = read_times(generalised(text, file, needed), needed, file.types, source_map)
    return f"COPY ({rows}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 20000)"


def read_text(file: SourceFile, plain: Path, on_fault: str) -> str:
    """SQL that reads every column as text; `plain` is the file itself or its text as UTF-8."""
    return _read_csv(file, [plain], _count_lines_above(file, plain), on_fault)


def _read_csv(file: SourceFile, plain: Sequence[Path], n_above: int, on_fault: str) -> str:
    """The same of several files that are written like `file`."""
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in file.headers)
    compression = "auto_detect" if file.path not in plain else file.compression
    return f"""read_csv([{", ".join(pattern(path) for path in plain)}], delim={literal(file.delimiter)}, quote='"',
        escape='"', header=true, skip={n_above}, auto_detect=false, columns={{{columns}}},
        compression='{compression}', {on_fault})"""


@contextmanager
def refuse_line_ends(name: str) -> Iterator[None]:
    """Say it in words when the lines of a text do not all end alike."""
    try:
        yield
    except duckdb.InvalidInputException as error:
        if "invalid state" not in str(error):
            raise
        raise SourceError(
            f"{name}: the line ends are not all alike, or a line ends inside quotes that were never opened.",
            repair="Write it again with one kind of line end, for example with dos2unix.",
        ) from None


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


def _count(connection: duckdb.DuckDBPyConnection, file: SourceFile, plain: Path, target: Path) -> Opened:
    rejected = connection.execute(
        "SELECT line, bool_or(error_type = 'INVALID ENCODING') FROM rejected GROUP BY line ORDER BY line"
    ).fetchall()
    if any(is_encoding for _, is_encoding in rejected):
        raise not_in_encoding(file.name, "utf-8")
    if rejected and file.compression != "none":
        _refuse_damaged(file)
    kept = f"read_parquet({literal(str(target))}, file_row_number=true)"
    n_kept = connection.execute(f"SELECT count(*) FROM {kept}").fetchall()[0][0]
    malformed = _number_rows([line for line, _ in rejected], n_kept + len(rejected), plain, file)
    return Opened(_numbered(kept, malformed), n_kept + len(malformed), malformed)


def _count_lines_above(file: SourceFile, plain: Path) -> int:
    return file.rows_above if file.titles else _count_blank_lines(plain)


def _count_blank_lines(plain: Path) -> int:
    """Empty lines above the header, which DuckDB would take for it."""
    with open_bytes(plain) as stream:
        start = stream.read(HEAD_BYTES).removeprefix(codecs.BOM_UTF8)
    ends = re.match(rb"[\r\n]*", start)
    return len(ends[0].splitlines()) if ends else 0


def _number_rows(lines: Sequence[int], n_rows: int, plain: Path, file: SourceFile) -> tuple[int, ...]:
    """The row numbers of these lines as DuckDB counts them: with the header, titles and empty lines, which are no rows.

    However they are counted, each is the number of one row and no row has it twice.
    """
    counted = _leave_out_empty(lines, plain, file.delimiter) if lines and _has_empty_lines(plain) else lines
    numbers: list[int] = []
    for place, line in enumerate(counted):
        lowest = numbers[-1] + 1 if numbers else 1
        numbers.append(min(max(line - 1 - file.titles, lowest), n_rows - len(lines) + 1 + place))
    return tuple(numbers)


def _has_empty_lines(plain: Path) -> bool:
    with open_bytes(plain) as stream:
        before = b"\n"
        while chunk := stream.read(CHUNK_BYTES):
            if any(mark in before + chunk for mark in (b"\n\n", b"\n\r\n", b"\r\r")):
                return True
            before = chunk[-2:]
    return False


def _leave_out_empty(lines: Sequence[int], plain: Path, delimiter: str) -> Sequence[int]:
    """The numbers of the lines among those that are not empty, from 1."""
    wanted, numbers, n_full = frozenset(lines), dict[int, int](), 0
    usual = csv.field_size_limit(LONGEST_FIELD)
    try:
        with open_bytes(plain) as source, io.TextIOWrapper(source, "utf-8-sig", "replace", newline="") as text:
            for line, cells in enumerate(csv.reader(text, delimiter=delimiter), start=1):
                n_full += bool(cells)
                if line in wanted:
                    numbers[line] = n_full
    finally:
        csv.field_size_limit(usual)
    return [numbers.get(line, line) for line in lines]


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
