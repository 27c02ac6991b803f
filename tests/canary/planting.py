"""Plants a canary of its own into every field of an extract, and into columns and fields that nadir has no use for.

Each column gives some of its cells: one to a text that occurs nowhere else, and others to numbers or a date where its
cells are numbers or dates. Of a text canary is known which column it came from; a column added here is mapped by
nothing, so its canaries may be nowhere at all.
"""

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from string import ascii_lowercase
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import xlsxwriter
from pyreadstat import write_xport

from tests.canary.layouts import MAPS, Table, simulated_files, tables_of
from tests.canary.searching import DAY, DIGITS, END, MONTH, STEM, Finding

NUMBER_SHAPE = re.compile(r"-?\d+(\.\d+)?")
DATE_SHAPE = re.compile(r"\d{4}-\d\d-\d\d.*")
NUMBERS = (f"{DIGITS[:4]}.{DIGITS[4:]}", f"{DIGITS[0]}.{DIGITS[1:]}", f"{DIGITS}55")
ADDED = "added"


@dataclass
class Planted:
    """Which column each text canary came from; those of added columns and fields are `strange`."""

    folder: Path
    columns: dict[str, str] = field(default_factory=dict)
    strange: set[str] = field(default_factory=set)
    _tags: Iterator[int] = field(default_factory=count)

    def text(self, column: str, *, is_strange: bool = False) -> str:
        """A new text canary of a column."""
        place = next(self._tags)
        letters = "".join(ascii_lowercase[place // 26**power % 26] for power in (2, 1, 0))
        canary = f"{STEM}{letters}{END}"
        self.columns[canary.casefold()] = column
        if is_strange:
            self.strange.add(canary.casefold())
        return canary

    def explain(self, finding: Finding) -> str:
        """A finding in words."""
        return f"{self.columns.get(finding.canary, finding.canary)} is in {finding.place}"

    def is_strange(self, finding: Finding) -> bool:
        """Whether it came from what nadir has no use for."""
        return finding.canary in self.strange


def plant(layout: str, folder: Path) -> Planted:
    """Write the extract of a layout with canaries everywhere below `folder`."""
    planted = Planted(folder)
    folder.mkdir(parents=True)
    if layout in {"fhir", "fhir_bundles"}:
        _plant_fhir(layout, planted)
        return planted
    base, packing = PACKED.get(layout, (layout, _write_csv))
    tables = tables_of(base)
    for name, rows in tables.items():
        _plant_table(name, rows, planted, is_cells=packing is not _write_transport)
    packing(planted, tables)
    if base in MAPS:
        (folder / "source.yaml").write_text(MAPS[base])
    return planted


def _plant_table(name: str, rows: Table, planted: Planted, *, is_cells: bool) -> None:
    header, body = rows[0], rows[1:]
    places = iter(range(len(body) * 100))
    for column, title in enumerate(header):
        usual = next((row[column] for row in body if row[column]), "")
        for canary in _canaries(usual, f"{name}: {title}", planted):
            row = body[next(places) * 7 % len(body)] if body else None
            if row is not None:
                row[column] = canary
    for number in range(2):
        # A name of a column is no value: it may lie beside staged rows, which a repaired map reads again.
        title = f"note_{number}" if number or not is_cells else planted.text(f"{name}: header")
        header.append(title)
        for place, row in enumerate(body):
            said = planted.text(f"{name}: {ADDED}", is_strange=True) if place in {1, len(body) // 2} else "ok"
            row.append(f"seen, {said} said" if number else said)


def _canaries(usual: str, column: str, planted: Planted) -> Iterator[str]:
    yield planted.text(column)
    if NUMBER_SHAPE.fullmatch(usual):
        yield from NUMBERS[: 1 + ("." in usual)]
    if DATE_SHAPE.fullmatch(usual):
        yield _date_before(usual)


def _date_before(usual: str) -> str:
    """A day of the year before, so that a person's first day is the first day of all."""
    return f"{int(usual[:4]) - 1}-{MONTH}-{DAY}{usual[10:]}"


def _write_csv(planted: Planted, tables: Mapping[str, Table]) -> None:
    for name, rows in tables.items():
        path = planted.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(rows))


def _write_gzip(planted: Planted, tables: Mapping[str, Table]) -> None:
    for name, rows in tables.items():
        (planted.folder / f"{name}.gz").write_bytes(gzip.compress(_text(rows).encode()))


def _write_zip(planted: Planted, tables: Mapping[str, Table]) -> None:
    with zipfile.ZipFile(planted.folder / "extract.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables.items():
            archive.writestr(name, _text(rows))


def _write_named(planted: Planted, tables: Mapping[str, Table]) -> None:
    """Files, and a file nobody can read, whose own names are canaries."""
    for name, rows in tables.items():
        (planted.folder / f"{planted.text('file name')}_{name}").write_text(_text(rows))
    (planted.folder / f"{planted.text('file name')}.txt").write_text(planted.text("note", is_strange=True))


def _write_parquet(planted: Planted, tables: Mapping[str, Table]) -> None:
    """Columns have the type that most of their cells have; a text canary in a column of numbers is lost."""
    for name, rows in tables.items():
        path = planted.folder / Path(name).with_suffix(".parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        _typed(rows).write_parquet(path)


def _write_text_parquet(planted: Planted, tables: Mapping[str, Table]) -> None:
    for name, rows in tables.items():
        _frame(rows).write_parquet(planted.folder / Path(name).with_suffix(".parquet"))


def _write_workbook(planted: Planted, tables: Mapping[str, Table]) -> None:
    book = xlsxwriter.Workbook(planted.folder / "extract.xlsx")
    for name, rows in tables.items():
        sheet = book.add_worksheet(Path(name).stem[:31])
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                if number and NUMBER_SHAPE.fullmatch(cell) and len(cell) < len(DIGITS):
                    sheet.write_number(number, place, float(cell))
                elif cell:
                    sheet.write_string(number, place, cell)
    book.close()


def _write_transport(planted: Planted, tables: Mapping[str, Table]) -> None:
    for name, rows in tables.items():
        stem = Path(name).stem
        path = planted.folder / f"{stem}.xpt"
        write_xport(_typed(rows), path, table_name=stem.upper()[:8], file_format_version=5)


def _write_database(planted: Planted, tables: Mapping[str, Table]) -> None:
    with duckdb.connect(str(planted.folder / "cdm.duckdb")) as connection:
        for name, rows in tables.items():
            connection.register("planted_rows", _frame(rows).to_arrow())
            connection.execute(f'CREATE TABLE "{Path(name).stem}" AS FROM planted_rows').fetchall()
            connection.unregister("planted_rows")


def _write_meds(planted: Planted, tables: Mapping[str, Table]) -> None:
    kinds = {"subject_id": pl.Int64, "numeric_value": pl.Float32, "hadm_id": pl.Int64}
    frame = _frame(tables["data.csv"]).with_columns(
        pl.col("time").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False),
        *(pl.col(name).cast(kind, strict=False) for name, kind in kinds.items()),
    )
    path = planted.folder / "data" / "train" / "0.parquet"
    path.parent.mkdir(parents=True)
    frame.drop_nulls("subject_id").write_parquet(path)


PACKED: Mapping[str, tuple[str, Callable[[Planted, Mapping[str, Table]], None]]] = {
    "parquet": ("long", _write_parquet),
    "parquet_of_text": ("long", _write_text_parquet),
    "workbook": ("long", _write_workbook),
    "zip": ("long", _write_zip),
    "gzip": ("long", _write_gzip),
    "names": ("long", _write_named),
    "omop_database": ("omop", _write_database),
    "omop_parquet": ("omop", _write_parquet),
    "cdisc_transport": ("cdisc", _write_transport),
    "nhanes_transport": ("nhanes", _write_transport),
    "meds": ("meds", _write_meds),
}
LAYOUTS = (
    *("long", "wide", "omop", "mimic_iv", "mimic_iii", "eicu", "cdisc", "nhanes", "clif", "nonmem"),
    *("fhir", "fhir_bundles", *PACKED),
)


def _text(rows: Table) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _frame(rows: Table) -> pl.DataFrame:
    header, body = rows[0], rows[1:]
    columns = {title: [row[place] or None for row in body] for place, title in enumerate(header)}
    return pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String))


def _typed(rows: Table) -> pl.DataFrame:
    frame = _frame(rows)
    typed = []
    for name in frame.columns:
        numbers = frame[name].cast(pl.Float64, strict=False)
        is_number = numbers.count() > frame[name].count() * 0.8 and "id" not in name
        typed.append(numbers.alias(name) if is_number else frame[name])
    return pl.DataFrame(typed)


def _plant_fhir(layout: str, planted: Planted) -> None:
    with TemporaryDirectory() as folder:
        files = simulated_files(layout, Path(folder))
    done: set[str] = set()
    for name, text in files.items():
        path = planted.folder / name.removesuffix(".gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        is_bundle = ".ndjson" not in name
        resources = [json.loads(text)] if is_bundle else [json.loads(line) for line in text.splitlines()]
        own = [entry["resource"] for bundle in resources for entry in bundle["entry"]] if is_bundle else resources
        _plant_resources(own, planted, done)
        path.write_text(json.dumps(resources[0]) if is_bundle else "\n".join(map(json.dumps, own)) + "\n")


def _plant_resources(resources: list[dict[str, Any]], planted: Planted, done: set[str]) -> None:
    """One leaf of each resource, a different one each time, and elements that nadir never reads in every fifth."""
    for number, resource in enumerate(resources):
        kind = str(resource["resourceType"])
        leaves = [leaf for leaf in _leaves(resource, ()) if leaf[0][-1] != "resourceType"]
        fresh = [leaf for leaf in leaves if _path(kind, leaf[0]) not in done]
        if fresh:
            keys, value = fresh[0]
            done.add(_path(kind, keys))
            _put(resource, keys, _like(value, _path(kind, keys), planted))
        elif number % 5 == 0:
            _add_strange(resource, kind, planted)


def _like(value: object, path: str, planted: Planted) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(NUMBERS[1])
    if DATE_SHAPE.fullmatch(str(value)):
        return _date_before(str(value))
    return planted.text(path)


def _add_strange(resource: dict[str, Any], kind: str, planted: Planted) -> None:
    def said(what: str) -> str:
        return planted.text(f"{kind}.{what}", is_strange=True)

    resource["text"] = {"status": "generated", "div": f"<div>{said('text')}</div>"}
    resource["note"] = [{"text": said("note")}]
    resource["extension"] = [{"url": "http://example.org/x", "valueString": said("extension")}]
    if kind == "Patient":
        resource["name"] = [{"family": said("name.family"), "given": [said("name.given")]}]
        resource["telecom"] = [{"system": "phone", "value": said("telecom")}]
        resource["address"] = [{"line": [said("address")], "postalCode": said("postalCode")}]


def _leaves(value: object, keys: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, (*keys, key))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _leaves(part, (*keys, place))
    else:
        yield keys, value


def _path(kind: str, keys: tuple[str | int, ...]) -> str:
    return ".".join([kind, *(str(key) for key in keys if isinstance(key, str))])


def _put(resource: dict[str, Any], keys: tuple[str | int, ...], value: object) -> None:
    place: Any = resource
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
