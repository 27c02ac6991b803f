"""The downloads hold what was released, and no more."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from reports.downloads import ARCHIVE, FORMULA_STARTS, download_files, safe_text
from transforms.load import Definitions
from transforms.release import Released
from transforms.schemas import schema_of


@pytest.fixture(scope="module")
def files(released: Released, definitions: Definitions) -> dict[str, bytes]:
    return dict(download_files(released, definitions))


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return sorted(frame.to_dicts(), key=str)


def test_parquet_gives_back_the_released_table(files: dict[str, bytes], released: Released) -> None:
    back = pl.read_parquet(io.BytesIO(files["prevalence.parquet"]))
    assert rows(back) == rows(released.tables["released.prevalence"])


def test_json_gives_back_the_released_table_with_what_its_columns_mean(
    files: dict[str, bytes], released: Released, definitions: Definitions
) -> None:
    back = json.loads(files["testing.json"])
    wanted = released.tables["released.testing"].with_columns(pl.col("interval_start").cast(pl.String))
    assert sorted(back["rows"], key=str) == rows(wanted)
    assert back["definitions_hash"] == definitions.hash
    assert {column["name"] for column in back["columns"]} == set(wanted.columns)


def test_csv_shows_a_hidden_value_as_nothing_and_says_why_beside_it(files: dict[str, bytes]) -> None:
    lines = lines_of(files["prevalence.csv"])
    hidden = [line for line in lines if line["n_low_mark"] == "hidden"]
    assert hidden
    assert {line["n_low"] for line in hidden} == {""}
    assert {line["prevalence"] for line in hidden} == {""}
    assert all(line["run_id"] and line["definitions_hash"] for line in lines)


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_text_never_starts_as_a_formula(start: str) -> None:
    shown = pl.DataFrame({"cohort": [f"{start}cmd()", "plain"]}).select(safe_text(pl.col("cohort")))
    assert shown["cohort"].to_list() == [f"'{start}cmd()", "plain"]


def test_a_negative_number_stays_a_number(files: dict[str, bytes]) -> None:
    assert {line["log2_disproportion"] for line in lines_of(files["drug_ratio.csv"])} == {"-0.4"}


def test_a_cell_that_holds_what_parts_cells_stays_one_cell(
    night: Callable[..., Released], definitions: Definitions
) -> None:
    names = ['a, "b"', "two\r\nlines", "=\rcmd()"]
    files = dict(download_files(night(cohorts=dict.fromkeys(names, 900), has_dates=False), definitions))
    assert {line["cohort"] for line in lines_of(files["testing.csv"])} == {*names[:2], "'=\rcmd()"}
    assert {row["cohort"] for row in json.loads(files["testing.json"])["rows"]} == set(names)


def lines_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_a_cohort_named_like_a_formula_is_text_in_the_csv(
    night: Callable[..., Released], definitions: Definitions
) -> None:
    files = dict(download_files(night(cohorts={"=cmd()": 900}), definitions))
    assert "\r\n'=cmd()" in files["attrition.csv"].decode() or ",'=cmd()," in files["prevalence.csv"].decode()
    assert ",=cmd()," not in files["prevalence.csv"].decode()


def test_the_archive_holds_every_other_file_unchanged(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(files[ARCHIVE])) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert held == {name: content for name, content in files.items() if name != ARCHIVE}


def test_the_same_night_gives_the_same_bytes(
    files: dict[str, bytes], released: Released, definitions: Definitions
) -> None:
    assert dict(download_files(released, definitions)) == files


def test_the_dictionary_explains_every_column_of_every_file(files: dict[str, bytes]) -> None:
    entries = json.loads(files["data_dictionary.json"])["columns"]
    explained = {(entry["table"], entry["column"]) for entry in entries if entry["meaning"]}
    for name in (name for name in files if name.endswith(".csv") and not name.startswith("data_")):
        table = schema_of(f"released.{name.removesuffix('.csv')}")
        assert {(table.name, column) for column in table.column_names} <= explained


def test_a_night_without_counts_still_has_every_file(night: Callable[..., Released], definitions: Definitions) -> None:
    files = dict(download_files(night(cohorts={}), definitions))
    assert files["prevalence.csv"].decode().startswith("run_id,cohort,")
    assert pl.read_parquet(io.BytesIO(files["prevalence.parquet"])).height == 0
