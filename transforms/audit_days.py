"""Looks at released tables of days, of the chronic track and of cycles as a reader would, knowing only what is shown.

It subtracts counts that lie in each other, at one threshold and over thresholds, and regimens and reasons from their
totals.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from transforms.audit import Finding
from transforms.suppression import is_small

_LIMIT = "threshold_cells_per_ul"
_INSIDE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "released.person_days": (("n_days_observed", "n_days_low"), ("n_days_observed", "n_days_not_low")),
    "released.chronic": (("n_assessable", "n_people"), ("n_people", "n_people_open")),
    "released.cycle": (
        ("n_cycles", "n_tested"),
        ("n_tested", "n_affected"),
        ("n_cycles", "n_people"),
        ("n_affected", "n_people_affected"),
        ("n_people", "n_people_affected"),
    ),
    "released.cycle_severe": (("n_cycles", "n_people"),),
}
_NESTED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "released.person_days": (("cohort",), ("n_days_low", "n_days_not_low")),
    "released.chronic": (("cohort", "rule"), ("n_people", "n_people_open")),
    "released.cycle": (("cohort", "regimen"), ("n_affected", "n_people_affected")),
}
_SHARES: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "released.person_days": (("low_days_a_year_least", ("n_days_low",)), ("low_days_a_year_most", ("n_days_not_low",))),
    "released.chronic": (("chronic_share", ("n_people", "n_assessable")),),
    "released.cycle": (
        ("affected_share", ("n_affected", "n_tested")),
        ("median_nadir_day", ("n_affected",)),
        ("tests_per_cycle", ("n_cycles",)),
    ),
    "released.cycle_severe": (("cycle_share", ("n_cycles",)), ("median_severe_days", ("n_cycles",))),
}


def find_small_days(tables: Mapping[str, pl.DataFrame], min_cell: int) -> tuple[Finding, ...]:
    """Everything in these tables that gives away a count below `min_cell`."""
    known = {name: rows for name, rows in tables.items() if name in _INSIDE}
    found = [*_look_inside(known, min_cell), *_look_over_thresholds(known, min_cell), *_look_at_shares(known)]
    if "released.cycle" in known:
        found += _look_at_rests(known, min_cell)
    return tuple(finding for finding in found if finding.groups.height)


def _look_inside(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    for name, rows in sorted(tables.items()):
        key = list(_NESTED[name][0]) if name in _NESTED else ["cohort"]
        for whole, part in _INSIDE[name]:
            is_few = is_small(pl.col(whole) - pl.col(part), min_cell)
            yield Finding(f"{name}: {whole} without {part}", (name,), rows.filter(is_few).select(key).unique())


def _look_over_thresholds(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    for name, (key, values) in sorted(_NESTED.items()):
        for value in values:
            shown = tables[name].filter(pl.col(value).is_not_null()).sort(*key, _LIMIT) if name in tables else None
            if shown is not None:
                step = (pl.col(value) - pl.col(value).shift(1).over(key)).abs()
                groups = shown.filter(is_small(step, min_cell)).select(key).unique()
                yield Finding(f"{name}: {value} between two thresholds", (name,), groups)


def _look_at_shares(tables: Mapping[str, pl.DataFrame]) -> Iterator[Finding]:
    for name, rows in sorted(tables.items()):
        for share, made_of in _SHARES[name]:
            is_lone = pl.col(share).is_not_null() & pl.any_horizontal(pl.col(made_of).is_null())
            yield Finding(f"{name}: {share} without its counts", (name,), rows.filter(is_lone), is_shown=True)


def _look_at_rests(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    """What is left of a total when all shown parts are taken away; a regimen that is left out is part of the rest."""
    cycles, is_all = tables["released.cycle"], pl.col("regimen") == "all"
    names = ("released.cycle", "released.cycle_severe")
    for value in ("n_cycles", "n_tested", "n_affected"):
        key = ["cohort", _LIMIT]
        shown = cycles.filter(~is_all).group_by(key).agg(shown=pl.col(value).sum())
        left = cycles.filter(is_all).join(shown, on=key).filter(is_small(pl.col(value) - pl.col("shown"), min_cell))
        yield Finding(f"released.cycle: a regimen from the rest of {value}", names[:1], left.select("cohort").unique())
    if names[1] in tables:
        reasons = tables[names[1]].group_by("cohort").agg(shown=pl.col("n_cycles").sum())
        tested = cycles.filter(is_all).unique("cohort", keep="first").join(reasons, on="cohort")
        left = tested.filter(is_small(pl.col("n_tested") - pl.col("shown"), min_cell))
        yield Finding("released.cycle_severe: a reason from the rest", names, left.select("cohort").unique())
