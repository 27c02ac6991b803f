"""Which values of the tables of chemotherapy cycles must be hidden: columns `hide_VALUE` beside each table.

Regimens are parts of all cycles, affected cycles are nested over thresholds and in the tested, and the reasons why
severe days are not known are parts of the tested. A count of cycles goes when few people have them. A regimen whose
number is hidden is left out, because its name alone would tell that few people have it. What cohorts tell of each other
is closed by `closing_cycles.py`.
"""

import polars as pl

from transforms.closing_cycles import close_cycles
from transforms.cohort_order import CohortOrder
from transforms.hiding_days import hide_nested, near_low_people, shown_beside
from transforms.nested_pairs import OBSERVED, TESTED
from transforms.suppression import hide_parts, hide_sums, is_held, is_small, is_small_total, limits_tell_people

ALL = "all"
_REGIMEN = ["cohort", "regimen"]
_AT = ["cohort", "regimen", "threshold_cells_per_ul"]
_OF_AFFECTED, _LIMITS = ("affected_share", "median_nadir_day"), ("affected_lo", "affected_hi", "affected_method")


def hide_cycles(
    cycle: pl.DataFrame, severe: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cycles and tested cycles by regimen, those affected at each threshold, and the reasons of `severe`.

    Medians and shares go with these.
    """
    once = cycle.sort(_AT).unique(_REGIMEN, keep="first", maintain_order=True)
    base = _hide_regimens(once, severe, people, min_cell)
    flags = [name for name in base.columns if name.startswith("hide_")]
    rows = cycle.join(base.select(*_REGIMEN, *flags), on=_REGIMEN, how="left", maintain_order="left")
    rows = _hide_affected(rows, people, min_cell)
    rows, reasons = close_cycles(rows, _hide_reasons(severe, rows, min_cell), people, order, min_cell)
    is_named = (pl.col("regimen") == ALL) | ~pl.col("hide_n_cycles")
    made = {f"hide_{name}": pl.col("hide_n_affected") for name in _OF_AFFECTED}
    made |= {f"hide_{name}": pl.col("hide_n_affected") | limits_tell_people("n_cycles") for name in _LIMITS}
    made |= {"hide_tests_per_cycle": pl.col("hide_n_cycles")}
    tested = rows.filter(pl.col("regimen") == ALL).unique("cohort", keep="first").select("cohort", "hide_n_tested")
    reasons = reasons.join(tested, on="cohort", how="left", maintain_order="left")
    counted = pl.col("hide_n_cycles")
    return rows.filter(is_named).with_columns(**made), reasons.with_columns(
        hide_cycle_share=counted | pl.col("hide_n_tested").fill_null(value=True), hide_median_severe_days=counted
    ).drop("hide_n_tested")


def _hide_reasons(severe: pl.DataFrame, cycles: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Reasons are parts of the tested cycles."""
    whole = cycles.filter(pl.col("regimen") == ALL).unique("cohort", keep="first")
    totals = whole.select(
        "cohort", hide_total="hide_n_tested", total_people="n_people", hide_total_people="hide_n_people"
    )
    rows = severe.join(totals, on="cohort", how="left", maintain_order="left")
    few = is_small(pl.col("n_cycles"), min_cell) | is_small(pl.col("n_people"), min_cell) | is_held(rows.columns)
    rows = rows.with_columns(hide_n_cycles=few | pl.col("hide_total").fill_null(value=True))
    rows = rows.with_columns(
        hide_parts(
            rows, by=["cohort"], key=["severe_status"], value="n_cycles", primary="hide_n_cycles", min_cell=min_cell
        ).alias("hide_n_cycles")
    )
    near = pl.col("hide_total_people") | is_small(pl.col("total_people") - pl.col("n_people"), min_cell)
    return rows.with_columns(hide_n_people=_hide_people("n_cycles", min_cell) | near).drop(
        "hide_total", "total_people", "hide_total_people"
    )


def _hide_regimens(once: pl.DataFrame, severe: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """hide_n_cycles, hide_n_people, hide_n_tested and hide_tests_per_cycle of each regimen and of all."""
    is_all = pl.col("regimen") == ALL
    n_reasons = severe.group_by("cohort").agg(n_reasons=(pl.col("n_cycles") > 0).sum().cast(pl.Int64))
    rows = once.join(n_reasons, on="cohort", how="left").with_columns(pl.col("n_reasons").fill_null(0))
    few = is_small(pl.col("n_cycles"), min_cell) | is_small(pl.col("n_people"), min_cell) | is_held(rows.columns)
    rows = _hide_sums(rows.with_columns(hide_n_cycles=few), ["cohort"], "n_cycles", min_cell)
    n_parts = pl.when(is_all).then("n_reasons").otherwise(1)
    untested = pl.col("n_cycles") - pl.col("n_tested")
    bare = is_small_total(pl.col("n_tested"), n_parts, min_cell) | is_small(untested, min_cell)
    rows = rows.with_columns(hide_n_tested=pl.col("hide_n_cycles") | bare)
    rows = _hide_sums(rows, ["cohort"], "n_tested", min_cell)
    rows = shown_beside(rows, people, {"observed": OBSERVED, "tested": TESTED})
    alone = pl.any_horizontal(
        is_small((pl.col(name) - pl.col("n_people")).abs(), min_cell) for name in ("observed", "tested")
    )
    rows = rows.with_columns(hide_n_people=_hide_people("n_cycles", min_cell) | alone)
    totals = rows.filter(is_all).select("cohort", total="n_people", hide_total="hide_n_people")
    rows = rows.join(totals, on="cohort", how="left", maintain_order="left")
    near = pl.col("hide_total") | is_small(pl.col("total") - pl.col("n_people"), min_cell)
    return rows.with_columns(hide_n_people=pl.col("hide_n_people") | near.fill_null(value=True))


def _hide_affected(rows: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    rows = rows.with_columns(
        seen=pl.when(~pl.col("hide_n_tested")).then("n_tested"),
        seen_people=pl.when(~pl.col("hide_n_people")).then("n_people"),
    )
    rows = hide_nested(rows, _REGIMEN, "n_affected", {"seen": "seen"}, min_cell)
    few = is_small(pl.col("n_people_affected"), min_cell) | is_held(rows.columns, "is_affected_held")
    rows = rows.with_columns(hide_n_affected=pl.col("hide_n_affected") | pl.col("hide_n_tested") | few)
    rows = _hide_sums(rows, ["cohort", "threshold_cells_per_ul"], "n_affected", min_cell)
    rows = hide_nested(rows, _REGIMEN, "n_people_affected", {"seen_people": "seen_people"}, min_cell)
    again = pl.col("n_affected") - pl.col("n_people_affected")
    near = near_low_people(rows, people, "n_people_affected", min_cell)
    hide_people = pl.col("hide_n_people_affected") | pl.col("hide_n_affected") | is_small(again, min_cell)
    return rows.with_columns(hide_n_people_affected=hide_people | near).drop("seen", "seen_people")


def _hide_sums(rows: pl.DataFrame, by: list[str], value: str, min_cell: int) -> pl.DataFrame:
    is_all = pl.col("regimen") == ALL
    return hide_sums(rows, is_total=is_all, by=by, key=["regimen"], value=value, min_cell=min_cell)


def _hide_people(cycles: str, min_cell: int) -> pl.Expr:
    again = pl.col(cycles) - pl.col("n_people")
    return pl.col(f"hide_{cycles}") | is_small(pl.col("n_people"), min_cell) | is_small(again, min_cell)
