"""FHIR as JSON, packed or not: bundles, lists of resources and one resource a line, read once into Parquet.

Every entry of a bundle and every line is a row, whatever it holds. A line that is no JSON is set aside with its row
number; a bundle that is cut off is refused as a whole. Only the first bytes decide that a file is FHIR and how its
resources stand in it. What is read of a resource stands in fhir_resources. Many
small files, as exports of one bundle a patient are, are read by one query: planning it takes longer than reading one.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import duckdb

from flows.errors import SourceError
from flows.parsing import read_times
from flows.sources.fhir_resources import COLUMNS, fhir_places, read_resources, structure_with
from flows.sources.files import compression_of, open_bytes, refuse_unreadable
from flows.sources.opening import Opened
from flows.sources.protocol import Kind, SourceFile, literal, pattern
from flows.sources.together import Together, first_number, place_of
from transforms.model.sources import KnownPlace, SourceMap

Form = Literal["lines", "documents", "list"]
HEAD_BYTES = 1 << 18
CHUNK_BYTES = 1 << 22
BOM = b"\xef\xbb\xbf"
RESOURCE_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]+)"')
UNPACKED_BY_DUCKDB = frozenset({"none", "gzip"})
# DuckDB keeps room for the longest document it may meet, so that it is asked for much only when a bundle needs it.
LONGEST_DOCUMENTS_BYTES = (1 << 24, 1 << 28, (1 << 32) - 1)
IDENTIFYING = re.compile(rb'"(?:name|telecom|address|contact|photo)"\s*:\s*\[')
TYPES, NAMES_PEOPLE, FORM = "types", "names_people", "form"
OURS: Mapping[str, Kind] = dict.fromkeys(("read_from", "is_malformed", "filled_places"), "text")


def is_fhir(head: bytes, _path: Path) -> bool:
    """Whether the first unpacked bytes are JSON with resources in it."""
    return head.removeprefix(BOM).lstrip()[:1] in {b"{", b"["} and RESOURCE_TYPE.search(head) is not None


def look_at_fhir(path: Path, shown: str) -> tuple[SourceFile, ...]:
    """The one table in the file. Its labels tell what the first bytes show: `types`, `form`, `names_people`."""
    head = _head(path)
    found = {match.decode() for match in RESOURCE_TYPE.findall(head)}
    labels = {TYPES: " ".join(sorted(found - {"Bundle"})), FORM: _form(head)}
    if "Patient" in found and IDENTIFYING.search(head):
        labels[NAMES_PEOPLE] = "yes"
    types = dict.fromkeys(COLUMNS, "VARCHAR")
    return (SourceFile(path, "fhir", types, compression=compression_of(path), labels=labels, shown=shown),)


def open_fhir(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Opened:
    """Write one row for each resource to `target`; SourceError when the text is no JSON to its end."""
    reading = _Reading(needed, source_map, target)
    for longest in LONGEST_DOCUMENTS_BYTES:
        try:
            _copy(connection, [file], reading, longest)
        except _TooLong:
            continue
        return _alone(reading, next(iter(_count(connection, reading).values()), _Counted()))
    raise SourceError(f"{file.name}: one bundle of it is longer than 4 GB.", repair="Export it as NDJSON.")


def open_fhir_together(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[SourceFile],
    needed: Mapping[str, Kind],
    source_map: SourceMap,
    target: Path,
) -> Together | None:
    """The same for files that are read alike, by one query; None when one of them is not as it should be."""
    reading = _Reading(needed, source_map, target)
    try:
        paths = _copy(connection, files, reading, LONGEST_DOCUMENTS_BYTES[0])
    except (SourceError, _TooLong):
        return None
    return _opened(connection, reading, paths)


@dataclass(frozen=True)
class _Reading:
    """What is read of files, by which map, and the Parquet that it is written to."""

    needed: Mapping[str, Kind]
    source_map: SourceMap
    target: Path

    @property
    def is_whole(self) -> bool:
        return COLUMNS.keys() <= self.needed.keys()

    @property
    def rows(self) -> str:
        return f"read_parquet({literal(str(self.target))}, file_row_number=true)"


def _head(path: Path) -> bytes:
    with open_bytes(path) as stream:
        return stream.read(HEAD_BYTES)


def _form(head: bytes) -> Form:
    """How resources stand in the file: one a line if the first line is a whole one, else in documents of any length."""
    text = head.removeprefix(BOM).lstrip()
    if text.startswith(b"["):
        return "list"
    try:
        first = json.loads(text.split(b"\n", 1)[0])
    except (ValueError, RecursionError):
        return "documents"
    return "documents" if first.get("resourceType") == "Bundle" else "lines"


def _unpacked(file: SourceFile, target: Path) -> Path:
    if file.compression in UNPACKED_BY_DUCKDB:
        return file.path
    with refuse_unreadable(file.name), open_bytes(file.path) as source, target.open("wb") as copy:
        while chunk := source.read(CHUNK_BYTES):
            copy.write(chunk)
    return target


def _copy(
    connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], reading: _Reading, longest: int
) -> Sequence[Path]:
    """Write the rows of files that are alike in form and packing, in their order; the paths that rows are told by."""
    target = reading.target
    unpacked = [target.with_name(f"{target.stem}_{place}.json") for place in range(len(files))]
    connection.execute("SET preserve_insertion_order=true").fetchall()
    try:
        plain = [_unpacked(file, copy) for file, copy in zip(files, unpacked, strict=True)]
        with refuse_unreadable(files[0].name):
            _write(connection, _rows(files[0], plain, reading, longest), target)
        return plain
    finally:
        connection.execute("SET preserve_insertion_order=false").fetchall()
        for copy in unpacked:
            copy.unlink(missing_ok=True)


def _rows(like: SourceFile, plain: Sequence[Path], reading: _Reading, longest: int) -> str:
    compression = "gzip" if like.compression == "gzip" else "none"
    listed = ", ".join(pattern(path) for path in plain)
    text = f"[{listed}], compression='{compression}', maximum_object_size={longest}, filename=true"
    resources = _resources(cast("Form", like.labels[FORM]), text, reading.source_map)
    flat = f"({read_resources(resources, reading.source_map, reading.needed)})"
    kinds: dict[str, Kind] = {**reading.needed, **OURS}
    return read_times(flat, kinds, dict.fromkeys(kinds, "VARCHAR"), reading.source_map)


class _TooLong(Exception):
    """A document is longer than DuckDB was told to expect."""


def _write(connection: duckdb.DuckDBPyConnection, rows: str, target: Path) -> None:
    try:
        connection.execute(f"COPY ({rows}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)").fetchall()
    except duckdb.Error as error:
        if "maximum_object_size" in str(error):
            raise _TooLong from None
        raise


def _resources(form: Form, text: str, source_map: SourceMap) -> str:
    """SELECT of `read_from`, `full_url` and `resource`, one row for each resource, in the order of the files."""
    whole = structure_with(fhir_places(source_map))
    structure = literal(json.dumps(whole))
    if form == "lines":
        lines = f"read_ndjson_objects({text}, ignore_errors=true)"
        resource = f"json_transform(json, {structure}) AS resource"
        return f"SELECT filename AS read_from, NULL::VARCHAR AS full_url, {resource} FROM {lines}"
    layout = "array" if form == "list" else "unstructured"
    entries = literal(json.dumps([{"fullUrl": "VARCHAR", "resource": whole}]))
    single = f"{{'fullUrl': NULL::VARCHAR, 'resource': json_transform(json, {structure})}}"
    resource = f"coalesce(entry.resource, {_no_resource(structure)}) AS resource"
    return f"""SELECT read_from, entry.fullUrl AS full_url, {resource}
        FROM (SELECT filename AS read_from, unnest(CASE WHEN json ->> '$.resourceType' = 'Bundle'
            THEN json_transform(json -> '$.entry', {entries}) ELSE [{single}] END) AS entry
        FROM read_json_objects({text}, format='{layout}'))"""


def _no_resource(structure: str) -> str:
    """An entry without a resource, as a deletion is: a row of no type, not a malformed one."""
    return f"json_transform('{{}}'::JSON, {structure})"


@dataclass(frozen=True)
class _Counted:
    """Of one file: where its rows begin in the Parquet, how many there are, and how many are of each kind."""

    first: int = 0
    n_rows: int = 0
    n_explaining: int = 0
    n_renamed: int = 0
    filled: tuple[tuple[int, int], ...] = ()
    malformed: tuple[int, ...] = ()


def _opened(connection: duckdb.DuckDBPyConnection, reading: _Reading, paths: Sequence[Path]) -> Together | None:
    """The rows of the Parquet, with references to other resources of the same file resolved; None if not told apart."""
    found = _count(connection, reading)
    counted = [found.pop(str(path), _Counted()) for path in paths]
    if found:
        return None
    return Together(_relation(reading, paths, counted), tuple(_alone(reading, entry) for entry in counted))


def _count(connection: duckdb.DuckDBPyConnection, reading: _Reading) -> dict[str, _Counted]:
    """What is in the Parquet, by the path of the file."""
    places = fhir_places(reading.source_map)
    is_renamed = "resource_type = 'Patient' AND full_url LIKE 'urn:%' AND NOT ends_with(full_url, person_id)"
    rows = connection.execute(
        f"""SELECT read_from, min(file_row_number), count(*),
            count(*) FILTER (resource_type IN ('Medication', 'Specimen')),
            {f"count(*) FILTER ({is_renamed})" if reading.is_whole else 0},
            list(file_row_number ORDER BY file_row_number) FILTER (is_malformed) {_count_filled(places)}
        FROM {reading.rows} GROUP BY read_from"""
    ).fetchall()
    return {
        path: _Counted(
            *(first, n_rows, n_explaining, n_renamed),
            filled=tuple(zip(filled[::2], filled[1::2], strict=True)),
            malformed=tuple(row - first + 1 for row in wrong or ()),
        )
        for path, first, n_rows, n_explaining, n_renamed, wrong, *filled in rows
    }


def _alone(reading: _Reading, file: _Counted) -> Opened:
    own = f"file_row_number BETWEEN {file.first} AND {file.first + file.n_rows - 1}"
    rows = _numbered(f"(SELECT *, {1 - file.first} AS shift FROM {reading.rows} WHERE {own})", [file])
    known = zip(fhir_places(reading.source_map), file.filled, strict=bool(file.filled))
    places = tuple((place, *numbers) for place, numbers in known)
    return Opened(_resolved(rows, reading, [file]), file.n_rows, file.malformed, places)


def _relation(reading: _Reading, paths: Sequence[Path], files: Sequence[_Counted]) -> str:
    """All rows as one relation."""
    shifts = ", ".join(
        f"({literal(str(path))}, {first_number(place) + 1 - file.first})"
        for place, (path, file) in enumerate(zip(paths, files, strict=True))
    )
    rows = f"(FROM {reading.rows} JOIN (VALUES {shifts}) v(read_from, shift) USING (read_from))"
    return _resolved(_numbered(rows, files), reading, files)


def _numbered(rows: str, files: Sequence[_Counted]) -> str:
    where = "WHERE NOT is_malformed" if any(file.malformed for file in files) else ""
    ours = "file_row_number, shift, read_from, is_malformed, filled_places"
    return f"(SELECT * EXCLUDE ({ours}), file_row_number + shift AS row_number FROM {rows} {where})"


def _resolved(relation: str, reading: _Reading, files: Sequence[_Counted]) -> str:
    if any(file.n_explaining for file in files) and reading.is_whole:
        relation = _explained(relation)
    return _renamed(relation) if any(file.n_renamed for file in files) else relation


def _count_filled(places: Sequence[KnownPlace]) -> str:
    """Of each place, how many resources fill it, and how many of its type there are."""
    parts = []
    for bit, place in enumerate(places):
        kind = place.element.partition(".")[0]
        of_kind = "NOT is_malformed" if kind == "*" else f"resource_type = {literal(kind)}"
        parts.append(f", count(*) FILTER (filled_places & {1 << bit} > 0), count(*) FILTER ({of_kind})")
    return "".join(parts)


def _explained(relation: str) -> str:
    """Each row with the drug and the specimen that it refers to; what the row says itself comes first."""
    file = place_of("row_number")
    by_key = f"""(SELECT file, key, min(agent) AS agent, min(rxnorm) AS rxnorm, min(atc) AS atc,
            min(specimen) AS specimen
        FROM (SELECT unnest([resource_key, full_url]) AS key, {file} AS file, * FROM {relation}
              WHERE resource_type IN ('Medication', 'Specimen'))
        WHERE key IS NOT NULL GROUP BY file, key)"""
    return f"""(SELECT f.* REPLACE (coalesce(m.agent, f.agent) AS agent, coalesce(f.rxnorm, m.rxnorm) AS rxnorm,
            coalesce(f.atc, m.atc) AS atc, coalesce(s.specimen, f.specimen) AS specimen)
        FROM {relation} f
        LEFT JOIN {by_key} m ON f.medication = m.key AND {place_of("f.row_number")} = m.file
        LEFT JOIN {by_key} s ON f.specimen_key = s.key AND {place_of("f.row_number")} = s.file)"""


def _renamed(relation: str) -> str:
    """References by the URN of an entry become the id of the person in it."""
    people = f"""(SELECT {place_of("row_number")} AS file, full_url, min(person_id) AS own_id FROM {relation}
        WHERE resource_type = 'Patient' AND full_url LIKE 'urn:%' GROUP BY ALL)"""
    return f"""(SELECT f.* REPLACE (coalesce(p.own_id, f.person_id) AS person_id)
        FROM {relation} f LEFT JOIN {people} p ON f.subject = p.full_url AND {place_of("f.row_number")} = p.file)"""
