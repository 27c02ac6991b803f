"""A median of counted values is the median of the values."""

import statistics

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from transforms.medians import median_of_counts


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 5)), min_size=1, max_size=30))
def test_it_equals_the_median_of_the_values_written_out(rows: list[tuple[str, int, int]]) -> None:
    frame = pl.DataFrame(rows, schema=["cohort", "gap", "n"], orient="row")
    found = dict(median_of_counts(frame, by=["cohort"], value="gap", count="n").iter_rows())
    for cohort in {row[0] for row in rows}:
        written_out = [gap for name, gap, n in rows for _ in range(n) if name == cohort]
        assert found[cohort] == statistics.median(written_out)


def test_an_open_middle_value_gives_no_median_and_an_open_end_does_not_matter() -> None:
    frame = pl.DataFrame({"cohort": ["a", "a", "b", "b"], "gap": [1, None, 1, None], "n": [1, 2, 2, 1]})
    found = dict(median_of_counts(frame, by=["cohort"], value="gap", count="n").iter_rows())
    assert found == {"a": None, "b": 1.0}


def test_a_group_named_null_is_a_group() -> None:
    frame = pl.DataFrame(
        {"month": [None, None], "gap": [1, 3], "n": [1, 1]}, schema={"month": pl.String, "gap": pl.Int64, "n": pl.Int64}
    )
    assert median_of_counts(frame, by=["month"], value="gap", count="n").rows() == [(None, 2.0)]
