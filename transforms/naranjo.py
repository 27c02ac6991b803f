"""The Naranjo score of each drug that is judged for causality; cytotoxics, diagnoses and fallbacks have none.

What an extract never tells (placebo, levels, response to the dose) has no points. Obeys `definitions/causality`.
"""

import polars as pl

from transforms.model.causality import Naranjo, Points


def score_naranjo(candidates: pl.LazyFrame, naranjo: Naranjo, *, is_complete: bool) -> pl.LazyFrame:
    """Add naranjo_score and naranjo_band, null where judged is not who_umc.

    `candidates` has judged, risk, dechallenge, rechallenge, n_competing, days_from_exposure, has_earlier (the same drug
    was in its window before, in another course). `is_complete`: the extract has drugs and diagnoses, so that nothing
    found means something.
    """
    is_judged = pl.col("judged") == "who_umc"
    has_other = pl.col("n_competing") > 0
    no_other = ~has_other if is_complete else pl.lit(value=False)
    answers = (
        (naranjo.known_reaction, pl.col("risk").is_in(naranjo.known_risks), ~pl.col("risk").is_in(naranjo.known_risks)),
        (naranjo.after_drug, pl.col("days_from_exposure") >= 0, pl.col("days_from_exposure") < 0),
        (naranjo.dechallenge, pl.col("dechallenge") == "positive", pl.col("dechallenge") == "negative"),
        (naranjo.rechallenge, pl.col("rechallenge") == "positive", pl.col("rechallenge") == "negative"),
        (naranjo.other_cause, has_other, no_other),
        (naranjo.earlier_reaction, pl.col("has_earlier"), ~pl.col("has_earlier")),
        (naranjo.objective_evidence, pl.lit(value=True), pl.lit(value=False)),
    )
    score = pl.sum_horizontal([_points(*answer) for answer in answers]).cast(pl.Int32)
    band = pl.lit(naranjo.bands[-1].name)
    for one in reversed(naranjo.bands[:-1]):
        band = pl.when(score >= one.least).then(pl.lit(one.name)).otherwise(band)
    return candidates.with_columns(
        naranjo_score=pl.when(is_judged).then(score), naranjo_band=pl.when(is_judged).then(band)
    )


def _points(points: Points, is_yes: pl.Expr, is_no: pl.Expr) -> pl.Expr:
    given = pl.when(is_yes).then(points.yes).when(is_no).then(points.no).otherwise(0)
    return given.cast(pl.Int32)
