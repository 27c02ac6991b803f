"""Reads what a run wrote into its site: downloads in every format, data inside a page, and the numbers of its text."""

import base64
import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl

DATE = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
PERCENT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\u00a0%")
Rows = list[dict[str, Any]]


def read_downloads(folder: Path) -> dict[str, pl.DataFrame]:
    """Released tables by name, from their Parquet files."""
    return {f"released.{path.stem}": pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}


def as_text(frame: pl.DataFrame) -> list[dict[str, str]]:
    """Rows as a spreadsheet has them."""
    return [{name: _text(cell) for name, cell in row.items()} for row in frame.to_dicts()]


def read_csv(data: bytes) -> list[dict[str, str]]:
    """Rows of a CSV; the apostrophe before a formula is taken away."""
    rows = csv.DictReader(io.StringIO(data.decode()))
    return [{name: cell.removeprefix("'") for name, cell in row.items()} for row in rows]


def read_json(data: bytes) -> list[dict[str, str]]:
    """Rows of a JSON download."""
    return [{name: _text(cell) for name, cell in row.items()} for row in json.loads(data)["rows"]]


def read_archive(path: Path) -> Mapping[str, bytes]:
    """Names and contents of a zip."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read_page(page: Path) -> dict[str, Rows]:
    """The rows of every table inside a page, of which its script makes figures, hover and alternative texts."""
    found = re.search(r'id="page-data">([^<]*)<', page.read_text(encoding="utf-8"))
    assert found is not None
    tables = json.loads(zlib.decompress(base64.b64decode(found.group(1))))["tables"]
    return {name: list(_decode(table)) for name, table in tables.items()}


def _decode(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    columns = {name: _decode_column(cells, table["n"]) for name, cells in table["columns"].items()}
    for place in range(table["n"]):
        yield {name: cells[place] for name, cells in columns.items()}


def _decode_column(cells: Any, n: int) -> list[Any]:
    if isinstance(cells, list):
        return cells
    at = cells["at"]
    return [cells["words"][place] for place in ([at] * n if isinstance(at, int) else at)]


class Shown(HTMLParser):
    """Texts of figures' table cells and what is read out for a figure (`aria-label`), as a reader without a script."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.labels: list[str] = []
        self._is_of_figure = self._is_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A table of a figure, a cell of it, or a figure."""
        named = dict(attrs)
        if tag == "article":
            self._is_of_figure = True
        self._is_cell = self._is_of_figure and tag == "td" and "num" in (named.get("class") or "")
        if named.get("role") == "figure":
            self.labels.append(named.get("aria-label") or "")

    def handle_endtag(self, tag: str) -> None:
        """The end of a figure with its table."""
        self._is_of_figure = self._is_of_figure and tag != "article"
        self._is_cell = False

    def handle_data(self, data: str) -> None:
        """The text of a cell."""
        if self._is_cell and data.strip():
            self.cells.append(data.strip())


def read_text(page: Path) -> Shown:
    """What the page shows before its script runs."""
    shown = Shown()
    shown.feed(page.read_text(encoding="utf-8"))
    return shown


def numbers_in(text: str) -> list[str]:
    """Numbers as they are written; a date is none."""
    return NUMBER.findall(DATE.sub("", text))


def percents_in(text: str) -> list[str]:
    """Percentages as they are written, without their sign."""
    return PERCENT.findall(text)


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
