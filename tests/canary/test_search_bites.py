"""The search finds a canary wherever it hides; else finding nothing would mean nothing."""

import base64
import gzip
import io
import json
import lzma
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import duckdb
import polars as pl
import pyarrow
import pyarrow.parquet
import pytest

from tests.canary.searching import DIGITS, STEM, search_folder, search_text

CANARY = f"{STEM}abc7F3"
LINE = f"patient said {CANARY} on the phone"


def _parquet(rows: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    rows.write_parquet(content, compression="zstd", statistics=False)
    return content.getvalue()


def _unused_word() -> bytes:
    """A column whose dictionary holds a word that none of its cells has."""
    words = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 0], pyarrow.int32()), pyarrow.array(["plain", LINE]))
    content = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"unit": words}), content, compression="zstd", write_statistics=False)
    return content.getvalue()


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE log (message TEXT, data BLOB)")
        connection.execute("INSERT INTO log VALUES (?, ?)", ("x" * 5000, gzip.compress(LINE.encode())))
        connection.execute("INSERT INTO log VALUES (?, NULL)", (base64.b64encode(LINE.encode()).decode(),))


def _duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA ops; CREATE TABLE ops.run AS SELECT 'x' || range AS message FROM range(5000)")
        connection.execute("INSERT INTO ops.run VALUES (?)", [LINE])


PLAIN: dict[str, Callable[[], bytes]] = {
    "a line of a log": f"12:00 ERROR {LINE}\n".encode,
    "HTML": f"<td title='{LINE}'>".encode,
    "lower case": LINE.lower().encode,
    "UTF-16": lambda: LINE.encode("utf-16"),
    "percent": lambda: quote(f"a/{LINE}").replace("Z", "%5A").encode(),
    "base64": lambda: b'{"bdata":"' + base64.b64encode(LINE.encode()) + b'"}',
    "base64 of a later byte": lambda: base64.b64encode(b"x" + LINE.encode()),
    "base64 for addresses": lambda: base64.urlsafe_b64encode(b"\xff\xff" + LINE.encode()),
    "gzip": lambda: gzip.compress(LINE.encode()),
    "gzip that was cut off": lambda: gzip.compress(LINE.encode() + bytes(range(256)))[:-20],
    "xz": lambda: lzma.compress(LINE.encode()),
    "zstd": lambda: pyarrow.compress(LINE.encode(), codec="zstd", asbytes=True),
    "Parquet": lambda: _parquet(pl.DataFrame({"x": ["a", LINE]})),
    "a nested column of Parquet": lambda: _parquet(pl.DataFrame({"x": [[{"y": LINE}]]})),
    "the dictionary of a column": _unused_word,
    "a name in Parquet": lambda: _parquet(pl.DataFrame({CANARY: [1]})),
    "zip": lambda: _zip("notes.txt", LINE.encode()),
    "the name of a member": lambda: _zip(f"{CANARY}.txt", b"nothing"),
    "Parquet in zip in gzip": lambda: gzip.compress(_zip("a.parquet", _parquet(pl.DataFrame({"x": [LINE]})))),
    "JSON": lambda: json.dumps({"message": LINE}).encode(),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_canary_is_found_in_every_packing(kind: str, tmp_path: Path) -> None:
    (tmp_path / "written").write_bytes(PLAIN[kind]())
    assert {finding.canary for finding in search_folder(tmp_path)} >= {CANARY.casefold()}


@pytest.mark.parametrize("make", [_sqlite, _duckdb])
def test_a_canary_is_found_in_a_table_of_a_database_and_the_table_is_named(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "database")
    table = "log" if make is _sqlite else "ops.run.message"
    assert any(finding.inside.startswith(table) for finding in search_folder(tmp_path))


def test_a_canary_is_found_in_the_log_that_lies_beside_a_database(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("SET disabled_optimizers = ''; CREATE TABLE t (x VARCHAR); CHECKPOINT")
        connection.execute("INSERT INTO t VALUES (?)", [LINE])
        assert any("t.x" in finding.inside for finding in search_folder(tmp_path))


def test_a_canary_is_found_in_the_name_of_a_folder_and_of_a_file(tmp_path: Path) -> None:
    (tmp_path / CANARY).mkdir()
    (tmp_path / CANARY / f"{CANARY}.txt").write_text("nothing")
    assert len(search_folder(tmp_path)) == 2


@pytest.mark.parametrize("said", [DIGITS, f"7,391,82{DIGITS[6:]}4", "born 1937-03-29", "29.03.2022", "7391.8246"])
def test_numbers_and_dates_are_found_however_they_are_written(said: str) -> None:
    assert search_text(f"value {said}.") != set()


def test_what_holds_no_canary_is_clean(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("1937, 03-29, 7391, 824, canary")
    (tmp_path / "numbers.bin").write_bytes(struct.pack("<4d", 1.0, 2.0, 3.0, 4.0))
    assert search_folder(tmp_path) == []


def test_what_a_test_leaves_out_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "extract").mkdir()
    (tmp_path / "extract" / "labs.csv").write_text(LINE)
    assert search_folder(tmp_path, [tmp_path / "extract"]) == []
