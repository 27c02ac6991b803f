"""The same people low, counted among populations of different names, by week, month, quarter, year and over all.

A population says who is asked about in an interval: everybody observed on its first day, on all of its days, on enough
of them, on any; the tested; the exposed. Low are those with a value certainly low (`any_low`), those whose first test
of the interval is (`index_test`), those in a confirmed episode on a day of it (`confirmed`), those in one on its first
day (`point`). Weeks are counted among the tested alone, and every episode rule over the extract and by year alone.
Obeys `definitions/denominators`.
"""

from dataclasses import dataclass

import polars as pl

from transforms.calendar_units import ALL, EVERY, first_day_of
from transforms.frames import settle, shape, stack
from transforms.interval_cells import find_cells, flag_cells
from transforms.model.estimation import ANY_VALUE, Cut, Denominator, Plan
from transforms.person_time import Stays
from transforms.population_cells import (
    ANY_LOW,
    CUT,
    CUT_TYPES,
    INDEX,
    LOW,
    by_population,
    count_values,
    low_episodes,
    low_values,
)
from transforms.population_sizes import PLACES, cohort_of, first_day_of_place, place_of, population_sizes

CONFIRMED, POINT = "confirmed", "point"
TABLE = "counts.population"
_NUMBERS = ["n_low", "n_population", "n_tested", "n_tests"]
_SIZE = ["place", "denominator_name", "n_population"]
_CUTS = 2**8  # room for cuts beside a person and a day in one whole number, of which `cut` is one of 2**7
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
    """`counts.population` of cohorts. `confirmed`: person_index, rule, threshold_cells_per_ul, started, ended."""
    if stays.spans.is_empty():
        return stack([], TABLE)
    inside, with_drug = _episodes_inside(stays, confirmed, plan), _exposed_inside(stays, exposed)
    cells = find_cells(stays, [ALL, *(EVERY if plan.has_calendar else ())])
    parts = [_count_unit(unit, tests, stays, inside, with_drug, plan) for unit, tests in cells.items()]
    return shape(pl.concat(parts).filter(pl.any_horizontal(pl.col("n_low", "n_population") > 0)), TABLE)


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


def _count_unit(
    unit: str, tests: pl.DataFrame, stays: Stays, inside: pl.DataFrame, drugs: pl.DataFrame, plan: Plan
) -> pl.DataFrame:
    """`tests` are cells; `inside` and `drugs` episodes and days with a drug in a cohort, by their ends in it."""
    asked = populations_of(unit, plan)
    with_drug = _exposed_cells(unit, drugs) if any(each.counts == "exposed" for each in asked) else None
    sizes = population_sizes(unit, stays.spans, with_drug, asked)
    values = flag_cells(tests, unit, stays, with_drug, asked)
    open_people = flag_cells(_open(unit, inside, tests, stays.members, plan), unit, stays, with_drug, asked)
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
    low = pl.concat([low_values(counted, asked, plan), _named(low_episodes(open_people, asked), plan)])
    cuts = [(each.id, *cut) for each in asked for cut in cuts_of(unit, each, plan)]
    named = pl.DataFrame(cuts, schema={"denominator_name": pl.String(), **CUT_TYPES}, orient="row")
    rows = size.lazy().join(tests.lazy(), on=["place", "denominator_name"], how="left")
    rows = rows.join(named.lazy(), on="denominator_name")
    rows = rows.join(low.lazy(), on=["place", "denominator_name", *CUT], how="left").with_columns(
        pl.col(_NUMBERS).fill_null(0)
    )
    start = first_day_of_place(pl.col("place")).cast(pl.Int32).cast(pl.Date)
    told = {"cohort": cohort_of(pl.col("place")), "interval_unit": pl.lit(unit), "interval_start": start}
    return settle(rows.with_columns(**told).drop("place"))


def _confirmed_cuts(plan: Plan) -> list[Cut]:
    return [cut for cut in plan.cuts if cut.measure == CONFIRMED]


def _episodes_inside(stays: Stays, confirmed: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """person_index, cohort, first, last of confirmed episodes in a cohort; cut: theirs, by place in `_confirmed_cuts`.

    Numbers are compared faster than the names of rules.
    """
    cuts = [(cut.rule, cut.threshold_cells_per_ul) for cut in _confirmed_cuts(plan)]
    schema = {"rule": pl.String(), "threshold_cells_per_ul": confirmed.schema["threshold_cells_per_ul"]}
    numbered = pl.DataFrame(cuts, schema=schema, orient="row").with_row_index("cut").cast({"cut": pl.Int8})
    return (
        stays.inside(confirmed.join(numbered, on=list(schema)))
        .select(
            "person_index", "cohort", "cut",
            first=pl.max_horizontal("started", "stay_started"), last=pl.min_horizontal("ended", "stay_ended"),
        )
        .filter(pl.col("first") <= pl.col("last"))
    )  # fmt: skip


def _open(unit: str, inside: pl.DataFrame, tests: pl.DataFrame, members: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """cell, person_index, place, cut, is_point, n_tests of people in a confirmed episode: any day, and the first."""
    if unit == ALL:
        spread = inside.with_columns(place=pl.lit(None, pl.Int64), is_point=pl.lit(value=False))
    else:
        cuts = _confirmed_cuts(plan)
        kept = [at for at, cut in enumerate(cuts) if unit in _LONG or cut.rule == plan.estimation.default_rule]
        spread = _spread(inside.filter(pl.col("cut").is_in(kept)), unit)
        point = spread.filter(pl.col("place") >= pl.col("first")).with_columns(is_point=pl.lit(value=True))
        spread = pl.concat([spread.with_columns(is_point=pl.lit(value=False)), point])
    cell = place_of(pl.col("person_index"), None if unit == ALL else pl.col("place"))
    of_cell = pl.col("cut").cast(pl.Int64) * 2 + pl.col("is_point")
    # One number is compared faster than four.
    rows = spread.select((cell * _CUTS + of_cell).unique().alias("row"))
    rows = rows.select(cell=pl.col("row") // _CUTS, of_cell=pl.col("row") % _CUTS)
    at = members["person_index"].search_sorted((rows["cell"] // PLACES).cast(pl.UInt32), side="left")
    rows = rows.with_columns(cohort=members["cohort"][at])
    people = rows.select(
        "cell", *_of_cell(), cut=(pl.col("of_cell") // 2).cast(pl.Int8), is_point=pl.col("of_cell") % 2 == 1
    )
    if tests.is_empty():
        return people.with_columns(n_tests=pl.lit(0, pl.Int64))
    at = tests["cell"].search_sorted(people["cell"], side="left").clip(0, tests.height - 1)
    is_tested = tests["cell"][at] == people["cell"]
    return people.with_columns(n_tests=pl.when(pl.lit(is_tested)).then(pl.lit(tests["n_tests"][at])).otherwise(0))


def _of_cell() -> tuple[pl.Expr, pl.Expr]:
    """person_index and place of a cell, which is person and first day in one number as a place is cohort and day."""
    place = pl.col("cohort").cast(pl.Int64) * PLACES + pl.col("cell") % PLACES
    return (pl.col("cell") // PLACES).cast(pl.UInt32).alias("person_index"), place.alias("place")


def _named(low: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`low` (cut, is_point) with measure, rule and threshold."""
    cuts = [(cut.rule, cut.threshold_cells_per_ul) for cut in _confirmed_cuts(plan)]
    table = pl.DataFrame(cuts, schema={name: CUT_TYPES[name] for name in CUT[1:]}, orient="row")
    named = low.join(table.with_row_index("cut").cast({"cut": pl.Int8}), on="cut")
    measure = pl.when("is_point").then(pl.lit(POINT)).otherwise(pl.lit(CONFIRMED))
    return named.with_columns(measure=measure).select(LOW)


def _spread(spans: pl.DataFrame, unit: str) -> pl.DataFrame:
    """`spans` (first, last) once for each interval that they touch, whose first day is `place`."""
    placed = settle(
        spans.lazy().with_columns(
            place=first_day_of(pl.col("first"), unit).cast(pl.Date),
            until=first_day_of(pl.col("last"), unit).cast(pl.Date),
        )
    ).lazy()
    is_one = pl.col("place") == pl.col("until")  # as most are
    more = placed.filter(~is_one).with_columns(place=pl.date_ranges("place", "until", EVERY[unit])).explode("place")
    every = pl.concat([placed.filter(is_one), more])
    return settle(every.drop("until").with_columns(place=pl.col("place").to_physical().cast(pl.Int64)))


def _exposed_inside(stays: Stays, exposed: Exposed) -> pl.DataFrame:
    """person_index, cohort, first, last of the days with a drug in a cohort."""
    return (
        stays.inside(exposed.spans)
        .select(
            "person_index",
            "cohort",
            first=pl.max_horizontal("started", "stay_started"),
            last=pl.min_horizontal("ended", "stay_ended"),
        )
        .filter(pl.col("first") <= pl.col("last"))
    )


def _exposed_cells(unit: str, inside: pl.DataFrame) -> pl.DataFrame:
    """cell, place of the intervals in which a person is in the cohort on a day with a drug."""
    day = None if unit == ALL else pl.col("place")
    spread = inside if unit == ALL else _spread(inside, unit)
    cells = spread.select("cohort", cell=place_of(pl.col("person_index"), day), day=day).unique("cell")
    return cells.select("cell", place=place_of(pl.col("cohort"), None if day is None else pl.col("day")))
