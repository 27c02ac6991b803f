"""What follows a drug, as counts: courses with an episode, times to and from it, and ANC by day since the dose.

Courses count where their window holds a count; an episode belongs to every course whose window holds its first low
value. For the interval of a share, sums of squares over people are counted too: they add up as people do. On the curve
a person counts once a day, after the first block or course after which they were tested on it, by their lowest count.
Obeys `definitions/after_drugs`.
"""

from dataclasses import dataclass

import polars as pl

from transforms.drug_blocks import COURSE, PERSON_DRUG
from transforms.frames import shape
from transforms.model.drugs import DrugRules
from transforms.model.estimation import Plan

ONSET, RECOVERY = "onset", "recovery"
DRUG = ("drug", "drug_class")
_EPISODE = ("person_index", "threshold_cells_per_ul", "started", "ended")
_ABOVE = 2**40  # no count is as high, so that with the day before it in one number the earliest is the least
_RECOVERED = ("recovered", "recovered_unconfirmed")


@dataclass(frozen=True)
class Drugs:
    """Blocks of doses (days since 1970) with the test days and confirmed episodes of the people who got them.

    `blocks`: person_index, drug, drug_class, anchor, course_number, started, ended, course_started, window_from,
    window_until, onset_min_days, onset_max_days. `tests`: person_index, day, lowest_cells_per_ul. `episodes`:
    person_index, threshold_cells_per_ul, started, ended (null: no recovery seen), is_incident.
    """

    blocks: pl.DataFrame
    tests: pl.DataFrame
    episodes: pl.DataFrame

    @property
    def courses(self) -> pl.DataFrame:
        """One row a course, with its window."""
        return self.blocks.unique(COURSE, keep="first", maintain_order=True)


def read_drugs_given(drug_block: pl.LazyFrame, test_days: pl.DataFrame, episodes: pl.DataFrame, plan: Plan) -> Drugs:
    """What the counts of drugs are made of. `test_days` and `episodes` are those of all people."""
    dates = ("started_on", "ended_on", "course_started_on", "window_from_on", "window_until_on")
    texts = ("drug", "drug_class", "anchor")
    read = drug_block.select(
        *COURSE,
        "drug_class",
        "anchor",
        "onset_min_days",
        "onset_max_days",
        *[pl.col(name).cast(pl.Date).cast(pl.Int32).alias(name.removesuffix("_on")) for name in dates],
    ).collect()
    # An Enum sorts as its text does, and costs as much as a number.
    blocks = read.with_columns(pl.col(name).cast(pl.Enum(read[name].unique().sort())) for name in texts)
    blocks = blocks.sort(*COURSE, "started")
    tests = test_days.filter(pl.col("n_tests") > 0, pl.col("day").is_not_null(), pl.col("lowest_cells_per_ul") >= 0)
    is_seen = pl.col("ended_as").is_in(_RECOVERED)
    confirmed = episodes.filter(pl.col("is_confirmed"), pl.col("rule") == plan.estimation.default_rule)
    return Drugs(
        blocks,
        tests.select("person_index", "day", "lowest_cells_per_ul"),
        confirmed.select(*_EPISODE[:3], pl.when(is_seen).then("ended").alias("ended"), "is_incident").filter(
            pl.col("started").is_not_null()
        ),
    )


def count_courses(given: Drugs, plan: Plan) -> pl.DataFrame:
    """`counts.drug`: people and courses of each drug, with and without an episode at each threshold."""
    key = [*PERSON_DRUG, "drug_class"]
    people = given.courses.group_by(key).agg(n_courses=pl.len().cast(pl.Int64))
    tested = _tested_courses(given).group_by(key).agg(m=pl.len().cast(pl.Int64))
    affected = (
        _affected(given).unique([*COURSE, "threshold_cells_per_ul"]).group_by([*key, "threshold_cells_per_ul"])
    ).agg(x=pl.len().cast(pl.Int64))
    every = people.join(_thresholds(plan), how="cross").join(tested, on=key, how="left")
    joined = every.join(affected, on=[*key, "threshold_cells_per_ul"], how="left").with_columns(
        pl.col("m", "x").fill_null(0)
    )
    m, x = pl.col("m"), pl.col("x")
    counted = joined.group_by([*DRUG, "threshold_cells_per_ul"]).agg(
        n_people=pl.len(),
        n_courses=pl.col("n_courses").sum(),
        n_tested=m.sum(),
        n_affected=x.sum(),
        n_people_tested=(m > 0).sum(),
        n_people_affected=(x > 0).sum(),
        n_tested_squared=(m * m).sum(),
        n_affected_squared=(x * x).sum(),
        n_tested_affected=(m * x).sum(),
    )
    return shape(counted, "counts.drug")


def count_times(given: Drugs) -> pl.DataFrame:
    """`counts.drug_time`: episodes by days from the drug to the first low value, and from there to recovery."""
    found = _affected(given)
    dosed = given.blocks.with_columns(at=_anchor_day()).select(*PERSON_DRUG, "at").sort("at")
    latest = found.sort("started").join_asof(
        dosed, left_on="started", right_on="at", by=list(PERSON_DRUG), strategy="backward", check_sortedness=False
    )
    from_day = (
        pl.when(pl.col("anchor") == "course_start")
        .then("course_started")
        .otherwise(pl.coalesce("at", "course_started"))
    )
    timed = latest.with_columns(onset=pl.col("started") - from_day, recovery=pl.col("ended") - pl.col("started"))
    key = [*DRUG, "threshold_cells_per_ul"]
    parts = [
        timed.group_by([*key, pl.col(name).cast(pl.Int64).alias("days")])
        .agg(n_episodes=pl.len())
        .with_columns(measure=pl.lit(name))
        for name in (ONSET, RECOVERY)
    ]
    return shape(pl.concat(parts), "counts.drug_time")


def count_drug_days(given: Drugs, rules: DrugRules) -> pl.DataFrame:
    """`counts.drug_day`: people by day since the dose and the bin of their lowest count of that day."""
    parts = [_since(given, anchor, rules) for anchor in rules.curve]
    once = (
        pl.concat(parts)
        .group_by(*PERSON_DRUG, "drug_class", "anchor", "day", "day_until")
        .agg(least=(pl.col("at").cast(pl.Int64) * _ABOVE + pl.col("lowest_cells_per_ul").cast(pl.Int64)).min())
        .with_columns(lowest_cells_per_ul=pl.col("least") % _ABOVE)
    )
    edges = pl.DataFrame({"edge": rules.bins_cells_per_ul}, schema={"edge": pl.Int64})
    binned = (
        once.with_columns(edge="lowest_cells_per_ul")
        .sort("edge")
        .join_asof(edges.with_columns(bin_lower_cells_per_ul="edge"), on="edge")
    )
    key = [*DRUG, "anchor", "day", "day_until", "bin_lower_cells_per_ul"]
    return shape(binned.group_by(key).agg(n_people=pl.len()), "counts.drug_day")


def _thresholds(plan: Plan) -> pl.DataFrame:
    rule = plan.estimation.default_rule
    found = [cut.threshold_cells_per_ul for cut in plan.cuts if cut.rule == rule]
    return pl.DataFrame({"threshold_cells_per_ul": found}, schema={"threshold_cells_per_ul": pl.Int64})


def _tested_courses(given: Drugs) -> pl.DataFrame:
    """Courses whose window holds a test day."""
    first_test = given.courses.sort("window_from").join_asof(
        given.tests.select("person_index", "day").sort("day"),
        left_on="window_from",
        right_on="day",
        by="person_index",
        strategy="forward",
        check_sortedness=False,
    )
    return first_test.filter(pl.col("day") <= pl.col("window_until"))


def _affected(given: Drugs) -> pl.DataFrame:
    """Every course with every episode that began in its window."""
    joined = given.courses.rename({"started": "block_started", "ended": "block_ended"}).join(
        given.episodes.drop("is_incident"), on="person_index"
    )
    return joined.filter(pl.col("started").is_between("window_from", "window_until"))


def _anchor_day() -> pl.Expr:
    """The day from which days are counted: the start of a block or course, the end of a block that acts late."""
    return (
        pl.when(pl.col("anchor") == "last_dose")
        .then("ended")
        .when(pl.col("anchor") == "course_start")
        .then("course_started")
        .otherwise("started")
    )


def _since(given: Drugs, anchor: str, rules: DrugRules) -> pl.DataFrame:
    """Every test with the days since the latest dose before it, or to the next one where days before are wanted."""
    wanted = rules.curve[anchor]  # type: ignore[index]
    dosed = (
        given.blocks.filter(pl.col("anchor") == anchor)
        .select(*PERSON_DRUG, "drug_class", "anchor", at=_anchor_day())
        .unique()
        .sort("at")
    )
    pairs = dosed.select(PERSON_DRUG).unique().join(given.tests, on="person_index").sort("day")
    both = {"left_on": "day", "right_on": "at", "by": list(PERSON_DRUG), "coalesce": False, "check_sortedness": False}
    after = pairs.join_asof(dosed, strategy="backward", **both)  # type: ignore[arg-type]
    since = pl.col("day") - pl.col("at")
    kept = [after.filter(since.is_between(max(0, wanted.from_days), wanted.until_days))]
    if wanted.from_days < 0:
        rest = after.filter((since > wanted.until_days).fill_null(value=True)).select(pairs.columns)
        before = rest.join_asof(dosed, strategy="forward", **both)  # type: ignore[arg-type]
        kept.append(before.filter(since.is_between(wanted.from_days, -1)))
    step = (since - wanted.from_days) // wanted.step_days * wanted.step_days + wanted.from_days
    return pl.concat(kept).select(
        *PERSON_DRUG,
        "drug_class",
        "anchor",
        "at",
        "lowest_cells_per_ul",
        day=step.cast(pl.Int64),
        day_until=(step + wanted.step_days - 1).cast(pl.Int64),
    )
