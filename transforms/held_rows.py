"""Rows that could not be renewed, shown as the last report did and marked as held.

Whatever was shown of a row and may not be shown tonight is old news: showing it again tells nothing. A row is held as a
whole, so that its numbers are all of one night; the durations of a group of episodes are held with their curve.
"""

from collections.abc import Mapping

import polars as pl

from transforms.frames import fit
from transforms.schemas import schema_of

HELD = "held"
_TOGETHER = {  # rows that are parts of one whole are of one night
    "released.attrition": ["cohort"],
    "released.severity": ["cohort", "interval_unit", "interval_start", "scale", "applied_to"],
    "released.scale_change": ["cohort", "interval_unit", "interval_start", "scale"],
    "released.anc_distribution": ["cohort"],
    "released.duration": ["cohort", "rule", "threshold_cells_per_ul", "cause_group"],
}
_DURATION, _CURVE = "released.duration", "released.duration_curve"
Tables = Mapping[str, pl.DataFrame]


def show_held(tables: Tables, estimates: Tables, last: Tables, *, run_id: str) -> dict[str, pl.DataFrame]:
    """`tables` with the rows of `last` in the place of those of which a count above zero was shown and is hidden now.

    So are rows that are left out tonight though they are among the `estimates`.
    """
    shown = dict(tables)
    for name, rows in tables.items():
        if name not in last or name == _CURVE or last[name].is_empty():
            continue
        key = [column for column in schema_of(name).key if column not in {"run_id", "channel"}]
        lost = _lost(rows, last[name], name, key)
        known = estimates[name.replace("released.", "estimate.")].select(key).unique()
        left_out = last[name].join(rows, on=key, how="anti", nulls_equal=True).select(key)
        lost = pl.concat([lost, left_out.join(known, on=key, how="semi", nulls_equal=True)]).unique()
        if lost.is_empty():
            continue
        if name in _TOGETHER:
            group = _TOGETHER[name]
            lost = lost.select(group).unique() if group else last[name].select(key)
        if name == _DURATION:
            shown[_CURVE] = _replace(tables[_CURVE], last.get(_CURVE), _CURVE, lost, run_id)
        shown[name] = _replace(rows, last[name], name, lost, run_id)
    return shown


def _lost(rows: pl.DataFrame, last: pl.DataFrame, name: str, key: list[str]) -> pl.DataFrame:
    table = schema_of(name)
    counts = [column.name for column in table.columns if column.name in table.values and column.type == "BIGINT"]
    before = last.select(*key, *(pl.col(count).alias(f"last_{count}") for count in counts))
    both = rows.select(*key, *counts).join(before, on=key, how="inner", nulls_equal=True)
    is_lost = pl.any_horizontal(pl.col(count).is_null() & (pl.col(f"last_{count}") > 0) for count in counts)
    return both.filter(is_lost.fill_null(value=False)).select(key)


def _replace(rows: pl.DataFrame, last: pl.DataFrame | None, name: str, lost: pl.DataFrame, run_id: str) -> pl.DataFrame:
    if last is None or lost.is_empty():
        return rows
    key = lost.columns
    values = schema_of(name).values
    held = last.join(lost, on=key, how="semi", nulls_equal=True).with_columns(
        pl.lit(run_id).alias("run_id"),
        *(
            pl.when(pl.col(value).is_not_null()).then(pl.lit(HELD)).otherwise(f"{value}_mark").alias(f"{value}_mark")
            for value in values
        ),
    )
    kept = rows.join(lost, on=key, how="anti", nulls_equal=True)
    return fit(pl.concat([kept, held.select(kept.columns)]), name)
