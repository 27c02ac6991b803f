"""How people divide by severity, on every scale over the same counts, and who changes grade between two scales.

Severity is the worst that is proven: a count without a number is graded at its upper bound, so the people of a level
and worse are exactly those certainly below its boundary. One pass finds how many people have their lowest count between
which neighbouring boundaries of all scales; every scale is read from that. Whom a scale is meant for is judged at the
first test of the interval; all others are counted as not applicable, and what the scale would say of everybody stands
beside it as a sensitivity run. Obeys `definitions/scales`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.frames import shape
from transforms.grades import is_meant_for
from transforms.model.estimation import Plan
from transforms.model.scales import EVERYBODY, NOT_APPLICABLE, AppliesTo, Scale
from transforms.person_time import REFERENCE_BELOW, REFERENCE_UNKNOWN, Stays, month_of
from transforms.prevalence import name_intervals
from transforms.severity_levels import LEVEL, Ladder, build_ladder

MONTHS_A_YEAR = 12
_INTERVAL = ["cohort", "interval_unit", "interval_start"]


@dataclass(frozen=True)
class Grading:
    """All scales, and what tells of each person which of them are meant for them; once for all cohorts.

    `ages`: person_index, born (months since year 0; with a year of birth its first), age_years, duffy_null, sorted.
    """

    ladder: Ladder
    ages: pl.DataFrame


def read_grading(person: pl.LazyFrame, plan: Plan) -> Grading:
    """From the frame person."""
    at_age = month_of(pl.col("age_at")) - MONTHS_A_YEAR * pl.col("age_years").cast(pl.Int32)
    by_birth = MONTHS_A_YEAR * pl.col("birth_year").cast(pl.Int32)
    columns = ("person_index", pl.col("age_years").cast(pl.Int32), "duffy_null")
    ages = person.select(*columns, born=pl.coalesce(by_birth, at_age)).collect().sort("person_index")
    return Grading(build_ladder(plan), ages)


def count_severity(stays: Stays, grading: Grading, plan: Plan) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`counts.severity` and `counts.scale_change` of cohorts.

    Months are counted on the default scale alone.
    """
    tested = stays.cells.filter(pl.col("n_tests") > 0)
    grading = Grading(grading.ladder, stays.of_members(grading.ages).drop("cohort"))
    whole = _count_bands(_whole_extract(tested), grading, plan.scales)
    graded = _divide(whole, grading.ladder.places)
    if plan.has_calendar:
        dated = tested.filter(pl.col("month").is_not_null())
        months = _count_bands(dated.with_columns(interval="month"), grading, [plan.default_scale])
        places = grading.ladder.places.filter(pl.col("scale") == plan.default_scale.id)
        graded = pl.concat([graded, _divide(months, places)])
    rows = _with_zeros(name_intervals(graded.rename({"interval": "month"})), grading.ladder)
    changes = _count_changes(whole, grading.ladder, plan)
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


def _with_zeros(rows: pl.DataFrame, ladder: Ladder) -> pl.DataFrame:
    """Every level of every scale in every interval in which somebody was tested."""
    expected = rows.select(_INTERVAL).unique().join(ladder.expected, on="interval_unit")
    key = [*_INTERVAL, "scale", "applied_to", "severity"]
    found = rows.select(*key, "n_people")
    filled = expected.join(found, on=key, how="left", nulls_equal=True)
    return filled.with_columns(pl.col("n_people").fill_null(0))


def _whole_extract(tested: pl.DataFrame) -> pl.DataFrame:
    """One row per person: the lowest count, what is known of limits, and the month of the first test."""
    limits = [pl.col(name).any() for name in (REFERENCE_BELOW, REFERENCE_UNKNOWN) if name in tested.columns]
    people = tested.with_columns(pl.col("person_index").set_sorted()).group_by("person_index", maintain_order=True)
    lowest = people.agg(pl.col("cohort").first(), pl.col("lowest_cells_per_ul", "month").min(), *limits)
    return lowest.with_columns(interval=pl.lit(0, pl.Int32))


def _count_bands(cells: pl.DataFrame, grading: Grading, scales: Sequence[Scale]) -> pl.DataFrame:
    """cohort, interval, band, reference, scope, is_meant, n_people: all that levels are read from, by scope."""
    scopes = {scale.scope: scale.applies_to for scale in scales if scale.applies_to is not None}
    placed = _place(cells, grading, scopes)
    key = ["cohort", "interval", "band", "reference"]
    counted = placed.group_by(key + list(scopes)).agg(n_people=pl.len().cast(pl.Int64))
    parts = [
        counted.select(
            *key, "n_people", scope=pl.lit(name), is_meant=pl.col(name) if name in scopes else pl.lit(value=True)
        )
        for name in (*scopes, EVERYBODY)
    ]
    return pl.concat(parts).group_by(*key, "scope", "is_meant").agg(pl.col("n_people").sum())


def _place(cells: pl.DataFrame, grading: Grading, scopes: Mapping[str, AppliesTo]) -> pl.DataFrame:
    """cohort, interval, band and reference of each cell, and whether it is in each scope, told by its name."""
    age = pl.coalesce((pl.col("month") - pl.col("born")) // MONTHS_A_YEAR, "age_years")
    meant = {name: is_meant_for(scope, age, pl.col("duffy_null")) for name, scope in scopes.items()}
    if scopes:
        cells = cells.join(grading.ages, on="person_index", how="left", maintain_order="left")
    edges = pl.Series("band", grading.ladder.edges, pl.Int64)
    band = edges.search_sorted(cells["lowest_cells_per_ul"], side="right")
    reference = pl.lit("unknown")
    if REFERENCE_BELOW in cells.columns:
        reference = (
            pl.when(REFERENCE_BELOW)
            .then(pl.lit("below"))
            .when(REFERENCE_UNKNOWN)
            .then(pl.lit("unknown"))
            .otherwise(pl.lit("at_least"))
        )
    return cells.select("cohort", "interval", band=pl.lit(band).cast(pl.UInt32), reference=reference, **meant)


def _divide(bands: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """cohort, interval, scale, applied_to, is_intended, level and n_people: whom a scale is meant for, others, all."""
    graded = bands.join(places, on=["band", "reference", "scope", "is_meant"])
    return graded.group_by("cohort", "interval", "scale", "applied_to", "is_intended", *LEVEL).agg(
        pl.col("n_people").sum()
    )


def _count_changes(whole: pl.DataFrame, ladder: Ladder, plan: Plan) -> pl.DataFrame:
    """People of the whole extract by their level on the default scale and on each other one, whoever is meant."""
    everybody = whole.filter(pl.col("scope") == EVERYBODY)
    key = ["cohort", "scale", *(f"from_{name}" for name in LEVEL), *LEVEL]
    moved = everybody.join(ladder.changes, on=["band", "reference"]).group_by(key).agg(pl.col("n_people").sum())
    return moved.with_columns(
        interval_unit=pl.lit("all"),
        interval_start=pl.lit(None, pl.Date),
        from_scale=pl.lit(plan.default_scale.id),
    )
