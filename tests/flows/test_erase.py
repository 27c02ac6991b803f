"""A person who is erased is gone from every table and file, stays gone, and leaves the nights as if never there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flows.erase import erase_person
from flows.errors import ValidationStop, WrongUse
from flows.handover import Published
from flows.settings import Settings
from transforms.schemas import load_tables, schema_of

Count = Callable[..., None]
PLACES = {"input_id", "row_number", "column_number"}


def _query(workspace: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def _differing(one: Path, other: Path, table: str) -> int:
    columns = ", ".join(f'"{c}"' for c in schema_of(table).column_names if c not in PLACES)
    with duckdb.connect() as connection:
        for name, workspace in (("one", one), ("other", other)):
            connection.execute(f"ATTACH '{workspace / 'warehouse.duckdb'}' AS {name} (READ_ONLY)").fetchall()
        sides = [f"SELECT {columns} FROM {name}.{table}" for name in ("one", "other")]
        both = f"(({sides[0]} EXCEPT ALL {sides[1]}) UNION ALL ({sides[1]} EXCEPT ALL {sides[0]}))"
        return int(connection.execute(f"SELECT count(*) FROM {both}").fetchall()[0][0])


def _whom(workspace: Path) -> str:
    """Somebody with an episode, a drug and a person row."""
    found = _query(
        workspace,
        "SELECT min(person_id) FROM derived.episode SEMI JOIN canonical.exposure USING (source_id, person_id)",
    )
    return str(found[0][0])


def _without(extract: Path, person: str, target: Path) -> Path:
    shutil.copytree(extract, target)
    for path in target.glob("*.csv*"):
        with duckdb.connect() as connection:
            rows = f"SELECT * FROM read_csv('{path}', all_varchar=true) WHERE person_id <> '{person}'"
            connection.execute(f"COPY ({rows}) TO '{target / 'aside'}' (HEADER, FORMAT csv)").fetchall()
        path.unlink()
        (target / "aside").rename(target / path.name.removesuffix(".gz"))
    return target


@pytest.fixture(scope="module")
def erased(
    tmp_path_factory: pytest.TempPathFactory, published_night: tuple[Path, Published]
) -> tuple[Path, str, dict[str, object]]:
    workspace = tmp_path_factory.mktemp("erased") / "workspace"
    shutil.copytree(published_night[0], workspace)
    person = _whom(workspace)
    result = erase_person(person, "", Settings(workspace=workspace))
    return workspace, person, dict(result.as_dict())


def test_no_row_of_the_person_is_left_in_any_table(erased: tuple[Path, str, dict[str, object]]) -> None:
    workspace, person, result = erased
    assert int(str(result["n_canonical"])) > 0
    assert int(str(result["n_staged"])) >= int(str(result["n_canonical"])) - 1
    for name, table in load_tables().items():
        if "person_id" in table.column_names:
            assert _query(workspace, f"SELECT count(*) FROM {name} WHERE person_id = '{person}'") == [(0,)], name
    for path in (workspace / "staged").glob("*/*.parquet"):
        assert duckdb.sql(f"SELECT count(*) FROM '{path}' WHERE person_id = '{person}'").fetchall() == [(0,)], path


def test_what_is_kept_of_the_person_is_a_hash_whose_key_only_the_owner_reads(
    erased: tuple[Path, str, dict[str, object]],
) -> None:
    workspace, person, _ = erased
    ((mark,),) = _query(workspace, "SELECT person_mark FROM ops.erased")
    assert len(str(mark)) == 64
    assert person not in str(mark)
    assert (workspace / "erased.key").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_the_next_night_is_as_if_the_person_had_never_been_there(
    erased: tuple[Path, str, dict[str, object]], small_extract: Path, tmp_path: Path, count_directly: Count
) -> None:
    workspace, person, _ = erased
    again = tmp_path / "again"
    shutil.copytree(small_extract, again)
    more = next(again.glob("labs*"))
    with duckdb.connect() as connection:
        rows = f"SELECT * FROM read_csv('{more}', all_varchar=true) ORDER BY ALL LIMIT 500"
        late = f"SELECT * FROM read_csv('{more}', all_varchar=true) WHERE person_id = '{person}'"
        connection.execute(
            f"COPY (SELECT * FROM ({rows}) UNION ALL SELECT * FROM ({late})) TO '{again / 'labs_again.csv'}' (HEADER)"
        ).fetchall()
    count_directly(workspace, again)
    never = tmp_path / "never"
    count_directly(never, _without(again, person, tmp_path / "without"))
    for table in [name for name in load_tables() if name.split(".")[0] in {"canonical", "derived", "counts"}]:
        assert _differing(workspace, never, table) == 0, table
    lines = _query(
        workspace,
        "SELECT n_received, n_accepted + n_duplicate + n_superseded + n_quarantined + n_irrelevant, n_irrelevant "
        "FROM ops.row_ledger JOIN ops.input USING (run_id, input_id) "
        "WHERE name = 'labs_again.csv'",
    )
    assert all(line[0] == line[1] for line in lines)
    assert any(int(str(line[2])) > 0 for line in lines)


def test_nobody_by_that_key_is_wrong_use_and_changes_nothing(workspace_copy: Path) -> None:
    with pytest.raises(WrongUse, match="No person") as caught:
        erase_person("nobody-at-all", "", Settings(workspace=workspace_copy))
    assert caught.value.exit_code == 2
    assert "nobody-at-all" not in str(caught.value)
    assert _query(workspace_copy, "SELECT count(*) FROM ops.erased") == [(0,)]


def test_a_key_of_two_sources_needs_the_source(workspace_copy: Path) -> None:
    person = _whom(workspace_copy)
    with duckdb.connect(str(workspace_copy / "warehouse.duckdb")) as connection:
        connection.execute(
            "INSERT INTO canonical.person BY NAME SELECT * REPLACE ('other' AS source_id) FROM canonical.person "
            "WHERE person_id = ?",
            [person],
        ).fetchall()
    with pytest.raises(WrongUse, match="Several sources"):
        erase_person(person, "", Settings(workspace=workspace_copy))
    erase_person(person, "other", Settings(workspace=workspace_copy))
    assert _query(workspace_copy, f"SELECT count(*) FROM canonical.person WHERE person_id = '{person}'") == [(1,)]


@pytest.mark.slow
def test_a_person_erased_after_a_first_night_that_was_stopped_is_not_in_the_next_one(
    tmp_path: Path, count_directly: Count
) -> None:
    workspace, header = tmp_path / "workspace", "person_id,specimen_id,collected_at,test_code,value,unit"
    impossible = [f"P{n},S{n},2024-03-0{n} 08:00,751-8,900,10*9/L" for n in range(1, 10)]
    (tmp_path / "wrong.csv").write_text("\n".join([header, *impossible, ""]))
    with pytest.raises(ValidationStop):
        count_directly(workspace, tmp_path / "wrong.csv")
    erase_person("P1", "", Settings(workspace=workspace))
    (tmp_path / "labs.csv").write_text("\n".join([header, *(row.replace(",900,", ",1.2,") for row in impossible), ""]))
    count_directly(workspace, tmp_path / "labs.csv")
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        people = connection.execute("SELECT person_id FROM canonical.lab ORDER BY ALL").fetchall()
    assert people == [(f"P{n}",) for n in range(2, 10)]
