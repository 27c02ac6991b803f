"""Codes keep to their own system, and the longest prefix wins."""

import polars as pl
import pytest

from transforms.codelists import read_conditions
from transforms.diagnoses import match_codes
from transforms.errors import DefinitionError
from transforms.load import SHIPPED, load_definitions

CONDITIONS = read_conditions(load_definitions())


def _group(code: str, system: str) -> tuple[str, str] | None:
    codes = pl.LazyFrame({"code": [code], "code_system": [system]})
    found = match_codes(codes, CONDITIONS).collect()
    return None if found.is_empty() else found.select("cause_group", "subgroup").row(0)


@pytest.mark.parametrize(
    ("code", "system", "group"),
    [
        pytest.param("C914", "icd10cm", ("haematologic_malignancy", "hairy_cell"), id="longer prefix"),
        pytest.param("C9100", "icd10cm", ("haematologic_malignancy", "lymphoid_leukaemia"), id="shorter prefix"),
        pytest.param("C91Z2", "icd10gm", ("haematologic_malignancy", "lymphoid_leukaemia"), id="C91.Z is American"),
        pytest.param("B24", "icd10who", ("infection", "viral_hiv"), id="B24 is HIV in WHO ICD-10"),
        pytest.param("B24", "icd10cm", None, id="and nothing in ICD-10-CM"),
        pytest.param("R652", "icd10gm", None, id="R65.2 is no sepsis in Germany"),
        pytest.param("042", "icd9cm", ("infection", "viral_hiv"), id="ICD-9-CM keeps its leading zero"),
        pytest.param("042", "icd10cm", None, id="an ICD-9 code is none of ICD-10"),
        pytest.param("1733", "icd9cm", None, id="skin cancer is no malignancy here"),
        pytest.param("T43651A", "icd10cm", None, id="a poisoning by its 6th character is no adverse effect"),
        pytest.param("T3695XA", "icd10cm", ("medication", "adverse_effect_code"), id="adverse effect in 5th character"),
        pytest.param("", "icd10cm", None, id="no code"),
    ],
)
def test_a_code_belongs_to_the_group_of_its_own_system(code: str, system: str, group: tuple[str, str] | None) -> None:
    assert _group(code, system) == group


def test_a_wrong_number_of_days_in_a_code_list_is_told_by_its_row(tmp_path: "pytest.TempPathFactory") -> None:
    folder = tmp_path / "codelists"  # type: ignore[operator]
    folder.mkdir()
    text = (SHIPPED / "codelists" / "conditions.csv").read_text(encoding="utf-8")
    (folder / "conditions.csv").write_text(text.replace(",21,7,cause", ",21 days,7,cause"), encoding="utf-8")
    with pytest.raises(DefinitionError, match="lookback_days that is not a whole number") as error:
        read_conditions(load_definitions(folder.parent))
    assert "J09" in str(error.value)
