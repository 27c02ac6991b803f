"""A second night with a few more tests shows what hardly moved as the first night did, and says so."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from flows.handover import Published

Run = Callable[..., Published]
HELD = """SELECT count(*), count(*) FILTER (t.n_tests <> f.n_tests) FROM released.testing t
    JOIN released.testing f ON f.run_id = ? AND f.cohort = t.cohort
    AND f.interval_start IS NOT DISTINCT FROM t.interval_start WHERE t.run_id = ? AND t.n_tests_mark = 'held'"""


def test_a_night_with_five_more_tests_shows_their_number_as_it_was(
    tmp_path: Path, small_extract: Path, run_directly: Run
) -> None:
    first, workspace = tmp_path / "first", tmp_path / "workspace"
    shutil.copytree(small_extract, first)
    labs = next(first.glob("lab*"))
    lines = gzip.decompress(labs.read_bytes()).splitlines(keepends=True)
    labs.write_bytes(gzip.compress(b"".join(lines[:-25])))
    one, other = run_directly(workspace, first), run_directly(workspace, small_extract)
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        n_held, n_moved = connection.execute(HELD, [one.run_id, other.run_id]).fetchall()[0]
        epochs = connection.execute("SELECT min(epoch), max(epoch) FROM ops.shown_count").fetchall()[0]
    assert n_held > 0
    assert n_moved == 0
    assert epochs[0] == 0
    assert "held" in (other.report.parent / "downloads" / "testing.csv").read_text()
