"""What the counts themselves tell of a cause: an episode that lasts, or episodes that come back at even distances.

Judged among the episodes of one person, rule and threshold. Obeys `pattern_evidence` in the causes.
"""

from collections.abc import Sequence

import polars as pl

from transforms.model.causes import Cause, PatternEvidence


def find_patterns(episodes: pl.LazyFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """One row per episode, cause and pattern: episode, cause_group, agent and evidence_number.

    `episodes` is in order of `series` (person, rule and threshold) and time; it has the number `episode`, first_low_at,
    last_low_at and age_years (null: not known).
    """
    found = [_fits(episodes, evidence, cause.id, number) for cause, number, evidence in _list(causes)]
    return pl.concat(found) if found else _name(episodes.head(0), "", "", 0)


def _list(causes: Sequence[Cause]) -> list[tuple[Cause, int, PatternEvidence]]:
    return [
        (cause, number, evidence)
        for cause in causes
        for number, evidence in enumerate(cause.pattern_evidence, len(cause.drug_evidence) + len(cause.signs))
    ]


def _fits(ordered: pl.LazyFrame, evidence: PatternEvidence, cause: str, number: int) -> pl.LazyFrame:
    conditions = [pl.lit(value=True)]
    if evidence.lasts_days is not None:
        conditions.append((pl.col("last_low_at") - pl.col("first_low_at")).dt.total_days() >= evidence.lasts_days)
    if evidence.oldest_years is not None:
        conditions.append(pl.col("age_years") <= evidence.oldest_years)
    if evidence.returns is not None:
        least, most = evidence.returns.apart_days
        apart = pl.col("first_low_at").dt.date().diff().over("series").dt.total_days()
        ordered = ordered.with_columns(is_new=~apart.is_between(least, most).fill_null(value=False))
        ordered = ordered.with_columns(row=pl.col("is_new").cum_sum().over("series"))
        conditions.append(pl.len().over("series", "row") >= evidence.returns.episodes)
    fits = ordered.with_columns(fits=pl.all_horizontal(conditions)).filter(pl.col("fits").fill_null(value=False))
    return _name(fits, cause, evidence.agent, number)


def _name(episodes: pl.LazyFrame, cause: str, agent: str, number: int) -> pl.LazyFrame:
    return episodes.select(
        "episode",
        cause_group=pl.lit(cause),
        agent=pl.lit(agent),
        evidence_number=pl.lit(number, pl.Int32),
    )
