"""A local export is read through a map: columns, codes, units, dates, decimal mark, encoding, filters."""

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from flows.errors import SourceError
from flows.sources.recognise import describe, list_adapters, recognise
from transforms.load import load_definitions

LABS = "person_id,specimen_id,collected_at,test_code,value,unit,status\nP1,S1,2024-03-01 08:05,751-8,3.5,10*9/L,final\n"
LOCAL = {
    "id": "clinic",
    "source_id": "clinic",
    "tables": [
        {
            "table": "lab",
            "needs": ["person_id", "collected_at", "code", "value"],
            "columns": {
                "person_id": "Patient",
                "collected_at": "Abnahme",
                "code": "Test",
                "value": "Wert",
                "unit": "Einheit",
                "specimen": "Material",
            },
        }
    ],
}
GERMAN = "Patient;Abnahme;Test;Wert;Einheit;Material;Station\n7;01.03.2024 08:05;NEUT;3,5;Gpt/l;Blut;A\n"


def with_map(hospital: Any, content: str | bytes, name: str = "export.csv", **changes: Any) -> Any:
    hospital.write("source.yaml", yaml.safe_dump({**LOCAL, **changes}, allow_unicode=True))
    return hospital.receive(hospital.write(name, content).parent)


GERMAN_MAP = {"codes": {"NEUT": "751-8"}, "decimal": ",", "datetime_formats": ["%d.%m.%Y %H:%M"]}


def test_a_map_beside_the_files_is_found_and_obeyed(hospital: Any, accepted: Callable[..., Any]) -> None:
    night = with_map(hospital, GERMAN, **GERMAN_MAP, dates="shifted")
    found = accepted(night, "source_id, person_id, collected_at::VARCHAR, analyte, value, source_value, source_unit")
    assert found == [("clinic", "7", "2024-03-01 08:05:00", "anc_direct", 3500, "3,5", "Gpt/l")]
    assert night.dates == "shifted"


def test_a_map_can_be_named_from_anywhere(hospital: Any, accepted: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "clinic.yaml"
    path.write_text(yaml.safe_dump({**LOCAL, **GERMAN_MAP}))
    assert len(accepted(hospital.receive(hospital.write("export.csv", GERMAN), source=str(path)))) == 1


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le"])
def test_a_declared_encoding_is_read(hospital: Any, accepted: Callable[..., Any], encoding: str) -> None:
    text = GERMAN.replace("Gpt/l", "Tsd/µl")
    night = with_map(hospital, text.encode(encoding), encoding=encoding, **GERMAN_MAP)
    assert accepted(night, "value, source_unit") == [(3500, "Tsd/µl")]


def test_a_byte_order_mark_says_the_encoding(hospital: Any, accepted: Callable[..., Any]) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        night = hospital.receive(hospital.write(f"{encoding}.csv", LABS.encode(encoding), encoding))
        assert accepted(night, "person_id, value") == [("P1", 3500)]


@pytest.mark.parametrize(
    ("mark", "name"), [("\t", "labs.tsv"), (";", "labs.csv"), ("|", "labs.txt"), (",", "labs.data")]
)
def test_the_delimiter_is_seen_in_the_header(hospital: Any, accepted: Callable[..., Any], mark: str, name: str) -> None:
    night = hospital.receive(hospital.write(name, LABS.replace(",", mark)))
    assert accepted(night, "person_id, value") == [("P1", 3500)]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_of_any_system_are_read(hospital: Any, accepted: Callable[..., Any], ending: str) -> None:
    assert len(accepted(hospital.receive(hospital.write("labs.csv", LABS.replace("\n", ending))))) == 1


@pytest.mark.parametrize("packing", ["gz", "xz", "zst"])
def test_packed_text_is_unpacked_whatever_it_is_called(
    hospital: Any, accepted: Callable[..., Any], packing: str, tmp_path: Path
) -> None:
    pack = {"gz": gzip.compress, "xz": lzma.compress, "zst": lambda data: _zstd(data, tmp_path)}[packing]
    assert len(accepted(hospital.receive(hospital.write("labs.dat", pack(LABS.encode()))))) == 1


def _zstd(data: bytes, folder: Path) -> bytes:
    (folder / "plain.csv").write_bytes(data)
    rows = f"read_csv('{folder}/plain.csv', all_varchar=true)"
    duckdb.sql(f"COPY (FROM {rows}) TO '{folder}/packed.csv.zst' (FORMAT csv, COMPRESSION zstd)")
    return (folder / "packed.csv.zst").read_bytes()


def test_a_zstandard_file_that_was_cut_off_is_refused(hospital: Any, tmp_path: Path) -> None:
    rows = LABS.splitlines()[1]
    packed = _zstd((LABS + "".join(rows.replace("S1", f"S{i}") + "\n" for i in range(50_000))).encode(), tmp_path)
    with pytest.raises(SourceError):
        hospital.receive(hospital.write("labs.csv.zst", packed[: len(packed) // 2]))


def test_typed_parquet_gives_the_same_rows_as_text(hospital: Any, accepted: Callable[..., Any], tmp_path: Path) -> None:
    columns = (
        "specimen_id, source_code, collected_at, time_precision, value, lower_bound, upper_bound, unit, version_at"
    )
    header = "person_id,specimen_id,collected_at,resulted_at,test_code,value,unit\n"
    text = header + "93703,5,2024-03-01 08:05:00,2024-03-01 09:00,751-8,0.1,K/uL\n"
    by_text = accepted(hospital.receive(hospital.write("labs.csv", text)), f"person_id, {columns}")
    typed = tmp_path / "typed" / "labs.parquet"
    typed.parent.mkdir()
    duckdb.sql(
        f"""COPY (SELECT 93703.0::DOUBLE AS person_id, 5 AS specimen_id,
        TIMESTAMP '2024-03-01 08:05:00' AS collected_at,
        TIMESTAMP '2024-03-01 09:00:00' AS resulted_at, '751-8' AS test_code, 0.1::FLOAT AS value, 'K/uL' AS unit)
        TO '{typed}' (FORMAT parquet)"""
    )
    assert accepted(hospital.receive(typed), f"person_id, {columns}") == by_text


def test_a_date_column_is_known_to_the_day(hospital: Any, accepted: Callable[..., Any], tmp_path: Path) -> None:
    duckdb.sql(
        f"""COPY (SELECT 'P1' AS person_id, DATE '2024-03-01' AS collected_at, '751-8' AS test_code, 3 AS value,
        'K/uL' AS unit) TO '{tmp_path}/labs.parquet' (FORMAT parquet)"""
    )
    night = hospital.receive(tmp_path / "labs.parquet")
    assert accepted(night, "time_precision, collected_at::VARCHAR") == [("day", "2024-03-01 00:00:00")]


def test_a_frozen_unit_serves_rows_without_one_and_only_them(hospital: Any, accepted: Callable[..., Any]) -> None:
    rows = "Patient,Abnahme,Test,Wert,Einheit,Material\n1,2024-03-01,751-8,3,,Blut\n2,2024-03-01,751-8,3,/uL,Blut\n"
    night = with_map(hospital, rows, units={"751-8": "10*9/L"})
    assert accepted(night, "person_id, value") == [("1", 3000), ("2", 3)]


def test_an_ambiguous_spelling_is_decided_by_the_map(hospital: Any, accepted: Callable[..., Any]) -> None:
    rows = "Patient,Abnahme,Test,Wert,Einheit,Material\n1,2024-03-01,751-8,3,mil/mm3,Blut\n"
    night = with_map(hospital, rows, unit_spellings={"mil/mm3": "10*3/mm3"})
    assert accepted(night, "value, source_unit") == [(3000, "mil/mm3")]


def test_a_filter_leaves_rows_out_and_counts_them(hospital: Any, accepted: Callable[..., Any]) -> None:
    table = {**LOCAL["tables"][0], "filters": {"Station": ["A"]}}
    rows = GERMAN + "8;01.03.2024 08:05;NEUT;3,5;Gpt/l;Blut;B\n"
    night = with_map(hospital, rows, **GERMAN_MAP, tables=[table])
    assert accepted(night, "person_id") == [("7",)]
    assert night.ledger[0].n_irrelevant == 1


def test_days_since_an_anchor_keep_their_distance(hospital: Any, accepted: Callable[..., Any]) -> None:
    rows = "Patient,Abnahme,Test,Wert,Einheit,Material\n1,0,751-8,3,K/uL,Blut\n1,2.5,751-8,3,K/uL,Blut\n"
    night = with_map(hospital, rows, dates="relative", relative_unit="days")
    (first,), (second,) = accepted(night, "collected_at")
    assert (second - first).total_seconds() == 2.5 * 86_400
    assert night.dates == "relative"


def test_years_of_minutes_since_an_anchor_are_no_overflow(hospital: Any, accepted: Callable[..., Any]) -> None:
    rows = "Patient,Abnahme,Test,Wert,Einheit,Material\n1,0,751-8,3,K/uL,Blut\n1,1500000,751-8,3,K/uL,Blut\n"
    night = with_map(hospital, rows, dates="relative", relative_unit="minutes")
    (first,), (second,) = accepted(night, "collected_at")
    assert (second - first).total_seconds() == 1_500_000 * 60


def test_a_code_that_leads_nowhere_is_an_error_of_the_map(hospital: Any) -> None:
    with pytest.raises(SourceError, match=r"codelists/labs\.csv"):
        with_map(hospital, GERMAN, **{**GERMAN_MAP, "codes": {"NEUT": "1-1"}})


TABLES = {
    "persons.csv": "person_id,sex,birth_year,died_on,duffy_null\nP1,F,1960,2024-06-01,true\n",
    "observations.csv": "person_id,started_on,ended_on\nP1,2024-01-01,2024-06-01\n",
    "encounters.csv": "person_id,started_at,ended_at,setting\nP1,2024-03-01 07:00,,inpatient\n",
    "exposures.csv": "person_id,drug,atc,started_at,ended_at,route,dose,dose_unit,status,evidence\n"
    "P1,Docetaxel,L01CD02,2024-02-20,2024-02-20,iv,100,mg,completed,administered\n"
    "P1,Docetaxel,L01CD02,2024-02-27,2024-02-27,iv,100,mg,not given,administered\n",
    "diagnoses.csv": "person_id,code,code_system,recorded_at\nP1,c50.9,ICD-10-CM,2024-01-15\n",
    "vitals.csv": "person_id,measured_at,celsius,site\nP1,2024-03-01 08:00,38.45,oral\n",
}


def test_every_table_of_a_folder_finds_its_place(hospital: Any, accepted: Callable[..., Any]) -> None:
    hospital.write("labs.csv", LABS)
    for name, text in TABLES.items():
        folder = hospital.write(name, text).parent
    night = hospital.receive(folder)
    read = {
        "person": ("sex, birth_year, died_on::VARCHAR, duffy_null", ("female", 1960, "2024-06-01", True)),
        "observation": ("started_on::VARCHAR, is_inferred", ("2024-01-01", False)),
        "encounter": ("setting, ended_at", ("inpatient", None)),
        "exposure": ("agent, atc, dose, evidence", ("docetaxel", "L01CD02", 100.0, "administered")),
        "diagnosis": ("code, code_system", ("C509", "icd10cm")),
        "vital": ("celsius::VARCHAR, site", ("38.45", "oral")),
        "lab": ("value", (3500,)),
    }
    assert {t: accepted(night, columns, f"canonical.{t}") for t, (columns, _) in read.items()} == {
        t: [row] for t, (_, row) in read.items()
    }


def test_a_check_can_say_what_each_file_is(hospital: Any, tmp_path: Path) -> None:
    hospital.write("readme.md", "# what this is\n")
    folder = hospital.write("labs.csv", LABS).parent
    lines = {
        line.name: (line.adapter, line.tables)
        for line in describe(recognise([folder], "auto", load_definitions(), tmp_path / "unpacked"))
    }
    assert lines == {"labs.csv": ("long", ("canonical.lab",)), "readme.md": ("not read", ())}
    assert {"long", "mimic_iv"} <= {adapter.name for adapter in list_adapters()}


def test_a_map_that_names_a_test_that_no_list_has_is_told_where(hospital: Any) -> None:
    """A column with a mistyped code would be passed over, and nobody told."""
    table = {**LOCAL["tables"][0], "wide": {"Neutro": {"code": "751-9", "unit": "10*9/L"}}}  # type: ignore[index]
    with pytest.raises(SourceError) as caught:
        with_map(hospital, GERMAN, codes={"NEUT": "26464-9"}, tables=[table], delimiter=";")
    assert caught.value.what == "source.yaml: names a test that codelists/labs.csv does not have."
    told = "\n".join(caught.value.details)
    assert "codes.NEUT. Did you mean 26464-8?" in told
    assert "tables.0.wide.Neutro.code. Did you mean 751-8?" in told
    assert all(line.startswith("source.yaml:") for line in caught.value.details)


def test_an_encoding_that_does_not_exist_is_told_with_the_file(hospital: Any) -> None:
    with pytest.raises(SourceError, match=r"^export\.csv: the source map names an encoding that does not exist"):
        with_map(hospital, GERMAN, encoding="latin-17", delimiter=";")


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("08:05", ("2024-03-01 08:05:00", "minute")),
        ("8h05", ("2024-03-01 08:05:00", "minute")),
        ("1:05 PM", ("2024-03-01 13:05:00", "minute")),
        ("12:05:30 AM", ("2024-03-01 00:05:30", "minute")),
        ("0805", ("2024-03-01 08:05:00", "minute")),
        ("1899-12-30 08:05:00", ("2024-03-01 08:05:00", "minute")),
        ("", ("2024-03-01 00:00:00", "day")),
        ("morning", ("2024-03-01 00:00:00", "day")),
    ],
)
def test_a_time_of_day_in_a_column_of_its_own_belongs_to_the_date_that_the_map_says(
    hospital: Any, accepted: Callable[..., Any], clock: str, expected: tuple[str, str]
) -> None:
    rows = f"Patient;Abnahme;Uhrzeit;Test;Wert;Einheit;Material\n7;01.03.2024;{clock};NEUT;3,5;Gpt/l;Blut\n"
    tables = [{**LOCAL["tables"][0], "clocks": {"collected_at": "Uhrzeit"}}]
    night = with_map(hospital, rows, **{**GERMAN_MAP, "tables": tables, "datetime_formats": ["%d.%m.%Y"]})
    assert accepted(night, "collected_at::VARCHAR, time_precision") == [expected]


def test_a_time_of_day_beside_a_whole_time_changes_nothing(hospital: Any, accepted: Callable[..., Any]) -> None:
    rows = "Patient;Abnahme;Uhrzeit;Test;Wert;Einheit\n7;01.03.2024 08:05;23:59;NEUT;3,5;Gpt/l\n"
    tables = [{**LOCAL["tables"][0], "clocks": {"collected_at": ["Zeit", "Uhrzeit"]}}]
    night = with_map(hospital, rows, **{**GERMAN_MAP, "tables": tables})
    assert accepted(night, "collected_at::VARCHAR") == [("2024-03-01 08:05:00",)]


def test_a_clock_of_a_column_that_no_table_has_is_told(hospital: Any) -> None:
    tables = [{**LOCAL["tables"][0], "clocks": {"colected_at": "Uhrzeit"}}]
    with pytest.raises(SourceError) as told:
        with_map(hospital, GERMAN, **{**GERMAN_MAP, "tables": tables})
    assert "colected_at" in str(told.value.details)
