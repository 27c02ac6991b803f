"""Which values of `estimate.population` must be hidden, given what is shown of the people in the tables beside it.

What `nested.py` decided of the observed, the tested and those low among them, by month and over the whole extract,
holds here too. Every other count is hidden when it is small, or when what a reader knows would tell a small one: which
population lies in which, shorter intervals in longer ones, cohorts in cohorts, and what they add up to. Where one of
the counts decided before would have to be hidden for it, everything else of its cohort and interval is. A count
that lies between two shown ones that are equal is theirs, and hiding it would hide nothing.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import polars as pl

from transforms.calendar_units import ALL, last_day_of
from transforms.cohort_order import CohortOrder
from transforms.model.estimation import ANY_VALUE
from transforms.nested import INTERVAL, low_node
from transforms.nested_pairs import OBSERVED, TESTED
from transforms.population_cells import ANY_LOW, INDEX
from transforms.populations import CONFIRMED, POINT
from transforms.relations import Relations, apart_pairs, close_counts, order_pairs
from transforms.suppression import is_small, least_of

_DECIDED = 2**40  # hidden only when nothing else of less weight gives the room
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


def hide_populations(rows: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """`rows` of `estimate.population` with hide_VALUE columns. `people` is what `shown_people` gives."""
    if rows.is_empty():
        return rows.with_columns(pl.lit(value=False).alias(f"hide_{name}") for name in _values())
    held = pl.col("is_held") if "is_held" in rows.columns else pl.lit(value=False)
    named = rows.with_columns(
        held=held, node_low=_low(), node_population=_population(), node_tested=_tested(), interval=_interval()
    )
    cells = _with_decisions(_cells(named), people, min_cell)
    relations = _relations(cells, order)
    closed = _close(cells, relations, min_cell)
    told = _find_told(cells.with_columns(is_shown=closed), relations.inside)
    decided = cells.select(*_PLACE, "node", hide=~(closed | told), is_hidden=~closed)
    for name in ("low", "population", "tested"):
        found = decided.rename({"node": f"node_{name}", "hide": f"_{name}", "is_hidden": f"_{name}_closed"})
        named = named.join(found, on=[*_PLACE, f"node_{name}"], how="left", maintain_order="left")
    low, population, tested = (pl.col(f"_{name}").fill_null(value=True) for name in ("low", "population", "tested"))
    # What others tell of the people tested tells nothing of their tests.
    closed_tested = pl.col("_tested_closed").fill_null(value=True)
    some_hidden = closed_tested.any().over("cohort", "interval_unit", "denominator_name")
    hide = {"n_low": low, "n_population": population, "n_tested": tested, "tested_share": tested | population}
    hide |= dict.fromkeys(("prevalence", "prevalence_lo", "prevalence_hi", "method"), low | population)
    # Tests beyond the first of each person tell of people tested twice.
    extra = (pl.col("tests_per_person") * pl.col("n_population")).round() - pl.col("n_tested")
    hide["tests_per_person"] = some_hidden | population | is_small(extra, min_cell)
    return named.with_columns(expression.alias(f"hide_{name}") for name, expression in hide.items()).select(
        *rows.columns, *(f"hide_{name}" for name in _values())
    )


def _values() -> Sequence[str]:
    shares = ("prevalence", "prevalence_lo", "prevalence_hi", "method", "tested_share", "tests_per_person")
    return ("n_low", "n_population", "n_tested", *shares)


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
    """`cells` with is_shown (not those that are held back), is_decided, least and weight."""
    is_low = pl.col("kind") == "low"
    main = pl.col("node").str.replace("^population\\|", "")
    known = cells.with_columns(_node=pl.when(is_low).then(low_node()).otherwise(main))
    decided = people.select(*INTERVAL, _node="node", _shown=pl.col("n_shown").is_not_null(), _n="n_people")
    found = known.join(decided, on=[*INTERVAL, "_node"], how="left", nulls_equal=True, maintain_order="left")
    is_decided = pl.col("_shown").is_not_null() & (pl.col("_n") == pl.col("n"))
    longer = pl.col("interval_unit").replace_strict({ALL: 4, "year": 3, "quarter": 2, "month": 1}, default=0)
    return found.with_columns(
        is_decided=is_decided,
        is_shown=pl.when(is_decided).then("_shown").otherwise(~is_small(pl.col("n"), min_cell) & ~pl.col("held")),
        least=least_of("n", "last"),  # nobody is shown as 0, and nights add people
        weight=pl.when(is_decided).then(_DECIDED).otherwise(0) + longer * 2**33 + pl.col("n"),
    ).drop("_node", "_shown", "_n")


def _close(cells: pl.DataFrame, relations: Relations, min_cell: int) -> pl.Series:
    """Which cells stay shown, with nothing taken back that was decided before."""
    held = cells.select("cell", *_PLACE, "n", "is_shown", "is_decided", "least", "weight")
    while True:
        shown = close_counts(held, relations, min_cell, together=False)
        taken = held.filter(pl.col("is_decided"), pl.col("is_shown"), ~shown).select(_PLACE).unique()
        again = held.join(taken.with_columns(_taken=pl.lit(value=True)), on=_PLACE, how="left", maintain_order="left")
        hides = again["_taken"].fill_null(value=False) & ~again["is_decided"] & again["is_shown"]
        if not hides.any():
            return shown | (held["is_decided"] & held["is_shown"])
        held = held.with_columns(is_shown=pl.col("is_shown") & ~hides)


def _find_told(cells: pl.DataFrame, inside: pl.DataFrame) -> pl.Series:
    """Hidden cells between two shown ones that are equal; not those that are decided elsewhere or held back."""
    bounds = cells.select(
        "cell", low=pl.when("is_shown").then("n").otherwise(0), high=pl.when("is_shown").then("n").otherwise(_DECIDED)
    )
    while True:
        pairs = inside.join(bounds, left_on="part", right_on="cell").join(
            bounds, left_on="whole", right_on="cell", suffix="_whole"
        )
        lows = pairs.group_by(cell="whole").agg(_low=pl.col("low").max())
        highs = pairs.group_by(cell="part").agg(_high=pl.col("high_whole").min())
        wider = bounds.join(lows, on="cell", how="left", maintain_order="left")
        wider = wider.join(highs, on="cell", how="left", maintain_order="left")
        tighter = wider.select("cell", low=pl.max_horizontal("low", "_low"), high=pl.min_horizontal("high", "_high"))
        if tighter.equals(bounds):
            break
        bounds = tighter
    is_free = ~cells["is_shown"] & ~cells["is_decided"] & ~cells["held"]
    return is_free & (bounds["low"] == bounds["high"]) & (bounds["low"] == cells["n"])


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
    is_seen = ~pl.col("node").str.contains("exposed")  # who is low in one year may be on the drug in another
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
