"""Whoever reads every file of a site (downloads, data inside pages, texts) learns what the released tables say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from flows.handover import Published
from reports.rows import DECIMALS, is_number, table_behind
from reports.wording import count, decimal, percent, ratio
from tests.disclosure.attacking import WIDTH, read_counts, true_counts
from tests.disclosure.reading_people import Background
from tests.disclosure.reading_site import (
    as_text,
    numbers_in,
    percents_in,
    read_archive,
    read_csv,
    read_downloads,
    read_json,
    read_page,
    read_text,
)
from tests.disclosure.solving import attack, find_narrowed, is_possible
from transforms.load import load_definitions
from transforms.model.scales import EVERYBODY
from transforms.schemas import load_tables, schema_of

COHORTS = ("children", "women", "chemotherapy")  # of tests/short_shelf, beside everyone
TARGETS = 60
Tables = Mapping[str, pl.DataFrame]
# What a page adds to the rows of a table, from numbers that are shown in it.
MADE = {"n_left_out", "censored_share", "low_share", "rest_share"}


@pytest.fixture(scope="module")
def run_folder(published_night: tuple[Path, Published]) -> Path:
    return published_night[1].report.parent


@pytest.fixture(scope="module")
def downloads(run_folder: Path) -> dict[str, pl.DataFrame]:
    return read_downloads(run_folder / "downloads")


def test_every_format_of_a_download_has_the_same_cells(run_folder: Path, downloads: Tables) -> None:
    archive = read_archive(run_folder / "downloads" / "nadir-released.zip")
    for name, frame in downloads.items():
        stem = name.removeprefix("released.")
        rows = as_text(frame)
        for data in ((run_folder / "downloads" / f"{stem}.csv").read_bytes(), archive[f"{stem}.csv"]):
            assert read_csv(data) == rows, name
        for data in ((run_folder / "downloads" / f"{stem}.json").read_bytes(), archive[f"{stem}.json"]):
            assert read_json(data) == rows, name


def test_no_number_inside_a_page_is_hidden_in_the_downloads(
    published_night: tuple[Path, Published], run_folder: Path, downloads: Tables
) -> None:
    for page in (run_folder / "index.html", published_night[0] / "site" / "latest.html"):
        carried = {name: rows for name, rows in read_page(page).items() if table_behind(name)}
        compared = {
            name: _compare(name, rows, downloads[f"released.{table_behind(name)}"]) for name, rows in carried.items()
        }
        assert len(compared) > 15
        assert sum(compared.values()) > 1000


def _compare(name: str, rows: list[dict[str, Any]], frame: pl.DataFrame) -> int:
    """How many numbers of the page were found among those of the download."""
    schema = schema_of(f"released.{table_behind(name)}")
    renamed = {"denominator_name": "population", "measure": "low_as"} if "low_as" in rows[0] else {}
    key = [column for column in schema.key if column not in {"run_id", "channel"} and column in frame.columns]
    of_page = [renamed.get(column, column) for column in key]
    key, of_page = zip(*[(one, two) for one, two in zip(key, of_page, strict=True) if two in rows[0]], strict=True)
    shown: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in frame.to_dicts():
        shown.setdefault(tuple(str(row[column]) for column in key), []).append(row)
    n_found = 0
    for row in rows:
        same = shown[tuple(str(row[column]) for column in of_page)]
        for column, cell in row.items():
            if column in schema.values and is_number(cell):
                told = [each[column] for each in same if each[column] is not None]
                assert any(round(float(each), DECIMALS) == float(cell) for each in told), (name, column)
                n_found += 1
            elif column in MADE and is_number(cell):
                _explain(name, column, row, rows)
    return n_found


def _explain(name: str, column: str, row: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """A number that no table has must follow from numbers of the same rows that are shown."""
    if column == "n_left_out":
        of = (row["cohort"], row["step_order"] - 1)
        before = next(each for each in rows if (each["cohort"], each["step_order"]) == of)
        assert before["n_people"] - row["n_people"] == row[column]
    elif column == "censored_share":
        assert row[column] == pytest.approx(row["n_censored"] / row["n_episodes"], abs=1e-6)
    else:
        same = ("cohort", "interval_start", "scale", "applied_to")
        group = [each for each in rows if all(each[part] == row[part] for part in same)]
        not_low = sum(each["share"] for each in group if each["grade"] == 0)
        low = [each["share"] for each in group if (each["grade"] or 0) > 0 and is_number(each["share"])]
        made = 1 - not_low if column == "low_share" else max(1 - not_low - sum(low), 0)
        assert row[column] == pytest.approx(made, abs=1e-5), (name, column)


def test_every_number_in_a_figures_table_and_alternative_text_is_one_that_is_shown(run_folder: Path) -> None:
    text, carried = read_text(run_folder / "index.html"), read_page(run_folder / "index.html")
    numbers = {cell for rows in carried.values() for row in rows for cell in row.values() if is_number(cell)}
    writers = (count, decimal, ratio, percent, lambda value: decimal(value * 100, True))
    known = {part for number in numbers for write in writers for part in numbers_in(write(float(number)))}
    known |= {f"{float(number) / 1000:.1f}" for number in numbers} | {count(float(number) - 1) for number in numbers}
    assert len(text.cells) > 200
    unknown = {part for cell in text.cells for part in numbers_in(cell) if part not in known}
    assert unknown == set()
    said = [part for label in text.labels for part in percents_in(label)]
    assert len(said) > 10
    assert [part for part in said if part not in known] == []


def test_key_numbers_of_the_catalogue_are_those_of_the_page(
    published_night: tuple[Path, Published], run_folder: Path
) -> None:
    told = json.loads((run_folder / "run.json").read_text())
    page = (run_folder / "index.html").read_text()
    texts = [each["text"] for each in told["key_numbers"]]
    assert texts
    assert [part for text in texts for part in numbers_in(text) if part not in page] == []


def test_no_hidden_count_can_be_worked_out_from_the_files_of_a_site(
    published_night: tuple[Path, Published], downloads: Tables
) -> None:
    estimation = load_definitions().estimation
    is_read = (pl.col("scale") == estimation.severity_scale) & (pl.col("applied_to") == EVERYBODY)

    def of_one_scale(tables: Tables, name: str) -> Tables:
        return {**tables, name: tables[name].filter(is_read)}

    background = Background(tuple((name, "everyone") for name in COHORTS), (), {1: 1500, 2: 1000, 3: 500, 4: 100})
    puzzle = read_counts(of_one_scale(downloads, "released.severity"), background)
    truth = true_counts(of_one_scale(_estimates(published_night[0]), "estimate.severity"), background)
    assert is_possible(puzzle, truth) == []
    assert find_narrowed(puzzle, WIDTH) == []
    targets = sorted(puzzle.hidden, key=str)
    assert len(targets) > 1000
    found = attack(puzzle, targets[:: len(targets) // TARGETS], WIDTH)
    assert found.narrower_than(WIDTH) == []


def _estimates(workspace: Path) -> Tables:
    names = [name for name in load_tables() if name.startswith("estimate.")]
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return {name: connection.sql(f"FROM {name}").pl() for name in names}
