"""Which drugs may have caused an episode: each in its own window before the first low value.

Windows are whole days between calendar days, both ends included, so that extracts with and without clock times agree.
A drug that began before the first low value but lies outside its window is kept and marked, a drug that began after it
is no candidate. Obeys `definitions/causes` and the windows of the code lists.
"""

from collections.abc import Sequence

import polars as pl

from transforms.drug_choice import is_meant
from transforms.exposures import place
from transforms.model.causes import Cause, DrugEvidence

CANDIDATE = ("onset_id", "cause_group", "agent")
_BITS = {"evidence": 8, "days": 25, "course": 20}  # more than any of these numbers has
DOSE_COLUMNS = (
    "person_index",
    "drug",
    "cause_group",
    "subgroup",
    "is_cytotoxic",
    "is_dual_use",
    "has_malignancy",
    "onset_anchor",
    "onset_min_days",
    "onset_max_days",
    "tail_days",
    "risk",
    "course_number",
)
COLUMNS = (
    *CANDIDATE,
    "evidence_number",
    "is_in_window",
    "days_from_exposure",
    "course_number",
    "has_dechallenge",
)


def list_doses(onsets: pl.LazyFrame, recognised: pl.LazyFrame) -> pl.LazyFrame:
    """The doses of `recognised` that may be blamed for an onset: of drugs that may cause one, to people who have one.

    Adds `agent`, the drug, start_day and end_day (days since 1970), and `series`, a number for person and drug. In the
    order of `recognise_drugs`: by person, drug and start.
    """
    people = onsets.select("person_index").unique()
    doses = recognised.filter("may_cause").join(people, on="person_index", how="semi", maintain_order="left")
    days = (day_of(f"{end}ed_at").alias(f"{end}_day") for end in ("start", "end"))
    is_next = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in ("person_index", "drug"))
    series = is_next.fill_null(value=True).cum_sum()
    return doses.select(*DOSE_COLUMNS, *days, agent="drug", series=series)


def find_drug_candidates(onsets: pl.LazyFrame, doses: pl.LazyFrame, causes: Sequence[Cause]) -> pl.LazyFrame:
    """One row per onset, cause and drug, the best by window, then by time.

    `onsets` has onset_id, person_index, onset_day (days since 1970), `doses` is of `list_doses`. Columns: COLUMNS;
    course_number is the course that is blamed, has_dechallenge whether stopping the drug can be judged at all.
    """
    found = [
        _in_window(onsets, select_doses(doses, evidence), evidence).with_columns(
            cause_group=pl.lit(cause.id), evidence_number=pl.lit(number, pl.Int32)
        )
        for cause in causes
        for number, evidence in enumerate(cause.drug_evidence)
    ]
    return keep_best(pl.concat([frame.select(COLUMNS) for frame in found])) if found else no_candidates(onsets)


def select_doses(doses: pl.LazyFrame, evidence: DrugEvidence) -> pl.LazyFrame:
    """The doses of `list_doses` that a piece of evidence is about."""
    return doses.filter(is_meant(evidence))


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
    placed = found.with_columns(order=order).sort("order")
    return placed.unique(CANDIDATE, keep="first").select(COLUMNS)


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
    """An exposure over days counts with its last day that is early enough; of several exposures the latest such day."""
    earliest = pl.min_horizontal(pl.lit(earliest_days, pl.Int32), "onset_min_days")
    last = _find_last(onsets, doses, earliest=earliest, latest=latest).filter(pl.col("days") <= pl.col("latest"))
    return last.select(*_found(pl.col("days"), pl.lit(value=True), has_dechallenge=True))


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
    window = {"earliest": pl.lit(0, pl.Int32), "latest": pl.col("onset_max_days"), "least": pl.col("onset_min_days")}
    last = _find_last(onsets, doses, **window).filter(pl.col("days").is_between("least", "latest"))
    return last.select(*_found(pl.col("days"), pl.lit(value=True), has_dechallenge=False))


def _find_last(onsets: pl.LazyFrame, doses: pl.LazyFrame, earliest: pl.Expr, **window: pl.Expr) -> pl.LazyFrame:
    """Each onset, each drug that its person had begun `earliest` days before it, and the last such day on the drug.

    Columns: onset_id, agent, days (from that day to the onset), course_number, and `window`, what the drug says of it.
    """
    is_first = pl.col("series").ne_missing(pl.col("series").shift(1))
    drugs = doses.filter(is_first).select("series", "person_index", "agent", earliest=earliest, **window)
    last_possible = pl.col("onset_day") - pl.col("earliest")
    asked = (
        drugs.join(onsets.select("onset_id", "person_index", "onset_day"), on="person_index")
        .with_columns(last_possible=last_possible, at=place("series", last_possible))
        .sort("at")
    )
    # All doses up to that day in one running maximum: courses do not overlap, so it is of the last dose's course.
    at, reached = place("series", pl.col("start_day")), place("series", pl.col("end_day")).cum_max()
    begun = doses.select("course_number", begun="series", at=at, reached=reached - place("series", pl.lit(0)))
    found = asked.join_asof(begun, on="at").filter(pl.col("series") == pl.col("begun"))
    days = pl.col("onset_day") - pl.min_horizontal("reached", "last_possible")
    return found.select("onset_id", "agent", "course_number", *window, days=days)


def _found(days: pl.Expr, is_in_window: pl.Expr, *, has_dechallenge: bool) -> tuple[pl.Expr, ...]:
    return (
        pl.col("onset_id"),
        pl.col("agent"),
        is_in_window.alias("is_in_window"),
        days.cast(pl.Int32).alias("days_from_exposure"),
        pl.col("course_number"),
        pl.lit(has_dechallenge).alias("has_dechallenge"),
    )


def day_of(column: str) -> pl.Expr:
    """Days since 1970 of a time."""
    return pl.col(column).dt.date().to_physical()
