"""The levels of all scales as frames: what a count between two neighbouring boundaries is called on each of them.

Obeys `definitions/scales`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.frames import settle
from transforms.grades import severity_of
from transforms.model.estimation import Plan
from transforms.model.scales import EVERYBODY, NOT_APPLICABLE, Scale

LEVEL = ("severity", "severity_order", "grade", "below_cells_per_ul")
_REFERENCES = ("at_least", "unknown", "below")
_NOBODY = -1  # place and grade of the people a scale is not meant for


@dataclass(frozen=True)
class Ladder:
    """The boundaries of all scales as one row of edges, and the level of each scale between two of them.

    `places`: band, reference, scope, is_meant, scale, applied_to, is_intended and the columns of a level, for people of
    whom is known whether they are in the scope. `changes`: band, reference, scale, the columns of a level on it and,
    with `from_` before them, on the default scale. `expected` is what `expected_levels` gives.
    """

    edges: list[int]
    places: pl.DataFrame
    changes: pl.DataFrame
    expected: pl.DataFrame


def build_ladder(plan: Plan) -> Ladder:
    """From the scales of a plan, once for all cohorts."""
    ends = {level.most + 1 for scale in plan.scales for level in scale.levels if level.most is not None}
    edges = sorted(ends)
    levels = {scale.id: _levels_between(edges, scale) for scale in plan.scales}
    origin = levels[plan.default_scale.id].rename({name: f"from_{name}" for name in LEVEL})
    pairs = [
        origin.join(levels[scale.id], on=["band", "reference"]).with_columns(scale=pl.lit(scale.id))
        for scale in plan.scales
    ]
    changes = pl.concat(pairs).filter(pl.col("scale") != plan.default_scale.id)
    places = pl.concat([_places(levels[scale.id], scale) for scale in plan.scales])
    return Ladder(edges, places, changes, expected_levels(plan))


def named_levels(scales: Sequence[Scale]) -> pl.DataFrame:
    """scale, severity, severity_order, grade and below_cells_per_ul of every level; the mildest have no boundary."""
    rows = [
        (scale.id, level.name, order, level.grade, None if level.most is None else level.most + 1)
        for scale in scales
        for order, level in enumerate(scale.levels)
    ]
    types = {"scale": pl.String, "severity": pl.String, "severity_order": pl.Int32, "grade": pl.Int32}
    return pl.DataFrame(rows, schema={**types, "below_cells_per_ul": pl.Int64}, orient="row")


def expected_levels(plan: Plan) -> pl.DataFrame:
    """interval_unit, scale, applied_to, is_intended and level of every row of `counts.severity` that may be zero."""
    rows = []
    for scale in plan.scales:
        levels = named_levels([scale]).lazy()
        own = levels.with_columns(applied_to=pl.lit(scale.scope), is_intended=pl.lit(value=True))
        rows.append(own)
        if scale.applies_to is not None:
            nobody = own.head(1).with_columns(**_not_applicable())
            everybody = levels.with_columns(applied_to=pl.lit(EVERYBODY), is_intended=pl.lit(value=False))
            rows += [nobody, everybody]
    every = pl.concat(rows).with_columns(interval_unit=pl.lit("all"))
    months = every.filter(pl.col("scale") == plan.default_scale.id).with_columns(interval_unit=pl.lit("month"))
    return settle(pl.concat([every, months]))


def _levels_between(edges: Sequence[int], scale: Scale) -> pl.DataFrame:
    """band, reference and the columns of a level, for each band between two edges and what is known of the limit."""
    bands = pl.DataFrame(
        {"band": range(len(edges) + 1), "least": [0, *edges]}, schema={"band": pl.UInt32, "least": pl.Int64}
    )
    limit = pl.when(pl.col("reference") == "at_least").then(0).when(pl.col("reference") == "below")
    return settle(
        bands.lazy()
        .join(pl.LazyFrame({"reference": _REFERENCES}), how="cross")
        .with_columns(severity=severity_of("least", "least", scale, limit.then(pl.col("least") + 1)))
        .join(named_levels([scale]).lazy().drop("scale"), on="severity", how="left")
        .select("band", "reference", *LEVEL)
    )


def _places(levels: pl.DataFrame, scale: Scale) -> pl.DataFrame:
    """Levels of one scale: for those it is meant for, for the others, and for everybody."""

    def told(rows: pl.DataFrame, applied_to: str, *, is_meant: bool, is_intended: bool) -> pl.DataFrame:
        return rows.with_columns(
            scope=pl.lit(applied_to),
            is_meant=pl.lit(value=is_meant),
            scale=pl.lit(scale.id),
            applied_to=pl.lit(applied_to),
            is_intended=pl.lit(value=is_intended),
        )

    if scale.applies_to is None:
        return told(levels, EVERYBODY, is_meant=True, is_intended=True)
    others = levels.with_columns(**_not_applicable())
    return pl.concat(
        [
            told(levels, scale.scope, is_meant=True, is_intended=True),
            told(others, scale.scope, is_meant=False, is_intended=True),
            told(levels, EVERYBODY, is_meant=True, is_intended=False),
        ]
    )


def _not_applicable() -> dict[str, pl.Expr]:
    return {
        "severity": pl.lit(NOT_APPLICABLE),
        "severity_order": pl.lit(_NOBODY, pl.Int32),
        "grade": pl.lit(_NOBODY, pl.Int32),
        "below_cells_per_ul": pl.lit(None, pl.Int64),
    }
