"""What the counts themselves tell of a cause: an episode that lasts, or episodes that come back at even distances.

Judged among the episodes of one person, rule and threshold. Obeys `pattern_evidence` in the causes.
"""

from collections.abc import Sequence

import polars as pl

from transforms.model.causes import Cause, PatternEvidence, Returns

GAP = "censored_gap"


def find_patterns(episodes: pl.LazyFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """One row per episode, cause and pattern: episode, cause_group, agent and evidence_number.

    `episodes` is in order of `series` (person, rule and threshold) and time; it has the number `episode`, first_low_at,
    last_low_at, recovery_by, ended_as, nadir_cells_per_ul and age_years (null: not known).
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
        goes_on = pl.col("ended_as").shift(1) == GAP
        ordered = _number_runs(ordered, goes_on)
        lasts = pl.col("last_low_at").max().over("run") - pl.col("first_low_at").min().over("run")
        conditions.append(lasts.dt.total_days() >= evidence.lasts_days)
    if evidence.lasts_days is not None and evidence.below_cells_per_ul is not None:
        conditions.append(pl.col("nadir_cells_per_ul").min().over("run") < evidence.below_cells_per_ul)
    if evidence.oldest_years is not None:
        conditions.append(pl.col("age_years") <= evidence.oldest_years)
    if evidence.returns is not None:
        ordered = _number_runs(ordered, _returns(evidence.returns))
        conditions.append(pl.len().over("run") >= evidence.returns.episodes)
    fits = ordered.with_columns(fits=pl.all_horizontal(conditions)).filter(pl.col("fits").fill_null(value=False))
    return _name(fits, cause, evidence.agent, number)


def _returns(rule: Returns) -> pl.Expr:
    """The episode begins at the right distance after the one before."""
    apart = pl.col("first_low_at").dt.date().diff().dt.total_days().is_between(*rule.apart_days)
    if rule.below_cells_per_ul is None:
        return apart
    is_deep = pl.col("nadir_cells_per_ul") < rule.below_cells_per_ul
    return apart & is_deep & is_deep.shift(1) & pl.col("recovery_by").shift(1).is_not_null()


def _number_runs(ordered: pl.LazyFrame, follows: pl.Expr) -> pl.LazyFrame:
    """Add `run`: episodes of a series each of which follows the one before."""
    is_next = (pl.col("series") == pl.col("series").shift(1)) & follows
    return ordered.with_columns(run=(~is_next.fill_null(value=False)).cum_sum())


def _name(episodes: pl.LazyFrame, cause: str, agent: str, number: int) -> pl.LazyFrame:
    return episodes.select(
        "episode",
        cause_group=pl.lit(cause),
        agent=pl.lit(agent),
        evidence_number=pl.lit(number, pl.Int32),
    )
