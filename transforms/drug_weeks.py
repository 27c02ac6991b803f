"""Tested weeks and first episodes before, in and after the window of a drug, for the self-controlled ratio.

Weeks are counted from the start of a person's first course. A week counts where it holds a test, up to that of the
person's first episode; who had one whose start was not seen is left out, because nothing says when they were not low.
The periods of a week: `pre_exposure`, just before the start; `around_start`, few days on either side of it; `risk`, the
drug's own window, from the start of the course whether or not it is stopped; `reference`, all others, save those
between the end of the window and some time after the course, and from the next course on. Cytotoxic windows count
nowhere. Obeys `ratio` in `definitions/after_drugs`.
"""

import polars as pl

from transforms.drug_blocks import PERSON_DRUG
from transforms.drug_counts import DRUG, Drugs
from transforms.frames import shape
from transforms.model.drugs import DrugRules, RatioRule

RISK, REFERENCE, PRE_EXPOSURE, AROUND_START = "risk", "reference", "pre_exposure", "around_start"
ON_DRUG, EVERYBODY = "on_drug", "everybody"
ALL_DRUGS = ""
_WEEK = ("person_index", "week")


def count_weeks(given: Drugs, rules: DrugRules) -> pl.DataFrame:
    """`counts.drug_week`: people, tested weeks and first episodes of each drug and period, and of everybody."""
    wanted = rules.ratio
    at_risk = _days_at_risk(given, wanted)
    return shape(_count_weeks(at_risk, wanted, _first_courses(given, wanted)), "counts.drug_week")


def _days_at_risk(given: Drugs, wanted: RatioRule) -> pl.DataFrame:
    """Test days up to the person's first episode, outside cytotoxic windows, and whether it began on the day."""
    own = given.episodes.filter(pl.col("threshold_cells_per_ul") == wanted.threshold_cells_per_ul)
    is_first = pl.col("started") == pl.col("started").min()
    first = own.group_by("person_index").agg(
        pl.col("started").min(), is_incident=pl.col("is_incident").filter(is_first).all()
    )
    days = given.tests.select("person_index", "day").join(first, on="person_index", how="left")
    is_open = pl.col("started").is_null() | ((pl.col("day") <= pl.col("started")) & pl.col("is_incident"))
    kept = days.filter(is_open).select(
        "person_index", "day", is_episode=(pl.col("day") == pl.col("started")).fill_null(value=False)
    )
    return _outside_other_classes(kept, given, wanted)


def _outside_other_classes(days: pl.DataFrame, given: Drugs, wanted: RatioRule) -> pl.DataFrame:
    """Days that lie in no window of a drug of which no ratio is made."""
    windows = (
        given.courses.filter(~pl.col("drug_class").is_in(wanted.classes))
        .group_by("person_index", "course_started")  # of drugs given on one day the longest window
        .agg(latest=pl.col("window_until").max())
        .sort("course_started", "person_index")
        .with_columns(pl.col("latest").cum_max().over("person_index"))
    )
    held = days.sort("day").join_asof(
        windows.select("person_index", "course_started", "latest"),
        left_on="day",
        right_on="course_started",
        by="person_index",
        strategy="backward",
        check_sortedness=False,
    )
    return held.filter((pl.col("day") > pl.col("latest")).fill_null(value=True)).select(days.columns)


def _first_courses(given: Drugs, wanted: RatioRule) -> pl.DataFrame:
    """The first course of each person and drug, with the window fixed from its start and where the next one begins."""
    courses = given.blocks.filter(pl.col("drug_class").is_in(wanted.classes)).group_by(*PERSON_DRUG, "course_number")
    whole = courses.agg(
        pl.col("drug_class", "course_started", "onset_min_days", "onset_max_days").first(),
        course_ended=pl.col("ended").max(),
    ).sort(*PERSON_DRUG, "course_started")
    first = whole.group_by(PERSON_DRUG, maintain_order=True).agg(
        pl.col("drug_class", "course_started", "course_ended", "onset_min_days", "onset_max_days").first(),
        next_started=pl.col("course_started").slice(1, 1).first(),
    )
    return first.with_columns(
        risk_from=pl.col("onset_min_days"),
        risk_until=pl.min_horizontal("onset_max_days", pl.lit(wanted.risk_days_at_most, pl.Int32)),
    )


def _count_weeks(at_risk: pl.DataFrame, wanted: RatioRule, first: pl.DataFrame) -> pl.DataFrame:
    known = ("course_started", "course_ended", "risk_from", "risk_until", "next_started")
    joined = first.select(*PERSON_DRUG, "drug_class", *known).join(at_risk, on="person_index")
    since = pl.col("day") - pl.col("course_started")
    placed = joined.filter((pl.col("day") < pl.col("next_started")).fill_null(value=True)).with_columns(
        week=since // wanted.week_days, period=_period(since, wanted)
    )
    is_on = (since >= 0) & (pl.col("day") <= pl.col("course_ended"))
    is_around = since.is_between(*wanted.around_start_days)
    parts = [
        placed.filter(pl.col("period").is_not_null()),
        placed.filter(is_on).with_columns(period=pl.lit(ON_DRUG)),
        placed.filter(is_around).with_columns(period=pl.lit(AROUND_START)),
    ]
    week = ["person_index", *DRUG, "period", "week"]
    weeks = pl.concat([part.select(*week, "is_episode") for part in parts])
    weeks = weeks.group_by(week).agg(pl.col("is_episode").any())
    numbers = {
        "n_people": pl.col("person_index").n_unique(),
        "n_weeks": pl.len(),
        "n_episodes": pl.col("is_episode").sum(),
    }
    counted = weeks.group_by([*DRUG, "period"]).agg(**numbers).with_columns(pl.col(DRUG).cast(pl.String))
    every = at_risk.group_by("person_index", week=pl.col("day") // wanted.week_days).agg(pl.col("is_episode").any())
    names = {"drug": pl.lit(ALL_DRUGS), "drug_class": pl.lit(ALL_DRUGS), "period": pl.lit(EVERYBODY)}
    everybody = every.select(**names, **numbers).filter(pl.col("n_weeks") > 0)
    return pl.concat([counted, everybody.select(counted.columns)])


def _period(since: pl.Expr, wanted: RatioRule) -> pl.Expr:
    """The period of a day; null for one that is neither at risk nor compared."""
    after = pl.max_horizontal(
        pl.col("course_ended") - pl.col("course_started") + wanted.reference_after_days, pl.col("risk_until")
    )
    return (
        pl.when(since.is_between(-wanted.pre_exposure_days, -1))
        .then(pl.lit(PRE_EXPOSURE))
        .when(since.is_between("risk_from", "risk_until"))
        .then(pl.lit(RISK))
        .when((since < -wanted.pre_exposure_days) | (since > after))
        .then(pl.lit(REFERENCE))
    )
