"""Which diagnoses may have caused an episode: each code in its own window before, or soon after, the first low value.

A code gives way to what was measured or recorded beside it: a coder's word to the doses themselves, a coded deficiency
to a level that is normal. Windows are whole days between calendar days, both ends included. Obeys `definitions/causes`
and the windows of the code lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.candidates import COLUMNS, day_of, select_doses
from transforms.diagnoses import recognise_conditions
from transforms.findings import is_beyond
from transforms.model.causes import Cause, CodeEvidence


@dataclass(frozen=True)
class Beside:
    """What a code may give way to: doses of `list_doses`, and results of `read_contrary`."""

    doses: pl.LazyFrame
    contrary: pl.LazyFrame


def read_codes(diagnosis: pl.LazyFrame, conditions: pl.DataFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """Every code that is evidence of a cause, with its window, held.

    Columns: person_index, cause_group, evidence_number, agent (its subgroup), coded_day, lookback (days, null: ever
    before), lookahead, oldest_years (null: any age). `conditions` is what `read_conditions` gives.
    """
    listed = recognise_conditions(diagnosis, conditions).collect().lazy()  # every piece of evidence begins with it
    found = [
        _date(_coded(listed, diagnosis, evidence, cause.id), evidence).with_columns(
            cause_group=pl.lit(cause.id), evidence_number=pl.lit(number, pl.Int32)
        )
        for cause, number, evidence in _list_evidence(causes)
    ]
    nothing = _date(listed.head(0), None).with_columns(cause_group=pl.lit(""), evidence_number=pl.lit(0, pl.Int32))
    return pl.concat([nothing, *found]).unique().collect().lazy()


def read_contrary(results: pl.LazyFrame, codes: pl.LazyFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """Days with a result that speaks against a code which its person has, held: person_index, day, and whose evidence.

    `results` are laboratory results of `list_findings`, `codes` those of `read_codes` by the same `causes`. Few people
    have such a code, and many such a result.
    """
    dated = results.with_columns(day=day_of("collected_at"))
    found = [codes.head(0).select("person_index", "cause_group", "evidence_number", day="coded_day")]
    for cause, number, evidence in _list_evidence(causes):
        if (contrary := evidence.unless_found) is not None:
            is_found = (pl.col("analyte") == contrary.finding.analyte) & is_beyond(contrary.finding)
            people = codes.filter(_is_of(cause, number)).select("person_index").unique()
            own = dated.filter(is_found).join(people, on="person_index", how="semi")
            whose = {"cause_group": pl.lit(cause.id), "evidence_number": pl.lit(number, pl.Int32)}
            found.append(own.select("person_index", **whose, day="day"))
    return pl.concat(found).collect().lazy()


def find_code_candidates(
    onsets: pl.LazyFrame, codes: pl.LazyFrame, beside: Beside, causes: Sequence[Cause]
) -> pl.LazyFrame:
    """One row per onset, evidence and code in its window; columns: COLUMNS.

    `onsets` has age_years beside, null where it is not known; `codes` are those of `read_codes` by the same `causes`.
    """
    near = _near(onsets, codes).collect().lazy()
    kept, is_conditional = [], pl.lit(value=False)
    for cause, number, evidence in _list_evidence(causes):
        if evidence.unless_dosed_within_days is None and evidence.unless_found is None:
            continue
        is_it = _is_of(cause, number)
        own = Beside(beside.doses, beside.contrary.filter(is_it))
        kept.append(_leave_out(near.filter(is_it), onsets, own, (cause, evidence)))
        is_conditional = is_conditional | is_it
    return pl.concat([near.filter(~is_conditional), *kept])


def _is_of(cause: Cause, number: int) -> pl.Expr:
    return (pl.col("cause_group") == cause.id) & (pl.col("evidence_number") == number)


def _list_evidence(causes: Sequence[Cause]) -> list[tuple[Cause, int, CodeEvidence]]:
    return [
        (cause, number, evidence)
        for cause in causes
        for number, evidence in enumerate(cause.code_evidence, len(cause.drug_evidence))
    ]


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


def _date(coded: pl.LazyFrame, evidence: CodeEvidence | None) -> pl.LazyFrame:
    """Codes by day, each with the window that the evidence leaves it."""
    lookback, lookahead, oldest = pl.col("lookback_days"), pl.col("lookahead_days"), None
    if evidence is not None:
        oldest = evidence.oldest_years
        if evidence.max_lookback_days is not None:
            lookback = pl.min_horizontal(lookback, pl.lit(evidence.max_lookback_days, pl.Int32))
        if evidence.max_lookahead_days is not None:
            lookahead = pl.min_horizontal(lookahead, pl.lit(evidence.max_lookahead_days, pl.Int32))
        if evidence.at_least_days_before is not None:
            lookahead = pl.lit(-evidence.at_least_days_before, pl.Int32)
    return coded.select(
        "person_index",
        agent="subgroup",
        coded_day=day_of("recorded_at"),
        lookback=lookback,
        lookahead=lookahead,
        oldest_years=pl.lit(oldest, pl.Int32),
    )


def _near(onsets: pl.LazyFrame, codes: pl.LazyFrame) -> pl.LazyFrame:
    """The codes whose window holds the onset."""
    is_young = (pl.col("age_years") <= pl.col("oldest_years")).fill_null(value=False)
    days = pl.col("onset_day") - pl.col("coded_day")
    near = (
        codes.join(onsets.select("onset_id", "person_index", "onset_day", "age_years"), on="person_index")
        .filter(pl.col("oldest_years").is_null() | is_young)
        .with_columns(days.alias("days_from_exposure"))
        .filter(pl.col("days_from_exposure") >= -pl.col("lookahead"))
        .filter((pl.col("days_from_exposure") <= pl.col("lookback")).fill_null(value=True))
    )
    return near.select(
        "onset_id",
        "cause_group",
        "agent",
        "evidence_number",
        pl.lit(value=True).alias("is_in_window"),
        "days_from_exposure",
        pl.lit(None, pl.Int32).alias("course_number"),
        pl.lit(value=False).alias("has_dechallenge"),
    ).select(COLUMNS)


def _leave_out(
    near: pl.LazyFrame, onsets: pl.LazyFrame, beside: Beside, whose: tuple[Cause, CodeEvidence]
) -> pl.LazyFrame:
    """Without the onsets where doses or results say otherwise."""
    cause, evidence = whose
    coded = near
    onset = onsets.select("onset_id", "person_index", "onset_day").join(coded, on="onset_id", how="semi")
    if (within_days := evidence.unless_dosed_within_days) is not None:
        given = [
            select_doses(beside.doses, drug).select("person_index", day="start_day") for drug in cause.drug_evidence
        ]
        coded = coded.join(_have(onset, pl.concat(given), within_days, within_days), on="onset_id", how="anti")
    if (contrary := evidence.unless_found) is not None:
        found = beside.contrary.select("person_index", "day")
        against = _have(onset, found, contrary.lookback_days, contrary.lookahead_days)
        coded = coded.join(against, on="onset_id", how="anti")
    return coded


def _have(onset: pl.LazyFrame, days: pl.LazyFrame, lookback_days: int, lookahead_days: int) -> pl.LazyFrame:
    """The onsets that have a day within so many days before and after."""
    own = days.join(onset.select("person_index").unique(), on="person_index", how="semi").unique().sort("day")
    until = onset.with_columns(until=pl.col("onset_day") + lookahead_days).sort("until")
    last = until.join_asof(own, left_on="until", right_on="day", by="person_index", check_sortedness=False)
    return last.filter(pl.col("day") >= pl.col("onset_day") - lookback_days)
