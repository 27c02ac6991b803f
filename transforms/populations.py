"""The same people low, counted among populations of different names, by week, month, quarter, year and over all.

A population says who is asked about in an interval: everybody observed on its first day, on all of its days, on enough
of them, on any; the tested; the exposed. Low are those with a value certainly low (`any_low`), those whose first test
of the interval is (`index_test`), those in a confirmed episode on a day of it (`confirmed`), those in one on its first
day (`point`). Weeks are counted among the tested alone, and every episode rule over the extract and by year alone.
Obeys `definitions/denominators`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.calendar_units import ALL, EVERY, first_day_of
from transforms.frames import shape, stack
from transforms.model.estimation import ANY_VALUE, Denominator, Plan
from transforms.person_time import Stays
from transforms.population_cells import (
    ANY_LOW,
    CUT,
    CUT_TYPES,
    INDEX,
    by_population,
    count_values,
    low_episodes,
    low_values,
)
from transforms.population_sizes import ALWAYS, population_sizes

CONFIRMED, POINT = "confirmed", "point"
TABLE = "counts.population"
_NUMBERS = ["n_low", "n_population", "n_tested", "n_tests"]
_SIZE = ["place", "denominator_name", "n_population"]
_PLACES, _EPOCH = 2**22, 2**20  # room for places beside a person in one whole number; no day of history is below 0
_LONG = frozenset({ALL, "year"})  # units of which every rule is counted


@dataclass(frozen=True)
class Exposed:
    """Days on which somebody's drug may be suspected: person_index, started, ended (days since 1970); may overlap."""

    spans: pl.DataFrame


def read_exposed(drug_block: pl.LazyFrame | None) -> Exposed:
    """From the windows of the courses of `derived.drug_block`; nobody where there is no such frame."""
    if drug_block is None:
        return Exposed(pl.DataFrame(schema={"person_index": pl.UInt32, "started": pl.Int32, "ended": pl.Int32}))
    ends = {"started": "window_from_on", "ended": "window_until_on"}
    spans = {name: pl.col(column).cast(pl.Int32) for name, column in ends.items()}
    return Exposed(
        drug_block.select("person_index", **spans).filter(pl.col("started") <= pl.col("ended")).unique().collect()
    )


def count_populations(stays: Stays, confirmed: pl.DataFrame, exposed: Exposed, plan: Plan) -> pl.DataFrame:
    """`counts.population` of one cohort. `confirmed`: person_index, rule, threshold_cells_per_ul, started, ended."""
    if stays.spans.is_empty():
        return stack([], TABLE)
    parts = [_count_unit(ALL, stays, confirmed, exposed, plan)]
    if plan.has_calendar:
        parts += [_count_unit(unit, stays, confirmed, exposed, plan) for unit in EVERY]
    rows = pl.concat(parts).filter(pl.any_horizontal(pl.col("n_low", "n_population") > 0))
    return shape(rows.with_columns(cohort=pl.lit(stays.cohort)), TABLE)


def cuts_of(unit: str, population: Denominator, plan: Plan) -> list[tuple[str, str, int]]:
    """Measure, rule and threshold of what is counted of a population in a unit."""
    cuts = [(ANY_LOW, ANY_VALUE, cut.threshold_cells_per_ul) for cut in plan.any_low]
    own = [cut for cut in plan.cuts if cut.measure == CONFIRMED]
    default = [cut for cut in own if cut.rule == plan.estimation.default_rule]
    if unit != "week" and population.counts == "tested":
        cuts += [(INDEX, ANY_VALUE, cut.threshold_cells_per_ul) for cut in plan.any_low]
    if unit in _LONG:
        cuts += [(CONFIRMED, cut.rule, cut.threshold_cells_per_ul) for cut in own]
    if population.counts == "day_one":
        cuts += [(POINT, cut.rule, cut.threshold_cells_per_ul) for cut in default]
    return cuts


def populations_of(unit: str, plan: Plan) -> list[Denominator]:
    """The populations that a unit is counted among; the first day of the extract and all of it mean little."""
    kept = {"week": {"tested"}, ALL: {"observed", "tested", "exposed"}}.get(unit)
    return [each for each in plan.denominators if kept is None or each.counts in kept]


def _count_unit(unit: str, stays: Stays, confirmed: pl.DataFrame, exposed: Exposed, plan: Plan) -> pl.DataFrame:
    asked = populations_of(unit, plan)
    with_drug = _exposed_cells(unit, stays, exposed) if any(each.counts == "exposed" for each in asked) else None
    sizes = population_sizes(unit, stays.spans, with_drug, asked)
    tests = _tests(unit, stays)
    values = _with_flags(tests, unit, stays, with_drug, asked)
    open_people = _with_flags(_open(unit, stays, confirmed, tests, plan), unit, stays, with_drug, asked)
    counted = count_values(values, asked, plan)
    tests = by_population(counted, asked, {"n_tested": "tested", "n_tests": "tests"})
    own = [each.id for each in asked if each.counts == "tested"]
    of_tests = tests.filter(pl.col("denominator_name").is_in(own), pl.col("n_tested") > 0)
    size = pl.concat(
        [
            of_tests.select("place", "denominator_name", n_population="n_tested"),
            *(
                rows.select("place", "n_population", denominator_name=pl.lit(name)).select(_SIZE)
                for name, rows in sizes.items()
            ),
        ]
    )
    low = pl.concat([low_values(counted, asked, plan), low_episodes(open_people, asked)])
    cuts = [(each.id, *cut) for each in asked for cut in cuts_of(unit, each, plan)]
    named = pl.DataFrame(cuts, schema={"denominator_name": pl.String(), **CUT_TYPES}, orient="row")
    rows = size.join(tests, on=["place", "denominator_name"], how="left").join(named, on="denominator_name")
    rows = rows.join(low, on=["place", "denominator_name", *CUT], how="left").with_columns(
        pl.col(_NUMBERS).fill_null(0)
    )
    start = pl.when(pl.col("place") != ALWAYS).then(pl.col("place").cast(pl.Int32).cast(pl.Date))
    return rows.with_columns(interval_unit=pl.lit(unit), interval_start=start).drop("place")


def _place(day: pl.Expr, unit: str) -> pl.Expr:
    return pl.lit(ALWAYS, pl.Int64) if unit == ALL else first_day_of(day, unit).cast(pl.Int64)


def _tests(unit: str, stays: Stays) -> pl.DataFrame:
    """person_index, place, n_tests, lowest, index: tests of a person in an interval, the lowest and the first value.

    Days are sorted by person and day, so that those of a cell lie together.
    """
    is_test = pl.col("n_tests") > 0
    dated = stays.days if unit == ALL else stays.days.filter(pl.col("day").is_not_null())
    place = pl.lit(0, pl.Int64) if unit == ALL else _place(pl.col("day"), unit) + _EPOCH
    cells = dated.filter(is_test).select(
        "n_tests", "lowest_cells_per_ul", cell=pl.col("person_index").cast(pl.Int64) * _PLACES + place
    )
    reduced = (
        cells.with_columns(pl.col("cell").set_sorted())
        .group_by("cell", maintain_order=True)
        .agg(
            pl.col("n_tests").sum(),
            lowest=pl.col("lowest_cells_per_ul").min(),
            index=pl.col("lowest_cells_per_ul").first(),
        )
    )
    return reduced.select(
        person_index=(pl.col("cell") // _PLACES).cast(pl.UInt32),
        place=pl.lit(ALWAYS, pl.Int64) if unit == ALL else pl.col("cell") % _PLACES - _EPOCH,
        n_tests="n_tests",
        lowest="lowest",
        index="index",
    )


def _open(unit: str, stays: Stays, confirmed: pl.DataFrame, tests: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """person_index, place, cut, n_tests of people in a confirmed episode in the cohort: on a day, or on the first."""
    rules = [
        cut.rule
        for cut in plan.cuts
        if cut.measure == CONFIRMED and (unit in _LONG or cut.rule == plan.estimation.default_rule)
    ]
    inside = (
        confirmed.filter(pl.col("rule").is_in(rules))
        .join(stays.spans, on="person_index", how="inner", suffix="_stay")
        .select(
            "person_index", "rule", "threshold_cells_per_ul",
            first=pl.max_horizontal("started", "started_stay"), last=pl.min_horizontal("ended", "ended_stay"),
        )
        .filter(pl.col("first") <= pl.col("last"))
    )  # fmt: skip
    if unit == ALL:
        spread = inside.with_columns(place=pl.lit(ALWAYS, pl.Int64), measure=pl.lit(CONFIRMED))
    else:
        spread = _spread(inside, unit)
        point = spread.filter(pl.col("place") >= pl.col("first")).with_columns(measure=pl.lit(POINT))
        spread = pl.concat([spread.with_columns(measure=pl.lit(CONFIRMED)), point])
    people = spread.select("person_index", "place", *CUT).unique()
    counted = tests.select("person_index", "place", "n_tests")
    return people.join(counted, on=["person_index", "place"], how="left").with_columns(pl.col("n_tests").fill_null(0))


def _spread(spans: pl.DataFrame, unit: str) -> pl.DataFrame:
    """`spans` (first, last) once for each interval that they touch, whose first day is `place`."""
    begin, end = (first_day_of(pl.col(name), unit).cast(pl.Date) for name in ("first", "last"))
    places = pl.date_ranges(begin, end, EVERY[unit])
    return (
        spans.with_columns(place=places)
        .explode("place")
        .with_columns(place=pl.col("place").to_physical().cast(pl.Int64))
    )


def _with_flags(
    cells: pl.DataFrame, unit: str, stays: Stays, with_drug: pl.DataFrame | None, asked: Sequence[Denominator]
) -> pl.DataFrame:
    """`cells` (person_index, place) with in_POPULATION for each that is asked about; `with_drug`: cells exposed."""
    always = {f"in_{each.id}": pl.lit(value=True) for each in asked if each.counts in {"observed", "tested"}}
    found = cells.with_columns(**always)
    timed = [each for each in asked if each.counts in {"day_one", "whole_period", "sufficient_time"}]
    if timed:
        found = found.join(_seen(cells, unit, stays, timed), on=["person_index", "place"], how="left")
    if with_drug is not None:
        flags = {f"in_{each.id}": pl.lit(value=True) for each in asked if each.counts == "exposed"}
        found = found.join(with_drug.with_columns(**flags), on=["person_index", "place"], how="left")
    return found.with_columns(pl.col("^in_.*$").fill_null(value=False))


def _seen(cells: pl.DataFrame, unit: str, stays: Stays, timed: Sequence[Denominator]) -> pl.DataFrame:
    """person_index, place and in_POPULATION of those that go by days in the cohort; where there are none, no row."""
    key = cells.select("person_index", "place").unique()
    places = key.select("place").unique()
    lengths = places.with_columns(last=_last(unit)).with_columns(length=pl.col("last") - pl.col("place") + 1)
    days = pl.min_horizontal("ended", "last") - pl.max_horizontal("started", "place") + 1
    inside = (
        key.join(lengths, on="place")
        .join(stays.spans, on="person_index", how="inner")
        .with_columns(days=days)
        .filter(pl.col("days") > 0)
    )
    if not stays.spans["person_index"].is_duplicated().any():
        return inside.select("person_index", "place", **{f"in_{each.id}": _is_in(each) for each in timed})
    by_cell = inside.group_by("person_index", "place")
    return by_cell.agg(**{f"in_{each.id}": _is_in_together(each) for each in timed})


def _last(unit: str) -> pl.Expr:
    return pl.col("place").cast(pl.Int32).cast(pl.Date).dt.offset_by(EVERY[unit]).to_physical().cast(pl.Int64) - 1


def _is_in(population: Denominator) -> pl.Expr:
    """Of the only stay in an interval."""
    if population.counts == "day_one":
        return pl.col("started") <= pl.col("place")
    if population.counts == "whole_period":
        return pl.col("days") == pl.col("length")
    return pl.col("days") >= population.least_share_of_days * pl.col("length")


def _is_in_together(population: Denominator) -> pl.Expr:
    """Of all stays in an interval, none of which touch."""
    if population.counts in {"day_one", "whole_period"}:
        return _is_in(population).any()
    return pl.col("days").sum() >= population.least_share_of_days * pl.col("length").first()


def _exposed_cells(unit: str, stays: Stays, exposed: Exposed) -> pl.DataFrame:
    """person_index, place of the intervals in which a person is in the cohort on a day with a drug."""
    inside = (
        exposed.spans.join(stays.spans, on="person_index", how="inner", suffix="_stay")
        .select(
            "person_index",
            first=pl.max_horizontal("started", "started_stay"),
            last=pl.min_horizontal("ended", "ended_stay"),
        )
        .filter(pl.col("first") <= pl.col("last"))
    )
    spread = inside.with_columns(place=pl.lit(ALWAYS, pl.Int64)) if unit == ALL else _spread(inside, unit)
    return spread.select("person_index", "place").unique()
