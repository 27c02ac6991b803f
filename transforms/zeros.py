"""A row of counts is there when one of its numbers is not zero; what a report shows as zero is put back by rule.

So counts of all people are the same whether everybody was counted or only those who changed, and zeros do not depend
on who was counted with whom. Put back are: months of a cohort between its first and its last, every severity of every
scale where somebody was tested, every bin of counts, every rule and every step of the attrition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.frames import polars_schema, stack
from transforms.model.estimation import Plan
from transforms.person_time import month_of
from transforms.prevalence import name_intervals
from transforms.rules_compared import expected_rules
from transforms.schemas import schema_of
from transforms.severity_levels import expected_levels
from transforms.steps import list_steps

Counts = Mapping[str, pl.DataFrame]
INTERVAL = ["cohort", "interval_unit", "interval_start"]


@dataclass(frozen=True)
class Replaced:
    """One table of counts: all its `rows` now, the facts of earlier rows that are `gone`, and the rows that `came`."""

    rows: pl.DataFrame
    gone: pl.DataFrame
    came: pl.DataFrame


def number_columns(table_name: str) -> list[str]:
    """The columns of a counts table that are added; all others say what is counted."""
    return [name for name in schema_of(table_name).column_names if name.startswith(("n_", "weight_"))]


def without_zeros(counts: Counts) -> dict[str, pl.DataFrame]:
    """Only the rows in which some number is not zero."""
    return {name: _without_zeros(name, rows) for name, rows in counts.items()}


def replace_counted(standing: Counts, before: Counts, after: Counts) -> dict[str, Replaced]:
    """Counts of everybody when some people change: `standing`, less those people `before`, plus the same `after`.

    Rows are in no order. Raises RuntimeError when the people before are not among those who stand.
    """
    replaced = {name: _replace(name, rows, before[name], after[name]) for name, rows in standing.items()}
    for name, table in replaced.items():
        if table.came.select(pl.any_horizontal(pl.col(number_columns(name)) < 0).any()).item():
            raise RuntimeError(f"{name} of earlier nights does not hold the people it was made of")
    return replaced


def with_zeros(counts: Counts, plan: Plan) -> dict[str, pl.DataFrame]:
    """The counts with every row of zeros that belongs to what is shown."""
    intervals = _intervals(counts["counts.testing"])
    names = ("measure", "rule", "threshold_cells_per_ul")
    cuts = pl.DataFrame([{name: getattr(cut, name) for name in names} for cut in plan.cuts], orient="row")
    denominators = pl.DataFrame({"denominator_name": [each.id for each in plan.main_denominators]})
    edges = plan.estimation.anc_bins_cells_per_ul
    bins = pl.DataFrame({"bin_lower_cells_per_ul": edges, "bin_upper_cells_per_ul": [*edges[1:], None]})
    expected = {
        "counts.person_interval": intervals.join(cuts, how="cross").join(denominators, how="cross"),
        "counts.testing": intervals,
        "counts.severity": counts["counts.severity"]
        .select(INTERVAL)
        .unique()
        .join(expected_levels(plan), on="interval_unit"),
        "counts.anc_distribution": intervals.select("cohort").unique().join(bins, how="cross"),
        "counts.rule": expected_rules(plan).filter(not counts["counts.certainty"].is_empty()),
        "counts.attrition": list_steps(plan).drop("n_parts"),
    }
    return {name: _fill(name, rows, expected.get(name)) for name, rows in counts.items()}


def _without_zeros(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    is_some = rows.select(pl.any_horizontal(pl.col(number_columns(name)) != 0)).to_series()
    return rows if is_some.all() else rows.filter(is_some)  # a large table is not copied for nothing


def _replace(name: str, standing: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> Replaced:
    """Most rows of a large table stay: they are hashed, and neither compared in full nor summed again."""
    numbers = number_columns(name)
    facts = [column for column in standing.columns if column not in numbers]
    moved = _add([before.with_columns(-pl.col(numbers)), after], name)
    if moved.is_empty():
        return Replaced(standing, standing.select(facts).clear(), moved)
    is_near = standing.select(_hash(facts).is_in(moved.select(_hash(facts)).to_series().implode())).to_series()
    near, keys = standing.filter(is_near), moved.select(facts)
    again = near.join(keys, on=facts, how="semi", nulls_equal=True)
    near_by = near.join(keys, on=facts, how="anti", nulls_equal=True)
    came = _add([again, moved], name)
    return Replaced(pl.concat([standing.filter(~is_near), near_by, came]), again.select(facts), came)


def _hash(facts: Sequence[str]) -> pl.Expr:
    """Equal for rows that are equal; others that share it are told apart afterwards."""
    mixed = pl.lit(0, pl.UInt64)
    for seed, column in enumerate(facts):
        mixed = mixed ^ pl.col(column).hash(seed)
    return mixed


def _add(parts: Sequence[pl.DataFrame], name: str) -> pl.DataFrame:
    """Rows with the same facts added up; those that come to nothing are left out."""
    numbers = number_columns(name)
    rows = pl.concat(parts)
    facts = [column for column in rows.columns if column not in numbers]
    summed = rows.group_by(facts).agg(pl.col(numbers).sum())
    is_left = pl.any_horizontal(pl.col(numbers) != 0)
    return summed.filter(is_left).select(pl.col(column).cast(rows.schema[column]) for column in rows.columns)


def _intervals(testing: pl.DataFrame) -> pl.DataFrame:
    """The whole extract of each cohort, and its months from the first to the last in which somebody was observed."""
    month = month_of(pl.col("interval_start"))
    seen = (
        testing.filter(pl.col("interval_unit") == "month").group_by("cohort").agg(first=month.min(), last=month.max())
    )
    months = seen.select("cohort", month=pl.int_ranges("first", pl.col("last") + 1, dtype=pl.Int32)).explode("month")
    whole = testing.select("cohort").unique().with_columns(month=pl.lit(0, pl.Int32))
    return name_intervals(pl.concat([whole, months])).select(INTERVAL)


def _fill(name: str, rows: pl.DataFrame, expected: pl.DataFrame | None) -> pl.DataFrame:
    if expected is None or expected.is_empty():
        return rows
    types = polars_schema(schema_of(name))
    typed = expected.select(pl.col(column).cast(types[column]) for column in expected.columns)
    missing = typed.join(rows, on=typed.columns, how="anti", nulls_equal=True)
    zeros = missing.with_columns(pl.lit(0).cast(types[column]).alias(column) for column in number_columns(name))
    return stack([rows, zeros.select(rows.columns)], name)
