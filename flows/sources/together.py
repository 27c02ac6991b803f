"""Small files that are read alike are opened as one, because planning a query takes longer than reading such a file.

In the rows of several files `row_number` tells the file too: its place among them, and below that the row in it. So
whatever is asked of one file can be asked of several, and each row is known by its file and row again at the end.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.sources.files import need_file
from flows.sources.opening import Opened
from flows.sources.protocol import Kind, SourceFile
from transforms.model.sources import SourceMap

PLACE_BITS = 40
MOST_FILES = 500
LARGEST_BYTES = 1 << 24
MOST_BYTES = 1 << 26
PACKED = 16  # bytes of JSON in a byte of a packed file, about


@dataclass(frozen=True)
class Together:
    """Files opened as one: SQL of a relation of all rows, and each file as it would be alone."""

    relation: str
    alone: tuple[Opened, ...]


def place_of(row_number: str) -> str:
    """SQL of the place of the file that a row of several files is from."""
    return f"({row_number} >> {PLACE_BITS})"


def row_in_file(row_number: str) -> str:
    """SQL of the number of such a row in its file."""
    return f"({row_number} & {(1 << PLACE_BITS) - 1})"


def first_number(place: int) -> int:
    """What is added to the row numbers of the file at this place."""
    return place << PLACE_BITS


def gather_alike(files: Sequence[SourceFile]) -> Iterator[tuple[int, ...]]:
    """Places of files that can be opened as one; a file that cannot stands alone."""
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, file in enumerate(files):
        alike.setdefault(_how_read(file) or (str(place),), []).append(place)
    for places in alike.values():
        yield from _in_bounds(files, places)


def _how_read(file: SourceFile) -> tuple[str, ...] | None:
    """What must be alike of files that one query reads; None for a file that is better read alone."""
    if file.kind not in ("fhir", "delimited") or not 0 < _size(file) <= LARGEST_BYTES:
        return None
    if file.kind == "fhir":
        return (file.kind, file.compression, file.labels["form"])
    return (file.kind, file.compression, file.encoding, file.delimiter, *file.headers)


def _in_bounds(files: Sequence[SourceFile], places: Sequence[int]) -> Iterator[tuple[int, ...]]:
    some: list[int] = []
    n_bytes = 0
    for place in places:
        size = _size(files[place])
        if some and (len(some) == MOST_FILES or n_bytes + size > MOST_BYTES):
            yield tuple(some)
            some, n_bytes = [], 0
        some.append(place)
        n_bytes += size
    if some:
        yield tuple(some)


def _size(file: SourceFile) -> int:
    """Bytes of its text, about; 0 of a file that has gone."""
    try:
        return file.path.stat().st_size * (1 if file.compression == "none" else PACKED)
    except OSError:
        return 0


def open_together(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[SourceFile],
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Together | None:
    """Files that `gather_alike` put together, copied to `target`; None when one of them is not as it should be."""
    from flows.sources.delimited import open_delimited_together  # noqa: PLC0415 - they use Together
    from flows.sources.fhir_files import open_fhir_together  # noqa: PLC0415

    for file in files:
        need_file(file.path, file.name)
    if files[0].kind == "fhir":
        return open_fhir_together(connection, files, needed, source_map, target)
    return open_delimited_together(connection, files, needed, source_map, target)
