"""The page of every episode rule against the truth: what it counts, and that its command writes it."""

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows.agreement import compare_rules
from flows.demo import simulate_demo, tell_agreement
from flows.handover import Published
from flows.settings import Settings
from flows.workspace import Workspace

START = datetime.fromisoformat("2024-01-01T00:00")
# One person: two true episodes; the rule sees both as one. Another: a true one that no test met, and one that is noise.
TRUTH = [("a", 1500, 10, 14, True), ("a", 1500, 20, 26, True), ("b", 1500, 3, 4, False)]
FOUND = [
    ("e1", "clinical", "a", 11, 24, 27),
    ("e2", "clinical", "b", 50, 51, 53),
    ("e3", "simple_run", "a", 11, 13, 15),
]


def _at(day: int) -> datetime:
    return START + timedelta(days=day)


@pytest.fixture
def small(tmp_path: Path) -> tuple[Workspace, Path]:
    workspace, truth = Workspace(tmp_path), tmp_path / "truth.parquet"
    names = ("person_id", "threshold_cells_per_ul", "onset_at", "end_at", "is_detectable")
    true = [(who, limit, _at(first), _at(last), met) for who, limit, first, last, met in TRUTH]
    pl.DataFrame(true, schema=names, orient="row").write_parquet(truth)
    columns = ("episode_id", "rule", "person_id", "first_low_at", "last_low_at", "recovery_by", "duration_ruled_days")
    rows = [
        (name, rule, who, _at(first), _at(last), _at(end), float(end - first))
        for name, rule, who, first, last, end in FOUND
    ]
    episodes = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        threshold_cells_per_ul=pl.lit(1500, pl.Int64), is_confirmed=pl.lit(value=True)
    )
    with duckdb.connect(str(workspace.warehouse)) as connection:
        connection.execute("CREATE SCHEMA derived").fetchall()
        connection.register("rows", episodes)
        connection.execute("CREATE TABLE derived.episode AS SELECT * FROM rows").fetchall()
    return workspace, truth


def test_a_rule_is_held_against_every_true_episode_that_it_overlaps(small: tuple[Workspace, Path]) -> None:
    (true,), (clinical, plain) = compare_rules(*small)
    assert (true.n_people, true.n_episodes, true.n_met) == (2, 3, 2)
    assert true.mean_days == pytest.approx((4 + 6 + 1) / 3)
    assert (clinical.n_people, clinical.n_episodes, clinical.n_met_found) == (2, 2, 2)
    assert (clinical.n_true, clinical.n_many, clinical.days_off) == (1, 1, None)
    assert (plain.n_met_found, plain.n_true, plain.n_many) == (1, 1, 0)
    assert plain.days_off == pytest.approx(4 - 4)


def test_the_page_of_a_demo_names_the_rules_and_what_is_different_about_them(
    tmp_path: Path, published_night: tuple[Path, Published]
) -> None:
    extract = simulate_demo(tmp_path / "aside", 120, 120, 3, has_truth=True)
    workspace, _ = published_night
    said = tell_agreement(Settings(workspace=workspace), extract, 3)
    page = Path(said.removeprefix("agreement: ")).read_text(encoding="utf-8")
    Path(said.removeprefix("agreement: ")).unlink()
    assert "clinical rule" in page
    assert "lows are confirmed" in page
    assert "early ICAHT and late ICAHT" in page
    assert "Extracts of real people have no place here" in page
    assert not [entry for entry in extract.iterdir() if "truth" in entry.name]
