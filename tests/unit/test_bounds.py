"""Ends of unknown counts are those of linear programs, one after the other, and hold every solution."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from transforms.bounds import bound_counts

Rows = list[tuple[list[int], float, float]]  # factors of all counts, least, most


def _bound(lower: list[float], upper: list[float], rows: Rows) -> list[tuple[float, float]]:
    entries = [
        (n, cell, float(factor)) for n, (row, *_) in enumerate(rows) for cell, factor in enumerate(row) if factor
    ]
    named = pl.DataFrame(entries, schema={"sum": pl.Int64, "cell": pl.Int64, "factor": pl.Float64}, orient="row")
    sums = [(n, least, most) for n, (_, least, most) in enumerate(rows)]
    known = pl.DataFrame(sums, schema={"sum": pl.Int64, "least": pl.Float64, "most": pl.Float64}, orient="row")
    found = bound_counts(np.array(lower), np.array(upper), named, known)
    return list(zip(*(each.tolist() for each in found), strict=True))


def test_a_part_is_at_most_its_whole_and_the_rest_of_a_sum_is_known() -> None:
    inside, sums = ([1, -1, 0, 0], 0.0, np.inf), ([1, -1, -1, -1], 0.0, 0.0)
    assert _bound([20, 1, 1, 5], [20, np.inf, np.inf, 5], [inside, sums])[1:] == [(1, 14), (1, 14), (5, 5)]
    assert _bound([20, 1, 4, 5], [20, np.inf, 4, 5], [sums])[1] == (11, 11)


def test_a_count_that_nothing_holds_has_no_upper_end() -> None:
    assert _bound([1, 0], [np.inf, 7], [([1, -1], 0.0, np.inf)]) == [(1, np.inf), (0, 7)]


def test_sums_that_only_together_leave_one_answer_give_it() -> None:
    """a + b, b + c and a + c are known: no single sum tells a count, all three do."""
    rows: Rows = [([1, 1, 0], 9, 9), ([0, 1, 1], 11, 11), ([1, 0, 1], 10, 10)]
    assert _bound([1] * 3, [np.inf] * 3, rows) == [(4, 4), (5, 5), (6, 6)]


def test_numbers_that_contradict_each_other_are_no_report() -> None:
    with pytest.raises(ValueError, match="no counts fulfil"):
        _bound([1] * 3, [50] * 3, [([1, 1, 0], 9, 9), ([0, 1, 1], 11, 11), ([1, 0, 1], 10, 10), ([1, 1, 1], 40, 40)])


def test_numbers_that_contradict_each_other_only_together_are_no_report() -> None:
    """Rows of a million, and columns one short of it: each sum alone narrows by one at a time, and comes to no end."""
    table: Rows = [([1, 1, 0, 0], 10**6, 10**6), ([0, 0, 1, 1], 10**6, 10**6)]
    table += [([1, 0, 1, 0], 10**6, 10**6), ([0, 1, 0, 1], 10**6 - 1, 10**6 - 1)]
    with pytest.raises(ValueError, match="no counts fulfil"):
        _bound([0] * 4, [np.inf] * 4, table)


@given(
    truth=st.lists(st.integers(0, 12), min_size=3, max_size=6),
    hidden=st.sets(st.integers(0, 5), min_size=1),
    factors=st.lists(st.lists(st.sampled_from([-1, 0, 0, 1]), min_size=6, max_size=6), min_size=1, max_size=6),
    is_exact=st.lists(st.booleans(), min_size=6, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_the_ends_are_those_of_a_program_for_each_and_hold_the_truth(
    truth: list[int], hidden: set[int], factors: list[list[int]], is_exact: list[bool]
) -> None:
    size = len(truth)
    lower = [0.0 if place in hidden else float(n) for place, n in enumerate(truth)]
    upper = [25.0 if place in hidden else float(n) for place, n in enumerate(truth)]
    rows: Rows = []
    for row, exact in zip(factors, is_exact, strict=False):
        total = float(np.dot(row[:size], truth))
        rows.append((row[:size], total, total if exact else np.inf))
    found = _bound(lower, upper, rows)
    matrix = np.array([row for row, *_ in rows])
    equal = np.array([least == most for _, least, most in rows])
    for place in range(size):
        cost = np.eye(size)[place]
        ends = [
            sign * linprog(
                sign * cost,
                A_ub=-matrix, b_ub=-matrix @ truth,
                A_eq=matrix[equal] if equal.any() else None, b_eq=(matrix @ truth)[equal] if equal.any() else None,
                bounds=list(zip(lower, upper, strict=True)),
            ).fun
            for sign in (1.0, -1.0)
        ]  # fmt: skip
        least, most = found[place]
        assert least <= truth[place] <= most
        assert (least, most) == (np.ceil(ends[0] - 1e-6), np.floor(ends[1] + 1e-6))
