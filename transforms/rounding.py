"""Counts rounded to a step, and shares no finer than the counts that they are made of, for rules that ask for it.

Rounding is the last thing done to a released table, so that what is hidden does not depend on it. A share is made of
the rounded counts; limits of an interval are widened to the next whole step; what is not made of counts of its row has
the digits of the rule.
"""

from collections.abc import Mapping

import polars as pl

from transforms.schemas import schema_of

_DAYS_PER_1000_YEARS = 365_250.0
# share, its limits, the count, and the count it is a part of (empty: not in the row, but count divided by share).
_SHARES: Mapping[str, tuple[tuple[str, tuple[str, ...], str, str], ...]] = {
    "released.prevalence": (("prevalence", ("prevalence_lo", "prevalence_hi"), "n_low", "n_population"),),
    "released.incidence": (("rate_per_1000_py", ("rate_lo", "rate_hi"), "n_episodes", "person_days"),),
    "released.testing": (("tested_share", (), "n_tested", "n_observed"),),
    "released.test_share": (("low_test_share", ("low_test_share_lo", "low_test_share_hi"), "n_tests_low", "n_tests"),),
    "released.chronic": (("chronic_share", ("chronic_lo", "chronic_hi"), "n_people", "n_assessable"),),
    "released.complication": (("share", (), "n_episodes", "n_assessed"),),
    "released.cycle": (("affected_share", ("affected_lo", "affected_hi"), "n_affected", "n_tested"),),
    "released.drug": (("share", ("share_lo", "share_hi"), "n_affected", "n_tested"),),
    "released.severity": (("share", (), "n_people", ""),),
    "released.scale_change": (("share", (), "n_people", ""),),
    "released.cycle_severe": (("cycle_share", (), "n_cycles", ""),),
    "released.cause": (("share", (), "n_episodes", ""),),
}


def round_counts(tables: Mapping[str, pl.DataFrame], step: int) -> dict[str, pl.DataFrame]:
    """`tables` with every count to the nearest multiple of `step`; 1 changes nothing."""
    return {name: _round(name, rows, step) for name, rows in tables.items()} if step > 1 else dict(tables)


def _round(name: str, rows: pl.DataFrame, step: int) -> pl.DataFrame:
    table = schema_of(name)
    counts = [column.name for column in table.columns if column.name in table.values and column.type == "BIGINT"]
    changed: list[pl.Expr] = []
    for share, limits, part, whole in _SHARES.get(name, ()):
        exact = pl.col(whole).cast(pl.Float64) if whole else (pl.col(part) / pl.col(share)).round()
        unit = pl.lit(_DAYS_PER_1000_YEARS if whole == "person_days" else 1.0)
        size = _nearest(exact, step) / unit
        is_part = pl.col("standard") == "crude" if "standard" in rows.columns else pl.lit(value=True)
        if "is_weighted" in rows.columns:
            is_part = is_part & ~pl.col("is_weighted")
        grid = step / size
        own = pl.when(is_part).then(_nearest(pl.col(part), step) / size).otherwise(_nearest(pl.col(share), grid))
        changed.append(pl.when(pl.col(part) == 0).then(share).otherwise(own).alias(share))
        for limit in limits:
            steps = (pl.col(limit) / grid).floor() if limit.endswith("_lo") else (pl.col(limit) / grid).ceil()
            changed.append((steps * grid).alias(limit))
    rounded = rows.with_columns(changed)
    return rounded.with_columns(_nearest(pl.col(count), step).cast(pl.Int64) for count in counts)


def _nearest(value: pl.Expr, step: int | pl.Expr) -> pl.Expr:
    return (value / step).round() * step
