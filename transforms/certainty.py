"""Of how many people tested it is certain that a count was low, certain that none was, or neither.

Once by the counts as they were told, and once by what a differential of few cells, or red cells among the white ones,
leave open of them. A person is certainly low when one count is, and certainly not low when no count could be.
"""

import polars as pl

from transforms.frames import empty, shape
from transforms.model.estimation import Plan
from transforms.person_time import test_flags

AS_TOLD, LEFT_OPEN = "as_told", "left_open"
LOW, UNDECIDED, NOT_LOW = "low", "undecided", "not_low"
KEY = ("bounds", "threshold_cells_per_ul")
_POSSIBLE = ("possible_lower_cells_per_ul", "possible_upper_cells_per_ul")


def count_certainty(anc: pl.LazyFrame, plan: Plan) -> pl.DataFrame:
    """`counts.certainty` of everybody tested; `anc` is `derived.anc` by person_index."""
    if not plan.any_low:
        return empty("counts.certainty")
    is_test, says_something = test_flags(plan.tested)
    told = {"lower": pl.coalesce("anc_cells_per_ul", "lower_cells_per_ul"),
            "upper": pl.coalesce("anc_cells_per_ul", "upper_cells_per_ul")}  # fmt: skip
    bounds = {AS_TOLD: told}
    if set(_POSSIBLE) <= set(anc.collect_schema()):
        bounds[LEFT_OPEN] = {which: pl.coalesce(name, told[which]) for which, name in zip(told, _POSSIBLE, strict=True)}
    least = {f"{name}_least": each["lower"].min() for name, each in bounds.items()}
    most = {f"{name}_most": pl.when(is_test).then(each["upper"]).min() for name, each in bounds.items()}
    people = (
        anc.filter(is_test | says_something)
        .group_by("person_index")
        .agg(is_tested=is_test.any(), **least, **most)
        .filter("is_tested")
        .collect()
    )
    rows = []
    for name in bounds:
        for cut in plan.any_low:
            is_low = cut.is_low(pl.col(f"{name}_most")).fill_null(value=False)
            may_be = is_low | cut.is_low(pl.col(f"{name}_least")).fill_null(value=False)
            counted = people.select(n_people=pl.len(), n_people_low=is_low.sum(), n_people_possible=may_be.sum())
            key = {"bounds": pl.lit(name), "threshold_cells_per_ul": pl.lit(cut.threshold_cells_per_ul)}
            rows.append(counted.with_columns(**key))
    return shape(pl.concat(rows).filter(pl.col("n_people") > 0), "counts.certainty")


def estimate_certainty(certainty: pl.DataFrame) -> pl.DataFrame:
    """`estimate.certainty` without its run: the people tested, in three parts."""
    low, possible, tested = (pl.col(name) for name in ("n_people_low", "n_people_possible", "n_people"))
    parts = {LOW: low, UNDECIDED: possible - low, NOT_LOW: tested - possible}
    rows = [
        certainty.select(*KEY, certainty=pl.lit(name), n_people=number, share=number / tested)
        for name, number in parts.items()
    ]
    return pl.concat(rows)
