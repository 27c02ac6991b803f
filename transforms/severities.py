"""How people divide by severity, on every scale over the same counts, and who changes grade between two scales.

Severity is the worst that is proven: a count without a number is graded at its upper bound, so the people of a level
and worse are exactly those certainly below its boundary. One pass finds how many people have their lowest count between
which neighbouring boundaries of all scales; every scale is read from that. Whom a scale is meant for is judged at the
first test of the interval; all others are counted as not applicable, and what the scale would say of everybody stands
beside it as a sensitivity run. Obeys `definitions/scales`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from transforms.frames import shape
from transforms.grades import is_meant_for, severity_of
from transforms.model.estimation import Plan
from transforms.model.scales import EVERYBODY, NOT_APPLICABLE, Scale
from transforms.person_time import REFERENCE_BELOW, REFERENCE_UNKNOWN, Stays, month_of
from transforms.prevalence import name_intervals

MONTHS_A_YEAR = 12
_REFERENCES = ("at_least", "unknown", "below")
_INTERVAL = ["cohort", "interval_unit", "interval_start"]
_NOBODY = -1  # place and grade of the people a scale is not meant for


@dataclass(frozen=True)
class Ladder:
    """The boundaries of all scales as one row of edges, and the level of each scale between two of them."""

    scales: tuple[Scale, ...]

    @cached_property
    def edges(self) -> list[int]:
        """Counts at which some level of some scale begins, rising."""
        ends = {level.most + 1 for scale in self.scales for level in scale.levels if level.most is not None}
        return sorted(ends)

    def levels(self, scale: Scale) -> pl.DataFrame:
        """band, reference, severity, severity_order, grade, below_cells_per_ul of a scale."""
        bands = pl.DataFrame(
            {"band": range(len(self.edges) + 1), "least": [0, *self.edges]},
            schema={"band": pl.UInt32, "least": pl.Int64},
        )
        limit = pl.when(pl.col("reference") == "at_least").then(0).when(pl.col("reference") == "below")
        return (
            bands.join(pl.DataFrame({"reference": _REFERENCES}), how="cross")
            .with_columns(severity=severity_of("least", "least", scale, limit.then(pl.col("least") + 1)))
            .join(named_levels([scale]).drop("scale"), on="severity", how="left")
            .drop("least")
        )


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
        levels = named_levels([scale])
        own = levels.with_columns(applied_to=pl.lit(scale.scope), is_intended=pl.lit(value=True))
        rows.append(own)
        if scale.applies_to is not None:
            nobody = own.head(1).with_columns(**_not_applicable())
            everybody = levels.with_columns(applied_to=pl.lit(EVERYBODY), is_intended=pl.lit(value=False))
            rows += [nobody, everybody]
    every = pl.concat(rows).with_columns(interval_unit=pl.lit("all"))
    months = every.filter(pl.col("scale") == plan.default_scale.id).with_columns(interval_unit=pl.lit("month"))
    return pl.concat([every, months])


def read_ages(person: pl.LazyFrame) -> pl.DataFrame:
    """person_index, born (months since year 0; with a year of birth its first), age_years, duffy_null, sorted."""
    at_age = month_of(pl.col("age_at")) - MONTHS_A_YEAR * pl.col("age_years").cast(pl.Int32)
    by_birth = MONTHS_A_YEAR * pl.col("birth_year").cast(pl.Int32)
    columns = ("person_index", pl.col("age_years").cast(pl.Int32), "duffy_null")
    return person.select(*columns, born=pl.coalesce(by_birth, at_age)).collect().sort("person_index")


def count_severity(stays: Stays, ages: pl.DataFrame, plan: Plan) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`counts.severity` and `counts.scale_change` of one cohort; `ages` is what `read_ages` read.

    Months are counted on the default scale alone.
    """
    ladder = Ladder(plan.scales)
    tested = stays.cells.filter(pl.col("n_tests") > 0)
    whole = _count_bands(_whole_extract(tested), ages, ladder, plan.scales)
    parts = [_divide(whole, scale, ladder) for scale in plan.scales]
    if plan.has_calendar:
        dated = tested.filter(pl.col("month").is_not_null())
        months = _count_bands(dated.with_columns(interval="month"), ages, ladder, [plan.default_scale])
        parts.append(_divide(months, plan.default_scale, ladder))
    rows = _with_zeros(name_intervals(pl.concat(parts).rename({"interval": "month"})), plan)
    rows = rows.with_columns(cohort=pl.lit(stays.cohort))
    changes = _count_changes(whole, ladder, plan).with_columns(cohort=pl.lit(stays.cohort))
    return shape(rows, "counts.severity"), shape(changes, "counts.scale_change")


def estimate_severity(severity: pl.DataFrame) -> pl.DataFrame:
    """`estimate.severity` without its run: shares of the tested people that the scale is applied to."""
    is_applied = pl.col("severity") != NOT_APPLICABLE
    n_applied = pl.col("n_people").filter(is_applied).sum().over([*_INTERVAL, "scale", "applied_to"])
    return severity.with_columns(share=pl.when(is_applied & (n_applied > 0)).then(pl.col("n_people") / n_applied))


def estimate_scale_changes(changes: pl.DataFrame) -> pl.DataFrame:
    """`estimate.scale_change` without its run: shares of the people tested, and which way their grade goes."""
    step = pl.col("grade") - pl.col("from_grade")
    return changes.with_columns(
        share=pl.col("n_people") / pl.col("n_people").sum().over([*_INTERVAL, "from_scale", "scale"]),
        change=pl.when(step > 0).then(pl.lit("worse")).when(step < 0).then(pl.lit("milder")).otherwise(pl.lit("same")),
    )


def _with_zeros(rows: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Every level of every scale in every interval in which somebody was tested."""
    expected = rows.select("interval_unit", "interval_start").unique().join(expected_levels(plan), on="interval_unit")
    found = rows.select("interval_unit", "interval_start", "scale", "applied_to", "severity", "n_people")
    key = ["interval_unit", "interval_start", "scale", "applied_to", "severity"]
    filled = expected.join(found, on=key, how="left", nulls_equal=True)
    return filled.with_columns(pl.col("n_people").fill_null(0))


def _whole_extract(tested: pl.DataFrame) -> pl.DataFrame:
    """One row per person: the lowest count, what is known of limits, and the month of the first test."""
    limits = [pl.col(name).any() for name in (REFERENCE_BELOW, REFERENCE_UNKNOWN) if name in tested.columns]
    people = tested.with_columns(pl.col("person_index").set_sorted()).group_by("person_index", maintain_order=True)
    lowest = people.agg(pl.col("lowest_cells_per_ul", "month").min(), *limits)
    return lowest.with_columns(interval=pl.lit(0, pl.Int32))


def _count_bands(cells: pl.DataFrame, ages: pl.DataFrame, ladder: Ladder, scales: Sequence[Scale]) -> pl.DataFrame:
    """interval, band, reference, is_in_SCOPE for each scope of the scales, n_people: all that levels are read from."""
    scopes = {scale.scope: scale.applies_to for scale in scales if scale.applies_to is not None}
    age = pl.coalesce((pl.col("month") - pl.col("born")) // MONTHS_A_YEAR, "age_years")
    meant = {f"is_in_{name}": is_meant_for(scope, age, pl.col("duffy_null")) for name, scope in scopes.items()}
    if scopes:
        cells = cells.join(ages, on="person_index", how="left", maintain_order="left")
    band = pl.Series("band", ladder.edges, pl.Int64).search_sorted(cells["lowest_cells_per_ul"], side="right")
    reference = pl.lit("unknown")
    if REFERENCE_BELOW in cells.columns:
        reference = (
            pl.when(REFERENCE_BELOW)
            .then(pl.lit("below"))
            .when(REFERENCE_UNKNOWN)
            .then(pl.lit("unknown"))
            .otherwise(pl.lit("at_least"))
        )
    keys = {"band": pl.lit(band).cast(pl.UInt32), "reference": reference, **meant}
    placed = cells.select("interval", **keys)
    return placed.group_by("interval", *keys).agg(n_people=pl.len().cast(pl.Int64))


def _divide(bands: pl.DataFrame, scale: Scale, ladder: Ladder) -> pl.DataFrame:
    """interval, level and n_people of one scale: of those it is meant for, of the others, and of everybody."""
    graded = bands.join(ladder.levels(scale), on=["band", "reference"], how="left")
    if scale.applies_to is None:
        return _add_up(graded, scale, EVERYBODY, is_intended=True)
    is_meant = pl.col(f"is_in_{scale.scope}")
    others = graded.filter(~is_meant).with_columns(**_not_applicable())
    return pl.concat(
        [
            _add_up(graded.filter(is_meant), scale, scale.scope, is_intended=True),
            _add_up(others, scale, scale.scope, is_intended=True),
            _add_up(graded, scale, EVERYBODY, is_intended=False),
        ]
    )


def _not_applicable() -> dict[str, pl.Expr]:
    return {
        "severity": pl.lit(NOT_APPLICABLE),
        "severity_order": pl.lit(_NOBODY, pl.Int32),
        "grade": pl.lit(_NOBODY, pl.Int32),
        "below_cells_per_ul": pl.lit(None, pl.Int64),
    }


def _add_up(graded: pl.DataFrame, scale: Scale, applied_to: str, *, is_intended: bool) -> pl.DataFrame:
    key = ["interval", "severity", "severity_order", "grade", "below_cells_per_ul"]
    summed = graded.group_by(key).agg(pl.col("n_people").sum())
    return summed.with_columns(
        scale=pl.lit(scale.id), applied_to=pl.lit(applied_to), is_intended=pl.lit(value=is_intended)
    )


def _count_changes(whole: pl.DataFrame, ladder: Ladder, plan: Plan) -> pl.DataFrame:
    """People of the whole extract by their level on the default scale and on each other one, whoever is meant."""
    names = ("severity", "severity_order", "grade", "below_cells_per_ul")
    begun = ladder.levels(plan.default_scale).rename({name: f"from_{name}" for name in names})
    origin = whole.join(begun, on=["band", "reference"], how="left")
    key = [*(f"from_{name}" for name in names), *names]
    parts = []
    for scale in plan.scales:
        if scale.id != plan.default_scale.id:
            both = origin.join(ladder.levels(scale), on=["band", "reference"], how="left")
            parts.append(both.group_by(key).agg(pl.col("n_people").sum()).with_columns(scale=pl.lit(scale.id)))
    empty = origin.select(pl.col(f"from_{name}") for name in names).clear()
    if not parts:
        same = empty.with_columns(pl.col(f"from_{name}").alias(name) for name in names)
        parts = [same.with_columns(n_people=pl.lit(0, pl.Int64), scale=pl.lit(""))]
    return pl.concat(parts).with_columns(
        interval_unit=pl.lit("all"),
        interval_start=pl.lit(None, pl.Date),
        from_scale=pl.lit(plan.default_scale.id),
    )
