"""Estimates with what earlier reports showed of each count, and whether its row must be held back tonight.

A row is renewed as a whole: it is held when one of its counts, or the difference of two of them, has moved by 1 to 10
people, episodes, tests or days since a report showed it (`renewal.py`). Durations go with their curve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.frames import settle
from transforms.model.disclosure import DisclosureRule
from transforms.nested import INTERVAL, people_nodes, related_nodes
from transforms.renewal import Earlier, find_held, find_replacing, gone_counts, nested_columns, nested_people
from transforms.schemas import load_tables

_RULE = ("cohort", "rule", "threshold_cells_per_ul")
_CAUSE = (*_RULE, "cause_group")
_CYCLE = ("cohort", "regimen")
_COUNT = ["place", "node"]
_HELD = {"place": pl.String, "node": pl.String, "last": pl.Int64, "is_held": pl.Boolean}
CURVE = "curve"
Estimates = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Counted:
    """Counts of a table that stand or fall together: those of one `key`, with the flag that tells they are held."""

    table: str
    key: tuple[str, ...]
    counts: tuple[str, ...]
    flag: str = "is_held"


ROWS = (
    Counted("incidence", (*_RULE, "interval_unit", "interval_start", "onset", "standard"),
            ("n_episodes", "person_days")),
    Counted("testing", ("cohort", "interval_unit", "interval_start"), ("n_tests", "n_gaps")),
    Counted("attrition", ("cohort", "step_order"), ("n_people",)),
    Counted("episode", (*_RULE, "is_confirmed", "ended_as"), ("n_episodes", "n_people")),
    Counted("cause", (*_CAUSE, "agent", "window"), ("n_episodes", "n_people")),
    Counted("duration", _CAUSE, ("n_episodes", "n_censored", "n_died")),
    Counted("complication", (*_RULE, "complication", "band_kind", "band"), ("n_assessed", "n_episodes", "n_people")),
    Counted("person_days", ("cohort", "threshold_cells_per_ul"),
            ("n_days_observed", "n_days_low", "n_days_not_low", "n_days_unknown")),
    Counted("chronic", _RULE, ("n_people", "n_people_open", "n_assessable")),
    Counted("cycle", _CYCLE, ("n_cycles", "n_people", "n_tested")),
    Counted("cycle", (*_CYCLE, "threshold_cells_per_ul"), ("n_affected", "n_people_affected"), "is_affected_held"),
    Counted("cycle_severe", ("cohort", "severe_status"), ("n_cycles", "n_people")),
    Counted("drug", ("drug", "threshold_cells_per_ul"), ("n_people", "n_courses", "n_tested", "n_affected")),
    Counted("drug_day", ("drug", "day"), ("n_people",)),
    Counted("drug_ratio", ("drug",), ("n_people", "n_risk", "n_reference", "n_pre_exposure", "n_on_drug")),
)  # fmt: skip


_OTHERWISE = {"prevalence", "severity", "scale_change", "anc_distribution", "duration_curve"}  # as nodes, and curves


@cache
def counted_rows() -> tuple[Counted, ...]:
    """`ROWS`, and every other table of estimates with all of its counts, row by row."""
    named = {each.table for each in ROWS} | _OTHERWISE
    others = []
    for name, table in sorted(load_tables().items()):
        if name.startswith("estimate.") and name.removeprefix("estimate.") not in named:
            counts = tuple(c.name for c in table.columns if c.name in table.values and c.type == "BIGINT")
            key = tuple(column for column in table.key if column != "run_id")
            others.append(Counted(name.removeprefix("estimate."), key, counts))
    return (*ROWS, *others)


@dataclass(frozen=True)
class Holding:
    """`people`: INTERVAL, node, last (as last shown), is_held, of counts that were shown. `rows`: tables with `is_held`
    and for each count `last_COUNT`. `cells`: place, node and n of every count as it is tonight.
    """

    people: pl.DataFrame
    rows: Estimates
    cells: pl.DataFrame


def hold_back(estimates: Estimates, order: CohortOrder, rule: DisclosureRule, earlier: Earlier) -> Holding:
    """What earlier reports showed of every count tonight, and what must be held back."""
    people = _place(people_nodes(estimates), "people", INTERVAL)
    gone = gone_counts(people, earlier)
    ranked, related = related_nodes(pl.concat([people.select("node"), gone.select("node")]), estimates)
    rank = pl.DataFrame({"node": ranked, "rank": range(len(ranked))}, schema={"node": pl.String, "rank": pl.Int64})
    cells = people.select(*_COUNT, n="n_people").join(rank, on="node")
    held = find_held(cells, nested_people(people, related, order), earlier, rule.min_cell)
    held = pl.concat([held, find_replacing(cells, gone, related, earlier, rule.min_cell)])
    held = _with_withheld(held, cells, earlier.withheld)
    found = people.select(*INTERVAL, *_COUNT).join(held, on=_COUNT).drop("place")
    rows = dict(estimates)
    curves = _curve_cells(estimates["estimate.duration_curve"], rule.curve_days)
    counted = [cells, curves]
    held_curves = _find_held(curves, (), earlier, rule.min_cell).filter("is_held")
    for each in counted_rows():
        name = f"estimate.{each.table}"
        placed = _place(rows[name], f"{each.table} {each.flag}", each.key)
        own = _cells_of(placed, each.counts)
        held = _find_held(own, each.counts, earlier, rule.min_cell)
        if each.table == "duration":
            held = pl.concat([held, _held_with_curve(each, held_curves)])
        rows[name] = _flag(placed, each, held)
        counted.append(own)
    return Holding(found, rows, pl.concat(counted).drop("rank"))


def _find_held(cells: pl.DataFrame, columns: Sequence[str], earlier: Earlier, min_cell: int) -> pl.DataFrame:
    """As `find_held`, of the counts of rows, and with those that are withheld."""
    if earlier.counts.is_empty() and earlier.withheld is None:
        return pl.DataFrame(schema=_HELD)
    held = find_held(cells, nested_columns(cells, columns), earlier, min_cell)
    return _with_withheld(held, cells, earlier.withheld)


def _with_withheld(held: pl.DataFrame, cells: pl.DataFrame, withheld: pl.DataFrame | None) -> pl.DataFrame:
    if withheld is None:
        return held
    named = withheld.join(cells.select(_COUNT), on=_COUNT, how="semi")
    both = held.join(named, on=_COUNT, how="full", coalesce=True)
    is_held = [pl.col(name).fill_null(value=False) for name in ("is_held", "is_withheld")]
    known = both.with_columns(last=pl.max_horizontal("last", "least"), is_held=is_held[0] | is_held[1])
    return known.drop("is_withheld", "least").sort(_COUNT)


def shown_cells(tables: Mapping[str, pl.DataFrame], people: pl.DataFrame) -> pl.DataFrame:
    """place and node of every count that released tables, and `people` (of `shown_people`), show."""
    nodes = _place(people.filter(pl.col("n_shown").is_not_null()), "people", INTERVAL).select(_COUNT)
    parts = [nodes]
    for each in counted_rows():
        rows = tables[f"released.{each.table}"].lazy()
        named = rows.with_columns(_place_of(f"{each.table} {each.flag}", each.key))
        parts.append(settle(_known(named, each.counts).select(_COUNT)))
    curve = tables["released.duration_curve"].filter(pl.col("still_low").is_not_null())
    placed = _place(curve, CURVE, _CAUSE).select("place", "day").unique()
    parts += [placed.select("place", node=pl.format("{}|{}", pl.lit(name), "day")) for name in _GONE]
    return pl.concat(parts).unique()


def bounds_of_people(people: pl.DataFrame) -> pl.DataFrame:
    """place, node, least and most of counts of people (of `shown_people`)."""
    return _place(people, "people", INTERVAL).select(*_COUNT, "least", "most")


_GONE = ("n_recovered", "n_censored")


def _place(rows: pl.DataFrame, name: str, key: Sequence[str]) -> pl.DataFrame:
    return rows.with_columns(_place_of(name, key))


def _place_of(name: str, key: Sequence[str]) -> pl.Expr:
    texts = [pl.col(each).cast(pl.String).fill_null("") for each in key]
    return pl.concat_str([pl.lit(name), *texts], separator="|").alias("place")


def _cells_of(placed: pl.DataFrame, counts: Sequence[str]) -> pl.DataFrame:
    known = _known(placed.lazy(), counts).select(*_COUNT, pl.col("n").cast(pl.Int64), rank=pl.lit(0, pl.Int64))
    return settle(known.unique(_COUNT, keep="any"))


def _known(placed: pl.LazyFrame, counts: Sequence[str]) -> pl.LazyFrame:
    return placed.unpivot(counts, index="place", variable_name="node", value_name="n").drop_nulls("n")


def _curve_cells(curve: pl.DataFrame, days: Sequence[int]) -> pl.DataFrame:
    """Recovered and censored by each shown day of each group of episodes, whatever is shown of them."""
    counted = curve.filter(pl.col("n_at_risk").is_not_null()).sort(*_CAUSE, "day")
    gone = counted.with_columns(pl.col(name).cum_sum().over(_CAUSE) for name in _GONE).sort("day")
    grid = pl.DataFrame({"day": list(days)}, schema={"day": pl.Int64})
    groups = _place(counted.select(_CAUSE).unique(), CURVE, _CAUSE).join(grid, how="cross").sort("day")
    states = groups.join_asof(gone.select(*_CAUSE, "day", *_GONE), on="day", by=_CAUSE, check_sortedness=False)
    long = states.unpivot(_GONE, index=["place", "day"], variable_name="name", value_name="n")
    return long.select(
        "place",
        node=pl.format("{}|{}", "name", "day"),
        n=pl.col("n").fill_null(0).cast(pl.Int64),
        rank=pl.lit(0, pl.Int64),
    )


def _held_with_curve(each: Counted, held_curves: pl.DataFrame) -> pl.DataFrame:
    """Rows of durations whose curve is held, whatever their counts are."""
    place = pl.col("place").str.replace(CURVE, f"{each.table} {each.flag}", literal=True)
    return held_curves.select(place, node=pl.lit(None, pl.String), last=pl.lit(None, pl.Int64), is_held="is_held")


def _flag(placed: pl.DataFrame, each: Counted, held: pl.DataFrame) -> pl.DataFrame:
    """Rows with the flag of `each`, and with last_COUNT for each count."""
    last = {f"last_{count}": pl.col("last").filter(pl.col("node") == count).first() for count in each.counts}
    if held.is_empty():
        nothing = [pl.lit(None, pl.Int64).alias(name) for name in last]
        return settle(placed.lazy().drop("place").with_columns(pl.lit(value=False).alias(each.flag), *nothing))
    found = held.group_by("place").agg(pl.col("is_held").any().alias(each.flag), **last)
    rows = placed.join(found, on="place", how="left", maintain_order="left")
    return rows.with_columns(pl.col(each.flag).fill_null(value=False)).drop("place")
