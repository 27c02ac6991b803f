"""Bad input ends in a clear error with the right exit code, or in quarantine with a reason; never in a traceback."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.errors import SourceError, WrongUse

HEADER = "person_id,specimen_id,collected_at,test_code,value,unit,status\n"
GOOD = HEADER + "P1,S1,2024-03-01 08:00,751-8,3.5,10*9/L,final\nP2,S2,2024-03-01 09:00,751-8,1.2,10*9/L,final\n"


def many(row: str, count: int = 40) -> str:
    return HEADER + "".join(row.format(i=i) + "\n" for i in range(count))


def refusal(hospital: Any, *paths: Path, source: str = "auto") -> str:
    with pytest.raises(SourceError) as raised:
        hospital.receive(*paths, source=source)
    assert raised.value.exit_code == 11
    assert raised.value.repair
    return str(raised.value)


def test_a_path_that_is_not_there_is_named(hospital: Any, tmp_path: Path) -> None:
    assert "nowhere" in refusal(hospital, tmp_path / "nowhere")


def test_an_empty_file_is_refused(hospital: Any) -> None:
    assert "empty" in refusal(hospital, hospital.write("labs.csv", ""))


def test_an_empty_packed_file_is_refused(hospital: Any) -> None:
    assert "nothing in it" in refusal(hospital, hospital.write("labs.csv.gz", gzip.compress(b"")))


def test_an_empty_folder_is_refused(hospital: Any, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    assert "no table" in refusal(hospital, tmp_path / "bare")


@pytest.mark.parametrize("rows", [3, 60_000], ids=["small", "larger_than_the_first_look"])
def test_a_gzip_that_was_cut_off_is_refused(hospital: Any, rows: int) -> None:
    text = many("P{i},S{i},2024-03-01 08:00,751-8,3.5,10*9/L,final", rows)
    packed = gzip.compress(text.encode())
    assert "labs.csv.gz" in refusal(hospital, hospital.write("labs.csv.gz", packed[: len(packed) * 2 // 3]))


def test_a_gzip_with_a_flipped_bit_is_refused(hospital: Any) -> None:
    packed = bytearray(gzip.compress(many("P{i},S{i},2024-03-01 08:00,751-8,3.5,10*9/L,final", 60_000).encode()))
    packed[len(packed) // 2] ^= 0xFF
    assert "labs.csv.gz" in refusal(hospital, hospital.write("labs.csv.gz", bytes(packed)))


@pytest.mark.parametrize("keep", [12, 400])
def test_a_parquet_that_was_cut_off_is_refused(hospital: Any, tmp_path: Path, keep: int) -> None:
    whole = tmp_path / "whole.parquet"
    duckdb.sql(f"COPY (SELECT range AS person_id FROM range(1000)) TO '{whole}' (FORMAT parquet)")
    assert "cannot be read" in refusal(hospital, hospital.write("labs.parquet", whole.read_bytes()[:keep]))


def test_a_binary_file_called_csv_is_refused(hospital: Any) -> None:
    assert "binary" in refusal(hospital, hospital.write("labs.csv", bytes(range(256)) * 20))


def test_a_picture_beside_the_tables_is_left_unread(hospital: Any, accepted: Callable[..., Any]) -> None:
    hospital.write("logo.png", b"\x89PNG\x00\x00" + bytes(range(256)))
    folder = hospital.write("labs.csv", GOOD).parent
    assert len(accepted(hospital.receive(folder))) == 2


def test_a_file_without_a_header_is_refused_without_showing_a_value(hospital: Any) -> None:
    message = refusal(
        hospital, hospital.write("labs.csv", "Smith,S1,2024-03-01,751-8,3.5\nJones,S2,2024-03-01,751-8,2\n")
    )
    assert "header" in message
    assert "Smith" not in message
    assert "751-8" not in message


def test_unknown_columns_are_listed_with_what_is_needed(hospital: Any) -> None:
    message = refusal(hospital, hospital.write("labs.csv", "person_id,taken,neutros\nP1,2024-01-01,3.5\n"))
    assert "person_id, taken, neutros" in message
    assert "long needs lab (person_id, collected_at, code, value)" in message
    assert "nadir map FILE --out source.yaml" in message


def test_a_header_that_looks_like_a_value_is_not_shown(hospital: Any) -> None:
    message = refusal(hospital, hospital.write("labs.csv", "person_id,P0012345\nP1,x\n"))
    assert "P0012345" not in message


@pytest.mark.parametrize("place", [0, 30_000], ids=["at_the_start", "far_down"])
def test_text_that_is_not_utf8_is_refused_until_its_encoding_is_declared(hospital: Any, place: int) -> None:
    row = "P{i},S{i},2024-03-01 08:00,751-8,3.5,10*9/L,final"
    lines = many(row, 40_000).splitlines()
    lines[place + 1] = "Pé,S,2024-03-01 08:00,751-8,3.5,10*9/L,final"
    message = refusal(hospital, hospital.write("labs.csv", "\n".join(lines).encode("latin-1")))
    assert "encoding" in message
    assert "Pé" not in message


def test_a_source_map_that_does_not_exist_is_wrong_use(hospital: Any) -> None:
    with pytest.raises(WrongUse) as raised:
        hospital.receive(hospital.write("labs.csv", GOOD), source="nothing.yaml")
    assert raised.value.exit_code == 2


def test_an_unknown_key_in_a_source_map_is_named(hospital: Any) -> None:
    hospital.write("source.yaml", "id: mine\ndecimals: ','\n")
    assert "decimals" in refusal(hospital, hospital.write("labs.csv", GOOD).parent)


def test_codes_that_are_no_loinc_ask_for_a_map(hospital: Any) -> None:
    assert "LOINC" in refusal(hospital, hospital.write("labs.csv", GOOD.replace("751-8", "NEUT")))


def test_a_decimal_comma_without_a_map_stops_the_night(hospital: Any) -> None:
    path = hospital.write("labs.csv", many("P{i};S{i};2024-03-01 08:00;751-8;3,5;10*9/L;final").replace(",", ";", 6))
    message = refusal(hospital, path)
    assert "decimal" in message
    assert "3,5" in message  # the example of the repair, written in the definition


def test_dates_in_another_format_stop_the_night_with_the_setting_to_make(hospital: Any) -> None:
    path = hospital.write("labs.csv", many("P{i},S{i},01/03/2024 08:00,751-8,3.5,10*9/L,final"))
    assert "datetime_formats" in refusal(hospital, path)


def test_missing_units_stop_the_night_with_the_setting_to_make(hospital: Any) -> None:
    assert "units" in refusal(hospital, hospital.write("labs.csv", many("P{i},S{i},2024-03-01 08:00,751-8,3.5,,final")))


FAULTS = {
    "unit_unknown": "P9,S9,2024-03-01 08:00,751-8,3.5,furlongs,final",
    "unit_missing": "P9,S9,2024-03-01 08:00,751-8,3.5,,final",
    "unit_ambiguous": "P9,S9,2024-03-01 08:00,751-8,3.5,mil/mm3,final",
    "unit_not_a_count": "P9,S9,2024-03-01 08:00,751-8,3.5,mmol/L,final",
    "unit_of_other_kind": "P9,S9,2024-03-01 08:00,751-8,3.5,%,final",
    "value_not_a_number": "P9,S9,2024-03-01 08:00,751-8,3.5 H,10*9/L,final",
    "value_out_of_range": "P9,S9,2024-03-01 08:00,751-8,1234567890123456789012345678901234567890,10*9/L,final",
    "value_negative": "P9,S9,2024-03-01 08:00,751-8,-1,10*9/L,final",
    "value_decimal_mark": 'P9,S9,2024-03-01 08:00,751-8,"3,5",10*9/L,final',
    "value_thousands_mark": "P9,S9,2024-03-01 08:00,751-8,1.234,/uL,final",
    "value_contradicts_unit": "P9,S9,2024-03-01 08:00,770-8,45,ratio,final",
    "date_invalid": "P9,S9,2024-13-45,751-8,3.5,10*9/L,final",
    "date_missing": "P9,S9,,751-8,3.5,10*9/L,final",
    "person_missing": " ,S9,2024-03-01 08:00,751-8,3.5,10*9/L,final",
    "result_withdrawn": "P9,S9,2024-03-01 08:00,751-8,3.5,10*9/L,Entered-in-Error",
    "status_refused": "P9,S9,2024-03-01 08:00,751-8,3.5,10*9/L,Cancelled",
    "status_unknown": "P9,S9,2024-03-01 08:00,751-8,3.5,10*9/L,perhaps",
    "row_malformed": "P9,S9,2024-03-01 08:00,751-8,3.5,10*9/L",
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_row_with_a_fault_is_set_aside_and_the_rest_is_kept(
    hospital: Any, rule: str, set_aside: Callable[..., Any], accepted: Callable[..., Any]
) -> None:
    night = hospital.receive_text(GOOD + FAULTS[rule] + "\nP3,S3,2024-03-02 08:00,751-8,0,10*9/L,final\n")
    assert set_aside(night) == {rule: 1}
    assert accepted(night, "person_id, row_number") == [("P1", 1), ("P2", 2), ("P3", 4)]
    assert [row[0] for row in accepted(night, "person_id", "canonical.person")] == ["P1", "P2", "P3"]
    (line,) = night.ledger
    assert (line.n_received, line.n_accepted, line.n_quarantined) == (4, 3, 1)


def test_rows_keep_their_number_around_lines_of_the_wrong_shape(
    hospital: Any, set_aside: Callable[..., Any], accepted: Callable[..., Any]
) -> None:
    lines = ["P,bad"] + [f"P{i},S{i},2024-03-01 08:00,751-8,3,10*9/L,final" for i in range(2, 8)]
    lines[3] = "too,many,columns,are,in,this,line,here,and,here"
    lines[4] = "P,bad"
    night = hospital.receive_text(HEADER + "\n".join(lines) + "\n")
    assert set_aside(night) == {"row_malformed": 3}
    assert accepted(night, "person_id, row_number") == [("P2", 2), ("P3", 3), ("P6", 6), ("P7", 7)]


def test_no_error_of_a_reader_shows_what_was_in_the_file(hospital: Any) -> None:
    packed = gzip.compress(many("SECRET{i},S{i},2024-03-01 08:00,751-8,3.5,10*9/L,final", 60_000).encode())
    assert "SECRET" not in refusal(hospital, hospital.write("labs.csv.gz", packed[: len(packed) // 2]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"MSH|^~\\&|LAB|X||||ORU^R01|1|P|2.5\rPID|1||P1\r", "labs.csv: this is an HL7 version 2 message"),
        (b"\r\n<html><table><tr><td>P1</td></tr></table></html>", "labs.csv: this is XML or a web page"),
        (GOOD.encode() + b"\0" * 9, "labs.csv: there are NUL bytes in it, the first in line 4"),
        (b"\xff\0\1" * 9, "labs.csv: this is a binary file"),
    ],
    ids=["messages", "web_page", "filled_up", "binary"],
)
def test_what_is_no_table_is_called_what_it_is(hospital: Any, content: bytes, said: str) -> None:
    told = refusal(hospital, hospital.write("labs.csv", content))
    assert told.startswith(said)
    assert "P1" not in told
