"""What happened after the drug: did the count come back when it was stopped, or while it went on?

Dechallenge is positive when a count at or above the definition's limit follows the stop within its days (and the first
low value), negative when counts were taken, none reached it and testing went on beyond, else unknown. A drug whose
course goes on after the recovery, with a dose shortly before it, was not stopped. Obeys `challenge` in the causes.
"""

import polars as pl

from transforms.candidates import COLUMNS
from transforms.model.causes import Challenge

DOSE_KEY = ("person_index", "agent", "course_number")


def judge_dechallenge(
    candidates: pl.LazyFrame, onsets: pl.LazyFrame, doses: pl.LazyFrame, anc: pl.LazyFrame, rule: Challenge
) -> pl.LazyFrame:
    """Add dechallenge (positive, negative, unknown), is_recovered_on_drug and is_reexposed to drug candidates.

    `candidates` has onset_id, agent, course_number; `onsets` has onset_id, person_index, onset_day, recovered_day;
    `anc` has the counts of their people.
    """
    blamed = candidates.join(onsets, on="onset_id")
    stops = _find_stops(blamed, _running_doses(doses, blamed).collect().lazy(), rule)
    from_day = pl.max_horizontal("stop_day", pl.col("onset_day") + 1)
    dated = stops.with_columns(from_day.alias("from_day"), (pl.col("stop_day") + rule.within_days).alias("until_day"))
    counts = anc.select(
        "person_index",
        pl.col("collected_at").dt.date().to_physical().alias("count_day"),
        (pl.col("lower_cells_per_ul") >= rule.recovered_at_or_above_cells_per_ul).alias("is_recovered"),
    ).drop_nulls()
    followed = _first_after(
        _first_after(dated, counts.filter("is_recovered"), "recovered_count_day"), counts, "any_day"
    )
    last = counts.group_by("person_index").agg(pl.col("count_day").max().alias("last_count_day"))
    is_back = (pl.col("recovered_count_day") <= pl.col("until_day")).fill_null(value=False)
    is_followed = (pl.col("any_day") <= pl.col("until_day")) & (pl.col("last_count_day") > pl.col("until_day"))
    dechallenge = (
        pl.when(~pl.col("has_dechallenge") | pl.col("is_recovered_on_drug"))
        .then(pl.lit("unknown"))
        .when(is_back)
        .then(pl.lit("positive"))
        .when(is_followed)
        .then(pl.lit("negative"))
        .otherwise(pl.lit("unknown"))
    )
    is_reexposed = (pl.col("last_course_day") > pl.col("onset_day")) & (
        pl.col("last_count_day") > pl.col("last_course_day")
    )
    judged = followed.join(last, on="person_index", how="left").with_columns(
        dechallenge.alias("dechallenge"), is_reexposed.fill_null(value=False).alias("is_reexposed")
    )
    return judged.select(*COLUMNS, "dechallenge", "is_recovered_on_drug", "is_reexposed")


def _running_doses(doses: pl.LazyFrame, blamed: pl.LazyFrame) -> pl.LazyFrame:
    """Doses of blamed drugs with the latest end so far in their course, and the end of all of it, days since 1970."""
    own = doses.join(blamed, on=DOSE_KEY[:2], how="semi").select(*DOSE_KEY, "start_day", "end_day")
    ordered = own.unique().sort(*DOSE_KEY, "start_day", "end_day")
    return ordered.with_columns(
        pl.col("end_day").cum_max().over(DOSE_KEY).alias("end_so_far"),
        pl.col("end_day").max().over(DOSE_KEY).alias("course_end_day"),
    ).drop("end_day")


def _find_stops(dated: pl.LazyFrame, doses: pl.LazyFrame, rule: Challenge) -> pl.LazyFrame:
    """Add stop_day (the last dose up to the recovery, or of the course) and is_recovered_on_drug."""
    ends = doses.group_by(DOSE_KEY).agg(pl.col("course_end_day").first(), pl.col("start_day").min().alias("course_day"))
    person_drug = DOSE_KEY[:2]
    latest = ends.group_by(person_drug).agg(pl.col("course_day").max().alias("last_course_day"))
    courses = ends.join(latest, on=person_drug).drop("course_day")
    known = dated.join(courses, on=DOSE_KEY, how="left").with_columns(
        pl.coalesce("recovered_day", "course_end_day").alias("seen_until_day")
    )
    last = known.sort("seen_until_day").join_asof(
        doses.drop("course_end_day").sort("start_day"),
        left_on="seen_until_day",
        right_on="start_day",
        by=DOSE_KEY,
        strategy="backward",
        check_sortedness=False,
    )
    last_dose = pl.min_horizontal("end_so_far", "seen_until_day")
    goes_on = (pl.col("course_end_day") > pl.col("recovered_day")) & (
        pl.col("recovered_day") - last_dose <= rule.is_continued_within_days
    )
    is_on_drug = (pl.col("has_dechallenge") & goes_on).fill_null(value=False)
    return last.with_columns(last_dose.alias("stop_day"), is_on_drug.alias("is_recovered_on_drug"))


def _first_after(dated: pl.LazyFrame, counts: pl.LazyFrame, name: str) -> pl.LazyFrame:
    days = counts.select("person_index", pl.col("count_day").alias(name)).unique().sort(name)
    return dated.sort("from_day").join_asof(
        days,
        left_on="from_day",
        right_on=name,
        by="person_index",
        strategy="forward",
        coalesce=False,
        check_sortedness=False,
    )
