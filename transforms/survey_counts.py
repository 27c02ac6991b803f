"""Weights of people and of low people by primary sampling unit (PSU): all that a weighted share is made of.

A person is in the weighted sample when their weight is above zero and stratum and PSU are known. The PSUs of the
design are those of everybody whose stratum and PSU are known, weighted or not, so that a cohort is estimated inside
the whole design and not as if it were a survey of its own. Weights are decimals of fixed scale: sums are exact.
Obeys `definitions/survey`.
"""

import polars as pl

from transforms.frames import empty, polars_schema, shape
from transforms.model.estimation import Cut, Denominator, Plan
from transforms.person_time import Stays, undecided_name
from transforms.schemas import schema_of

_PSU = ["stratum", "psu"]


def read_sample(person: pl.LazyFrame, plan: Plan) -> pl.DataFrame:
    """The weighted sample: person_index, stratum, psu, weight (a decimal); empty where nobody has a weight."""
    if plan.survey is None:
        return pl.DataFrame(schema={"person_index": pl.UInt32})
    weight = pl.col("weight").cast(polars_schema(schema_of("counts.survey_cell"))["weight_population"])
    return (
        person.filter(pl.all_horizontal(pl.col(_PSU).is_not_null()), pl.col("weight") > 0)
        .select("person_index", *_PSU, weight=weight)
        .collect()
    )


def count_psus(person: pl.LazyFrame, plan: Plan) -> pl.DataFrame:
    """`counts.survey_psu`: every PSU of the design with its people, weighted or not."""
    if plan.survey is None:
        return empty("counts.survey_psu")
    known = person.filter(pl.all_horizontal(pl.col(_PSU).is_not_null()))
    return shape(known.group_by(_PSU).agg(n_people=pl.len()).collect(), "counts.survey_psu")


def count_weighted(stays: Stays, sample: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`counts.survey_cell` of cohorts over the whole extract; a PSU without people of a cohort has no row."""
    if sample.is_empty():
        return empty("counts.survey_cell")
    known = stays.of_members(sample).join(stays.people.drop("cohort"), on="person_index", how="left")
    parts = [_count_cell(known, denominator, cut) for denominator in plan.main_denominators for cut in plan.any_low]
    return shape(pl.concat(parts), "counts.survey_cell")


def _count_cell(known: pl.DataFrame, denominator: Denominator, cut: Cut) -> pl.DataFrame:
    is_tested = (pl.col("n_tests") > 0).fill_null(value=False)
    low = cut.is_low(pl.col("lowest_cells_per_ul")).fill_null(value=False)
    possible = low | pl.col(undecided_name(cut)).fill_null(value=False)
    weight = pl.col("weight")
    return (
        known.filter(is_tested if denominator.counts == "tested" else pl.lit(value=True))
        .group_by("cohort", *_PSU)
        .agg(
            n_population=pl.len().cast(pl.Int64),
            n_low=low.sum().cast(pl.Int64),
            n_low_possible=possible.sum().cast(pl.Int64),
            weight_population=weight.sum(),
            weight_low=weight.filter(low).sum(),
        )
        .with_columns(
            denominator_name=pl.lit(denominator.id),
            measure=pl.lit(cut.measure),
            rule=pl.lit(cut.rule),
            threshold_cells_per_ul=pl.lit(cut.threshold_cells_per_ul),
        )
    )
