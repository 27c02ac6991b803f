"""FHIR as JSON, packed or not: bundles, lists of resources and one resource a line, read once into Parquet.

Every entry of a bundle and every line is a row, whatever it holds. A line that is no JSON is set aside with its row
number; a bundle that is cut off is refused as a whole. Only the first bytes decide that a file is FHIR and how its
resources stand in it. What is read of a resource stands in fhir_resources.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import duckdb

from flows.errors import SourceError
from flows.parsing import read_times
from flows.sources.fhir_resources import COLUMNS, fhir_places, read_resources, structure_with
from flows.sources.files import compression_of, open_bytes, refuse_unreadable
from flows.sources.opening import Opened
from flows.sources.protocol import Kind, SourceFile, literal, pattern
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
TYPES, NAMES_PEOPLE = "types", "names_people"


def is_fhir(head: bytes, _path: Path) -> bool:
    """Whether the first unpacked bytes are JSON with resources in it."""
    return head.removeprefix(BOM).lstrip()[:1] in {b"{", b"["} and RESOURCE_TYPE.search(head) is not None


def look_at_fhir(path: Path, shown: str) -> tuple[SourceFile, ...]:
    """The one table in the file. Its labels tell what the first bytes show: `types` of resources, `names_people`."""
    head = _head(path)
    found = {match.decode() for match in RESOURCE_TYPE.findall(head)}
    labels = {TYPES: " ".join(sorted(found - {"Bundle"}))}
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
    plain = _unpacked(file, target.with_suffix(".json"))
    connection.execute("SET preserve_insertion_order=true").fetchall()
    try:
        _copy(connection, file, plain, (needed, source_map, target))
    finally:
        connection.execute("SET preserve_insertion_order=false").fetchall()
        if plain != file.path:
            plain.unlink(missing_ok=True)
    return _opened(connection, target, needed, fhir_places(source_map))


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
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    plain: Path,
    reading: tuple[Mapping[str, Kind], SourceMap, Path],
) -> None:
    needed, source_map, target = reading
    with refuse_unreadable(file.name):
        form = _form(_head(plain))
    compression = "gzip" if plain == file.path and file.compression == "gzip" else "none"
    for longest in LONGEST_DOCUMENTS_BYTES:
        text = f"{pattern(plain)}, compression='{compression}', maximum_object_size={longest}"
        flat = f"({read_resources(_resources(form, text, source_map), source_map, needed)})"
        kinds: dict[str, Kind] = {**needed, "is_malformed": "text", "filled_places": "text"}
        rows = read_times(flat, kinds, dict.fromkeys(kinds, "VARCHAR"), source_map)
        try:
            with refuse_unreadable(file.name):
                _write(connection, rows, target)
            return
        except _TooLong:
            continue
    raise SourceError(f"{file.name}: one bundle of it is longer than 4 GB.", repair="Export it as NDJSON.")


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
    """SELECT of `full_url` and `resource`, one row for each resource, in the order of the file."""
    whole = structure_with(fhir_places(source_map))
    structure = literal(json.dumps(whole))
    if form == "lines":
        lines = f"read_ndjson_objects({text}, ignore_errors=true)"
        return f"SELECT NULL::VARCHAR AS full_url, json_transform(json, {structure}) AS resource FROM {lines}"
    layout = "array" if form == "list" else "unstructured"
    entries = literal(json.dumps([{"fullUrl": "VARCHAR", "resource": whole}]))
    single = f"{{'fullUrl': NULL::VARCHAR, 'resource': json_transform(json, {structure})}}"
    return f"""SELECT entry.fullUrl AS full_url, coalesce(entry.resource, {_no_resource(structure)}) AS resource FROM (
        SELECT unnest(CASE WHEN json ->> '$.resourceType' = 'Bundle'
            THEN json_transform(json -> '$.entry', {entries}) ELSE [{single}] END) AS entry
        FROM read_json_objects({text}, format='{layout}'))"""


def _no_resource(structure: str) -> str:
    """An entry without a resource, as a deletion is: a row of no type, not a malformed one."""
    return f"json_transform('{{}}'::JSON, {structure})"


def _opened(
    connection: duckdb.DuckDBPyConnection, target: Path, needed: Mapping[str, Kind], places: Sequence[KnownPlace]
) -> Opened:
    """The rows of the Parquet, with references to other resources of the same file resolved."""
    rows = f"read_parquet({literal(str(target))}, file_row_number=true)"
    is_renamed = "resource_type = 'Patient' AND full_url LIKE 'urn:%' AND NOT ends_with(full_url, person_id)"
    is_whole = COLUMNS.keys() <= needed.keys()
    n_rows, n_explaining, n_renamed, *filled = connection.execute(
        f"""SELECT count(*), count(*) FILTER (resource_type IN ('Medication', 'Specimen')),
            {f"count(*) FILTER ({is_renamed})" if is_whole else 0} {_count_filled(places)} FROM {rows}"""
    ).fetchall()[0]
    malformed = connection.execute(f"SELECT file_row_number + 1 FROM {rows} WHERE is_malformed ORDER BY 1").fetchall()
    ours = "file_row_number, is_malformed, filled_places"
    relation = (
        f"(SELECT * EXCLUDE ({ours}), file_row_number + 1 AS row_number FROM {rows} "
        f"{'WHERE NOT is_malformed' if malformed else ''})"
    )
    if n_explaining and is_whole:
        relation = _explained(relation)
    if n_renamed:
        relation = _renamed(relation)
    counted = tuple(zip(places, filled[::2], filled[1::2], strict=True))
    return Opened(relation, int(n_rows), tuple(int(row) for (row,) in malformed), counted)


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
    by_key = f"""(SELECT key, min(agent) AS agent, min(rxnorm) AS rxnorm, min(atc) AS atc, min(specimen) AS specimen
        FROM (SELECT unnest([resource_key, full_url]) AS key, * FROM {relation}
              WHERE resource_type IN ('Medication', 'Specimen'))
        WHERE key IS NOT NULL GROUP BY key)"""
    return f"""(SELECT f.* REPLACE (coalesce(m.agent, f.agent) AS agent, coalesce(f.rxnorm, m.rxnorm) AS rxnorm,
            coalesce(f.atc, m.atc) AS atc, coalesce(s.specimen, f.specimen) AS specimen)
        FROM {relation} f
        LEFT JOIN {by_key} m ON f.medication = m.key LEFT JOIN {by_key} s ON f.specimen_key = s.key)"""


def _renamed(relation: str) -> str:
    """References by the URN of an entry become the id of the person in it."""
    people = f"""(SELECT full_url, min(person_id) AS own_id FROM {relation}
        WHERE resource_type = 'Patient' AND full_url LIKE 'urn:%' GROUP BY 1)"""
    return f"""(SELECT f.* REPLACE (coalesce(p.own_id, f.person_id) AS person_id)
        FROM {relation} f LEFT JOIN {people} p ON f.subject = p.full_url)"""
