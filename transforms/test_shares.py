"""The share of tests that are low, of all tests of a cohort: a number of tests, and never a prevalence.

Who is ill is tested more often, so it is higher than the share of people; it says how often a laboratory sees a low
count. A test is a specimen that `definitions/denominators/tested.yaml` takes for one, low when certainly below. Tests
of one person are alike, so its interval takes people for clusters.
"""

import polars as pl

from transforms.clustered import clustered_shares
from transforms.frames import empty, shape
from transforms.model.estimation import Plan
from transforms.person_time import Stays, low_name

TABLE = "counts.test_share"
_SUMS = ("n_tests", "n_tests_low", "n_people", "n_tests_squared", "n_tests_low_squared", "n_product")


def count_test_shares(stays: Stays, plan: Plan) -> pl.DataFrame:
    """`counts.test_share` of cohorts, over the whole extract."""
    people = stays.people.filter(pl.col("n_tests") > 0)
    if people.is_empty():
        return empty(TABLE)
    rows = []
    for cut in plan.any_low:
        tests, low = pl.col("n_tests").cast(pl.Int64), pl.col(low_name(cut)).cast(pl.Int64)
        rows.append(
            people.group_by("cohort")
            .agg(
                n_tests=tests.sum(),
                n_tests_low=low.sum(),
                n_people=pl.len(),
                n_tests_squared=(tests**2).sum(),
                n_tests_low_squared=(low**2).sum(),
                n_product=(tests * low).sum(),
            )
            .with_columns(threshold_cells_per_ul=pl.lit(cut.threshold_cells_per_ul))
        )
    return shape(pl.concat(rows), TABLE)


def estimate_test_shares(counted: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.test_share` without its run."""
    lo, hi, method = clustered_shares(counted, _SUMS, plan.estimation)
    limits = {"low_test_share_lo": pl.Series(lo), "low_test_share_hi": pl.Series(hi)}
    return counted.with_columns(
        low_test_share=pl.when(pl.col("n_tests") > 0).then(pl.col("n_tests_low") / pl.col("n_tests")),
        method=pl.Series(method, dtype=pl.String),
        **{name: values.fill_nan(None) for name, values in limits.items()},
    )
