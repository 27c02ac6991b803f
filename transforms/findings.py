"""Which laboratory findings may explain an episode: each below or above its limit, within days of the first low value.

A piece of evidence may ask for several findings (platelets and haemoglobin); then each of them must be there. A result
with bounds counts only when all that it may be is beyond the limit. Obeys `lab_evidence` in the causes.
"""

from collections.abc import Iterable, Sequence

import polars as pl

from transforms.candidates import COLUMNS, keep_best, no_candidates
from transforms.model.causes import Cause, Finding, LabEvidence

FINDING = ("analyte", "below", "above")


def list_findings(causes: Iterable[Cause]) -> tuple[Finding, ...]:
    """Every finding that a cause asks for, once, sorted."""
    found = {one for cause in causes for one in cause.findings}
    return tuple(sorted(found, key=lambda one: (one.analyte, one.below or 0.0, one.above or 0.0)))


def find_lab_candidates(onsets: pl.LazyFrame, results: pl.LazyFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """One row per onset, cause and agent; days_from_exposure is that of the finding that is farthest; columns: COLUMNS.

    `results` has person_index, analyte, collected_at, lower_bound and upper_bound (null: unbounded).
    """
    dated = results.with_columns(result_day=pl.col("collected_at").dt.date().to_physical())
    found = []
    for cause in causes:
        first = len(cause.drug_evidence) + len(cause.code_evidence)
        for number, evidence in enumerate(cause.lab_evidence, first):
            near = _near(onsets, dated, evidence)
            found.append(near.with_columns(cause_group=pl.lit(cause.id), evidence_number=pl.lit(number, pl.Int32)))
    return keep_best(pl.concat([frame.select(COLUMNS) for frame in found])) if found else no_candidates(onsets)


def _near(onsets: pl.LazyFrame, dated: pl.LazyFrame, evidence: LabEvidence) -> pl.LazyFrame:
    days = pl.col("onset_day") - pl.col("result_day")
    parts = []
    for place, one in enumerate(evidence.findings):
        seen = dated.filter(pl.col("analyte") == one.analyte, is_beyond(one)).select("person_index", "result_day")
        joined = seen.unique().join(onsets.select("onset_id", "person_index", "onset_day"), on="person_index")
        near = joined.with_columns(days=days).filter(
            pl.col("days").is_between(-evidence.lookahead_days, evidence.lookback_days)
        )
        nearest = pl.col("days").sort_by(pl.col("days").abs(), -pl.col("days")).first()
        parts.append(near.group_by("onset_id").agg(nearest, place=pl.lit(place).first()))
    every = (
        pl.concat(parts)
        .group_by("onset_id")
        .agg(pl.col("days").sort_by(pl.col("days").abs(), -pl.col("days")).last(), n_found=pl.len())
    )
    return every.filter(pl.col("n_found") == len(evidence.findings)).select(
        "onset_id",
        agent=pl.lit(evidence.agent),
        is_in_window=pl.lit(value=True),
        days_from_exposure=pl.col("days").cast(pl.Int32),
        course_number=pl.lit(None, pl.Int32),
        has_dechallenge=pl.lit(value=False),
    )


def is_beyond(finding: Finding) -> pl.Expr:
    """Whether a result (lower_bound, upper_bound) is beyond the limit for certain."""
    if finding.below is not None:
        return (pl.col("upper_bound").cast(pl.Float64) < finding.below).fill_null(value=False)
    return (pl.col("lower_bound").cast(pl.Float64) > finding.above).fill_null(value=False)
