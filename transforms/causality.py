"""How sure a candidate is: the WHO-UMC category from window, dechallenge, rechallenge and competition.

Cytotoxics are expected toxicity; codes and laboratory findings support. Obeys `definitions/causes`.
"""

import polars as pl

SUSPECT = ("series", "cause_group", "agent")


def look_back(candidates: pl.LazyFrame) -> pl.LazyFrame:
    """Add rechallenge and has_earlier, which only what is judged by WHO-UMC has."""
    is_judged = pl.col("judged") == "who_umc"
    judged = candidates.filter(is_judged).with_columns(rechallenge=_rechallenge(), has_earlier=_has_earlier())
    others = candidates.filter(~is_judged).with_columns(
        rechallenge=pl.lit(None, pl.String), has_earlier=pl.lit(value=False)
    )
    return pl.concat([judged, others])


def _rechallenge() -> pl.Expr:
    """Positive: another course of the drug has an episode of the same rule and threshold in its window.

    Negative: the drug was given again, counts were taken, and no such episode came.
    """
    in_window = pl.when("is_in_window").then("course_number")
    is_repeated = in_window.drop_nulls().n_unique().over(SUSPECT) > 1
    return (
        pl.when(is_repeated & pl.col("is_in_window"))
        .then(pl.lit("positive"))
        .when(pl.col("is_reexposed") & ~is_repeated)
        .then(pl.lit("negative"))
        .otherwise(pl.lit("unknown"))
    )


def _has_earlier() -> pl.Expr:
    """The drug was in its window at an earlier episode of the same rule and threshold, in another course."""
    first_course = pl.col("course_number").filter("is_in_window").min().over(SUSPECT)
    return (pl.col("is_in_window") & (pl.col("course_number") > first_course)).fill_null(value=False)


def weigh(candidates: pl.LazyFrame) -> pl.LazyFrame:
    """Add n_competing and category; a drug that is unlikely competes with nothing.

    Unlikely: outside its window, gone on with while the count recovered, begun when it was below the threshold, or when
    it was so near that the nadir is no fall from it.
    """
    was_low = (pl.col("count_at_start") < pl.col("threshold_cells_per_ul")).fill_null(value=False)
    has_not_fallen = (pl.col("nadir_cells_per_ul") > pl.col("fall_to")).fill_null(value=False)
    is_likely = pl.col("is_in_window") & ~pl.col("is_recovered_on_drug") & ~was_low & ~has_not_fallen
    contends = pl.col("competes") & pl.col("decides") & is_likely
    n_competing = contends.sum().over("episode").cast(pl.Int32) - contends.cast(pl.Int32)
    alone = pl.col("n_competing") == 0
    is_back = pl.col("dechallenge") == "positive"
    who_umc = (
        pl.when(~is_likely)
        .then(pl.lit("unlikely"))
        .when(is_back & alone & (pl.col("rechallenge") == "positive"))
        .then(pl.lit("certain"))
        .when(is_back & alone)
        .then(pl.lit("probable"))
        .otherwise(pl.lit("possible"))
    )
    category = (
        pl.when(pl.col("judged") == "who_umc")
        .then(who_umc)
        .otherwise(pl.col("judged").replace({"code": "supported", "listed": "none"}))
    )
    return candidates.with_columns(n_competing.alias("n_competing")).with_columns(category.alias("category"))
