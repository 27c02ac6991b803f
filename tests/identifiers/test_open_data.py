"""Open extracts that hold no identifiers raise no alarm; what really is one in them is found."""

import gzip
import zipfile
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import SHARED
from tests.identifiers.conftest import Scan

pytestmark = pytest.mark.shared_data
MIMIC = SHARED / "mimic-iv-demo-2.2" / "hosp"
OMOP = SHARED / "omop-synthea27nj-5.4" / "Synthea27Nj_5.4.zip"


def _found(scan: Scan, content: bytes, person: str) -> dict[str, str]:
    table = pl.read_csv(content, infer_schema=False)
    findings = scan(table, person if person in table.columns else None)
    return {h: name for h, of in findings.items() for name, one in of.items() if one.disposition == "found"}


@pytest.mark.parametrize(
    "name", ["admissions", "d_labitems", "microbiologyevents", "patients", "pharmacy", "prescriptions"]
)
def test_the_tables_of_mimic_raise_no_alarm(scan: Scan, name: str) -> None:
    content = gzip.decompress((MIMIC / f"{name}.csv.gz").read_bytes())
    assert _found(scan, content, "subject_id") == {}


@pytest.mark.parametrize(
    "name", ["CONCEPT", "CDM_SOURCE", "CONDITION_OCCURRENCE", "DRUG_EXPOSURE", "PROVIDER", "VOCABULARY"]
)
def test_the_tables_of_omop_raise_no_alarm(scan: Scan, name: str) -> None:
    assert _found(scan, _omop(name), "person_id") == {}


def test_the_dates_of_birth_and_the_serial_number_of_omop_are_found(scan: Scan) -> None:
    born = dict.fromkeys(["month_of_birth", "day_of_birth", "birth_datetime"], "date_of_birth")
    assert _found(scan, _omop("PERSON"), "person_id") == born
    assert _found(scan, _omop("DEVICE_EXPOSURE"), "person_id") == {"unique_device_id": "device"}


def test_the_examples_of_the_readme_raise_no_alarm(scan: Scan) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for block in readme.split("```csv ")[1:]:
        lines = block.split("\n```")[0].split("\n")[1:]
        mark = ";" if ";" in lines[0] else ","
        rows = [line.split(mark) for line in lines]
        found = scan({header: [row[place] for row in rows[1:]] for place, header in enumerate(rows[0])})
        alarms = {one.column for of in found.values() for one in of.values() if one.disposition == "found"}
        assert alarms == {"surname", "date_of_birth"} & set(rows[0]), lines[0]  # one example is there to be refused


def _omop(name: str) -> bytes:
    with zipfile.ZipFile(OMOP) as archive:
        return archive.read(f"{name}.csv")
