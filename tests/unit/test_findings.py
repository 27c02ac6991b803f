"""A laboratory result is beyond the limit of a finding only where its bounds leave no doubt."""

import polars as pl
import pytest

from transforms.findings import is_beyond
from transforms.model.causes import Finding


@pytest.mark.parametrize(
    ("limit", "lower", "upper", "is_found"),
    [
        ({"below": 100}, 80.0, 99.0, True),
        ({"below": 100}, 80.0, 100.0, False),
        ({"below": 100}, 80.0, None, False),
        ({"above": 100}, 101.0, 120.0, True),
        ({"above": 100}, 100.0, 120.0, False),
        ({"above": 100}, None, 120.0, False),
    ],
)
def test_a_result_is_found_only_if_all_that_it_may_be_is_beyond_the_limit(
    limit: dict[str, float], lower: float | None, upper: float | None, is_found: bool
) -> None:
    bounds = {"lower_bound": pl.Float64, "upper_bound": pl.Float64}
    result = pl.DataFrame({"lower_bound": [lower], "upper_bound": [upper]}, schema=bounds)
    assert result.select(found=is_beyond(Finding(analyte="platelets", **limit)))["found"].to_list() == [is_found]
