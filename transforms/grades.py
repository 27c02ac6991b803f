"""The severity of a count that is known only within bounds: the smallest level that holds it for certain.

A count whose bounds span two levels that are not nested is undecided, never guessed. Boundaries, their strictness and
whom a scale is meant for are data (`definitions/scales`).
"""

import polars as pl

from transforms.model.scales import AppliesTo, Level, Scale


def severity_of(
    lower: pl.Expr | str, upper: pl.Expr | str, scale: Scale, reference_low: pl.Expr | None = None
) -> pl.Expr:
    """Label of `scale` for a count of at least `lower` and at most `upper` cells/uL (null upper: unbounded).

    `reference_low` is the laboratory's lower limit of normal in cells/uL, null where it is not known.
    """
    least = pl.col(lower) if isinstance(lower, str) else lower
    most = pl.col(upper) if isinstance(upper, str) else upper
    limit = pl.lit(None, pl.Int64) if reference_low is None else reference_low
    label: pl.Expr = pl.lit(scale.undecided)
    for level in sorted(scale.levels, key=_span, reverse=True):
        label = pl.when(_holds(level, least, most, limit)).then(pl.lit(level.name)).otherwise(label)
    return label


def order_of_worst(scale: Scale, lowest: pl.Expr) -> pl.Expr:
    """The place, from 0, of the worst level of `scale` whose boundary a lowest count is below; 0 without a count."""
    order = pl.lit(0, pl.Int32)
    for place, level in enumerate(scale.levels):
        if level.most is not None:
            order = pl.when(lowest <= level.most).then(pl.lit(place, pl.Int32)).otherwise(order)
    return order


def is_meant_for(scope: AppliesTo | None, age_years: pl.Expr, duffy_null: pl.Expr) -> pl.Expr:
    """Whether a scale is meant for people of that age (null: unknown), recorded as Duffy-null or not (null: unknown).

    Race takes no part: only a tested phenotype or genotype makes a person Duffy-null.
    """
    meant = pl.lit(value=True)
    if scope is None:
        return meant
    if scope.age_years_from is not None:
        meant = meant & (age_years >= scope.age_years_from).fill_null(value=scope.unknown_age)
    if scope.age_years_below is not None:
        meant = meant & (age_years < scope.age_years_below).fill_null(value=scope.unknown_age)
    return meant & duffy_null.fill_null(value=False) if scope.duffy_null else meant


def _holds(level: Level, least: pl.Expr, most: pl.Expr, limit: pl.Expr) -> pl.Expr:
    is_above = least >= level.least
    if level.reference == "unknown":
        return is_above & limit.is_null()
    if level.reference == "at_least":
        return is_above & (least >= limit).fill_null(value=False)
    if level.reference == "below":
        return is_above & (most < limit).fill_null(value=False)
    return is_above if level.most is None else is_above & (most <= level.most).fill_null(value=False)


def _span(level: Level) -> float:
    return float("inf") if level.most is None else level.most - level.least
