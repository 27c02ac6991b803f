"""What fuzzing found: files that ended in a mistake of ours, were half read, or were read in place of another."""

import gzip
import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import xlsxwriter
from pyreadstat import write_xport

from flows import opened_files, reading
from flows.errors import SourceError, TryAgainLater, UserError, WrongUse
from flows.mapping import propose_map
from flows.sources import recognise
from flows.sources.files import refuse_unreadable
from flows.sources.first_lines import unique_names
from flows.sources.recognise import read_map
from flows.workspace import Workspace
from transforms.load import load_definitions

HEADER = "person_id,specimen_id,collected_at,test_code,value,unit\n"
ROW = "P{0},S{0},2024-03-01 08:00,751-8,{0},10*9/L\n"
LABS = HEADER + ROW.format(1) + ROW.format(2)
Accepted = Callable[..., list[tuple[object, ...]]]
Aside = Callable[[Any], dict[str, int]]


def refused(hospital: Any, *paths: Path, kind: type[UserError] = SourceError) -> str:
    """What the error says; nothing may be left of such a night."""
    with pytest.raises(kind) as caught:
        hospital.receive(*paths)
    assert caught.value.repair
    assert not hospital.workspace.staged_inputs()
    return str(caught.value)


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_an_archive_whose_packed_bytes_are_damaged_is_refused(hospital: Any) -> None:
    content = bytearray(zipped(("labs.csv", LABS.encode() * 20)))
    content[60:80] = bytes(20)
    assert "cannot be unpacked" in refused(hospital, hospital.write("export.zip", bytes(content)))


def test_an_archive_with_a_member_inside_of_a_member_is_refused(hospital: Any) -> None:
    content = zipped(("labs.csv", LABS.encode()), ("labs.csv/more.csv", LABS.encode()))
    assert "cannot be unpacked" in refused(hospital, hospital.write("export.zip", content))


def test_a_way_of_packing_that_is_not_known_is_not_called_encryption(hospital: Any) -> None:
    content = zipped(("labs.csv", LABS.encode())).replace(b"\x08\x00", b"\x63\x00")
    assert "encrypted" not in refused(hospital, hospital.write("export.zip", content))


def test_an_archive_with_a_member_without_a_name_is_refused(hospital: Any) -> None:
    content = zipped(("labs.csv", LABS.encode()), ("x", b""))
    assert "cannot be unpacked" in refused(hospital, hospital.write("export.zip", _without_name(content)))


def _without_name(content: bytes) -> bytes:
    """The archive whose second member says in the directory that its name has no letter."""
    place = content.rfind(b"PK\x01\x02")
    return content[: place + 28] + bytes(2) + content[place + 30 : place + 46] + content[place + 47 :]


def test_two_members_of_one_name_are_refused_because_one_would_hide_the_other(hospital: Any) -> None:
    content = zipped(("labs.csv", LABS.encode()), ("labs.csv", (HEADER + ROW.format(3)).encode()))
    assert "same name" in refused(hospital, hospital.write("export.zip", content))


@pytest.mark.parametrize("name", ["labs[1].csv", "labs*.csv", "labs?.csv", "lab's.csv"])
def test_a_name_that_a_reader_takes_for_a_pattern_stands_for_its_own_file(
    hospital: Any, accepted: Accepted, name: str
) -> None:
    hospital.write("labs1.csv", HEADER + ROW.format(8) + ROW.format(9))
    night = hospital.receive(hospital.write(name, LABS))
    assert accepted(night, "person_id") == [("P1",), ("P2",)]


def test_a_workspace_whose_path_is_a_pattern_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="--workspace"):
        Workspace(tmp_path / "ward[1]").create()


@pytest.mark.parametrize("kind", ["parquet", "json"])
def test_so_does_one_of_another_kind(hospital: Any, accepted: Accepted, kind: str) -> None:
    for name, who in ((f"labs1.{kind}", "P8"), (f"labs[1].{kind}", "P1")):
        path = hospital.write(name, _patient(who))
        if kind == "parquet":
            pl.read_csv(LABS.replace("P1", who).encode(), infer_schema=False).head(1).write_parquet(path)
    night = hospital.receive(path)
    assert accepted(night, "person_id", "canonical.person") == [("P1",)]


def _patient(who: str) -> str:
    return json.dumps({"resourceType": "Patient", "id": who, "gender": "female"})


def test_a_name_that_is_no_text_is_refused_in_words(hospital: Any) -> None:
    assert "UTF-8" in refused(hospital, hospital.write("labs\udcff.csv", LABS))


def test_headers_that_differ_in_case_only_are_two_columns() -> None:
    assert unique_names(["WBC", "wbc", "", "wbc_2", "column_3"]) == [
        "WBC",
        "wbc_2",
        "column_3",
        "wbc_2_4",
        "column_3_5",
    ]


def test_a_file_with_a_header_in_two_cases_is_read(hospital: Any, accepted: Accepted) -> None:
    content = "".join(line + end for line, end in zip(LABS.splitlines(), (",VALUE\n", ",7\n", ",8\n"), strict=True))
    assert accepted(hospital.receive_text(content), "person_id, source_value") == [("P1", "1"), ("P2", "2")]


def test_a_line_of_commas_without_end_is_refused_at_once(hospital: Any) -> None:
    assert "header" in refused(hospital, hospital.write("labs.csv", HEADER.strip() + "," * 300_000 + "\n"))


def test_a_file_of_empty_lines_has_no_header(hospital: Any) -> None:
    assert "header" in refused(hospital, hospital.write("labs.csv", "\n" * 10))


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_empty_lines_are_no_rows_and_move_no_number(
    hospital: Any, accepted: Accepted, set_aside: Aside, end: str
) -> None:
    rows = [ROW.format(number).strip() for number in (1, 3, 5)]
    lines = ["", "", HEADER.strip(), rows[0], "", f'"bad{end}{end}row"', "", rows[1], "bad", rows[2], ""]
    night = hospital.receive_text(end.join(lines))
    assert accepted(night, "person_id, row_number") == [("P1", 1), ("P3", 3), ("P5", 5)]
    assert set_aside(night) == {"row_malformed": 2}
    malformed = duckdb.sql(f"SELECT row_number FROM '{night.dropped}' ORDER BY 1").fetchall()
    assert malformed == [(2,), (4,)]
    assert [(line.n_received, line.n_accepted, line.n_quarantined) for line in night.ledger] == [(5, 3, 2)]


def test_one_empty_line_above_the_header_is_left_out(hospital: Any, accepted: Accepted) -> None:
    night = hospital.receive_text("\n" + LABS + "bad\n" + ROW.format(4))
    assert accepted(night, "person_id, row_number") == [("P1", 1), ("P2", 2), ("P4", 4)]


def test_a_table_of_a_database_may_have_a_point_in_its_name(hospital: Any, accepted: Accepted) -> None:
    path = hospital.folder / "labs.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f'CREATE TABLE "labs.2024" AS {_select()}').fetchall()
        connection.execute('CREATE SCHEMA "a.b"').fetchall()
    night = hospital.receive(path)
    assert (accepted(night, "person_id"), night.inputs[0].name) == ([("P1",)], "labs.duckdb#labs.2024")


def _select() -> str:
    cells = zip(HEADER.strip().split(","), ROW.format(1).strip().split(","), strict=True)
    return "SELECT " + ", ".join(f"'{cell}' AS {name}" for name, cell in cells)


def test_a_resource_deeper_than_any_stack_is_read_past(hospital: Any, accepted: Accepted) -> None:
    deep = _patient("P1")[:-1] + ', "extension": ' + "[" * 100_000 + "]" * 100_000 + "}\n"
    night = hospital.receive(hospital.write("deep.ndjson", deep + _patient("P2")))
    assert accepted(night, "person_id", "canonical.person") == [("P1",), ("P2",)]


def test_lines_that_end_in_two_ways_are_called_that(hospital: Any) -> None:
    assert "line ends" in refused(hospital, hospital.write("labs.csv", LABS + ROW.format(3).replace("\n", "\r\n")))


def test_a_transport_file_with_a_column_without_a_name_is_refused(hospital: Any, tmp_path: Path) -> None:
    path = tmp_path / "lb.xpt"
    write_xport(pl.DataFrame({"USUBJID": ["P1"], "LBTESTCD": ["NEUT"]}), path, file_format_version=5)
    path.write_bytes(path.read_bytes().replace(b"LBTESTCD", bytes(8)))
    assert "lb.xpt" in refused(hospital, path)


@pytest.mark.parametrize("place", [(1_048_575, 16_383), (1_048_575, 100)], ids=["last_corner", "far_below"])
def test_a_stray_cell_far_from_the_table_is_refused_before_room_is_made_for_all_between(
    hospital: Any, tmp_path: Path, place: tuple[int, int]
) -> None:
    with xlsxwriter.Workbook(tmp_path / "labs.xlsx") as book:
        sheet = book.add_worksheet("Labs")
        for number, line in enumerate(LABS.splitlines()):
            sheet.write_row(number, 0, line.split(","))
        sheet.write(*place, "x")
    assert "1,048,576 rows" in refused(hospital, tmp_path / "labs.xlsx")


@pytest.mark.parametrize("reference", ["ZZZZ1", "A9999999999999999999"])
def test_a_cell_beyond_the_last_of_a_sheet_is_refused(hospital: Any, reference: str) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book) as written:
        written.add_worksheet("Labs").write_row(0, 0, HEADER.strip().split(","))
    with zipfile.ZipFile(book) as archive:
        members = [
            (name, archive.read(name).replace(b'r="A1"', f'r="{reference}"'.encode())) for name in archive.namelist()
        ]
    assert "span" in refused(hospital, hospital.write("labs.xlsx", zipped(*members)))


def test_what_was_staged_of_a_night_that_cannot_be_received_is_removed(hospital: Any) -> None:
    people = hospital.write("people.csv", "person_id,sex,birth_year\nP1,f,1980\n")
    packed = gzip.compress((LABS + "bad\n" * 5 + ROW.format(4) * 20_000).encode())
    hospital.write("labs.csv.gz", packed[: len(packed) * 2 // 3])
    refused(hospital, people.parent)
    assert hospital.workspace.staged_inputs() == frozenset()


@pytest.mark.parametrize("moment", ["look_at", "open_file"])
@pytest.mark.parametrize("change", ["grows", "is_cut", "vanishes", "becomes_a_pipe"])
def test_a_file_that_changes_while_it_is_read_is_read_another_time(
    hospital: Any, monkeypatch: pytest.MonkeyPatch, moment: str, change: str
) -> None:
    path = hospital.write("labs.csv", LABS)
    module = recognise if moment == "look_at" else opened_files
    own = getattr(module, moment)

    def changed_before(*arguments: Any) -> Any:
        if change in {"grows", "is_cut"}:
            path.write_text(LABS + ROW.format(3) if change == "grows" else LABS[:-9])
        elif path.is_file():
            path.unlink()
        if change == "becomes_a_pipe" and not path.exists():
            os.mkfifo(path)
        return own(*arguments)

    monkeypatch.setattr(module, moment, changed_before)
    assert "labs.csv" in refused(hospital, path, kind=TryAgainLater)


def test_a_pipe_in_the_folder_is_not_waited_for(hospital: Any, accepted: Accepted) -> None:
    folder = hospital.write("labs.csv", LABS).parent
    os.mkfifo(folder / "pipe.csv")
    (folder / "zero.csv").symlink_to("/dev/zero")
    assert len(accepted(hospital.receive(folder))) == 2


@pytest.mark.parametrize("content", ["[" * 3000, "extract_date: 2024-99-99", "a: &a\n  b: *a\n"])
def test_a_source_map_that_is_no_map_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "source.yaml"
    path.write_text(content)
    with pytest.raises(SourceError, match=r"source\.yaml"):
        read_map(path, load_definitions().showing)


def test_a_file_that_asks_for_more_memory_than_there_is_is_refused_with_the_setting() -> None:
    with pytest.raises(SourceError, match=r"labs\.parquet.*\n.*memory_limit"), refuse_unreadable("labs.parquet"):
        raise duckdb.OutOfMemoryException("failed to allocate data of size 256 GiB")


def test_no_map_is_proposed_for_a_damaged_file(hospital: Any, tmp_path: Path) -> None:
    path = tmp_path / "labs.parquet"
    pl.read_csv(LABS.encode()).write_parquet(path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[40:60] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"labs\.parquet"):
        propose_map([path], hospital.definitions, memory_limit="1GB")


def test_a_header_that_holds_a_nul_is_read_past(hospital: Any, accepted: Accepted) -> None:
    labs = hospital.write("labs.csv", LABS)
    with xlsxwriter.Workbook(labs.with_name("notes.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["ward_x0000_", "note"])
        sheet.write_row(1, 0, ["a", "b"])
    assert len(accepted(hospital.receive(labs.parent))) == 2


def test_a_damaged_text_whose_header_holds_a_nul_is_refused(hospital: Any) -> None:
    content = LABS.replace("unit", "un\0it", 1).replace("751-8", "\ud800").encode("utf-16", errors="surrogatepass")
    assert "labs.csv" in refused(hospital, hospital.write("labs.csv", content))


def test_a_first_line_of_more_columns_than_a_table_has_is_no_header(hospital: Any) -> None:
    labs = hospital.write("labs.csv", HEADER.strip() + "," * 20_000 + "\n" + ROW.format(1))
    assert "columns of a table" in refused(hospital, labs)


def test_a_file_that_vanishes_before_its_size_is_asked_is_read_another_time(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs = hospital.write("labs.csv", LABS)
    as_it_was = reading.Reader._list

    def vanish(self: Any, known: Any, rows: int) -> bool:
        known.file.path.unlink(missing_ok=True)
        return as_it_was(self, known, rows)

    monkeypatch.setattr(reading.Reader, "_list", vanish)
    assert "labs.csv" in refused(hospital, labs, kind=TryAgainLater)
