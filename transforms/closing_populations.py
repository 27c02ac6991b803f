"""What a reader knows of populations beyond one row: who lies in whom, shorter intervals in longer ones, cohorts.

What `nested.py` decided of the observed, the tested and those low among them, by month and over the whole extract, is
taken as it is, and every other count is closed around it. Where that gives no room, and where it bounds a count that
was hidden, it is told, so that `deciding.py` can decide anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from transforms.calendar_units import ALL, last_day_of
from transforms.cohort_order import CohortOrder
from transforms.model.estimation import ANY_VALUE
from transforms.nested import INTERVAL, low_node
from transforms.nested_pairs import OBSERVED, TESTED
from transforms.population_cells import ANY_LOW, INDEX
from transforms.populations import CONFIRMED, POINT
from transforms.relations import Laid, Relations, apart_pairs, close_laid, lay_counts, order_pairs
from transforms.suppression import is_small, least_of

_DECIDED, _LAST = 2**40, 2**38  # of the first no closing takes any; the other is more than any other weight
KINDS = ("low", "population", "tested")
_PLACE = ["cohort", "interval"]
_INSIDE = (("whole_period", "day_one"), ("whole_period", "sufficient_time"))
_PARTS = (
    ("week", "month"),
    ("week", "quarter"),
    ("week", ALL),
    ("month", "quarter"),
    ("quarter", "year"),
    ("year", ALL),
)
# With the length of time; of an episode also the days without a test count.
_GROWS = ("population|observed", "population|tested", "population|exposed", "low|any_low", "low|confirmed")


@dataclass(frozen=True)
class ClosedPopulations:
    """`rows` of populations with is_shown, is_told (by two equal shown counts) of low, population and tested.

    `telling`: INTERVAL and node of counts of people that are shown, and narrow a count that is not. `least`: the same
    of hidden ones, and how many they are at least.
    """

    rows: pl.DataFrame
    telling: pl.DataFrame
    least: pl.DataFrame


@dataclass(frozen=True)
class Populations:
    """`rows` of populations with the names of their counts, their `cells`, and what is `known` whatever is shown."""

    rows: pl.DataFrame
    cells: pl.DataFrame
    known: Laid


def read_populations(rows: pl.DataFrame, order: CohortOrder, min_cell: int) -> Populations | None:
    """`rows` of `estimate.population` as `close_populations` takes them; None where there are none."""
    if rows.is_empty():
        return None
    held = pl.col("is_held") if "is_held" in rows.columns else pl.lit(value=False)
    named = rows.with_columns(
        held=held, node_low=_low(), node_population=_population(), node_tested=_tested(), interval=_interval()
    )
    cells = _cells(named)
    return Populations(named, cells, lay_counts(cells, _relations(cells, order), min_cell))


def close_populations(
    rows: pl.DataFrame, read: Populations | None, people: pl.DataFrame, min_cell: int
) -> ClosedPopulations:
    """`rows` (`read` by `read_populations`), held against each other and `people` (what `shown_people` gives)."""
    if read is None:
        flags = [f"is_{what}_{name}" for what in ("shown", "told") for name in KINDS]
        none = people.select(*INTERVAL, "node", least="n_people").clear()
        return ClosedPopulations(
            rows.with_columns(pl.lit(value=True).alias(flag) for flag in flags), none.drop("least"), none
        )
    cells, named = _with_decisions(read.cells, people, min_cell), read.rows
    closed = cells.drop("is_shown").hstack(close_laid(cells, read.known, min_cell, together=False))
    closed = closed.with_columns(is_told=_is_told(min_cell))
    decided = closed.select(*_PLACE, "node", "is_shown", "is_told")
    for name in KINDS:
        found = decided.rename({"node": f"node_{name}", "is_shown": f"is_shown_{name}", "is_told": f"is_told_{name}"})
        named = named.join(found, on=[*_PLACE, f"node_{name}"], how="left", maintain_order="left")
    hidden = closed.filter("is_decided", ~pl.col("is_shown"))
    return ClosedPopulations(
        rows=named.drop("held", "interval", *(f"node_{name}" for name in KINDS)),
        telling=_find_telling(closed, read.known, min_cell).select(*INTERVAL, node="known").unique(),
        least=hidden.group_by(*INTERVAL, node="known").agg(least=pl.col("lower").max()),
    )


def _interval() -> pl.Expr:
    return pl.format("{}|{}", "interval_unit", pl.col("interval_start").cast(pl.String).fill_null(""))


def _population() -> pl.Expr:
    return pl.format("population|{}", "denominator_name")


def _tested() -> pl.Expr:
    """Of the observed and of the tested the people tested are the same."""
    is_main = pl.col("denominator_name").is_in([OBSERVED, TESTED])
    return pl.when(is_main).then(pl.lit(f"population|{TESTED}")).otherwise(pl.format("tested|{}", "denominator_name"))


def _low() -> pl.Expr:
    """A low value is a test, so of the observed and of the tested the same people are low."""
    of = pl.when((pl.col("measure") == ANY_LOW) & (pl.col("denominator_name") == OBSERVED)).then(pl.lit(TESTED))
    return pl.format("low|{}|{}|{}|{}", "measure", "rule", "threshold_cells_per_ul", of.otherwise("denominator_name"))


def _cells(named: pl.DataFrame) -> pl.DataFrame:
    """One row per cohort, interval and node: n, cell; with what a node is made of."""
    facts = [*_PLACE, *INTERVAL[1:], "denominator_name", "measure", "rule", "threshold_cells_per_ul"]
    kinds = {"low": "n_low", "population": "n_population", "tested": "n_tested"}
    parts = [
        named.select(
            *facts,
            node=f"node_{kind}",
            n=count,
            kind=pl.lit(kind),
            held=pl.col("held").any().over(*_PLACE, f"node_{kind}"),
            last=_last(count, named.columns).max().over(*_PLACE, f"node_{kind}"),
        ).unique([*_PLACE, "node"])
        for kind, count in kinds.items()
    ]
    every = pl.concat(parts).unique([*_PLACE, "node"]).sort(*_PLACE, "node")
    return every.with_row_index("cell").with_columns(pl.col("cell").cast(pl.Int64))


def _last(count: str, columns: Sequence[str]) -> pl.Expr:
    return pl.col(f"last_{count}") if f"last_{count}" in columns else pl.lit(None, pl.Int64)


def _with_decisions(cells: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """`cells` with known (its node in `people`), is_shown (not those held back), is_decided, least and weight."""
    is_low = pl.col("kind") == "low"
    main = pl.col("node").str.replace("^population\\|", "")
    named = cells.with_columns(known=pl.when(is_low).then(low_node()).otherwise(main))
    decided = people.select(*INTERVAL, known="node", _shown=pl.col("n_shown").is_not_null(), _n="n_people")
    found = named.join(decided, on=[*INTERVAL, "known"], how="left", nulls_equal=True, maintain_order="left")
    is_decided = pl.col("_shown").is_not_null() & (pl.col("_n") == pl.col("n"))
    longer = pl.col("interval_unit").replace_strict({ALL: 4, "year": 3, "quarter": 2, "month": 1}, default=0)
    return found.with_columns(
        is_decided=is_decided,
        is_shown=pl.when(is_decided).then("_shown").otherwise(~is_small(pl.col("n"), min_cell) & ~pl.col("held")),
        least=least_of("n", "last"),  # nobody is shown as 0, and nights add people
        weight=pl.when(is_decided).then(_DECIDED).otherwise(0) + longer * 2**33 + pl.col("n"),
    ).drop("_shown", "_n")


def _is_told(min_cell: int) -> pl.Expr:
    """Hidden cells that the shown ones tell, so that hiding them hides nothing; not those decided or held back."""
    is_free = ~pl.col("is_shown") & ~pl.col("is_decided") & ~pl.col("held") & ~is_small(pl.col("n"), min_cell)
    return is_free & (pl.col("lower") == pl.col("upper"))


def _find_telling(closed: pl.DataFrame, known: Laid, min_cell: int) -> pl.DataFrame:
    """Cells decided before that would have to go for the hidden ones that have too little room."""
    is_open = ~pl.col("is_shown") & ~pl.col("is_told") & (pl.col("upper") > 0)
    is_narrow = is_open & (pl.col("upper") - pl.col("lower") < min_cell - 2)
    if closed.filter(is_narrow).is_empty():
        return closed.clear()
    free = closed.with_columns(
        weight=pl.when("is_decided").then(pl.col("weight") - _DECIDED + _LAST).otherwise("weight")
    )
    stays = close_laid(free, known, min_cell, together=False)["is_shown"]
    return closed.filter(pl.col("is_decided") & pl.col("is_shown") & ~stays)


def _relations(cells: pl.DataFrame, order: CohortOrder) -> Relations:
    same = cells.filter(~pl.col("node").str.starts_with(f"low|{INDEX}"))
    whole = cells.filter(pl.col("interval_unit") == ALL)
    inside = [_in_one_interval(cells, _wholes_of), _in_one_interval(whole, _value_of), *_over_time(cells)]
    inside.append(order_pairs(same, order, ["interval"]))
    covers = _covers(cells)
    apart = apart_pairs(same, order, ["interval"])
    return Relations(inside=pl.concat(inside), covers=covers, adds=apart, sums=apart.clear())


def _in_one_interval(cells: pl.DataFrame, wholes_of: Callable[[str], set[str]]) -> pl.DataFrame:
    """part and whole of one cohort and interval, by what populations, measures and thresholds mean."""
    nodes = cells.select("node", "kind", "denominator_name", "measure", "rule", "threshold_cells_per_ul").unique("node")
    known = set(nodes["node"])
    pairs: set[tuple[str, str]] = set()
    for node in nodes.iter_rows(named=True):
        pairs |= {(node["node"], whole) for whole in wholes_of(node["node"])}
    pairs |= _steps(known)
    table = pl.DataFrame(sorted(pairs), schema={"node": pl.String, "other": pl.String}, orient="row")
    wholes = cells.select(*_PLACE, other="node", whole="cell")
    parts = cells.select(*_PLACE, "node", part="cell").join(table, on="node")
    return parts.join(wholes, on=[*_PLACE, "other"]).select("part", "whole")


def _wholes_of(node: str) -> set[str]:
    """Nodes that hold this one, in every interval."""
    kind, *rest = node.split("|")
    of = rest[-1]
    larger = [whole for part, whole in _INSIDE if part == of]
    if kind == "population":
        return {f"population|{whole}" for whole in (*larger, *([OBSERVED] if of != OBSERVED else []))}
    if kind == "tested":
        return {f"population|{of}", f"population|{TESTED}", *(f"tested|{whole}" for whole in larger)}
    measure, rule, threshold = rest[:3]
    cut = f"{rule}|{threshold}"
    found = {f"low|{measure}|{cut}|{whole}" for whole in larger} | {f"population|{of}"}
    if measure == ANY_LOW:
        found |= {f"tested|{of}"} | ({f"low|{ANY_LOW}|{cut}|{TESTED}"} if of != TESTED else set())
    if measure == INDEX:
        found |= {f"low|{ANY_LOW}|{cut}|{TESTED}"}
    if measure == POINT:
        found |= {f"low|{CONFIRMED}|{cut}|{of}"}
    if measure == CONFIRMED and of != OBSERVED:
        found |= {f"low|{CONFIRMED}|{cut}|{OBSERVED}"}
    return found


def _value_of(node: str) -> set[str]:
    """Over the whole extract whoever is in a confirmed episode has a low value."""
    kind, *rest = node.split("|")
    if kind != "low" or rest[0] != CONFIRMED:
        return set()
    of = TESTED if rest[3] == OBSERVED else rest[3]
    return {f"low|{ANY_LOW}|{ANY_VALUE}|{rest[2]}|{of}"}


def _steps(nodes: set[str]) -> set[tuple[str, str]]:
    """Each threshold lies in the next higher one of the same measure, rule and population."""
    families: dict[tuple[str, str, str], list[int]] = {}
    for node in nodes:
        kind, *rest = node.split("|")
        if kind == "low":
            families.setdefault((rest[0], rest[1], rest[3]), []).append(int(rest[2]))
    return {
        (f"low|{measure}|{rule}|{low}|{of}", f"low|{measure}|{rule}|{high}|{of}")
        for (measure, rule, of), limits in families.items()
        for low, high in pairwise(sorted(limits))
    }


def _over_time(cells: pl.DataFrame) -> list[pl.DataFrame]:
    """Counts that only grow with the length of time lie in those of longer intervals; a first day may be shared."""
    growing = cells.filter(_grows())
    both = _containing(growing)
    timed = cells.filter(
        pl.col("node").str.contains("day_one"), pl.col("kind") != "tested", pl.col("measure") != ANY_LOW
    )
    shared = timed.join(timed, on=["cohort", "node", "interval_start"], suffix="_other").filter(
        pl.col("cell") != pl.col("cell_other"), pl.col("n") == pl.col("n_other")
    )
    whole = cells.filter(pl.col("node") == "population|whole_period")
    shrinking = _containing(whole).select(part="whole", whole="part")
    return [both, shrinking, shared.select(part="cell", whole="cell_other")]


def _covers(cells: pl.DataFrame) -> pl.DataFrame:
    """Shorter intervals that together hold a longer one."""
    steps = {("week", "month"), ("month", "quarter"), ("quarter", "year"), ("year", ALL)}
    # Who is low in one year may be on the drug in another; whoever is on it at all is so in one of them.
    is_seen = ~pl.col("node").str.contains("exposed") | pl.col("node").str.starts_with("population")
    return _paired(cells.filter(_grows(), is_seen), steps, touching=True)


def _grows() -> pl.Expr:
    return pl.any_horizontal(pl.col("node").str.starts_with(node) for node in _GROWS) & ~(
        pl.col("node").str.contains("day_one|whole_period|sufficient_time")
    )


def _containing(cells: pl.DataFrame) -> pl.DataFrame:
    return _paired(cells, set(_PARTS), touching=False)


def _paired(cells: pl.DataFrame, steps: set[tuple[str, str]], *, touching: bool) -> pl.DataFrame:
    """part and whole of one cohort and node of a shorter interval and a longer one that holds or touches it."""
    places = cells.select("interval", unit="interval_unit", start="interval_start").unique()
    places = places.with_columns(end=last_day_of(pl.col("start"), pl.col("unit")))
    both = places.join(places, how="cross", suffix="_long")
    table = pl.DataFrame(sorted(steps), schema={"unit": pl.String, "unit_long": pl.String}, orient="row")
    both = both.join(table, on=["unit", "unit_long"], how="semi")
    is_all = pl.col("unit_long") == ALL
    holds = (pl.col("start") >= pl.col("start_long")) & (pl.col("end") <= pl.col("end_long"))
    meets = (pl.col("end") >= pl.col("start_long")) & (pl.col("start") <= pl.col("end_long"))
    both = both.filter(is_all | (meets if touching else holds))
    pairs = both.select("interval", "interval_long")
    parts = cells.select("cohort", "node", "interval", part="cell").join(pairs, on="interval")
    wholes = cells.select("cohort", "node", interval_long="interval", whole="cell")
    return parts.join(wholes, on=["cohort", "node", "interval_long"]).select("part", "whole")
