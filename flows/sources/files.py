"""Looks at the first bytes of each file and says what it is; the name decides nothing but how loud a refusal is.

A file that was named, or is called like a table, must be readable; anything else in a folder is left unread and listed.
"""

import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal, cast

import duckdb

from flows.errors import SourceError, TryAgainLater
from flows.sources.archives import is_archive, is_left_behind, unpack
from flows.sources.first_lines import find_encoding, find_header, header_note, unique_names
from flows.sources.protocol import SourceFile, pattern
from transforms.model.showing import Showing
from transforms.model.sources import SourceMap
from transforms.showable import is_plain_name, name_or

HEAD_BYTES = 1 << 18
WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
TABLE_SUFFIXES = WORKBOOK_SUFFIXES | {".csv", ".tsv", ".psv", ".tab", ".parquet", ".pq", ".xpt", ".duckdb"}
SHUT = "The file is cut off or damaged. Copy it again and compare its size with the original."
CALLED_BY_PLACE = re.compile(r"\bfile [0-9,]+")
COUNTED = (
    "is counted in the order of all paths of the extract, capital letters first, hidden files apart. Its name may be a "
    "person's, so it is not shown."
)
Compression = Literal["none", "gzip", "zstd", "xz"]
MAGIC: Sequence[tuple[bytes, Compression]] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
)
LENIENT = "latin-1"  # every byte is a character in it
UNREADABLE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError)


@dataclass(frozen=True)
class Found:
    """A file of the extract: where it lies, what to call it (by its name only if that may be shown), and whether
    somebody named it.
    """

    path: Path
    shown: str
    is_named: bool = False


def list_files(
    paths: Sequence[Path], unpacked: Path, showing: Showing, problems: list[SourceError] | None = None
) -> list[Found]:
    """All files under `paths`, sorted, without what programs leave behind; a path that is not there is a SourceError.

    Archives are replaced by their members, which are unpacked below `unpacked`. With `problems`, what is wrong with one
    file goes there, and the others are listed.
    """
    files: list[Found] = []
    listed = _list_paths(paths, problems)
    for place, path in enumerate(listed, start=1):
        found = Found(path, _name_to_show(path.name, place, len(listed), showing), path in paths)
        with keep(problems):
            files += _find_inside(found, unpacked / str(place), showing)
    return files


def _find_inside(found: Found, folder: Path, showing: Showing) -> list[Found]:
    """The members of an archive, or the file itself."""
    path, shown = found.path, found.shown
    with refuse_unreadable(shown):
        is_packed = path.stat().st_size > 0 and is_archive(path, shown)
        members = unpack(path, folder, shown) if is_packed else []
    if not is_packed:
        return [found]
    names = [member.relative_to(folder).as_posix() for member in members]
    return [
        Found(member, f"{shown}/{_name_to_show(name, inside, len(members), showing)}")
        for inside, (member, name) in enumerate(zip(members, names, strict=True), start=1)
    ]


def _name_to_show(name: str, place: int, n_files: int, showing: Showing) -> str:
    otherwise = f"file {place:,}"
    return otherwise if n_files > showing.most_files_named else name_or(name, otherwise, showing)


def point_out(problem: SourceError) -> SourceError:
    """The problem, with how to find a file that may not be called by its name."""
    called = CALLED_BY_PLACE.search(problem.what)
    if called is None:
        return problem
    return SourceError(problem.what, details=[f"{called[0]} {COUNTED}", *problem.details], repair=problem.repair)


@contextmanager
def keep(problems: list[SourceError] | None) -> Iterator[None]:
    """Add a SourceError to `problems`, if there is such a list, and go on."""
    try:
        yield
    except SourceError as problem:
        if problems is None:
            raise
        problems.append(problem)


def _list_paths(paths: Sequence[Path], problems: list[SourceError] | None) -> list[Path]:
    found: set[Path] = set()
    for path in paths:
        with keep(problems):
            found.update(_list_path(path))
    return sorted(found)


def _list_path(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise SourceError(f"{path}: there is nothing here.", repair="Check the path of the extract.")
    inside = path.rglob("*") if path.is_dir() else [path]
    for file in inside:
        if file.is_file() and not (file != path and is_left_behind(file.relative_to(path).parts)):
            yield file


def look_at(found: Found, source_map: SourceMap | None, showing: Showing) -> tuple[SourceFile, ...]:
    """The tables in a file; none when it is no table and nobody said that it was one."""
    is_table = found.is_named or bool(TABLE_SUFFIXES & {suffix.casefold() for suffix in found.path.suffixes})
    try:
        tables = _look(found, source_map)
        return tuple(_name_member(file, place, showing) for place, file in enumerate(tables, start=1))
    except SourceError:
        if is_table:
            raise
        return ()


def need_file(path: Path, name: str) -> None:
    """TryAgainLater when a file that was there has gone, or has become what would be waited for for ever, as a pipe."""
    if not path.is_file():
        raise TryAgainLater(f"{name}: the file has gone.", repair="Put it back, then run again.")


def _name_member(file: SourceFile, place: int, showing: Showing) -> SourceFile:
    """A sheet or a table inside a file, called by its place when its name may not be shown."""
    if not file.member or is_plain_name(file.member, showing):
        return file
    label = f"{file.shown}#table {place}"
    return replace(file, label=label, notes=tuple(note.replace(file.name, label) for note in file.notes))


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked."""
    compression = compression_of(path)
    if compression == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if compression == "xz":
        return cast("IO[bytes]", lzma.open(path, "rb"))
    if compression == "zstd":
        import pyarrow  # noqa: PLC0415 - slow to import and rarely needed

        return cast("IO[bytes]", pyarrow.input_stream(str(path), compression="zstd"))
    return path.open("rb")


# What is no fault of the file: our own SQL, the user who interrupts.
OURS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.InterruptException,
    duckdb.ParserException,
)


@contextmanager
def refuse_unreadable(name: str) -> Iterator[None]:
    """Turn what a reader raises into a SourceError without a word of the file's content."""
    try:
        yield
    except OURS:
        raise
    except duckdb.OutOfMemoryException:
        raise SourceError(
            f"{name}: reading it takes more memory than DuckDB was given.",
            repair="Raise memory_limit in the settings; a small file that asks for much is damaged: copy it again.",
        ) from None
    except duckdb.Error as error:
        if "no space left" in str(error).lower():
            raise TryAgainLater("The disk is full.", repair="Free some space, then run again.") from None
        raise SourceError(f"{name}: cannot be read to its end.", repair=SHUT) from None
    except UNREADABLE as error:
        raise SourceError(f"{name}: cannot be unpacked ({type(error).__name__}).", repair=SHUT) from None


def _look(found: Found, source_map: SourceMap | None) -> tuple[SourceFile, ...]:
    path, name = found.path, found.shown
    _need_name(path)
    with refuse_unreadable(name):
        if path.stat().st_size == 0:
            raise SourceError(f"{name}: the file is empty.", repair="Export it again, or leave it out.")
        with open_bytes(path) as stream:
            head = stream.read(HEAD_BYTES)
    if not head:
        raise SourceError(f"{name}: there is nothing in it.", repair="Export it again, or leave it out.")
    for is_kind, look_at_kind in lookers():
        if is_kind(head, path):
            with refuse_unreadable(name):
                return look_at_kind(path, name)
    encoding = find_encoding(name, head, source_map)
    lines = head.decode(encoding, errors="ignore")
    header = find_header(lines, source_map.delimiter if source_map else "")
    if not header.names or (len(head) == HEAD_BYTES and len(lines.lstrip().splitlines()) == 1):
        raise SourceError(
            f"{name}: there is no header line that can be read.",
            repair="The first line must name at most 16,384 columns, in quotes that close, and be shorter than 256 kB.",
        )
    file = SourceFile(
        path,
        "delimited",
        dict.fromkeys(unique_names(header.names), "VARCHAR"),
        header.delimiter,
        compression_of(path),
        encoding,
        shown=name,
        rows_above=header.rows_above,
        titles=header.titles,
        notes=(header_note(name, header.line),) if header.titles else (),
    )
    return (file,)


def _need_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = path.name.encode(errors="backslashreplace").decode()
        raise SourceError(
            f"{shown}: the name of the file, or of a folder above it, is not UTF-8.", repair="Rename it."
        ) from None


def _is_parquet(head: bytes, _path: Path) -> bool:
    return head.startswith(b"PAR1")


def _look_at_parquet(path: Path, shown: str) -> tuple[SourceFile, ...]:
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({pattern(path)})").fetchall()
    return (SourceFile(path, "parquet", {name: kind for name, kind, *_ in described}, shown=shown),)


# A kind of file that is no text: whether the first (unpacked) bytes are of it, and the tables in it.
Looker = tuple[Callable[[bytes, Path], bool], Callable[[Path, str], tuple[SourceFile, ...]]]


def lookers() -> Sequence[Looker]:
    """How each kind of file that is no text is known by its first bytes."""
    from flows.sources.database import is_database, look_at_database  # noqa: PLC0415
    from flows.sources.fhir_files import is_fhir, look_at_fhir  # noqa: PLC0415
    from flows.sources.transport import is_transport, look_at_transport  # noqa: PLC0415 - they use open_bytes
    from flows.sources.workbook import is_workbook, look_at_workbook  # noqa: PLC0415

    return (
        (_is_parquet, _look_at_parquet),
        (is_transport, look_at_transport),
        (is_workbook, look_at_workbook),
        (is_database, look_at_database),
        (is_fhir, look_at_fhir),
    )


def compression_of(path: Path) -> Compression:
    """How the file is packed, by its first bytes."""
    with path.open("rb") as stream:
        magic = stream.read(8)
    return next((name for mark, name in MAGIC if magic.startswith(mark)), "none")
