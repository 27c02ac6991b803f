"""Why a released value is null: a mark beside each value; and how many digits a shown share has."""

from collections.abc import Sequence

import polars as pl

from transforms.cycles import COUNTED
from transforms.model.disclosure import DisclosureRule
from transforms.model.scales import NOT_APPLICABLE as OUTSIDE
from transforms.schemas import schema_of

HIDDEN, ZERO, NOT_ESTIMABLE, NOT_APPLICABLE = "hidden", "zero", "not_estimable", "not_applicable"
ONLY_KNOWN = "median_severe_days"
ONLY_WEIGHTED = frozenset({"degrees_of_freedom", "reliability"})
ONLY_COUNTED = frozenset({"n_at_risk", "n_recovered", "n_censored"})  # a fitted curve has none
ONLY_STANDARDISED = "status"  # of other rows it is never null
ONLY_OF_SOME = frozenset({"rmst_lo", "rmst_hi"})  # of estimators that give an interval for it


def round_values(name: str, rows: pl.DataFrame, rule: DisclosureRule) -> pl.DataFrame:
    """Shares, curves and days with the digits of the rule; times stay in days."""
    digits: dict[str, int | None] = {}
    for column in schema_of(name).columns:
        if column.type == "DOUBLE" and column.name in schema_of(name).values:
            is_days = column.name.endswith("_days") or column.name.startswith(("median_", "rmst_"))
            is_curve = name == "estimate.duration_curve"
            digits[column.name] = rule.days_digits if is_days else rule.curve_digits if is_curve else rule.share_digits
    rounded = rows.with_columns(pl.col(column).round(count) for column, count in digits.items() if count is not None)
    if "standard" not in rows.columns:
        return rounded
    # A sum over many strata in full would be an equation for all of their counts.
    is_crude, figures = pl.col("standard") == "crude", rule.standardised_figures
    return rounded.with_columns(
        pl.when(is_crude).then(column).otherwise(pl.col(column).round_sig_figs(figures)).alias(column)
        for column in digits
    )


def mark_values(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Hidden values null, and VALUE_mark beside each value."""
    table = schema_of(name)
    types = {column.name: column.type for column in table.columns}
    columns: list[pl.Expr] = []
    for value in table.values:
        hide = pl.col(f"hide_{value}").fill_null(value=True)
        is_zero = pl.col(value) == 0 if types[value] != "VARCHAR" else pl.lit(value=False)
        columns.append(pl.when(~hide).then(pl.col(value)).alias(value))
        columns.append(
            pl.when(hide)
            .then(pl.lit(HIDDEN))
            .when(pl.col(value).is_null())
            .then(_why_null(value, rows.columns))
            .when(is_zero)
            .then(pl.lit(ZERO))
            .alias(f"{value}_mark")
        )
    return rows.with_columns(columns)


def _why_null(value: str, columns: Sequence[str]) -> pl.Expr:
    if value == ONLY_KNOWN:
        return pl.when(pl.col("severe_status") == COUNTED).then(pl.lit(NOT_ESTIMABLE)).otherwise(pl.lit(NOT_APPLICABLE))
    if value in ONLY_COUNTED or value == ONLY_STANDARDISED:
        return pl.lit(NOT_APPLICABLE)
    if value in ONLY_OF_SOME:
        return pl.when(pl.col("status") == "estimated").then(pl.lit(NOT_APPLICABLE)).otherwise(pl.lit(NOT_ESTIMABLE))
    if value not in ONLY_WEIGHTED and "applied_to" in columns:
        is_outside = pl.col("severity") == OUTSIDE
        return pl.when(is_outside).then(pl.lit(NOT_APPLICABLE)).otherwise(pl.lit(NOT_ESTIMABLE))
    if value not in ONLY_WEIGHTED:
        return pl.lit(NOT_ESTIMABLE)
    return pl.when("is_weighted").then(pl.lit(NOT_ESTIMABLE)).otherwise(pl.lit(NOT_APPLICABLE))
