"""Years of daily exports: hundreds of texts with one header are read by one query, and each stays what it is alone."""

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.errors import IdentifiersFound, SourceError
from flows.sources import delimited, together
from tests.sources.fhir_resources import Aside, Rows
from tests.sources.whole_night import everything

HEADER = "person_id,specimen_id,collected_at,test_code,value,unit"
LATIN = "id: ours\nsource_id: ours\nencoding: latin-1\n"
TABLES = """tables:
  - table: lab
    columns: {person_id: person_id, collected_at: collected_at}
    wide: {WBC: {code: "6690-2", unit: 10*9/L}, ANC: {code: "751-8", unit: 10*9/L}}
  - table: person
    needs: [person_id, sex]
    columns: {person_id: person_id, sex: sex}
    is_shared: true
"""


def day(number: int, *more: str, value: str = "2.5") -> str:
    """The text of one day with a result of each of two people."""
    rows = [f"P{person},S{number}.{person},2024-03-{number:02} 08:00,751-8,{value},10*9/L" for person in (1, 2)]
    return "\n".join([HEADER, *rows, *more, ""])


def write_days(hospital: Any, n_days: int = 6) -> Path:
    for number in range(1, n_days + 1):
        hospital.write(f"labs_{number:02}.csv", day(number))
    return Path(hospital.folder / "extract")


def write_odd_days(hospital: Any) -> Path:
    """Files of a day in every packing, with broken and empty lines, refused rows, other headers or no rows."""
    for number in range(1, 25):
        more = [f'"P9\n{number}",S9,2024-03-01,751-8,"1.5",10*9/L', ""] if number % 4 == 0 else []
        more += ["P3,S3,not a day,751-8,2.5,10*9/L", "P4,S4,2024-03-01,751-8,2,furlong"] if number % 5 == 0 else []
        more += ["P5,S5,2024-03-01,751-8"] if number in (7, 14) else []
        text = day(number, *more)
        text = HEADER if number == 9 else "\ufeff" + text if number == 10 else "\n\n" + text if number == 11 else text
        text = text.replace("specimen_id", "specimen") if number in (12, 13) else text
        text = f"Laboratory of a day\n\n{text}" if number in (15, 16) else text
        packed: str | bytes = text
        if number % 6 == 1:
            packed = gzip.compress(text.encode(), mtime=0)
        elif number % 6 == 2:
            packed = lzma.compress(text.encode())
        hospital.write(f"labs_{number:02}.csv", packed)
    hospital.write("people.csv", "person_id,sex\nP1,f\nP2,m\n")
    return Path(hospital.folder / "extract")


def write_wide_days(hospital: Any) -> Path:
    """Files with a column a test, in another encoding, as a map reads them; one names a column in its own way."""
    hospital.write("source.yaml", LATIN + TABLES)
    for number in range(1, 9):
        header = "person_id,sex,collected_at,WBC,ANC,Bemerkung f\u00fcr uns"
        row = f"P{number % 3},f,2024-05-{number:02} 09:00,4.{number},{'<0.5' if number == 3 else '1.2'},\u00e4"
        text = f"{header}\n{row}\n"
        hospital.write(f"visits_{number}.csv", (text.upper() if number == 5 else text).encode("latin-1"))
    return Path(hospital.folder / "extract")


@pytest.mark.parametrize("write", [write_odd_days, write_wide_days])
def test_files_read_together_give_what_each_gives_alone(
    make_hospital: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, write: Callable[[Any], Path]
) -> None:
    found = []
    for most_files in (500, 1):
        monkeypatch.setattr(together, "MOST_FILES", most_files)
        hospital = make_hospital()
        found.append(everything(hospital, hospital.receive(write(hospital), lists_words=True)))
    assert found[0]["canonical.lab"][1]
    for name, alone in found[1].items():
        assert found[0][name] == alone, name


def test_many_days_are_read_by_one_query(hospital: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = delimited._read_csv

    def count(file: Any, plain: Any, n_above: int, on_fault: str) -> str:
        asked.extend([len(plain)] if on_fault == delimited.REJECTS else [])
        return read(file, plain, n_above, on_fault)

    monkeypatch.setattr(delimited, "_read_csv", count)
    hospital.receive(write_days(hospital, 30))
    assert asked == [30]


def test_a_broken_line_is_set_aside_under_its_own_file_and_number(hospital: Any, set_aside: Aside) -> None:
    folder = write_days(hospital)
    hospital.write("labs_04.csv", day(4, "P9,S9,2024-03-04"))
    night = hospital.receive(folder)
    (fourth,) = [entry.input_id for entry in night.inputs if entry.name == "labs_04.csv"]
    assert set_aside(night) == {"row_malformed": 1}
    assert duckdb.sql(f"SELECT input_id, row_number FROM '{night.dropped}'").fetchall() == [(fourth, 3)]


def test_a_day_that_names_people_is_found_among_many_that_do_not(hospital: Any) -> None:
    folder = write_days(hospital)
    for number in range(1, 7):
        text = day(number).replace("unit", "unit,patient_name", 1)
        hospital.write(f"named_{number}.csv", text.replace("10*9/L", "10*9/L,"))
    hospital.write("named_4.csv", day(4).replace("unit", "unit,patient_name", 1).replace("9/L", "9/L,Lindqvist"))
    with pytest.raises(IdentifiersFound) as raised:
        hospital.receive(folder)
    told = " ".join(raised.value.details)
    assert "named_4.csv: patient_name" in told
    assert "labs_" not in told


def test_a_file_of_which_one_rule_refuses_most_rows_is_named_among_good_ones(hospital: Any, accepted: Rows) -> None:
    folder = write_days(hospital)
    least = hospital.definitions.receiving.stop_needs_rows
    refused = [f"P3,S{row},2024-03-03 09:00,751-8,2,furlong" for row in range(least)]
    hospital.write("labs_03.csv", day(3, *refused))
    with pytest.raises(SourceError, match=r"labs_03\.csv: .* rows of canonical.lab were refused by one rule"):
        hospital.receive(folder)
