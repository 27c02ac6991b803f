"""The simulated truth: without noise, every true onset and recovery lies inside the bounds that nadir gives.

And suspects are held to what began each episode, ratios to drugs that do nothing: a fixed sample of `make causes`.
"""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.bench.causes import TOLD, judge
from tests.bench.nulls import read_hospital, try_nulls
from tests.bench.truth import INSIDE, match_truth, simulate_and_run
from transforms.load import load_definitions


@pytest.fixture(scope="module")
def without_noise(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return simulate_and_run(tmp_path_factory.mktemp("truth"), 1500, is_noise_free=True)


@pytest.fixture(scope="module")
def matched(without_noise: tuple[Path, Path]) -> duckdb.DuckDBPyConnection:
    return match_truth(*without_noise)


@pytest.mark.parametrize("rule", ["clinical", "simple_run"])
def test_without_noise_every_true_onset_and_recovery_lies_inside_the_bounds(
    matched: duckdb.DuckDBPyConnection, rule: str
) -> None:
    shares = [line for line in matched.execute(INSIDE).fetchall() if line[0] == rule]
    assert sum(n for _, _, n, _, _ in shares) >= 100
    for _, threshold, _, onset, recovery in shares:
        assert (threshold, onset, recovery) == (threshold, 1.0, 1.0)


def test_an_onset_that_was_never_seen_is_not_given_a_bound_it_could_break(matched: duckdb.DuckDBPyConnection) -> None:
    outside = matched.execute(
        "SELECT count(*) FROM matched WHERE onset_at IS NULL AND onset_after IS NOT NULL"
    ).fetchall()
    assert outside == [(0,)]


def test_without_noise_every_detectable_isolated_episode_is_found(
    without_noise: tuple[Path, Path], matched: duckdb.DuckDBPyConnection
) -> None:
    truth = without_noise[1]
    seen = matched.execute(
        f"SELECT person_id, threshold_cells_per_ul, onset_at FROM read_csv('{truth}') "
        "WHERE is_detectable AND is_isolated ORDER BY ALL"
    ).fetchall()
    found = matched.execute(
        "SELECT DISTINCT person_id, threshold_cells_per_ul, onset_at FROM matched "
        "WHERE rule = 'simple_run' ORDER BY ALL"
    ).fetchall()
    assert len(seen) >= 100
    assert found == seen


def test_suspects_are_mostly_what_began_the_episode(without_noise: tuple[Path, Path]) -> None:
    judged = judge(*without_noise).with_columns(is_right=pl.col("truth") == TOLD)
    assert judged.height >= 300
    assert judged["is_right"].mean() > 0.85


@pytest.mark.slow
def test_unexplained_is_mostly_so_where_counts_have_noise(tmp_path: Path) -> None:
    """Without noise few counts are low for no reason, and what is left is illness that nobody wrote down."""
    judged = judge(*simulate_and_run(tmp_path, 1000, is_noise_free=False))
    judged = judged.with_columns(is_right=pl.col("truth") == TOLD)
    unexplained = judged.filter(pl.col("suspect") == "unexplained")
    assert unexplained.height >= 10
    assert unexplained["is_right"].mean() > 0.5


def test_the_ratio_of_drugs_that_do_nothing_holds_1_and_its_check_tells_those_that_travel_with_illness(
    without_noise: tuple[Path, Path],
) -> None:
    hospital, rules = read_hospital(*without_noise), load_definitions().drugs
    at_random = try_nulls(hospital, rules, 200, ill_share=0.0)
    # 95 % of 200 drugs, give or take three standard errors.
    assert at_random.n == 200
    assert 0.90 <= at_random.covered <= 1.0
    assert at_random.flagged <= 0.1
    at_illness = try_nulls(hospital, rules, 50, ill_share=0.5)
    assert at_illness.above > 0.5
    assert at_illness.flagged > 0.5
