"""Which diagnoses may have caused an episode: each code in its own window before, or soon after, the first low value.

A code gives way to what was measured or recorded beside it: a coder's word to the doses themselves, a coded deficiency
to a level that is normal. Windows are whole days between calendar days, both ends included. Obeys `definitions/causes`
and the windows of the code lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.candidates import COLUMNS, day_of, keep_best, no_candidates, select_doses
from transforms.diagnoses import recognise_conditions
from transforms.findings import is_beyond
from transforms.model.causes import Cause, CodeEvidence


@dataclass(frozen=True)
class Beside:
    """What a code may give way to: doses of `list_doses`, and laboratory results of `list_findings`."""

    doses: pl.LazyFrame
    results: pl.LazyFrame


def find_code_candidates(
    onsets: pl.LazyFrame,
    diagnosis: pl.LazyFrame,
    conditions: pl.DataFrame,
    beside: Beside,
    causes: Sequence[Cause],
) -> pl.LazyFrame:
    """One row per onset, cause and subgroup of condition, the code nearest to the onset; columns: COLUMNS.

    `onsets` has age_years beside, null where it is not known; `conditions` is what `read_conditions` gives.
    """
    own = diagnosis.join(onsets.select("person_index").unique(), on="person_index", how="semi")
    listed = recognise_conditions(own, conditions).collect().lazy()  # every piece of evidence begins with it
    found = []
    for cause in causes:
        first = len(cause.drug_evidence)
        for number, evidence in enumerate(cause.code_evidence, first):
            coded = _coded(listed, own, evidence, cause.id)
            near = _leave_out(_near(onsets, coded, evidence), onsets, beside, (cause, evidence))
            found.append(near.with_columns(cause_group=pl.lit(cause.id), evidence_number=pl.lit(number, pl.Int32)))
    return keep_best(pl.concat([frame.select(COLUMNS) for frame in found])) if found else no_candidates(onsets)


def _coded(listed: pl.LazyFrame, diagnosis: pl.LazyFrame, evidence: CodeEvidence, cause: str) -> pl.LazyFrame:
    conditions = [pl.lit(value=bool(evidence.cause_groups or evidence.subgroups))]
    if evidence.cause_groups:
        conditions.append(pl.col("cause_group").is_in(evidence.cause_groups))
    if evidence.subgroups:
        conditions.append(pl.col("subgroup").is_in(evidence.subgroups))
    if evidence.roles:
        conditions.append(pl.col("role").is_in(evidence.roles))
    conditions.append(~pl.col("subgroup").is_in(evidence.except_subgroups))
    coded = listed.filter(pl.all_horizontal(conditions))
    if not evidence.own_codes:
        return coded
    own = pl.DataFrame([code.model_dump() for code in evidence.own_codes], infer_schema_length=None).with_columns(
        pl.col("lookback_days", "lookahead_days").cast(pl.Int32),
        cause_group=pl.lit(cause),
        role=pl.lit("cause"),
        code_pattern=pl.lit(None, pl.String),
    )
    return pl.concat([coded, recognise_conditions(diagnosis, own)])


def _near(onsets: pl.LazyFrame, coded: pl.LazyFrame, evidence: CodeEvidence) -> pl.LazyFrame:
    lookback, lookahead = pl.col("lookback_days"), pl.col("lookahead_days")
    if evidence.max_lookback_days is not None:
        lookback = pl.min_horizontal(lookback, pl.lit(evidence.max_lookback_days, pl.Int32))
    if evidence.max_lookahead_days is not None:
        lookahead = pl.min_horizontal(lookahead, pl.lit(evidence.max_lookahead_days, pl.Int32))
    if evidence.at_least_days_before is not None:
        lookahead = pl.lit(-evidence.at_least_days_before, pl.Int32)
    dated = coded.select(
        "person_index",
        pl.col("subgroup").alias("agent"),
        day_of("recorded_at").alias("coded_day"),
        lookback.alias("lookback"),
        lookahead.alias("lookahead"),
    ).unique()
    days = pl.col("onset_day") - pl.col("coded_day")
    if evidence.oldest_years is not None:
        onsets = onsets.filter((pl.col("age_years") <= evidence.oldest_years).fill_null(value=False))
    near = (
        dated.join(onsets.select("onset_id", "person_index", "onset_day"), on="person_index")
        .with_columns(days.alias("days_from_exposure"))
        .filter(pl.col("days_from_exposure") >= -pl.col("lookahead"))
        .filter((pl.col("days_from_exposure") <= pl.col("lookback")).fill_null(value=True))
    )
    return near.select(
        "onset_id",
        "agent",
        pl.lit(value=True).alias("is_in_window"),
        "days_from_exposure",
        pl.lit(None, pl.Int32).alias("course_number"),
        pl.lit(value=False).alias("has_dechallenge"),
    )


def _leave_out(
    near: pl.LazyFrame, onsets: pl.LazyFrame, beside: Beside, whose: tuple[Cause, CodeEvidence]
) -> pl.LazyFrame:
    """Without the onsets where doses or results say otherwise."""
    cause, evidence = whose
    if evidence.unless_dosed_within_days is None and evidence.unless_found is None:
        return near
    coded = near.collect().lazy()
    onset = onsets.select("onset_id", "person_index", "onset_day").join(coded, on="onset_id", how="semi")
    if (within_days := evidence.unless_dosed_within_days) is not None:
        given = [
            select_doses(beside.doses, drug).select("person_index", day="start_day") for drug in cause.drug_evidence
        ]
        coded = coded.join(_have(onset, pl.concat(given), within_days, within_days), on="onset_id", how="anti")
    if (contrary := evidence.unless_found) is not None:
        is_found = (pl.col("analyte") == contrary.finding.analyte) & is_beyond(contrary.finding)
        found = beside.results.filter(is_found).select("person_index", day=day_of("collected_at"))
        against = _have(onset, found, contrary.lookback_days, contrary.lookahead_days)
        coded = coded.join(against, on="onset_id", how="anti")
    return coded


def _have(onset: pl.LazyFrame, days: pl.LazyFrame, lookback_days: int, lookahead_days: int) -> pl.LazyFrame:
    """The onsets that have a day within so many days before and after."""
    own = days.join(onset.select("person_index").unique(), on="person_index", how="semi").unique().sort("day")
    until = onset.with_columns(until=pl.col("onset_day") + lookahead_days).sort("until")
    last = until.join_asof(own, left_on="until", right_on="day", by="person_index", check_sortedness=False)
    return last.filter(pl.col("day") >= pl.col("onset_day") - lookback_days)
