"""Small valid extracts of every kind and packing, from which the fuzzer makes damaged ones.

Cells of people, specimens and drugs hold canaries: texts that no message may ever repeat.
"""

import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
import yaml
from pyreadstat import write_xport

from flows.simulation.hospital import SimulationRequest, simulate_hospital

PERSON, SPECIMEN, DRUG = "QZX90417", "qzxs5521", "vkwqjolumab"
CANARIES = ("qzx9041", "qzxs552", "vkwqjol")
HEADER = ("person_id", "specimen_id", "collected_at", "test_code", "value", "unit", "status")
DRUG_HEADER = ("person_id", "agent", "started_at", "ended_at", "evidence", "route", "dose", "dose_unit")
Rows = Sequence[Sequence[object]]


@dataclass(frozen=True)
class Seed:
    """One extract: the files of its folder, and how much it costs to read one of its kind."""

    name: str
    files: Mapping[str, bytes]


def labs(count: int = 6) -> Rows:
    """Header and rows of a long table of results, with canaries as keys."""
    codes = (("751-8", "10*9/L"), ("6690-2", "10*9/L"), ("770-8", "%"))
    values = ("3.5", "<0.1", "0", "45", "12.25", "0.9")
    rows = [
        (
            f"{PERSON}{n % 4}",
            f"{SPECIMEN}{n}",
            f"2024-03-{1 + n % 28:02d} 08:{n % 60:02d}",
            *(codes[n % 3][0], values[n % 6], codes[n % 3][1], "final"),
        )
        for n in range(count)
    ]
    return [HEADER, *rows]


def drugs() -> Rows:
    """Header and rows of a long table of drugs."""
    row = (f"{PERSON}1", DRUG, "2024-02-20 09:00", "2024-02-20 10:00", "administered", "iv", "75", "mg")
    return [DRUG_HEADER, row, (f"{PERSON}2", *row[1:])]


def text(rows: Rows, mark: str = ",", end: str = "\n") -> str:
    """Delimited text without quotes."""
    return "".join(mark.join(map(str, row)) + end for row in rows)


def packed(name: str, content: bytes) -> bytes:
    """The content packed as the name says."""
    if name.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    if name.endswith(".xz"):
        return lzma.compress(content)
    if name.endswith(".zst"):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(content)
        return bytes(sink.getvalue())
    return content


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip archive whose bytes depend on its members alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def parquet(rows: Rows, **options: Any) -> bytes:
    """Parquet of texts."""
    header, *cells = rows
    columns = {str(name): [str(row[place]) for row in cells] for place, name in enumerate(header)}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, **options)
    return bytes(sink.getvalue())


def parquet_by(sql: str, options: str = "") -> bytes:
    """Parquet that DuckDB writes of a SELECT."""
    return _written(lambda path: duckdb.sql(f"COPY ({sql}) TO '{path}' (FORMAT parquet {options})"))


def transport(columns: Mapping[str, Sequence[object]], version: int, **options: Any) -> bytes:
    """A SAS transport file; its clock is set to 1960, so that the same columns give the same bytes."""
    content = _written(
        lambda path: write_xport(pl.DataFrame(columns), path, file_format_version=version, table_name="T", **options)
    )
    stamp = content[144:160]  # when the library was made
    return content.replace(stamp, b"01JAN60:00:00:00")


def workbook(sheets: Mapping[str, Rows]) -> bytes:
    """An Excel workbook."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties({"created": datetime(2024, 1, 1)})  # noqa: DTZ001
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                sheet.write(number, place, cell)
    book.close()
    return buffer.getvalue()


def open_document(rows: Rows) -> bytes:
    """An OpenDocument sheet."""
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    lines = (f"<table:table-row>{''.join(map(cell.format, row))}</table:table-row>" for row in rows)
    body = f'<table:table table:name="Labs">{"".join(lines).replace("<0", "&lt;0")}</table:table>'
    content = f"<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body>"
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    members = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": manifest,
        "content.xml": f"<office:document-content {spaces}>{content}</office:document-content>",
    }
    return zipped({name: text.encode() for name, text in members.items()})


def database(tables: Mapping[str, str]) -> bytes:
    """A DuckDB file with a table for each SELECT."""

    def write(path: Path) -> None:
        with duckdb.connect(str(path)) as connection:
            for name, sql in tables.items():
                connection.execute(f"CREATE TABLE {name} AS {sql}").fetchall()
            connection.execute("CHECKPOINT").fetchall()

    return _written(write)


def _written(write: Callable[[Path], object]) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "written"
        write(path)
        return path.read_bytes()


@cache
def simulated(layout: str) -> Mapping[str, bytes]:
    """A simulated hospital of three people, unpacked, with canaries for its drugs."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        simulate_hospital(SimulationRequest(people=3, days=60, format=layout, out=out, seed=3))
        files = {path.name: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    return {
        name.removesuffix(".gz"): gzip.decompress(content) if name.endswith(".gz") else content
        for name, content in files.items()
    }


def fhir_resources(version: str = "R4") -> list[dict[str, Any]]:
    """A patient, an order, a stay, a diagnosis, a panel and results, with canaries where people are named."""
    patient = {
        "resourceType": "Patient",
        "id": PERSON,
        "gender": "female",
        "birthDate": "1960-05-04",
        "name": [{"family": f"{DRUG}sen"}],
        "address": [{"city": f"{DRUG}heim"}],
    }
    who = {"reference": f"Patient/{PERSON}"}
    return [patient, *_fhir_results(who), *_fhir_events(who, version)]


def _fhir_results(who: Mapping[str, str]) -> list[dict[str, Any]]:
    loinc = "http://loinc.org"
    quantity = {"value": 2.5, "unit": "10*3/uL", "system": "http://unitsofmeasure.org", "code": "10*3/uL"}
    result = {
        "resourceType": "Observation",
        "id": f"{SPECIMEN}1",
        "status": "final",
        "subject": who,
        "code": {"coding": [{"system": loinc, "code": "751-8"}]},
        "effectiveDateTime": "2020-03-01T08:30:00+01:00",
        "issued": "2020-03-01T09:30:00+01:00",
        "valueQuantity": quantity,
        "referenceRange": [{"low": {"value": 1.8, "unit": "10*3/uL"}}],
        "specimen": {"reference": "Specimen/s1", "display": "Blood"},
    }
    part = {"code": {"coding": [{"system": loinc, "code": "6690-2"}]}, "valueQuantity": quantity}
    return [
        result,
        {**result, "id": f"{SPECIMEN}2", "component": [part, part]},
        {"resourceType": "Specimen", "id": "s1", "type": {"coding": [{"code": "119297000"}], "text": "Blood"}},
    ]


def _fhir_events(who: Mapping[str, str], version: str) -> list[dict[str, Any]]:
    drug = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "2626"}], "text": DRUG}
    stay_class: Any = {"code": "IMP"} if version == "R4" else {"code": "inpatient"}
    return [
        {
            "resourceType": "Encounter",
            "id": "e1",
            "status": "finished",
            "class": stay_class,
            "subject": who,
            "period": {"start": "2020-03-01T07:00:00+01:00", "end": "2020-03-09T07:00:00+01:00"},
        },
        {
            "resourceType": "Condition",
            "id": "c1",
            "subject": who,
            "recordedDate": "2020-03-02",
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "D70.1"}]},
        },
        {
            "resourceType": "MedicationRequest",
            "id": "m1",
            "status": "active",
            "intent": "order",
            "subject": who,
            "medicationCodeableConcept": drug,
            "authoredOn": "2020-02-20T08:00:00+01:00",
            "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 75, "unit": "mg"}}]}],
        },
    ]


def bundle(resources: Sequence[Mapping[str, Any]]) -> bytes:
    """A FHIR bundle."""
    entries = [{"fullUrl": f"urn:uuid:{place}", "resource": resource} for place, resource in enumerate(resources)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}, indent=1).encode()


def lines(resources: Sequence[Mapping[str, Any]]) -> bytes:
    """FHIR as NDJSON."""
    return "".join(json.dumps(resource) + "\n" for resource in resources).encode()


def as_yaml(source_map: Mapping[str, Any]) -> bytes:
    """A source map as its file."""
    return yaml.safe_dump(dict(source_map), sort_keys=False).encode()
