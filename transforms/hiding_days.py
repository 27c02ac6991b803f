"""Which values of days below a threshold, and of the chronic track, must be hidden: columns `hide_VALUE`.

Days go with the people they are of: hidden where the people low, tested or observed are. People of the chronic track
lie in the assessable, and at a lower threshold in those of a higher one. What is cut at several thresholds is nested.
What cohorts tell of each other is closed by `closing_days.py`.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from transforms.closing_days import close_chronic, close_days
from transforms.cohort_order import CohortOrder
from transforms.frames import settle
from transforms.hiding import ALL, with_hidden
from transforms.nested_pairs import OBSERVED, TESTED
from transforms.suppression import Nesting, close_relations, is_held, is_small, shown_nested

_LIMIT = "threshold_cells_per_ul"
_KNOWN = ("n_days_low", "n_days_not_low")
_RATES = ("low_days_a_year_least", "low_days_a_year_most")
_OF_CHRONIC = ("chronic_share", "chronic_lo", "chronic_hi", "chronic_method")


def hide_person_days(days: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """The days of a threshold are shown together or not at all, since each follows from the others."""
    nodes = {"n_people": pl.lit(OBSERVED), "tested": pl.lit(TESTED), "low": low_people_node()}
    rows = with_hidden(_of_whole_extract(days), people, nodes)
    for value in _KNOWN:
        rows = hide_nested(rows, ["cohort"], value, {}, min_cell)
    is_few = pl.any_horizontal(is_small(pl.col(name), min_cell) for name in (*_KNOWN, "n_days_unknown"))
    is_few = is_few | is_held(rows.columns)
    known = [f"hide_{name}" for name in _KNOWN]
    hide = pl.any_horizontal("hide_n_people", "hide_tested", "hide_low", *known) | is_few
    hidden = rows.with_columns(
        hide_n_days_observed=pl.col("hide_n_people")
        | is_small(pl.col("n_days_observed"), min_cell)
        | is_held(rows.columns),
        **{f"hide_{name}": hide for name in (*_KNOWN, "n_days_unknown")},
    )
    closed = close_days(hidden, decided_people(people), order, min_cell)
    rate = pl.col("hide_n_days_low") | pl.col("hide_n_days_observed")
    return closed.with_columns(rate.alias(f"hide_{name}") for name in _RATES)


def hide_chronic(chronic: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """The assessable first, then the people of each threshold, then those without a recovery; a share with both."""
    rows = shown_beside(_of_whole_extract(chronic), people, {"observed": OBSERVED, "tested": TESTED})
    assessable = is_small(pl.col("n_assessable"), min_cell)
    for whole in ("observed", "tested"):
        assessable = assessable | is_small((pl.col(whole) - pl.col("n_assessable")).abs(), min_cell)
    assessable = assessable | is_held(rows.columns)
    rows = rows.with_columns(hide_n_assessable=assessable.any().over("cohort", "rule"))
    rows = rows.with_columns(seen=pl.when(~pl.col("hide_n_assessable")).then("n_assessable"))
    key = ["cohort", "rule"]
    rows = hide_nested(rows, key, "n_people", {"seen": "seen", "observed": "observed", "tested": "tested"}, min_cell)
    rows = _hide_near_low(rows, people, min_cell)
    rows = rows.with_columns(pl.col("hide_n_people") | is_held(rows.columns))
    rows = hide_nested(rows, key, "n_people_open", {}, min_cell)
    left = pl.col("n_people") - pl.col("n_people_open")
    is_open_hidden = pl.col("hide_n_people_open") | pl.col("hide_n_people") | is_small(left, min_cell)
    rows = rows.with_columns(hide_n_people_open=is_open_hidden).drop("observed", "tested", "seen")
    closed = close_chronic(rows, decided_people(people), order, min_cell)
    share = pl.col("hide_n_people") | pl.col("hide_n_assessable")
    return closed.with_columns(
        pl.col("hide_n_people_open") | pl.col("hide_n_people"), **{f"hide_{name}": share for name in _OF_CHRONIC}
    )


def low_people_node() -> pl.Expr:
    """Node of the people with any value certainly below the row's threshold."""
    return pl.format("low|any_low|any_value|{}|{}", _LIMIT, pl.lit(OBSERVED))


def hide_nested(
    rows: pl.DataFrame, key: Sequence[str], value: str, beside: Mapping[str, str], min_cell: int
) -> pl.DataFrame:
    """Adds hide_VALUE: counts of one key at several thresholds lie in each other, and in the shown counts `beside`.

    `beside` names columns of `rows` that are the same at every threshold, null where they are not shown.
    """
    shown = f"_shown_{value}"
    wide = rows.pivot(_LIMIT, index=[*key, *beside.values()], values=value, sort_columns=True)
    limits = sorted((name for name in wide.columns if name.isdigit()), key=int, reverse=True)
    pairs = [(limit, name) for limit in limits for name in beside.values()]
    pairs += [(low, high) for place, high in enumerate(limits) for low in limits[place + 1 :]]
    order = Nesting(tuple(limits), {limit: frozenset() for limit in limits} | close_relations(pairs))
    long = shown_nested(wide, order, min_cell).unpivot(limits, index=key, variable_name=_LIMIT, value_name=shown)
    found = long.lazy().with_columns(pl.col(_LIMIT).cast(pl.Int64))
    joined = rows.lazy().join(found, on=[*key, _LIMIT], how="left", nulls_equal=True, maintain_order="left")
    return settle(joined.with_columns(pl.col(shown).is_null().alias(f"hide_{value}")).drop(shown))


def shown_beside(rows: pl.DataFrame, people: pl.DataFrame, nodes: Mapping[str, str]) -> pl.DataFrame:
    """Adds for each name the count of people of its node over the whole extract, null where it is not shown."""
    whole = people.filter(pl.col("interval_unit") == ALL)
    for name, node in nodes.items():
        found = whole.filter(pl.col("node") == node).select("cohort", pl.col("n_shown").alias(name))
        rows = rows.join(found, on="cohort", how="left", maintain_order="left")
    return rows


def decided_people(people: pl.DataFrame) -> pl.DataFrame:
    """Cells of `close_nodes` that were decided before: observed, tested and low|LIMIT of the whole extract."""
    low = rf"^low\|any_low\|any_value\|(\d+)\|{OBSERVED}$"
    whole = people.filter(
        pl.col("interval_unit") == ALL, pl.col("node").is_in([OBSERVED, TESTED]) | pl.col("node").str.contains(low)
    )
    return whole.select(
        "cohort",
        node=pl.col("node").str.replace(low, "low|${1}"),
        n=pl.col("n_people").cast(pl.Int64),
        is_shown=pl.col("n_shown").is_not_null(),
        least=pl.min_horizontal(pl.lit(1, pl.Int64), "n_people"),
        is_decided=pl.lit(value=True),
    )


def near_low_people(rows: pl.DataFrame, people: pl.DataFrame, value: str, min_cell: int) -> pl.Series:
    """Whether `value` differs by a small number from the shown people low at the row's threshold."""
    whole = people.filter(pl.col("interval_unit") == ALL).select("cohort", "node", low="n_shown")
    named = rows.select("cohort", value, node=low_people_node())
    joined = named.join(whole, on=["cohort", "node"], how="left", maintain_order="left")
    return joined.select(is_small((pl.col("low") - pl.col(value)).abs(), min_cell)).to_series()


def _hide_near_low(rows: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    near = near_low_people(rows, people, "n_people", min_cell)
    return rows.with_columns(hide_n_people=pl.col("hide_n_people") | near)


def _of_whole_extract(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(interval_unit=pl.lit(ALL), interval_start=pl.lit(None, pl.Date))
