"""What is recognised and what is not, by frequency; only what enough people share is told."""

from datetime import datetime
from pathlib import Path

import polars as pl

from flows.recognised_words import list_recognised
from transforms.codelists import read_conditions, read_drugs
from transforms.examples_of_patients import DIAGNOSIS, EXPOSURE
from transforms.load import load_definitions
from transforms.recognition import count_words, list_codes, list_drug_names

DEFINITIONS = load_definitions()
AT = datetime(2024, 3, 1)  # noqa: DTZ001 - times of an extract have no zone


def _exposures(*doses: tuple[int, str, str | None]) -> pl.DataFrame:
    rows = [
        {"person_index": person, "agent": agent, "route": route, "started_at": AT, "evidence": "ordered"}
        for person, agent, route in doses
    ]
    return pl.DataFrame(rows, schema=EXPOSURE)


def _diagnoses(*codes: tuple[int, str, str]) -> pl.DataFrame:
    return pl.DataFrame([(*code, AT) for code in codes], schema=DIAGNOSIS, orient="row")


def test_names_are_listed_by_frequency_with_the_drugs_they_are() -> None:
    doses = [(0, "insulin", None)] * 3 + [
        (0, "sulfameth/trimethoprim ds", "PO"),
        (1, "sulfameth/trimethoprim ds", "PO"),
    ]
    doses += [(0, "terbinafine 1% cream", "TP")]
    found = list_drug_names(_exposures(*doses).lazy(), read_drugs(DEFINITIONS), DEFINITIONS.exposures)
    assert found.select("text", "recognised", "listed_as", "n_rows", "n_people").rows() == [
        ("insulin", "unknown", "", 3, 1),
        ("sulfameth/trimethoprim ds", "counted", "sulfamethoxazole and trimethoprim", 2, 2),
        ("terbinafine 1% cream", "left_out", "terbinafine", 1, 1),
    ]


def test_a_name_that_counts_by_one_route_is_counted() -> None:
    doses = _exposures((0, "vancomycin", "PO"), (1, "vancomycin", "IV"))
    found = list_drug_names(doses.lazy(), read_drugs(DEFINITIONS), DEFINITIONS.exposures)
    assert found.select("recognised", "listed_as").rows() == [("counted", "vancomycin")]


def test_codes_are_listed_under_their_own_system() -> None:
    codes = _diagnoses((0, "D701", "icd10cm"), (1, "D701", "icd10who"), (2, "D701", "icd10cm"))
    found = list_codes(codes.lazy(), read_conditions(DEFINITIONS))
    assert found.select("text", "recognised", "listed_as").rows() == [
        ("icd10cm D701", "counted", "chemotherapy: coded_attribution"),
        ("icd10who D701", "counted", "unexplained: coded_any"),
    ]


def test_what_ten_people_share_is_counted_and_not_told(tmp_path: Path) -> None:
    doses = [(person, "a secret study drug", None) for person in range(10)]
    doses += [(person, "insulin", None) for person in range(11)] + [(person, "p0012345", None) for person in range(20)]
    _exposures(*doses).write_parquet(tmp_path / "exposure.parquet")
    _diagnoses().write_parquet(tmp_path / "diagnosis.parquet")
    told = list_recognised(tmp_path, DEFINITIONS)
    assert [(word.text, word.n_rows) for word in told.words] == [("insulin", 11)]
    assert (told.n_untold, told.n_untold_rows, told.n_untold_unknown) == (2, 30, 2)


def test_what_few_people_share_is_told_apart_by_whether_a_list_knows_it(tmp_path: Path) -> None:
    doses = [(0, "clozapine", None), (1, "a study drug", None), (2, "filgrastim", None)]
    _exposures(*doses).write_parquet(tmp_path / "exposure.parquet")
    _diagnoses().write_parquet(tmp_path / "diagnosis.parquet")
    said = list_recognised(tmp_path, DEFINITIONS).as_text()
    assert said.splitlines()[-1] == (
        "3 more in 3 rows are not told, because too few people share them; 1 of these are on no list."
    )


def test_the_report_counts_names_and_codes_and_the_rows_of_them_that_a_list_knows() -> None:
    """Rows of one name that stand apart, as those of the touched people and of all others do, are added."""
    key = dict.fromkeys(("atc", "rxnorm", "route", "status"), "")
    doses = [("insulin", 3), ("insulin", 4), ("clozapine", 5), ("terbinafine 1% cream", 1)]
    exposure = pl.LazyFrame([{"agent": agent, **key, "n_rows": n} for agent, n in doses])
    codes = [("D701", "icd10cm", 2), ("D701", "icd10cm", 1), ("I10", "icd10cm", 40)]
    diagnosis = pl.LazyFrame(codes, schema=["code", "code_system", "n_rows"], orient="row")
    drugs, conditions = read_drugs(DEFINITIONS), read_conditions(DEFINITIONS)
    found = count_words(exposure, diagnosis, drugs, conditions, DEFINITIONS.exposures)
    assert found.rows() == [("drug", 3, 2, 13, 6), ("diagnosis", 2, 1, 43, 3)]
