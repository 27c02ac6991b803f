"""Which drugs and diagnoses may have caused an episode: each in its own window before (or shortly after) the first low.

Windows are whole days between calendar days, both ends included, so that extracts with and without clock times agree.
A drug that began before the first low value but lies outside its window is kept and marked, a drug that began after it
is no candidate. Obeys `definitions/causes` and the windows of the code lists.
"""

from collections.abc import Sequence

import polars as pl

from transforms.diagnoses import recognise_conditions
from transforms.drug_choice import is_meant
from transforms.model.causes import Cause, CodeEvidence, DrugEvidence

CANDIDATE = ("onset_id", "cause_group", "agent")
_BITS = {"evidence": 8, "days": 25, "course": 20}  # more than any of these numbers has
COLUMNS = (
    *CANDIDATE,
    "evidence_number",
    "is_in_window",
    "days_from_exposure",
    "course_number",
    "has_dechallenge",
)


def find_drug_candidates(onsets: pl.LazyFrame, recognised: pl.LazyFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """One row per onset, cause and drug, the best by window, then by time.

    `onsets` has onset_id, person_index, onset_day (days since 1970). Columns: COLUMNS; course_number is the course of
    `recognised` that is blamed, has_dechallenge whether stopping the drug can be judged at all.
    """
    doses = recognised.filter("may_cause").with_columns(
        _day("started_at").alias("start_day"), _day("ended_at").alias("end_day")
    )
    found = [
        _in_window(onsets, _select(doses, evidence), evidence).with_columns(
            cause_group=pl.lit(cause.id), evidence_number=pl.lit(number, pl.Int32)
        )
        for cause in causes
        for number, evidence in enumerate(cause.drug_evidence)
    ]
    return keep_best(pl.concat([frame.select(COLUMNS) for frame in found])) if found else no_candidates(onsets)


def find_code_candidates(
    onsets: pl.LazyFrame, diagnosis: pl.LazyFrame, conditions: pl.DataFrame, causes: Sequence[Cause]
) -> pl.LazyFrame:
    """One row per onset, cause and subgroup of condition, the code nearest to the onset; columns: COLUMNS.

    `onsets` has age_years beside, null where it is not known.
    """
    listed = recognise_conditions(diagnosis, conditions)
    found = []
    for cause in causes:
        first = len(cause.drug_evidence)
        for number, evidence in enumerate(cause.code_evidence, first):
            coded = _coded(listed, diagnosis, evidence, cause.id)
            near = _near(onsets, coded, evidence)
            found.append(near.with_columns(cause_group=pl.lit(cause.id), evidence_number=pl.lit(number, pl.Int32)))
    return keep_best(pl.concat([frame.select(COLUMNS) for frame in found])) if found else no_candidates(onsets)


def keep_best(found: pl.LazyFrame) -> pl.LazyFrame:
    """The best row of each onset, cause and agent: in its window, the first evidence that fits, the nearest."""
    days = pl.col("days_from_exposure").cast(pl.Int64)
    parts = {
        "evidence": pl.col("evidence_number").cast(pl.Int64),
        "days": days.abs() * 2 + (days < 0).cast(pl.Int64),
        "course": pl.col("course_number").fill_null(0).cast(pl.Int64),
    }
    # One number to order by instead of four columns: a third of the time.
    order = (~pl.col("is_in_window")).cast(pl.Int64)
    for name, part in parts.items():
        order = order * 2 ** _BITS[name] + part
    placed = found.with_columns(order=order)
    best = placed.filter(pl.col("order") == pl.col("order").min().over(CANDIDATE))
    return best.unique(CANDIDATE, keep="any").select(COLUMNS)


def no_candidates(onsets: pl.LazyFrame) -> pl.LazyFrame:
    """No rows, with COLUMNS."""
    return onsets.head(0).select(
        "onset_id",
        pl.lit("").alias("cause_group"),
        pl.lit("").alias("agent"),
        pl.lit(0, pl.Int32).alias("evidence_number"),
        pl.lit(value=True).alias("is_in_window"),
        pl.lit(0, pl.Int32).alias("days_from_exposure"),
        pl.lit(None, pl.Int32).alias("course_number"),
        pl.lit(value=False).alias("has_dechallenge"),
    )


def _select(doses: pl.LazyFrame, evidence: DrugEvidence) -> pl.LazyFrame:
    return doses.filter(is_meant(evidence)).rename({"drug": "agent"})


def _in_window(onsets: pl.LazyFrame, doses: pl.LazyFrame, evidence: DrugEvidence) -> pl.LazyFrame:
    latest = pl.col("onset_max_days") + evidence.beyond_max_days
    if evidence.window == "any_dose":
        return _after_any_dose(onsets, doses, evidence.earliest_after_dose_days, latest)
    tail = pl.col("tail_days").fill_null(evidence.default_tail_days)
    anchored = {anchor: doses.filter(pl.col("onset_anchor") == anchor) for anchor in ("each_dose", "last_dose")}
    each = pl.coalesce("tail_days", latest)
    windows = [
        _after_any_dose(onsets, anchored["each_dose"], evidence.earliest_after_dose_days, each),
        _in_course(onsets, doses.filter(pl.col("onset_anchor") == "course_start"), tail),
        _after_last_dose(onsets, anchored["last_dose"]),
    ]
    return pl.concat(windows)


def _after_any_dose(onsets: pl.LazyFrame, doses: pl.LazyFrame, earliest_days: int, latest: pl.Expr) -> pl.LazyFrame:
    """An exposure over days counts with its last day that is early enough."""
    windows = doses.select(
        "person_index",
        "agent",
        "start_day",
        "end_day",
        "course_number",
        pl.min_horizontal(pl.lit(earliest_days, pl.Int32), "onset_min_days").alias("earliest"),
        latest.alias("latest"),
    ).unique()
    last_possible = pl.col("onset_day") - pl.col("earliest")
    joined = windows.join(onsets.select("onset_id", "person_index", "onset_day"), on="person_index").filter(
        (pl.col("start_day") <= last_possible) & (pl.col("end_day") >= pl.col("onset_day") - pl.col("latest"))
    )
    days = pl.col("onset_day") - pl.min_horizontal("end_day", last_possible)
    return joined.select(*_found(days, pl.lit(value=True), has_dechallenge=True))


def _in_course(onsets: pl.LazyFrame, doses: pl.LazyFrame, tail: pl.Expr) -> pl.LazyFrame:
    """On the drug or in its tail; outside the drug's window the candidate is kept, marked."""
    course = doses.group_by("person_index", "agent", "course_number").agg(
        pl.col("start_day").min(),
        pl.col("end_day").max(),
        pl.col("onset_min_days", "onset_max_days").first(),
        tail.first().alias("tail"),
    )
    joined = course.join(onsets.select("onset_id", "person_index", "onset_day"), on="person_index").filter(
        (pl.col("start_day") <= pl.col("onset_day")) & (pl.col("onset_day") <= pl.col("end_day") + pl.col("tail"))
    )
    days = pl.col("onset_day") - pl.col("start_day")
    return joined.select(*_found(days, days.is_between("onset_min_days", "onset_max_days"), has_dechallenge=True))


def _after_last_dose(onsets: pl.LazyFrame, doses: pl.LazyFrame) -> pl.LazyFrame:
    """Only the last dose before the onset counts; late onset has no dechallenge."""
    columns = ("person_index", "agent", "start_day", "end_day", "course_number", "onset_min_days", "onset_max_days")
    days = pl.col("onset_day") - pl.min_horizontal("end_day", "onset_day")
    last = (
        doses.select(columns)
        .unique()
        .join(onsets.select("onset_id", "person_index", "onset_day"), on="person_index")
        .filter(pl.col("start_day") <= pl.col("onset_day"))
        .with_columns(days.alias("days"))
        .filter(pl.col("days") <= pl.col("onset_max_days"))
        .sort("onset_id", "agent", "days", "course_number")
        .group_by("onset_id", "agent")
        .agg(pl.col("days", "course_number", "onset_min_days").first())
        .filter(pl.col("days") >= pl.col("onset_min_days"))
    )
    return last.select(*_found(pl.col("days"), pl.lit(value=True), has_dechallenge=False))


def _found(days: pl.Expr, is_in_window: pl.Expr, *, has_dechallenge: bool) -> tuple[pl.Expr, ...]:
    return (
        pl.col("onset_id"),
        pl.col("agent"),
        is_in_window.alias("is_in_window"),
        days.cast(pl.Int32).alias("days_from_exposure"),
        pl.col("course_number"),
        pl.lit(has_dechallenge).alias("has_dechallenge"),
    )


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
        _day("recorded_at").alias("coded_day"),
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


def _day(column: str) -> pl.Expr:
    return pl.col(column).dt.date().to_physical()
