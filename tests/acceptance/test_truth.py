"""The simulated truth: without noise, every true onset and recovery lies inside the bounds that nadir gives."""

from pathlib import Path

import duckdb
import pytest

from tests.bench.truth import INSIDE, match_truth, simulate_and_run


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
