"""What the primary suspects would be if the windows of causes were shorter or longer.

The latest days of a window (how long after a dose, or a code, an onset may lie) are multiplied; the earliest stay, for
biology sets them and not custom. Challenge and look-back of fallbacks stay too. Factors are `definitions/estimation`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from transforms.attribution import Evidence, Judgement, attribute_primary
from transforms.model.causes import Cause, CodeEvidence, DrugEvidence
from transforms.model.estimation import DEFAULT_WINDOW
from transforms.ranking import EPISODE

OUTPUT = (*EPISODE, "window", "cause_group", "agent")
_DRUG_DAYS = ("beyond_max_days", "default_tail_days")
_CODE_DAYS = ("max_lookback_days", "max_lookahead_days")
_HALF = 0.5  # whole days, half up
_LIST_DAYS = ("lookback_days", "lookahead_days")


def attribute_in_windows(
    episodes: pl.LazyFrame, evidence: Evidence, judgement: Judgement, factors: Mapping[str, float]
) -> pl.LazyFrame:
    """The primary suspect of each episode for each factor but the default; columns: OUTPUT, sorted."""
    found = [
        _primary(episodes, *_scale(evidence, judgement, factor), window)
        for window, factor in sorted(factors.items())
        if window != DEFAULT_WINDOW
    ]
    if not found:
        found = [_primary(episodes.head(0), evidence, judgement, DEFAULT_WINDOW)]
    return pl.concat(found).sort(*EPISODE, "window")


def _primary(episodes: pl.LazyFrame, evidence: Evidence, judgement: Judgement, window: str) -> pl.LazyFrame:
    return attribute_primary(episodes, evidence, judgement).with_columns(window=pl.lit(window)).select(OUTPUT)


def _scale(evidence: Evidence, judgement: Judgement, factor: float) -> tuple[Evidence, Judgement]:
    latest = pl.max_horizontal("onset_min_days", _days("onset_max_days", factor))
    recognised = evidence.recognised.with_columns(onset_max_days=latest, tail_days=_days("tail_days", factor))
    conditions = judgement.conditions.with_columns(_days(name, factor) for name in _LIST_DAYS)
    causes = [_scale_cause(cause, factor) for cause in judgement.causes]
    return replace(evidence, recognised=recognised), replace(judgement, causes=causes, conditions=conditions)


def _days(column: str, factor: float) -> pl.Expr:
    return (pl.col(column) * factor + _HALF).floor().cast(pl.Int32).alias(column)


def _scale_cause(cause: Cause, factor: float) -> Cause:
    drugs = tuple(_scale_part(each, _DRUG_DAYS, factor) for each in cause.drug_evidence)
    codes = tuple(_scale_code(each, factor) for each in cause.code_evidence)
    labs = tuple(
        each.model_copy(update={name: _scaled(getattr(each, name), factor) for name in _LIST_DAYS})
        for each in cause.lab_evidence
    )
    return cause.model_copy(update={"drug_evidence": drugs, "code_evidence": codes, "lab_evidence": labs})


def _scale_code(evidence: CodeEvidence, factor: float) -> CodeEvidence:
    own = tuple(
        each.model_copy(update={name: _scaled(getattr(each, name), factor) for name in _LIST_DAYS})
        for each in evidence.own_codes
    )
    days = {name: _scaled(getattr(evidence, name), factor) for name in _CODE_DAYS}
    return evidence.model_copy(update={**days, "own_codes": own})


def _scale_part(evidence: DrugEvidence, names: Sequence[str], factor: float) -> DrugEvidence:
    return evidence.model_copy(update={name: _scaled(getattr(evidence, name), factor) for name in names})


def _scaled(days: int | None, factor: float) -> int | None:
    return None if days is None else int(days * factor + _HALF)
