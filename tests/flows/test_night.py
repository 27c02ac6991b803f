"""A whole night as an operator sees it: a report, a ledger that adds up, nothing new twice, all or nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flows.diffing import diff_runs
from flows.errors import Busy, SourceError, WrongUse
from flows.exporting import export_report
from flows.handover import Published
from flows.lock import hold_workspace
from flows.recognised_words import list_in_workspace
from flows.recovery import recover
from flows.settings import Settings
from flows.workspace import Workspace
from transforms.load import load_definitions
from transforms.schemas import load_tables, schema_of

Run = Callable[..., Published]


def _query(workspace: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def _differing_rows(one: Path, other: Path, table: str) -> tuple[int, int]:
    """Rows of each that the other lacks; which file a row came from is no difference."""
    columns = ", ".join(f'"{c}"' for c in schema_of(table).column_names if c not in {"input_id", "row_number"})
    with duckdb.connect() as connection:
        for name, workspace in (("one", one), ("other", other)):
            connection.execute(f"ATTACH '{workspace / 'warehouse.duckdb'}' AS {name} (READ_ONLY)").fetchall()
        counts = [
            f"SELECT count(*) FROM (SELECT {columns} FROM {a}.{table} EXCEPT ALL SELECT {columns} FROM {b}.{table})"
            for a, b in (("one", "other"), ("other", "one"))
        ]
        first, second = (connection.execute(count).fetchall()[0][0] for count in counts)
    return first, second


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


RESULTS = ("canonical.lab", "derived.anc", "derived.episode", "counts.person_interval", "estimate.prevalence")


def test_a_night_ends_in_a_report_a_mailable_page_and_a_catalogue(published_night: tuple[Path, Published]) -> None:
    workspace, published = published_night
    assert published.is_new
    assert published.report.is_file()
    assert published.report.parent.name == published.run_id
    assert (workspace / "site" / "latest.html").stat().st_size < 7_000_000
    assert published.run_id in (workspace / "site" / "index.html").read_text()
    assert published.key_numbers


def test_names_that_no_list_knows_are_read_in_the_workspace_and_stand_in_no_page(
    published_night: tuple[Path, Published],
) -> None:
    workspace, published = published_night
    found = list_in_workspace(Settings(workspace=workspace), load_definitions())
    unknown = {word.text for word in found.unknown("drug")}
    assert unknown
    assert "clozapine" not in unknown
    assert found.as_text().count(" rows") >= len(unknown)
    page = published.report.read_text().lower()
    assert "drugs and diagnoses that the lists know" in page
    assert [name for name in unknown if name in page] == []


def test_every_received_row_is_in_exactly_one_ledger_column(published_night: tuple[Path, Published]) -> None:
    lines = _query(published_night[0], "SELECT * EXCLUDE (run_id, input_id, table_name) FROM ops.row_ledger")
    assert lines
    for received, *ends in lines:
        assert received == sum(ends)


def test_accepted_rows_in_the_ledger_are_the_rows_in_canonical(published_night: tuple[Path, Published]) -> None:
    workspace, _ = published_night
    for table in ("lab", "exposure", "diagnosis", "encounter", "vital"):
        accepted = _query(workspace, f"SELECT sum(n_accepted) FROM ops.row_ledger WHERE table_name='canonical.{table}'")
        assert _query(workspace, f"SELECT count(*) FROM canonical.{table}") == accepted


def test_quarantined_rows_in_the_ledger_are_the_rows_in_quarantine(published_night: tuple[Path, Published]) -> None:
    ledger = _query(published_night[0], "SELECT sum(n_quarantined) FROM ops.row_ledger")
    assert _query(published_night[0], "SELECT count(*) FROM quarantine.row") == ledger


def test_each_episode_has_exactly_one_primary_cause(published_night: tuple[Path, Published]) -> None:
    wrong = _query(
        published_night[0],
        "SELECT count(*) FROM (SELECT e.episode_id, count(*) FILTER (is_primary) AS n FROM derived.episode e "
        "LEFT JOIN derived.episode_cause c USING (episode_id) GROUP BY 1 HAVING n <> 1)",
    )
    assert wrong == [(0,)]
    assert _query(published_night[0], "SELECT count(*) > 20 FROM derived.episode") == [(True,)]


def test_keys_are_unique_in_every_derived_and_estimate_table(published_night: tuple[Path, Published]) -> None:
    for name, table in load_tables().items():
        if name.split(".")[0] in {"canonical", "derived", "counts", "estimate", "released", "ops"}:
            keys = ", ".join(f'"{key}"' for key in table.key)
            doubled = f"SELECT count(*) FROM (SELECT {keys} FROM {name} GROUP BY ALL HAVING count(*) > 1)"
            assert _query(published_night[0], doubled) == [(0,)], name


def test_the_same_extract_again_publishes_nothing_new(
    workspace_copy: Path, small_extract: Path, run_directly: Run
) -> None:
    before = _contents(workspace_copy / "site")
    rows = {table: _query(workspace_copy, f"SELECT count(*) FROM {table}") for table in RESULTS}
    again = run_directly(workspace_copy, small_extract)
    assert not again.is_new
    assert _contents(workspace_copy / "site") == before
    assert {table: _query(workspace_copy, f"SELECT count(*) FROM {table}") for table in RESULTS} == rows
    states = _query(workspace_copy, "SELECT state FROM ops.run ORDER BY started_at")
    assert [state for (state,) in states] == ["published", "unchanged"]


@pytest.fixture(scope="module")
def two_nights(
    tmp_path_factory: pytest.TempPathFactory, small_extract: Path, run_directly: Run
) -> tuple[Path, Published, Published]:
    """The small extract in two nights, half of the people's results in each."""
    folder = tmp_path_factory.mktemp("two")
    labs = next(small_extract.glob("labs*"))
    first, second = folder / "first", folder / "second"
    shutil.copytree(small_extract, first, ignore=shutil.ignore_patterns(labs.name, "source.yaml"))
    second.mkdir()
    with duckdb.connect() as connection:
        for number, half in enumerate((first, second)):
            connection.execute(
                f"COPY (SELECT * FROM read_csv('{labs}', all_varchar=true) WHERE hash(person_id) % 2 = {number}) "
                f"TO '{half / 'labs.csv'}' (HEADER)"
            ).fetchall()
    workspace = folder / "workspace"
    return workspace, run_directly(workspace, first), run_directly(workspace, second)


@pytest.mark.slow
def test_a_night_in_two_parts_ends_in_the_same_tables_as_one(
    two_nights: tuple[Path, Published, Published], published_night: tuple[Path, Published]
) -> None:
    workspace, *_ = two_nights
    for table in [name for name in load_tables() if name.split(".")[0] in {"canonical", "derived", "counts"}]:
        assert _differing_rows(workspace, published_night[0], table) == (0, 0), table


def test_a_later_night_tells_what_changed_and_that_the_data_did(two_nights: tuple[Path, Published, Published]) -> None:
    _, first, second = two_nights
    page = second.report.read_text()
    assert f'href="../{first.run_id}/index.html"' in page
    assert "only the data moved the numbers" in page
    assert 'id="table-moved"' in page
    assert "so there is nothing to compare with" in first.report.read_text()


def test_two_runs_are_told_apart_by_number_and_an_old_report_is_written_as_one_file(
    two_nights: tuple[Path, Published, Published], tmp_path: Path
) -> None:
    workspace, first, second = two_nights
    settings = Settings(workspace=workspace)
    found = diff_runs(first.run_id, second.run_id, settings).as_dict()
    assert found["moved_by"] == ["data"]
    tested = next(line for line in found["key_numbers"] if line["id"] == "tested_all")
    assert int(tested["before"].replace(",", "")) < int(tested["now"].replace(",", ""))
    assert sum(found["figures"]["testing-by-cohort"].values()) > 0
    assert set(diff_runs(second.run_id, second.run_id, settings).as_dict()["figures"]["testing-by-cohort"]) == {"same"}
    latest = export_report(second.run_id, tmp_path / "second.html", settings)
    assert latest.read_bytes() == (workspace / "site" / "latest.html").read_bytes()
    old = export_report(first.run_id, tmp_path / "first.html", settings).read_text()
    assert first.run_id in old
    assert "<script src" not in old
    with pytest.raises(WrongUse, match="no published run"):
        export_report("never", None, settings)


def test_a_broken_extract_leaves_tables_and_site_as_they_were(
    workspace_copy: Path, tmp_path: Path, run_directly: Run
) -> None:
    before = _contents(workspace_copy / "site")
    rows = {table: _query(workspace_copy, f"SELECT count(*) FROM {table}") for table in RESULTS}
    broken = tmp_path / "labs.csv"
    broken.write_bytes(b"\x00\x01\x02" * 100)
    with pytest.raises(SourceError):
        run_directly(workspace_copy, broken)
    assert _contents(workspace_copy / "site") == before
    assert {table: _query(workspace_copy, f"SELECT count(*) FROM {table}") for table in RESULTS} == rows
    assert _query(workspace_copy, "SELECT state FROM ops.run ORDER BY started_at DESC LIMIT 1") == [("failed",)]
    assert not (workspace_copy / "work").exists() or list((workspace_copy / "work").iterdir()) == []


def test_a_second_run_at_the_same_time_is_busy_and_says_who_holds_it(
    workspace_copy: Path, small_extract: Path, run_directly: Run
) -> None:
    with hold_workspace(Workspace(workspace_copy)), pytest.raises(Busy, match="process") as caught:
        run_directly(workspace_copy, small_extract)
    assert caught.value.exit_code == 15


def test_a_committed_night_whose_pages_were_not_yet_in_place_is_finished_at_the_next_start(
    workspace_copy: Path, published_night: tuple[Path, Published]
) -> None:
    workspace, run_id = Workspace(workspace_copy), published_night[1].run_id
    page = (workspace.site / "runs" / run_id / "index.html").read_bytes()
    workspace.work(run_id).mkdir(parents=True)
    (workspace.site / "runs" / run_id).rename(workspace.work(run_id) / "site")
    (workspace.site / "latest.html").rename(workspace.work(run_id) / "site" / "latest.html")
    with duckdb.connect(str(workspace.warehouse)) as connection:
        connection.execute("UPDATE ops.run SET state = 'released'").fetchall()
    recover(workspace, "1GB")
    assert (workspace.site / "runs" / run_id / "index.html").read_bytes() == page
    assert (workspace.site / "latest.html").is_file()
    assert _query(workspace_copy, "SELECT state FROM ops.run") == [("published",)]
    assert not (workspace_copy / "work").exists()


def test_a_killed_run_is_marked_failed_at_the_next_start(workspace_copy: Path) -> None:
    workspace = Workspace(workspace_copy)
    with duckdb.connect(str(workspace.warehouse)) as connection:
        connection.execute(
            "INSERT INTO ops.run (run_id, started_at, state, definitions_hash, code_version) "
            "VALUES ('killed', now()::TIMESTAMP, 'running', 'x', 'y')"
        ).fetchall()
    recover(workspace, "1GB")
    assert _query(workspace_copy, "SELECT state FROM ops.run WHERE run_id = 'killed'") == [("failed",)]


def test_the_workspace_is_private_to_its_owner(published_night: tuple[Path, Published]) -> None:
    assert published_night[0].stat().st_mode & 0o077 == 0


def test_the_released_tables_show_no_count_from_one_to_ten(published_night: tuple[Path, Published]) -> None:
    for name, table in load_tables().items():
        if name.startswith("released."):
            for column in [value for value in table.values if value.startswith("n_") and value != "n_tests"]:
                shown = f"SELECT count(*) FROM {name} WHERE {column} BETWEEN 1 AND 10"
                assert _query(published_night[0], shown) == [(0,)], (name, column)


def test_a_night_says_what_each_stage_cost(published_night: tuple[Path, Published]) -> None:
    stages = _query(published_night[0], "SELECT stage FROM ops.stage")
    assert {stage for (stage,) in stages} == {"receive", "validate", "derive", "estimate", "release", "publish"}


def test_what_a_night_says_of_itself_is_in_its_folder(published_night: tuple[Path, Published]) -> None:
    workspace, published = published_night
    summary = json.loads((workspace / "site" / "runs" / published.run_id / "run.json").read_text())
    assert summary["run_id"] == published.run_id
    assert {entry["title"]: entry["text"] for entry in summary["key_numbers"]} == dict(published.key_numbers)
