"""Into however many parts people are divided, a night ends in the same tables and the same downloads."""

import shutil
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import polars as pl
import pytest

from flows.counts_file import write_counts
from flows.handover import Published, Request
from flows.night import run_night
from flows.own_crew import add_parts, keep_counts
from flows.progress import Progress
from flows.settings import Settings
from flows.splitting import join_parts, split_people
from flows.warehouse import open_memory, open_warehouse
from tests.counted_night import count_night
from tests.faults.judging import read_downloads, read_released, read_results
from tests.plain_checker import PlainChecker
from transforms.frames import MANY_ROWS, is_in_order, polars_schema, sort_on, stack
from transforms.load import load_definitions
from transforms.schemas import load_tables, schema_of


def differences(one: Path, other: Path) -> list[str]:
    """What two workspaces do not have in common."""
    same = {
        "tables": read_results(one) == read_results(other),
        "released tables": read_released(one) == read_released(other),
        "downloads": read_downloads(one) == read_downloads(other),
    }
    return [name for name, is_same in same.items() if not is_same]


def test_a_first_night_in_parts_is_that_of_one_part(
    tmp_path: Path, small_extract: Path, published_night: tuple[Path, Published]
) -> None:
    settings = Settings(workspace=tmp_path, parts=3)
    run_night(Request((small_extract,)), settings, Progress(is_quiet=True), PlainChecker())
    assert differences(tmp_path, published_night[0]) == []


@pytest.mark.slow
def test_a_night_that_touches_a_few_people_in_parts_is_that_of_one_part(
    tmp_path: Path, small_extract: Path, published_night: tuple[Path, Published]
) -> None:
    """Counts of the touched, as they were and as they are, come from parts too; two of five have nobody.

    What is released is a function of the counts, and is compared after the first night.
    """
    rows = pl.read_csv(small_extract / "labs.csv.gz", infer_schema=False)
    few = rows["person_id"].unique().sort()[:3]
    later = pl.col("collected_at", "resulted_at").str.to_datetime().dt.offset_by("3h").dt.to_string("%F %T")
    late = rows.filter(pl.col("person_id").is_in(few.implode())).with_columns(
        later, specimen_id="late " + pl.col("specimen_id")
    )
    extract = tmp_path / "extract"
    extract.mkdir()
    late.write_csv(extract / "late.csv")
    accepted = frozenset({"change_known_rows"})  # a few late rows are no extract of everything
    one, five = ((tmp_path / f"workspace_{n_parts}", n_parts) for n_parts in (1, 5))
    for workspace, n_parts in (one, five):
        shutil.copytree(published_night[0], workspace)
        count_night(Request((extract,), accepted=accepted), Settings(workspace=workspace, parts=n_parts))
    assert read_results(one[0]) == read_results(five[0])
    assert (one[0] / "counts.zip").read_bytes() == (five[0] / "counts.zip").read_bytes()
    assert read_results(one[0]) != read_results(published_night[0])


@pytest.mark.parametrize("n_parts", [1, 4, 150])
def test_everybody_is_in_one_part_alone_and_the_parts_together_are_all(tmp_path: Path, n_parts: int) -> None:
    people = pl.DataFrame(
        {"person_index": range(60), "source_id": ["a", "b"] * 30, "person_id": [str(n // 2) for n in range(60)]},
        schema_overrides={"person_index": pl.UInt32},
    )
    people.write_parquet(tmp_path / "people.parquet")
    rows = people.select("person_index").join(pl.DataFrame({"value": [1, 2]}), how="cross")
    rows.write_parquet(tmp_path / "lab.parquet")
    with open_memory(tmp_path / "spill", memory_limit="1GB") as connection:
        parts = split_people(connection, tmp_path, ["people", "lab"], n_parts)
    assert len(parts) == n_parts
    for part in parts:
        here = pl.read_parquet(part / "people.parquet")
        assert set(pl.read_parquet(part / "lab.parquet")["person_index"]) == set(here["person_index"])
    join_parts(tmp_path, parts, ["lab"])
    assert pl.read_parquet(tmp_path / "lab.parquet").sort("person_index", "value").equals(rows)


def test_a_large_table_of_counts_is_added_and_written_some_rows_at_a_time_to_the_same_bytes(
    tmp_path: Path, published_night: tuple[Path, Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name in load_tables() if name.startswith("counts.")]
    with open_warehouse(published_night[0] / "warehouse.duckdb", memory_limit="1GB", read_only=True) as connection:
        counts = {name: stack([connection.sql(f"FROM {name}").pl()], name) for name in names}
    halves = [{name: rows.gather_every(2, offset) for name, rows in counts.items()} for offset in (0, 1)]
    for limit in (100, MANY_ROWS):
        monkeypatch.setattr("transforms.counting.MANY_ROWS", limit)
        monkeypatch.setattr("transforms.frames.MANY_ROWS", limit)
        monkeypatch.setattr("flows.counts_file.ROWS_OF_A_SHORT_FILE", limit)
        folders = [tmp_path / f"{limit}_{number}" for number in range(len(halves))]
        for half, folder in zip(halves, folders, strict=True):
            folder.mkdir()
            keep_counts(half, folder)
        added = add_parts(folders)
        assert all(added[name].equals(rows) for name, rows in counts.items())
        for name, in_order in (("forth", added), ("back", {table: rows.reverse() for table, rows in added.items()})):
            path = tmp_path / f"{limit}_{name}.zip"
            write_counts(path, in_order, [], load_definitions())
            with ZipFile(path) as written, ZipFile(published_night[0] / "counts.zip") as sent:
                assert all(written.read(f"{table}.csv") == sent.read(f"{table}.csv") for table in names)


def test_the_counts_file_is_packed_as_hard_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {name: pl.Series([1]).cast(kind) for name, kind in polars_schema(schema_of("counts.rule")).items()}
    rows = pl.concat([pl.DataFrame(row)] * 1000)
    sizes = []
    for level in (0, 9):
        monkeypatch.setattr("flows.counts_file.PACKING", level)
        write_counts(tmp_path / "counts.zip", {"counts.rule": rows}, [], load_definitions())
        with ZipFile(tmp_path / "counts.zip") as written:
            sizes.append([entry.compress_size / entry.file_size for entry in written.infolist()])
    assert all(loose >= 1 > hard for loose, hard in zip(*sizes, strict=True))


@pytest.mark.parametrize("few", [0, 1000])
def test_many_rows_come_in_the_order_of_few(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.frames.FEW_ROWS", few)
    random = np.random.default_rng(1)
    texts = pl.Series(["b", "a", "c", None], dtype=pl.Enum(["c", "b", "a"])).gather(random.integers(0, 4, 500))
    truths = pl.Series([True, False, None])
    rows = pl.DataFrame(
        {
            "text": texts,
            "is_true": truths.gather(random.integers(0, 3, 500)),
            "none": pl.Series([None] * 500, dtype=pl.Int32),
            "day": pl.Series(random.integers(-9, 9, 500)).cast(pl.Date),
            "wide": pl.Series(random.integers(-(2**60), 2**60, 500)),
            "number": pl.Series(random.integers(-3, 3, 500), dtype=pl.Int32),
            "place": pl.Series(np.arange(500)),
        }
    )
    for key in (["text", "is_true", "none", "day", "number", "place"], ["number", "wide", "place"], ["wide", "text"]):
        ordered = rows.sort(key, nulls_last=False)
        assert sort_on(rows, key).equals(ordered)
        assert is_in_order(ordered.with_columns(pl.col("text").to_physical()), key)
    assert sort_on(rows.with_columns(part=pl.col("wide") / 7), ["text", "part"])["text"].is_sorted()


def test_rows_are_in_order_by_their_first_difference_with_nulls_first() -> None:
    rows = pl.DataFrame({"one": ["a", "a", "a", "b"], "other": [None, 1, 1, None]})
    key = ["one", "other"]
    assert is_in_order(rows, key)
    assert not is_in_order(rows.reverse(), key)
    assert not is_in_order(rows[[1, 0, 2, 3]], key)
    assert not is_in_order(rows[[0, 1, 3, 2]], key)
    assert is_in_order(rows[[0, 1, 3]], key)
