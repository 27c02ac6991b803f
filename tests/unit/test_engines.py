"""An engine that was left as it was found is lent again; any other is closed, so that nobody finds what was left."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from flows import engines
from flows.engines import attach, lend_engine
from flows.errors import SourceError
from flows.warehouse import open_memory, open_warehouse


@pytest.fixture(autouse=True)
def _own_engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(engines, "_IDLE", [])
    yield
    engines._close_idle()


def test_one_engine_serves_a_hundred_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    start = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *a, **k: started.append(a) or start(*a, **k))
    for _ in range(50):
        with open_memory(tmp_path / "spill", memory_limit="1GB") as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
        with open_warehouse(tmp_path / "warehouse.duckdb", memory_limit="1GB") as connection:
            assert connection.execute("SELECT count(*) FROM ops.run").fetchall() == [(0,)]
    assert len(started) == 1


def test_two_at_once_are_two_engines(tmp_path: Path) -> None:
    with lend_engine("1GB", tmp_path) as one, lend_engine("2GB", tmp_path) as other:
        one.execute("CREATE TEMP TABLE mine AS SELECT 1 AS x").fetchall()
        with pytest.raises(duckdb.Error, match="does not exist"):
            other.execute("SELECT * FROM mine").fetchall()
        limits = [c.execute("SELECT current_setting('memory_limit')").fetchall()[0][0] for c in (one, other)]
    assert limits == ["953.6 MiB", "1.8 GiB"]


def test_limits_and_folder_are_those_of_the_caller_each_time(tmp_path: Path) -> None:
    asked = "SELECT current_setting('memory_limit'), current_setting('temp_directory'), current_setting('TimeZone')"
    for limit, shown, name in (("1GB", "953.6 MiB", "it's here"), ("2GB", "1.8 GiB", "there")):
        with lend_engine(limit, tmp_path / name) as connection:
            assert connection.execute(asked).fetchall() == [(shown, str(tmp_path / name), "UTC")]
            connection.execute("SET TimeZone='Asia/Tokyo'").fetchall()
            connection.execute("SET preserve_insertion_order=true").fetchall()
    with lend_engine("1GB", tmp_path) as connection:
        kept = connection.execute("SELECT current_setting('preserve_insertion_order')").fetchall()
    assert kept == [(False,)]


def test_what_one_caller_made_for_itself_is_gone_for_the_next(tmp_path: Path) -> None:
    with lend_engine("1GB", tmp_path) as connection:
        connection.execute("CREATE TEMP TABLE people AS SELECT 1 AS x").fetchall()
        connection.register("given", pa.table({"x": [1]}))
    with lend_engine("1GB", tmp_path) as connection:
        for name in ("people", "given"):
            with pytest.raises(duckdb.Error, match="does not exist"):
                connection.execute(f"SELECT * FROM {name}").fetchall()


@pytest.mark.parametrize(
    "leaving",
    [
        "CREATE TABLE people AS SELECT 1 AS x",
        "CREATE VIEW people AS SELECT 1 AS x",
        "CREATE SCHEMA s; CREATE TABLE s.people (x INTEGER)",
        "ATTACH ':memory:' AS left_over",
    ],
)
def test_an_engine_in_which_something_is_left_is_not_lent_again(tmp_path: Path, leaving: str) -> None:
    with lend_engine("1GB", tmp_path) as connection:
        connection.execute(leaving).fetchall()
    assert engines._IDLE == []


def test_an_engine_that_still_holds_much_memory_is_not_lent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "MOST_BYTES", -1)
    with lend_engine("1GB", tmp_path) as connection:
        connection.execute("SELECT 1").fetchall()
    assert engines._IDLE == []


def test_an_engine_that_has_spilled_is_lent_to_nobody_with_another_folder(tmp_path: Path) -> None:
    with lend_engine("30MB", tmp_path / "one") as connection:
        connection.execute("SET threads=1").fetchall()
        connection.execute("CREATE TEMP TABLE t AS SELECT md5(i::VARCHAR) AS h FROM range(1500000) r (i)").fetchall()
        assert list((tmp_path / "one").iterdir())
    with lend_engine("1GB", tmp_path / "two") as connection:
        folder = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    assert folder == [(str(tmp_path / "two"),)]


def test_an_engine_that_has_spilled_is_closed_and_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "one"):
        with lend_engine("30MB", folder) as connection:
            connection.execute("SET threads=1").fetchall()
            connection.execute("CREATE TEMP TABLE t AS SELECT md5(i::VARCHAR) h FROM range(1500000) r (i)").fetchall()
            assert list(folder.iterdir())
            connection.execute("DROP TABLE t").fetchall()
        assert engines._IDLE == []
        assert not folder.exists() or not list(folder.iterdir())


def test_after_an_error_the_engine_and_its_file_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with pytest.raises(ZeroDivisionError):
        _fail_half_way(path)
    assert engines._IDLE == []
    with duckdb.connect(str(path)) as connection:  # free for others, and without what was not committed
        assert connection.execute("SELECT count(*) FROM ops.erased").fetchall() == [(0,)]


def test_a_file_that_was_worked_on_is_whole_and_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "other name.duckdb"
    with lend_engine("1GB", tmp_path) as connection, attach(connection, path, read_only=False):
        connection.execute("CREATE TABLE t AS SELECT 1 AS x").fetchall()
    assert sorted(p.name for p in tmp_path.glob("other*")) == ["other name.duckdb"]
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_a_damaged_warehouse_is_told_and_a_good_one_opens_after_it(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged" / "warehouse.duckdb"
    damaged.parent.mkdir()
    damaged.write_bytes(b"not a database" * 1000)
    with (
        pytest.raises(SourceError, match="cannot be opened as a warehouse"),
        open_warehouse(damaged, memory_limit="1GB"),
    ):
        pass
    with open_warehouse(tmp_path / "warehouse.duckdb", memory_limit="1GB") as connection:
        assert connection.execute("SELECT count(*) FROM ops.run").fetchall() == [(0,)]


def _fail_half_way(path: Path) -> None:
    with open_warehouse(path, memory_limit="1GB") as connection:
        connection.execute("BEGIN").fetchall()
        connection.execute("INSERT INTO ops.erased VALUES ('someone', now())").fetchall()
        raise ZeroDivisionError
