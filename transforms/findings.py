"""Which laboratory findings may explain an episode: each below or above its limit, within days of the first low value.

A piece of evidence may ask for several findings (platelets and haemoglobin); then each of them must be there. A result
with bounds counts only when all that it may be is beyond the limit. Obeys `lab_evidence` in the causes.
"""

from collections.abc import Iterable, Sequence

import polars as pl

from transforms.candidates import COLUMNS, no_candidates
from transforms.model.causes import Cause, Finding, LabEvidence

FINDING = ("analyte", "below", "above")
WANTED = ("number", "place", "lookback", "lookahead")  # of the evidence, of the finding in it, and its days


def list_findings(causes: Iterable[Cause]) -> tuple[Finding, ...]:
    """Every finding that a cause asks for, once, sorted."""
    found = {one for cause in causes for one in cause.findings}
    return tuple(sorted(found, key=lambda one: (one.analyte, one.below or 0.0, one.above or 0.0)))


def read_findings(results: pl.LazyFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """Every day with a finding that is evidence of a cause, held: person_index, result_day, WANTED.

    `results` has person_index, analyte, collected_at, lower_bound and upper_bound (null: unbounded).
    """
    dated = results.with_columns(result_day=pl.col("collected_at").dt.date().to_physical())
    days = [dated.head(0).select("person_index", "result_day", **_want(pl.lit(0), 0, pl.lit(0), pl.lit(0)))]
    for number, (_, _, evidence) in enumerate(_list_evidence(causes)):
        window = pl.lit(evidence.lookback_days), pl.lit(evidence.lookahead_days)
        for place, one in enumerate(evidence.findings):
            seen = dated.filter(pl.col("analyte") == one.analyte, is_beyond(one))
            days.append(seen.select("person_index", "result_day", **_want(pl.lit(number), place, *window)).unique())
    return pl.concat(days).collect().lazy()


def find_lab_candidates(onsets: pl.LazyFrame, findings: pl.LazyFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """One row per onset and evidence; days_from_exposure is that of the finding that is farthest; columns: COLUMNS.

    `findings` are those of `read_findings` by the same `causes`.
    """
    listed = [
        (number, cause, own, evidence.agent, len(evidence.findings))
        for number, (cause, own, evidence) in enumerate(_list_evidence(causes))
    ]
    if not listed:
        return no_candidates(onsets)
    schema = {"number": pl.Int32, "cause_group": pl.String, "evidence_number": pl.Int32, "agent": pl.String}
    known = pl.LazyFrame(listed, schema={**schema, "n_findings": pl.UInt32}, orient="row")
    days = pl.col("onset_day") - pl.col("result_day")
    joined = findings.join(onsets.select("onset_id", "person_index", "onset_day"), on="person_index")
    near = joined.with_columns(days=days).filter(pl.col("days").is_between(-pl.col("lookahead"), pl.col("lookback")))
    # The nearer day is the smaller number, and of two as near the one before the onset.
    distance = pl.col("days").abs() * 2 + (pl.col("days") < 0).cast(pl.Int32)
    nearest = near.group_by("onset_id", "number", "place").agg(distance=distance.min())
    every = nearest.group_by("onset_id", "number").agg(pl.col("distance").max(), n_found=pl.len())
    sign = 1 - 2 * (pl.col("distance") % 2)
    return (
        every.join(known, on="number")
        .filter(pl.col("n_found") == pl.col("n_findings"))
        .select(
            "onset_id",
            "cause_group",
            "agent",
            "evidence_number",
            is_in_window=pl.lit(value=True),
            days_from_exposure=(pl.col("distance") // 2 * sign).cast(pl.Int32),
            course_number=pl.lit(None, pl.Int32),
            has_dechallenge=pl.lit(value=False),
        )
        .select(COLUMNS)
    )


def _list_evidence(causes: Sequence[Cause]) -> list[tuple[str, int, LabEvidence]]:
    """Cause, number within the cause, and the evidence."""
    return [
        (cause.id, number, evidence)
        for cause in causes
        for number, evidence in enumerate(cause.lab_evidence, len(cause.drug_evidence) + len(cause.code_evidence))
    ]


def _want(number: pl.Expr, place: int, lookback: pl.Expr, lookahead: pl.Expr) -> dict[str, pl.Expr]:
    values = (number, pl.lit(place), lookback, lookahead)
    return {name: value.cast(pl.Int32) for name, value in zip(WANTED, values, strict=True)}


def is_beyond(finding: Finding) -> pl.Expr:
    """Whether a result (lower_bound, upper_bound) is beyond the limit for certain."""
    if finding.below is not None:
        return (pl.col("upper_bound").cast(pl.Float64) < finding.below).fill_null(value=False)
    return (pl.col("lower_bound").cast(pl.Float64) > finding.above).fill_null(value=False)
