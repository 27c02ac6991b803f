"""A local export that holds identifiers is refused before anything is stored, unless its map decides about them."""

import gzip
import json
import sys
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path

import duckdb
import polars as pl
import pytest
import xlsxwriter

from flows.cli import main
from flows.errors import IdentifiersFound, SourceError
from flows.mapping import propose_map
from flows.sources.shown import show_file
from tests.sources.conftest import Hospital

SURNAMES = ("Mueller", "Schneider", "Hoffmann", "Schaefer", "Lehmann", "Krause", "Zimmermann", "Hartmann", "Brandt")
N_PEOPLE = 36
MAP = """id: ward
source_id: ward
{decisions}

tables:
  - table: lab
    files: "labs*"
    columns: {{person_id: pat, collected_at: entnommen, code: loinc, value: wert, unit: einheit}}
  - table: person
    files: "people*"
    needs: [person_id, sex]
    columns: {{person_id: pat, sex: sex, {more}}}
"""
DECIDED = "identifiers: {nachname: drop, geburtsdatum: generalise, alter: generalise}"
YEARS = "birth_year: geburtsdatum, age_years: alter"


def people() -> pl.DataFrame:
    """Surname, day of birth and age of each; five are older than 89."""
    numbers = range(N_PEOPLE)
    return pl.DataFrame(
        {
            "pat": [f"P{n:03}" for n in numbers],
            "sex": ["f" if n % 2 else "m" for n in numbers],
            "nachname": [SURNAMES[n % len(SURNAMES)] for n in numbers],
            "geburtsdatum": [date(1931 + n * 2 % 70, 1 + n % 12, 1 + n % 28) for n in numbers],
            "alter": [93 + n if n < 5 else 20 + n for n in numbers],
        }
    )


def labs() -> str:
    rows = [
        f"P{n % N_PEOPLE:03},2024-0{1 + n % 9}-1{n % 9} 08:{n % 60:02},751-8,{1 + n % 4}.{n % 10},10*3/uL"
        for n in range(150)
    ]
    return "\n".join(["pat,entnommen,loinc,wert,einheit", *rows, ""])


def write_extract(hospital: Hospital, decisions: str = "", more: str = "birth_year: geburtsjahr") -> Path:
    """A folder with results, a CSV of people and a map."""
    hospital.write("labs.csv", labs())
    hospital.write("people.csv", people().write_csv())
    return hospital.write("source.yaml", MAP.format(decisions=decisions, more=more)).parent


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def test_columns_that_nobody_decided_about_refuse_the_extract_and_are_named_with_their_counts(
    hospital: Hospital,
) -> None:
    with pytest.raises(IdentifiersFound) as caught:
        hospital.receive(write_extract(hospital))
    said = str(caught.value)
    assert caught.value.exit_code == 12
    for column in ("nachname", "geburtsdatum", "alter"):
        assert f"people.csv: {column}: " in said
    assert "36 of 36 cells" in said
    assert "drop" in caught.value.repair
    assert "generalise" in caught.value.repair
    assert not any(name in said for name in SURNAMES)
    assert "1931" not in said


def test_nothing_of_a_refused_extract_is_stored(hospital: Hospital) -> None:
    with pytest.raises(IdentifiersFound):
        hospital.receive(write_extract(hospital))
    assert not list((hospital.workspace.root / "staged").rglob("*.parquet"))
    assert not list(hospital.context.work.rglob("*.parquet"))
    found = stored(hospital.workspace.root)
    assert not any(name.encode() in found for name in SURNAMES)


def test_a_file_that_no_table_is_made_of_refuses_as_well(hospital: Hospital) -> None:
    hospital.write("labs.csv", labs())
    hospital.write("contacts.csv", people().select("nachname", "geburtsdatum").write_csv())
    hospital.write("source.yaml", MAP.format(decisions="", more="age_years: alter"))
    with pytest.raises(IdentifiersFound, match=r"contacts\.csv: nachname"):
        hospital.receive(hospital.folder / "extract")


def test_a_readme_beside_the_tables_is_not_taken_for_one(hospital: Hospital) -> None:
    folder = hospital.write("labs.csv", labs()).parent
    hospital.write(
        "README.txt", "Exported by Dr. Karin Hoffmann, born 12.03.1961,\nphone 030 1234567\nask, if unsure\n"
    )
    hospital.write("source.yaml", MAP.format(decisions="", more="age_years: alter"))
    assert hospital.receive(folder).inputs


FAULTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no table that is known": ("other.csv", lambda: people().drop("pat").write_csv().encode()),
    "a damaged file": ("people.csv.gz", lambda: gzip.compress(people().write_csv().encode() * 50)[:-30]),
    "another encoding": ("people.csv", lambda: people().write_csv().replace("Mueller", "Müller").encode("latin-1")),
    "units that nobody knows": ("people.csv", lambda: people().write_csv().encode()),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_identifiers_come_before_any_other_fault(hospital: Hospital, kind: str) -> None:
    name, content = FAULTS[kind]
    hospital.write("labs.csv", labs().replace("10*3/uL", "bananas"))
    folder = hospital.write(name, content()).parent
    with pytest.raises(IdentifiersFound, match="nachname"):
        hospital.receive(folder)


@pytest.mark.parametrize("wrong", ["colour: red", "tables: [", "identifiers: {nachname: hide}"])
def test_identifiers_come_before_a_map_that_is_wrong(hospital: Hospital, wrong: str) -> None:
    folder = write_extract(hospital)
    hospital.write("source.yaml", f"id: ward\n{wrong}\n")
    with pytest.raises(IdentifiersFound, match="Besides"):
        hospital.receive(folder)


def test_the_command_prints_what_was_found_and_ends_with_twelve(
    hospital: Hospital, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_extract(hospital)
    monkeypatch.setattr(sys, "argv", ["nadir", "check", str(folder), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code == 12
    found = {(entry["file"], entry["column"]) for entry in json.loads(printed.out)["identifiers"]}
    assert {("people.csv", "nachname"), ("people.csv", "geburtsdatum"), ("people.csv", "alter")} <= found
    assert "nothing was stored" in printed.err
    assert not any(name in printed.out + printed.err for name in SURNAMES)


def test_dropped_columns_are_never_read_and_generalised_ones_keep_years_and_topped_ages(hospital: Hospital) -> None:
    received = hospital.receive(write_extract(hospital, DECIDED, YEARS))
    by_column = {entry.column: entry.disposition for entry in received.identifiers if entry.file == "people.csv"}
    assert by_column["nachname"] == "dropped"
    assert by_column["geburtsdatum"] == "generalised"
    assert by_column["alter"] == "generalised"
    kept = duckdb.sql(f"FROM read_parquet({[str(p) for p in received.staged['canonical.person']]})").pl()
    own = kept.filter(pl.col("birth_year").is_not_null()).sort("person_id")
    assert own["birth_year"].to_list() == [1931 + n * 2 % 70 for n in range(N_PEOPLE)]
    assert own["age_years"].max() == 90
    assert own["age_years"].min() == 25


def test_the_detail_that_is_taken_away_is_in_no_file_of_the_run(hospital: Hospital) -> None:
    hospital.receive(write_extract(hospital, DECIDED, YEARS))
    written = list(hospital.context.work.rglob("*.parquet")) + list(
        hospital.workspace.root.rglob("staged/**/*.parquet")
    )
    assert written
    for path in written:
        rows = pl.read_parquet(path).drop("row_number", "version_at", strict=False).cast(pl.String, strict=False)
        cells = {cell for column in rows.iter_columns() for cell in column.to_list() if cell}
        assert not cells & {str(day) for day in people()["geburtsdatum"]}
        assert not cells & set(SURNAMES)
        assert not cells & {"93", "94", "95", "96", "97"}


def test_a_date_column_of_parquet_is_generalised(hospital: Hospital) -> None:
    folder = write_extract(hospital, DECIDED, YEARS)
    (folder / "people.csv").unlink()
    buffer = BytesIO()
    people().write_parquet(buffer)
    hospital.write("people.parquet", buffer.getvalue())
    validated = hospital.spend(folder)
    assert {entry.disposition for entry in validated.received.identifiers} >= {"generalised", "dropped"}
    years = [year for _, year in hospital.canonical("person", "person_id, birth_year")]
    assert sorted(years) == sorted(1931 + n * 2 % 70 for n in range(N_PEOPLE))


def test_dates_and_ages_of_a_workbook_are_generalised(hospital: Hospital) -> None:
    folder = write_extract(hospital, DECIDED, YEARS)
    (folder / "people.csv").unlink()
    buffer = BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet, day = book.add_worksheet("people"), book.add_format({"num_format": "dd.mm.yyyy"})
        for place, header in enumerate(people().columns):
            sheet.write(0, place, header)
        for number, row in enumerate(people().iter_rows(), start=1):
            for place, cell in enumerate(row):
                sheet.write(number, place, cell, day) if isinstance(cell, date) else sheet.write(number, place, cell)
    hospital.write("people.xlsx", buffer.getvalue())
    hospital.spend(folder)
    kept = hospital.canonical("person", "birth_year, age_years")
    assert sorted(year for year, _ in kept) == sorted(1931 + n * 2 % 70 for n in range(N_PEOPLE))
    assert max(age for _, age in kept) == 90


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("12.03.1961", "1961"),
        ("1961-03-12T00:00:00Z", "1961"),
        ("19610312", "1961"),
        ("3/12/1961", "1961"),
        ("12MAR1961", "1961"),
        ("1961", "1961"),
        ("45", "45"),
        ("45.0", "45"),
        ("89", "89"),
        ("97", "90"),
        ("90+", "90"),
        (">89", "90"),
        (">= 90", "90"),
        ("Mueller", None),
        ("6 months", None),
        ("", None),
    ],
)
def test_a_cell_keeps_its_year_or_its_topped_age_and_nothing_else(
    hospital: Hospital, sent: str, kept: str | None
) -> None:
    from flows.sources.decisions import generalise  # noqa: PLC0415
    from transforms.model.sources import SourceMap  # noqa: PLC0415

    sql = generalise("cell", "VARCHAR", SourceMap(id="any"), 90)
    assert duckdb.execute(f"SELECT {sql} FROM (SELECT ? AS cell)", [sent]).fetchall() == [(kept,)]


@pytest.mark.parametrize(
    ("decisions", "more", "said"),
    [
        (DECIDED.replace("alter: generalise", "alter: drop"), YEARS, "is dropped, and the map reads it as age_years"),
        (DECIDED.replace("geburtsdatum", "gebdat"), YEARS, "decides about columns that no file has"),
        (DECIDED.replace("nachname: drop", "nachname: generalise"), YEARS, "cannot be generalised"),
        (DECIDED, "died_on: geburtsdatum, age_years: alter", "is generalised, and the map reads it as a time"),
    ],
)
def test_a_decision_that_cannot_be_followed_is_an_error_of_the_map(
    hospital: Hospital, decisions: str, more: str, said: str
) -> None:
    folder = write_extract(hospital, decisions, more)
    if "gebdat:" in decisions:
        (folder / "people.csv").write_text(people().drop("geburtsdatum").write_csv())
    with pytest.raises(SourceError, match=said) as caught:
        hospital.receive(folder)
    assert caught.value.repair
    assert caught.value.exit_code == 11


def test_a_name_of_a_file_and_a_row_in_the_place_of_headers_are_not_shown(hospital: Hospital) -> None:
    rows = "\n".join(f"P{n:03},{SURNAMES[n % 9].lower()}{n}@example.org" for n in range(N_PEOPLE))
    folder = hospital.write("Anna Mueller 1961.csv", people().write_csv()).parent
    hospital.write("headless.csv", rows)
    with pytest.raises(IdentifiersFound) as caught:
        hospital.receive(folder)
    said = f"{caught.value}{caught.value.findings}"
    assert "file 1: nachname" in said
    assert "headless.csv: column 2: email" in said
    assert not any(name.lower() in said.lower() for name in ("Anna", *SURNAMES))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("labs_2024-03.csv", "labs_2024-03.csv"),
        ("labs_20240301.csv", "labs_20240301.csv"),
        ("book.xlsx#Tabelle1", "book.xlsx#Tabelle1"),
        ("export.zip/labs.csv", "export.zip/labs.csv"),
        ("export.zip/Anna Mueller.csv", "export.zip/file 7"),
        ("book.xlsx#Müller, Anna", "book.xlsx#file 7"),
        ("patient_004711223.csv", "file 7"),
    ],
)
def test_a_part_of_a_name_that_may_be_a_persons_is_called_by_its_place(name: str, shown: str) -> None:
    assert show_file(name, 7) == shown


def test_a_proposed_map_decides_about_what_was_found_and_a_night_on_it_is_not_refused(hospital: Hospital) -> None:
    folder = write_extract(hospital)
    (folder / "source.yaml").unlink()
    proposal = propose_map(sorted(folder.iterdir()), hospital.definitions, memory_limit="1GB")
    assert proposal.content["identifiers"] == {"nachname": "drop", "geburtsdatum": "generalise", "alter": "generalise"}
    assert any("nachname: name in 36 of 36 cells" in said for said in proposal.identifying)
    assert not any(name in proposal.text for name in SURNAMES)
    (folder / "source.yaml").write_text(proposal.text)
    assert not any(entry.disposition == "found" for entry in hospital.receive(folder).identifiers)
