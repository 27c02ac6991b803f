"""The severity of a count that is known only within bounds: the smallest level that holds it for certain.

A count whose bounds span two levels that are not nested is undecided, never guessed. Boundaries and their
strictness are data (`definitions/scales`).
"""

import polars as pl

from transforms.model.scales import Level, Scale


def severity_of(lower: pl.Expr | str, upper: pl.Expr | str, scale: Scale) -> pl.Expr:
    """Label of `scale` for a count of at least `lower` and at most `upper` cells/uL (null upper: unbounded)."""
    least = pl.col(lower) if isinstance(lower, str) else lower
    most = pl.col(upper) if isinstance(upper, str) else upper
    label: pl.Expr = pl.lit(scale.undecided)
    for level in sorted(scale.levels, key=_span, reverse=True):
        label = pl.when(_holds(level, least, most)).then(pl.lit(level.name)).otherwise(label)
    return label


def _holds(level: Level, least: pl.Expr, most: pl.Expr) -> pl.Expr:
    is_above = least >= level.least
    return is_above if level.most is None else is_above & (most <= level.most).fill_null(False)


def _span(level: Level) -> float:
    return float("inf") if level.most is None else level.most - level.least
