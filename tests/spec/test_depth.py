"""Depth and duration at once: the area between the threshold and the count below it, by hand."""

from typing import Any

import pytest

from transforms.load import load_definitions

CLINICAL = next(rule for rule in load_definitions().rules if rule.id == "clinical")
TRIANGLE = {0: 1500, 3: 0, 6: 1500, 9: 3000}
WORKED = {0: 4000, 5: 2500, 8: 900, 10: 300, 13: 600, 16: 1200, 20: 3000}


def _depth(episodes: list[dict[str, Any]], threshold: int) -> Any:
    (episode,) = [row for row in episodes if row["threshold_cells_per_ul"] == threshold]
    return episode["depth_duration"]


@pytest.mark.parametrize(
    ("counts", "threshold", "area"),
    [
        pytest.param(TRIANGLE, 1500, 2 * 3 * 1500 / 2, id="down and up in three days each"),
        pytest.param(TRIANGLE, 500, 2 * 1 * 500 / 2, id="the last third of the way down and the first up"),
        pytest.param(WORKED, 1500, 337.5 + 1800 + 3150 + 1800 + 100, id="worked example 1 at 1500"),
        pytest.param(WORKED, 500, 66.6667 + 200, id="worked example 1 at 500"),
        pytest.param({0: 600, 2: 400, 4: 600, 6: 400, 8: 600, 9: 700}, 500, 4 * 1 * 100 / 2, id="above in between"),
        pytest.param({0: 600, 5: 400, 5.5: 400, 8: 600, 9: 700}, 500, 2.5 * 50 + 0.5 * 100 + 1.25 * 50, id="two draws"),
    ],
)
def test_the_area_is_that_of_the_triangles_drawn_by_hand(
    counts: dict[float, int], threshold: int, area: float, episodes_of: Any
) -> None:
    assert _depth(episodes_of(counts, CLINICAL), threshold) == pytest.approx(area, abs=1e-3)


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({0: 400, 5: 600, 8: 700}, id="start not seen"),
        pytest.param({0: 600, 5: 400}, id="recovery not seen"),
        pytest.param({0: 600, 5: "0-100", 8: 600, 9: 700}, id="a low known within bounds"),
        pytest.param({0: 600, 5: 400, 6: "0-600", 8: 600, 9: 700}, id="an undecided value on the way"),
    ],
)
def test_an_area_that_is_not_known_is_null(counts: dict[float, object], episodes_of: Any) -> None:
    assert _depth(episodes_of(counts, CLINICAL), 500) is None
