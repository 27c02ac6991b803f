"""What the truth file says is what a laboratory without noise sees, episode by episode and visit by visit."""

import polars as pl
import pytest

from flows.simulation.hospital import SimulationRequest, simulate_hospital

ANC_CODES = ["751-8", "26499-4", "753-4"]
THRESHOLDS = [1500, 1000, 500]


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Visits (person_id, collected_at, anc) and the truth of a noise-free hospital."""
    out = tmp_path_factory.mktemp("exact")
    request = SimulationRequest(1500, 365, "parquet", out, 11, out / "truth.parquet", is_noise_free=True)
    simulate_hospital(request)
    number = pl.col("value").cast(pl.Float64)
    cells = pl.when(pl.col("unit") == "cells/uL").then(number).otherwise(number * 1000)
    labs = pl.read_parquet(out / "labs.parquet").filter(pl.col("test_code").is_in(ANC_CODES))
    visits = labs.select("person_id", "collected_at", anc=cells.round().cast(pl.Int64))
    return visits.sort("person_id", "collected_at"), pl.read_parquet(out / "truth.parquet")


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_onset_and_recovery_lie_between_the_visits_around_them(
    exact: tuple[pl.DataFrame, pl.DataFrame], threshold: int
) -> None:
    visits, truth = exact
    clear = truth.filter(
        pl.col("is_detectable") & pl.col("is_isolated") & (pl.col("threshold_cells_per_ul") == threshold)
    )
    assert clear.height > 20
    is_low, at = pl.col("anc") < threshold, pl.col("collected_at")
    near = clear.join(visits, on="person_id").filter(
        at.is_between(pl.col("onset_at").dt.offset_by("-30d"), pl.col("end_at").dt.offset_by("30d"))
    )
    around = near.group_by("person_id", "onset_at", "end_at").agg(
        first_low=at.filter(is_low).min(),
        last_low=at.filter(is_low).max(),
        before=at.filter(~is_low & (at < at.filter(is_low).min())).max(),
        after=at.filter(~is_low & (at > at.filter(is_low).max())).min(),
        inside=at.filter(~is_low & at.is_between(at.filter(is_low).min(), at.filter(is_low).max())).len(),
    )
    assert around.height == clear.height
    assert around["inside"].sum() == 0
    holds = (
        (pl.col("before").is_null() | (pl.col("before") < pl.col("onset_at")))
        & (pl.col("onset_at") <= pl.col("first_low"))
        & (pl.col("last_low") < pl.col("end_at"))
        & (pl.col("after").is_null() | (pl.col("end_at") <= pl.col("after")))
    )
    assert around.filter(~holds | holds.is_null()).height == 0


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_visit_is_low_exactly_when_it_falls_into_one_true_episode(
    exact: tuple[pl.DataFrame, pl.DataFrame], threshold: int
) -> None:
    visits, truth = exact
    episodes = truth.filter(pl.col("threshold_cells_per_ul") == threshold)
    at = pl.col("collected_at")
    begun = pl.col("onset_at").is_null() | (at >= pl.col("onset_at"))
    not_over = pl.col("end_at").is_null() | (at < pl.col("end_at"))
    inside = visits.join(episodes, on="person_id").filter(begun & not_over)
    keys = ["person_id", "collected_at"]
    assert inside.select(keys).is_duplicated().sum() == 0
    low = visits.filter(pl.col("anc") < threshold)
    assert inside.select(keys).sort(keys).equals(low.select(keys).sort(keys))
    assert low.height > 200


def test_no_visit_is_lower_than_the_true_nadir_of_its_episode(exact: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    visits, truth = exact
    whole = truth.filter(pl.col("ended_as") == "recovered", pl.col("onset_at").is_not_null())
    seen = whole.join(visits, on="person_id").filter(
        pl.col("collected_at").is_between("onset_at", "end_at", closed="left")
    )
    assert seen.filter(pl.col("anc") < pl.col("nadir_cells_per_ul")).height == 0
    assert whole.filter(~pl.col("nadir_at").is_between("onset_at", "end_at")).height == 0


def test_deeper_episodes_lie_inside_shallower_ones(exact: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    _, truth = exact
    severe = truth.filter(pl.col("threshold_cells_per_ul") == 500).drop_nulls(["onset_at", "end_at"])
    mild = truth.filter(pl.col("threshold_cells_per_ul") == 1500)
    open_start = pl.col("onset_at_right").is_null() | (pl.col("onset_at_right") <= pl.col("onset_at"))
    open_end = pl.col("end_at_right").is_null() | (pl.col("end_at_right") >= pl.col("end_at"))
    held = severe.join(mild, on="person_id").filter(open_start & open_end)
    assert held.height == severe.height > 50
