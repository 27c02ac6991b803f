"""However small or odd a hospital is, its night is released, and nothing is left to hide at the last look.

What is shown of the first of them is what was told of them before. A step of the attrition that nobody reaches is shown
as zero, though no other table may have that number.
"""

import os
from collections.abc import Callable, Mapping

import polars as pl
import pytest

from tests.numbers.telling import MOVED, find_moved
from transforms.audit import find_small_cells
from transforms.calendar_ends import leave_out_ends
from transforms.cohort_order import CohortOrder
from transforms.load import Definitions
from transforms.release import release
from transforms.rounding import round_counts

Estimates = Mapping[str, pl.DataFrame]


TOLD = 4
N_SEEDS = 25 if os.environ.get("NADIR_ATTACK") == "all" else TOLD


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, N_SEEDS))])
def test_the_night_of_an_odd_hospital_is_released_as_was_told_and_the_last_look_finds_nothing(
    seed: int,
    draw_odd_estimates: Callable[[int], Estimates],
    definitions: Definitions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole: dict[str, pl.DataFrame] = {}

    def leave_out(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        whole.update(tables)
        return leave_out_ends(tables)

    monkeypatch.setattr("transforms.release.leave_out_ends", leave_out)
    estimates = draw_odd_estimates(seed)
    nobody = estimates["estimate.attrition"].filter(pl.col("n_people") == 0).select("cohort", "step_order")
    shown = dict(estimates)
    for rule in definitions.disclosure:  # of every limit, rounded or not
        released = release(estimates, rule, CohortOrder(), run_id="night", definitions_hash="0123456789abcdef")
        assert released.closed == ()
        assert find_small_cells(round_counts(whole, rule.round_to), rule.min_cell) == ()
        found = find_small_cells(released.tables, rule.min_cell)
        # What is left beside the shown months is of hidden ones and of those at the ends, which are left out.
        assert [one.what for one in found if "a month from the rest" not in one.what] == []
        steps = released.tables["released.attrition"].join(nobody, on=["cohort", "step_order"])
        assert (steps["n_people_mark"] == "zero").all()
        shown |= {f"{rule.id} {name}": rows for name, rows in released.tables.items()}
    assert seed >= TOLD or find_moved(f"odd_hospital_{seed}", shown) == [], MOVED
