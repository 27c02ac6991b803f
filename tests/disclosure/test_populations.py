"""Counts of one population do not tell of 1 to 10 people of another, nor those of a shorter time of a longer one."""

from collections.abc import Callable, Mapping
from datetime import date

import polars as pl
import pytest

from transforms.closing_populations import close_populations, read_populations
from transforms.cohort_order import CohortOrder
from transforms.load import Definitions
from transforms.release import Released, release

ORDER = CohortOrder(inside=(("chemotherapy", "everyone"), ("clozapine", "everyone")))

PLACE = ["cohort", "interval_unit", "interval_start"]
CUT = ["measure", "rule", "threshold_cells_per_ul"]
INSIDE = [
    ("whole_period", "day_one"),
    ("whole_period", "sufficient_time"),
    *((part, "observed") for part in ("tested", "day_one", "whole_period", "sufficient_time", "exposed")),
]


@pytest.fixture(scope="module")
def draw_released(
    draw_estimates: Callable[[int], Mapping[str, pl.DataFrame]], definitions: Definitions
) -> Callable[[int], Released]:
    """The internal release of the hospital of a seed."""
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")
    drawn: dict[int, Released] = {}

    def draw(seed: int) -> Released:
        if seed not in drawn:
            drawn[seed] = release(draw_estimates(seed), rule, ORDER, run_id="night", definitions_hash="0123")
        return drawn[seed]

    return draw


def _is_few(number: pl.Expr) -> pl.Expr:
    return number.is_between(1, 10)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_population_is_short_of_another_by_1_to_10_people(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    rows = draw_released(seed).tables["released.population"]
    assert rows["n_low"].drop_nulls().len() > 0
    for part, whole in INSIDE:
        inner, outer = (rows.filter(pl.col("denominator_name") == name) for name in (part, whole))
        both = inner.join(outer, on=[*PLACE, *CUT], nulls_equal=True, suffix="_whole")
        for count in ("n_low", "n_population", "n_tested"):
            few = both.filter(pl.col("measure") != "index_test", _is_few(pl.col(f"{count}_whole") - pl.col(count)))
            assert few.is_empty(), (part, whole, count)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_of_a_population_tells_how_few_are_not_low_between_thresholds_or_untested(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    rows = draw_released(seed).tables["released.population"]
    group = [*PLACE, "denominator_name", "measure", "rule"]
    shown = rows.filter(pl.col("n_low").is_not_null()).sort([*group, "threshold_cells_per_ul"])
    step = pl.col("n_low") - pl.col("n_low").shift(1).over(group)
    assert shown.filter(_is_few(step)).is_empty()
    assert rows.filter(_is_few(pl.col("n_population") - pl.col("n_low"))).is_empty()
    assert rows.filter(_is_few(pl.col("n_population") - pl.col("n_tested"))).is_empty()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_longer_time_holds_1_to_10_people_more_than_a_shorter_one(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    rows = (
        draw_released(seed)
        .tables["released.population"]
        .filter(pl.col("measure") == "any_low", pl.col("denominator_name").is_in(["observed", "tested"]))
    )
    first = {"month": "1mo", "quarter": "1q", "year": "1y"}
    for short, long in (
        ("month", "quarter"),
        ("quarter", "year"),
        ("month", "year"),
        ("year", "all"),
        ("month", "all"),
    ):
        inner = rows.filter(pl.col("interval_unit") == short)
        starts = pl.lit(None, pl.Date) if long == "all" else pl.col("interval_start").dt.truncate(first[long])
        outer = rows.filter(pl.col("interval_unit") == long)
        key = ["cohort", "denominator_name", *CUT]
        both = inner.with_columns(start=starts).join(
            outer, left_on=[*key, "start"], right_on=[*key, "interval_start"], nulls_equal=True, suffix="_long"
        )
        for count in ("n_low", "n_population"):
            assert both.filter(_is_few(pl.col(f"{count}_long") - pl.col(count))).is_empty(), (short, long, count)


def test_what_is_decided_of_the_tested_and_the_observed_is_the_same_in_both_tables(
    draw_released: Callable[[int], Released],
) -> None:
    tables = draw_released(2).tables
    key = [*PLACE, *CUT, "denominator_name"]
    crude = tables["released.prevalence"].filter(~pl.col("is_weighted"), pl.col("standard") == "crude")
    both = tables["released.population"].join(crude, on=key, nulls_equal=True, suffix="_of_prevalence")
    assert both.height > 0
    hidden = both.filter(pl.col("n_low_mark_of_prevalence") == "hidden")
    assert (hidden["n_low_mark"] == "hidden").all()


@pytest.mark.parametrize(("n_low", "is_told"), [(22, True), (23, False)])
def test_a_whole_waits_until_it_leaves_ten_values_to_a_quarter_that_was_shown_before(n_low: int, is_told: bool) -> None:
    """14 low people of a quarter were shown; now it is held, and 22 of the whole extract would say that 0 to 8 came."""
    quarters = [("quarter", date(2025, 1, 1), 9, None, False), ("quarter", date(2025, 4, 1), 15, 14, True)]
    wholes = [("year", date(2025, 1, 1)), ("all", None)]
    rows = pl.DataFrame(
        [*quarters, *((unit, start, n_low, n_low, False) for unit, start in wholes)],
        schema=["interval_unit", "interval_start", "n_low", "last_n_low", "is_held"],
        orient="row",
    ).with_columns(
        cohort=pl.lit("everyone"),
        denominator_name=pl.lit("tested"),
        measure=pl.lit("any_low"),
        rule=pl.lit("any_value"),
        threshold_cells_per_ul=pl.lit(1500, pl.Int64),
        n_population=pl.lit(300, pl.Int64),
        n_tested=pl.lit(300, pl.Int64),
    )
    nodes = {"tested": 300, "low|any_low|any_value|1500|tested": n_low}
    people = pl.DataFrame(
        [("everyone", "all", None, node, n, n) for node, n in nodes.items()],
        schema={**dict.fromkeys(["cohort", "interval_unit"], pl.String), "interval_start": pl.Date, "node": pl.String}
        | {"n_people": pl.Int64, "n_shown": pl.Int64},
        orient="row",
    )
    telling = close_populations(rows, read_populations(rows, CohortOrder(), 11), people, 11).telling
    assert telling["node"].to_list() == (["low|any_low|any_value|1500|tested"] if is_told else [])
