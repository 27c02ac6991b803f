"""People of each population of an interval and the low among them, all populations and cuts in one pass over the cells.

A cell is a person in an interval (`place`) with a flag in_POPULATION for each population that is asked about.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from transforms.model.estimation import ANY_VALUE, Cut, Denominator, Plan

ANY_LOW, INDEX = "any_low", "index_test"
CUT = ["measure", "rule", "threshold_cells_per_ul"]
CUT_TYPES = {"measure": pl.String(), "rule": pl.String(), "threshold_cells_per_ul": pl.Int64()}
LOW = ["place", "denominator_name", *CUT, "n_low"]


def count_values(values: pl.DataFrame, asked: Sequence[Denominator], plan: Plan) -> pl.DataFrame:
    """place, and for each population its tested, their tests, and those low at each cut: one pass for all."""
    low = {ANY_LOW: pl.col("lowest"), INDEX: pl.col("index")}
    numbers: dict[str, pl.Expr] = {}
    for each in asked:
        is_in, n_tests = pl.col(f"in_{each.id}"), pl.col("n_tests")
        numbers[f"tested {each.id}"] = (is_in & (n_tests > 0)).sum()
        numbers[f"tests {each.id}"] = n_tests.filter(is_in).sum()
        for cut in plan.any_low:
            numbers |= {_low_name(measure, cut, each): (is_in & cut.is_low(at)).sum() for measure, at in low.items()}
    return values.group_by("place").agg(number.cast(pl.Int64).alias(name) for name, number in numbers.items())


def _low_name(measure: str, cut: Cut, population: Denominator) -> str:
    return f"{measure} {cut.threshold_cells_per_ul} {population.id}"


def by_population(counted: pl.DataFrame, asked: Sequence[Denominator], kinds: Mapping[str, str]) -> pl.DataFrame:
    """place, denominator_name and a column for each of `kinds`: its name, and how its columns begin."""
    lazy = counted.lazy()
    parts = [
        lazy.select(
            "place", denominator_name=pl.lit(each.id), **{name: f"{kind} {each.id}" for name, kind in kinds.items()}
        )
        for each in asked
    ]
    return pl.concat(parts).collect()


def low_values(counted: pl.DataFrame, asked: Sequence[Denominator], plan: Plan) -> pl.DataFrame:
    """place, denominator_name, cut, n_low of people with a value below, and of those whose first one is."""
    named = [
        (_low_name(measure, cut, each), each.id, measure, ANY_VALUE, cut.threshold_cells_per_ul)
        for each in asked
        for cut in plan.any_low
        for measure in (ANY_LOW, INDEX)
    ]
    schema = {"name": pl.String(), "denominator_name": pl.String(), **CUT_TYPES}
    names = pl.DataFrame(named, schema=schema, orient="row")
    long = counted.unpivot([name for name, *_ in named], index="place", variable_name="name", value_name="n_low")
    return long.join(names, on="name").select(LOW)


def low_episodes(open_people: pl.DataFrame, asked: Sequence[Denominator]) -> pl.DataFrame:
    """place, cut, is_point, denominator_name, n_low of people in an episode on a day, or on the first (`is_point`)."""
    of_tested = {each.id: (pl.col("n_tests") > 0) | pl.lit(each.counts != "tested") for each in asked}
    numbers = {name: (pl.col(f"in_{name}") & is_in).sum().cast(pl.Int64) for name, is_in in of_tested.items()}
    by = ["place", "cut", "is_point"]
    counted = open_people.group_by(by).agg(**numbers)
    return counted.unpivot(list(numbers), index=by, variable_name="denominator_name", value_name="n_low")
