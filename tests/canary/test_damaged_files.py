"""Files that cannot be read, and maps that are wrong, end in an error that quotes nothing of them."""

import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest

from flows.errors import SourceError
from tests.canary.layouts import tables_of
from tests.canary.planting import Planted, plant
from tests.canary.sandbox import Sandbox
from tests.canary.searching import END, STEM

SECRET = f"{STEM}bad{END}"
HEADER = "person_id,specimen_id,collected_at,test_code,value,unit,status"


def _rows(row: str, count: int = 60, header: str = HEADER) -> bytes:
    return "\n".join([header, *(row.format(i=i) for i in range(count)), ""]).encode()


def _row(**changes: str) -> str:
    usual = {"who": "P{i}", "at": "2024-03-01 08:00", "code": "751-8", "value": "3.5", "unit": "10*9/L", "as": "final"}
    cells = {**usual, **changes}
    return ",".join([cells["who"], "S{i}", *(cells[name] for name in ("at", "code", "value", "unit", "as"))])


GOOD = _rows(_row())
LONG = _rows(_row(who=f"{SECRET}{{i}}"), 60_000)


def _parquet() -> bytes:
    content = io.BytesIO()
    pl.DataFrame({name: [SECRET] * 500 for name in HEADER.split(",")}).write_parquet(content, compression="snappy")
    return content.getvalue()


def _workbook(folder: Path) -> bytes:
    return (plant("workbook", folder).folder / "extract.xlsx").read_bytes()


def _bundle(folder: Path) -> bytes:
    return next((plant("fhir_bundles", folder).folder / "bundles").iterdir()).read_bytes()


def _transport(folder: Path) -> bytes:
    return (plant("cdisc_transport", folder).folder / "lb.xpt").read_bytes()


def _database(folder: Path) -> bytes:
    return (plant("omop_database", folder).folder / "cdm.duckdb").read_bytes()


def _middle(content: bytes) -> bytes:
    """The content with its middle overwritten."""
    half = len(content) // 2
    return content[:half] + bytes(64) + content[half + 64 :]


def _repacked(content: bytes) -> bytes:
    """A workbook whose sheets are no XML."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            is_sheet = "sheet" in name or "shared" in name
            new.writestr(name, f"<a>{SECRET}</b>" if is_sheet else old.read(name))
    return packed.getvalue()


def _zip(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


FILES: Mapping[str, tuple[str, Callable[[Path], bytes]]] = {
    "a parquet that was cut off": ("labs.parquet", lambda _: _parquet()[:-40]),
    "a parquet with a hole": ("labs.parquet", lambda _: _middle(_parquet())),
    "a gzip that was cut off": ("labs.csv.gz", lambda _: gzip.compress(LONG)[:-4000]),
    "a gzip with a hole": ("labs.csv.gz", lambda _: _middle(gzip.compress(LONG))),
    "an xz that was cut off": ("labs.csv.xz", lambda _: lzma.compress(LONG)[:-4000]),
    "an archive with a hole": ("labs.zip", lambda _: _middle(_zip(**{f"{SECRET}.csv": LONG}))),
    "an archive of an empty file": ("labs.zip", lambda _: _zip(**{f"{SECRET}.csv": b""})),
    "text of another encoding": ("labs.csv", lambda _: LONG + f"{SECRET}é,S,2024".encode("latin-1")),
    "no header": ("labs.csv", lambda _: f"{SECRET},S1,2024-03-01,751-8,3.5\n".encode()),
    "a header among values": ("labs.csv", lambda _: f"person_id,{SECRET},7391824655\nP1,x,y\n".encode()),
    "a workbook that was cut off": ("labs.xlsx", lambda f: _workbook(f)[:-900]),
    "a workbook of broken sheets": ("labs.xlsx", lambda f: _repacked(_workbook(f))),
    "a transport file that was cut off": ("lb.xpt", lambda f: _transport(f)[:-95]),
    "a database with a hole": ("cdm.duckdb", lambda f: _middle(_database(f))[:-5000]),
    "a bundle that was cut off": ("bundle.json", lambda f: _bundle(f)[:-40]),
    "codes that nobody knows": ("labs.csv", lambda _: _rows(_row(code=SECRET))),
    "a unit that nobody knows": ("labs.csv", lambda _: _rows(_row(unit=SECRET))),
    "units like record numbers": ("labs.csv", lambda _: _rows(_row(unit="7391824655"))),
    "dates of another kind": ("labs.csv", lambda _: _rows(_row(at=f"29.03.2022 {SECRET}"))),
    "decimal commas": ("labs.csv", lambda _: _rows(_row(value='"7,3918246"'))),
    "lines of another length": ("labs.csv", lambda _: _rows(_row(who=f"{SECRET},more"))),
}  # fmt: skip
MAPS: Mapping[str, str] = {
    "no YAML": f"id: mine\n  {SECRET}: [",
    "an unknown key": f"id: mine\n{SECRET}: 1\n",
    "a wrong value under a word": (
        f"id: mine\ntables:\n  - {{table: lab, columns: {{}}, value_spellings: {{sex: {{{SECRET}: [1]}}}}}}\n"
    ),
    "a wrong word": f"id: mine\ndates: {SECRET}\n",
    "a code translated into none": f"id: mine\nlayout: ''\ncodes: {{{SECRET}: {SECRET}}}\n",
    "an encoding that is none": f"id: mine\nencoding: {SECRET}\n",
    "a layout that is none": f"id: mine\nlayout: {SECRET}\n",
}  # fmt: skip


@pytest.mark.parametrize("damage", FILES)
def test_a_file_that_cannot_be_read_is_refused_without_a_word_of_it(damage: str, sandbox: Sandbox) -> None:
    name, make = FILES[damage]
    planted = Planted(sandbox.root / "extract")
    content = make(sandbox.root / "extract" / "made")
    path = planted.folder / "sent" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    failed = sandbox.run(path.parent)
    assert isinstance(failed, SourceError), failed
    assert sandbox.look(planted, ["workspace/staged/"]).leaks == []


@pytest.mark.parametrize("mistake", MAPS)
def test_a_map_that_is_wrong_is_refused_without_a_word_of_a_cell(mistake: str, sandbox: Sandbox) -> None:
    planted = Planted(sandbox.root / "extract")
    planted.folder.mkdir()
    (planted.folder / "labs.csv").write_bytes(GOOD)
    names = "person_id: person_id, collected_at: collected_at, code: test_code, value: value"
    long = f"tables:\n  - table: lab\n    columns: {{{names}}}\n"
    (planted.folder / "source.yaml").write_text(MAPS[mistake] + ("" if "tables" in MAPS[mistake] else long))
    failed = sandbox.run(planted.folder)
    assert isinstance(failed, SourceError), failed
    assert sandbox.look(planted).leaks == []


def test_a_word_that_enough_people_share_is_told_and_a_rare_one_is_not(sandbox: Sandbox) -> None:
    """An engineer must see which unit to translate."""
    rows = tables_of("long")["labs.csv"]
    unit = rows[0].index("unit")
    for place, row in enumerate(rows[1:]):
        row[unit] = "furlongs" if place > 5 else "rods"
    planted = Planted(sandbox.root / "extract")
    planted.folder.mkdir()
    (planted.folder / "labs.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    failed = sandbox.run(planted.folder)
    assert isinstance(failed, SourceError)
    assert "'furlongs': " in str(failed)
    assert "rods" not in str(failed)
