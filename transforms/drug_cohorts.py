"""Which cohorts hold everybody who was given a drug, as far as their definitions and the list of drugs say so.

A reader of the methods knows this, and can subtract the people of a drug from those of its cohort.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.model.cohorts import Cohort, ExposureCriterion


def with_drugs(order: CohortOrder, cohorts: Sequence[Cohort], drugs: pl.DataFrame, other_use: str) -> CohortOrder:
    """`order` with `given`; `drugs` is the list of drugs as text, `other_use` names one given for something else."""
    direct = [
        (drug, cohort.id)
        for cohort in cohorts
        for one in (cohort.criterion, *(cohort.criterion.any_of or ()))
        if one.exposure
        for drug in _drugs_of(one.exposure, drugs, other_use)
    ]
    further = [(drug, whole) for drug, cohort in direct for part, whole in order.inside if part == cohort]
    return replace(order, given=tuple(sorted({*direct, *further})))


def _drugs_of(criterion: ExposureCriterion, drugs: pl.DataFrame, other_use: str) -> Iterator[str]:
    named = {"generic_name": criterion.drugs, "subgroup": criterion.subgroups, "cause_group": criterion.cause_groups}
    conditions = [pl.col(column).is_in(names) for column, names in named.items() if names]
    if criterion.is_cytotoxic is not None:
        conditions.append((pl.col("cytotoxic") == "Y") == criterion.is_cytotoxic)
    for name in drugs.filter(conditions)["generic_name"].unique().sort():
        yield name
        if criterion.indication == "any":
            yield other_use.format(drug=name)
