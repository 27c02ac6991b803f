"""SAS transport files, version 5 and 8: numbers, blanks, dates and damage, as a user meets them."""

import gzip
import lzma
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from pyreadstat import write_xport

from flows.errors import SourceError
from flows.sources import transport
from flows.sources.files import Found, look_at
from flows.sources.opening import open_file
from flows.sources.protocol import Kind
from transforms.load import load_definitions
from transforms.model.sources import SourceMap

Read = Callable[..., list[tuple[Any, ...]]]
WHEN = datetime(2013, 5, 4, 10, 30)  # noqa: DTZ001 - SAS times have no zone


@pytest.fixture
def sent(tmp_path: Path) -> Callable[..., Path]:
    """A transport file of a frame."""

    def write(columns: dict[str, Sequence[object]], version: int = 5, **options: Any) -> Path:
        path = tmp_path / "sent.xpt"
        write_xport(pl.DataFrame(columns), path, file_format_version=version, table_name="LB", **options)
        return path

    return write


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The rows of a file as receive sees them."""

    def rows(path: Path, encoding: str = "", **kinds: Kind) -> list[tuple[Any, ...]]:
        source_map = SourceMap(id="sent", encoding=encoding)
        (file,) = look_at(Found(path, path.name, is_named=True), source_map, load_definitions().showing)
        needed: dict[str, Kind] = dict(kinds) or dict.fromkeys(file.headers, "text")
        with duckdb.connect() as connection:
            opened = open_file(connection, file, needed, source_map, tmp_path / "opened.parquet")
            columns = ", ".join(column for name, kind in needed.items() for column in _columns(name, kind))
            found = connection.execute(f"SELECT row_number, {columns} FROM {opened.relation} ORDER BY 1").fetchall()
        assert len(found) == opened.n_rows
        return found

    return rows


def _columns(name: str, kind: Kind) -> Sequence[str]:
    return (name,) if kind == "text" else (name, f"{name}__bad", f"{name}__day")


@pytest.mark.parametrize("version", [5, 8])
def test_numbers_keep_their_digits_and_whole_ones_have_no_point(
    sent: Callable[..., Path], read: Read, version: int
) -> None:
    numbers = {"SEQN": [93703.0, 93704.0], "VALUE": [4.2, 0.07], "BIG": [400.0, 1e-7]}
    assert read(sent(numbers, version)) == [(1, "93703", "4.2", "400"), (2, "93704", "0.07", "1e-07")]


def test_zero_is_zero_and_a_blank_is_missing(sent: Callable[..., Path], read: Read) -> None:
    path = sent({"NUMBER": [0.0, None], "WORD": ["x", ""]})
    assert read(path, NUMBER="text") == [(1, "0"), (2, None)]
    assert read(path, WORD="text") == [(1, "x"), (2, "")]


def test_every_special_missing_value_of_sas_is_missing(sent: Callable[..., Path], read: Read) -> None:
    path = sent({"NUMBER": [1.0, 2.0, 3.0]})
    content = path.read_bytes()
    for number, mark in ((b"\x41\x10", b"A\0"), (b"\x41\x20", b"_\0"), (b"\x41\x30", b".\0")):
        content = content.replace(number + bytes(6), mark + bytes(6))
    path.write_bytes(content)
    assert [value for _, value in read(path)] == [None, None, None]


def test_dates_datetimes_and_times_follow_their_sas_formats(sent: Callable[..., Path], read: Read) -> None:
    path = sent({"DAY": [date(2013, 5, 4), None], "TAKEN": [WHEN, None], "CLOCK": [time(10, 30), None]})
    assert read(path, DAY="time", TAKEN="time", CLOCK="text") == [
        (1, datetime(2013, 5, 4), False, True, WHEN, False, False, "10:30:00"),  # noqa: DTZ001
        (2, None, False, True, None, False, False, None),
    ]


def test_a_date_as_text_is_read_by_its_text(sent: Callable[..., Path], read: Read) -> None:
    path = sent({"LBDTC": ["2013-05-04T10:30", "2013-05-04", "2013-05"]})
    assert [(at, is_bad) for _, at, is_bad, _ in read(path, LBDTC="time")] == [
        (WHEN, False),
        (datetime(2013, 5, 4), False),  # noqa: DTZ001
        (None, True),
    ]


def test_labels_are_known_before_a_row_is_read(sent: Callable[..., Path]) -> None:
    path = sent({"LBDNENO": [3.2]}, column_labels={"LBDNENO": "Segmented neutrophils num (1000 cell/uL)"})
    (file,) = look_at(Found(path, path.name), None, load_definitions().showing)
    assert (file.kind, dict(file.labels)) == ("transport", {"LBDNENO": "Segmented neutrophils num (1000 cell/uL)"})


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_a_packed_file_is_read_as_if_it_were_not(
    sent: Callable[..., Path], read: Read, pack: Callable[[bytes], bytes]
) -> None:
    path = sent({"SEQN": [1.0, 2.0]})
    path.write_bytes(pack(path.read_bytes()))
    assert read(path) == [(1, "1"), (2, "2")]


def test_a_file_read_in_pieces_is_the_file_read_at_once(
    sent: Callable[..., Path], read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sent({"ID": [f"p{place % 7}" for place in range(200)], "VALUE": [place / 10 for place in range(200)]})
    whole = read(path)
    monkeypatch.setattr(transport, "CHUNK_BYTES", 100)
    assert read(path) == whole
    assert len(whole) == 200


@pytest.mark.parametrize("n_rows", range(1, 12))
def test_the_blanks_that_fill_the_last_record_are_no_rows(sent: Callable[..., Path], read: Read, n_rows: int) -> None:
    assert len(read(sent({"A": ["x"] * n_rows, "B": ["yy"] * n_rows}))) == n_rows


def test_text_in_another_encoding_is_read_when_it_is_declared_and_refused_when_not(
    sent: Callable[..., Path], read: Read
) -> None:
    path = sent({"UNIT": ["10^3/XL"]})
    path.write_bytes(path.read_bytes().replace(b"XL", b"\xb5L"))
    with pytest.raises(SourceError, match="not UTF-8"):
        read(path)
    assert read(path, encoding="cp1252") == [(1, "10^3/µL")]


def test_a_number_cut_to_four_bytes_is_the_number_that_was_written(sent: Callable[..., Path], read: Read) -> None:
    path = sent({"VALUE": ["abcd", "efgh"]})
    content = path.read_bytes().replace(b"abcd", b"\x41\x43\x33\x33").replace(b"efgh", b"\x43\x7b\x10\x00")
    header = content.index(b"HEADER RECORD*******NAMESTR") + 80
    path.write_bytes(content[:header] + b"\0\1" + content[header + 2 :])
    assert read(path) == [(1, "4.2"), (2, "1969")]


@pytest.mark.parametrize("kept", [400, 1200, -80, -3], ids=["in_its_header", "in_a_row", "in_a_record", "in_a_word"])
def test_a_file_that_was_cut_off_is_refused(sent: Callable[..., Path], read: Read, kept: int) -> None:
    path = sent({"ID": [f"person {place:040}" for place in range(30)], "VALUE": [float(place) for place in range(30)]})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SourceError) as refusal:
        read(path)
    assert refusal.value.exit_code == 11
    assert refusal.value.repair.startswith("The file is cut off")


@pytest.mark.parametrize("piece_bytes", [1 << 20, 16, 104])
def test_several_tables_in_one_file_are_refused_because_only_one_would_be_read(
    sent: Callable[..., Path], read: Read, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    monkeypatch.setattr(transport, "CHUNK_BYTES", piece_bytes)
    path = sent({"SEQN": [1.0, 2.0]})
    content = path.read_bytes()
    path.write_bytes(content + content[content.index(b"HEADER RECORD*******MEMBER") :])
    with pytest.raises(SourceError, match="several tables"):
        read(path)


def test_a_damaged_header_is_refused_without_a_traceback(sent: Callable[..., Path], read: Read) -> None:
    path = sent({"SEQN": [1.0]})
    path.write_bytes(
        path.read_bytes().replace(b"NAMESTR HEADER RECORD!!!!!!!0000", b"NAMESTR HEADER RECORD!!!!!!!0xyz")
    )
    with pytest.raises(SourceError):
        read(path)


def test_a_table_without_rows_has_no_rows(sent: Callable[..., Path], read: Read) -> None:
    path = sent({"ID": ["a"], "VALUE": [1.0], "DAY": [date(2020, 1, 1)]})
    content = path.read_bytes()
    start = content.index(b"HEADER RECORD*******OBS") + 80
    path.write_bytes(content[:start])
    assert read(path, ID="text", VALUE="text", DAY="time") == []
