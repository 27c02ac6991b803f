"""Cycles, courses of drugs and months of low counts of a drawn hospital, from the same people and tests as the rest.

A cycle or course has the tests of its own days, so whoever is low in one is low; a drug that an episode is put down to
was given to its person.
"""

import polars as pl

from tests.disclosure.drawn_calendar import as_date, as_time

REGIMENS = {"doxorubicin": "ac", "docetaxel": "docetaxel", "clozapine": "folfox", "": "cisplatin"}
CYTOTOXICS = ("doxorubicin", "docetaxel")
STATUSES = ("counted", "not_near_daily", "not_recovered", "undecided")
CYCLE_DAYS, COURSE_DAYS, CHRONIC_DAYS, CHRONIC_LOWS = 21, 30, 40, 3
Frame = pl.DataFrame


def draw_treatments(people: Frame, tests: Frame, thresholds: tuple[int, ...]) -> dict[str, Frame]:
    """`cycle`, `chronic` and `drug_block`, as the counts read them."""
    return {
        "cycle": _draw_cycles(people, tests),
        "chronic": pl.concat([_draw_tracks(tests, threshold) for threshold in thresholds]),
        "drug_block": _draw_courses(people),
    }


def _starts(people: Frame, every_days: int) -> Frame:
    """A row for each stretch of so many days from coming to leaving: number, first, last."""
    starts = pl.int_ranges("came", pl.col("left") + 1, every_days)
    rows = people.with_columns(first=starts).explode("first")
    return rows.with_columns(
        number=pl.int_range(pl.len()).over("person_index").cast(pl.Int32) + 1,
        last=pl.min_horizontal(pl.col("first") + every_days - 1, "left"),
    )


def _draw_cycles(people: Frame, tests: Frame) -> Frame:
    cycles = _starts(people.filter("is_chemotherapy"), CYCLE_DAYS).select(
        "person_index", "number", "first", "last", regimen=pl.col("agent").replace_strict(REGIMENS)
    )
    inside = cycles.join(tests, on="person_index").filter(pl.col("day").is_between("first", "last"))
    found = inside.group_by("person_index", "number").agg(
        n_tests=pl.len().cast(pl.Int64),
        nadir_cells_per_ul=pl.col("count").filter(~pl.col("is_bound")).min(),
        nadir_day=pl.col("day").sort_by("count", "day").first(),
    )
    rows = cycles.join(found, on=["person_index", "number"], how="left")
    kind = (pl.col("person_index") + pl.col("number")) % len(STATUSES)
    status = pl.lit(STATUSES[0])
    for place, name in enumerate(STATUSES):
        status = pl.when(kind == place).then(pl.lit(name)).otherwise(status)
    is_tested = pl.col("n_tests").is_not_null()
    rows = rows.with_columns(severe_status=pl.when(is_tested).then(status).otherwise(pl.lit("no_tests")))
    return rows.select(
        "person_index",
        "regimen",
        pl.col("n_tests").fill_null(0),
        "nadir_cells_per_ul",
        "severe_status",
        started_on=as_date("first"),
        nadir_day=(pl.col("nadir_day") - pl.col("first")).cast(pl.Int32),
        severe_days=pl.when(pl.col("severe_status") == STATUSES[0]).then(pl.col("number") % 9),
    )


def _draw_tracks(tests: Frame, threshold: int) -> Frame:
    lows = tests.filter(~pl.col("is_bound"), pl.col("count") < threshold)
    tracks = (
        lows.group_by("person_index")
        .agg(first=pl.col("day").min(), last=pl.col("day").max(), n=pl.len())
        .filter(pl.col("n") >= CHRONIC_LOWS, pl.col("last") - pl.col("first") >= CHRONIC_DAYS)
    )
    return tracks.select(
        "person_index",
        rule=pl.lit("chronic"),
        threshold_cells_per_ul=pl.lit(threshold, pl.Int64),
        first_low_at=as_time("first"),
        last_low_at=as_time("last"),
        recovery_by=pl.when(pl.col("person_index") % 3 == 0).then(as_time("last")),
    )


def _draw_courses(people: Frame) -> Frame:
    """Courses one after the other, so that every episode begins in one of each drug that its person had."""
    rows = _starts(people.filter(pl.col("agent") != ""), COURSE_DAYS).with_columns(drug="agent")
    is_cytotoxic = pl.col("drug").is_in(CYTOTOXICS)
    return rows.select(
        "person_index",
        "drug",
        course_number="number",
        drug_class=pl.when(is_cytotoxic).then(pl.lit("cytotoxic")).otherwise(pl.lit("other")),
        anchor=pl.when(is_cytotoxic).then(pl.lit("each_dose")).otherwise(pl.lit("course_start")),
        started_on=as_date("first"),
        ended_on=as_date("last"),
        course_started_on=as_date("first"),
        window_from_on=as_date("first"),
        window_until_on=as_date("last"),
        onset_min_days=pl.lit(1, pl.Int32),
        onset_max_days=pl.lit(COURSE_DAYS, pl.Int32),
    ).sort("person_index", "drug", "course_number")
