"""The share of people with a first new episode by a day, where death competes, from counts of times.

People are followed from their first value in the cohort that is not low, as long as values lie no further apart than
the washout of incidence and they are in the cohort. It ends with the first new confirmed episode of the default rule,
with death, or with being followed no longer. Low values that do not become an episode end nothing. Times are counted
in steps of days, each at its end, so that counts of hospitals stay small. Obeys `definitions/estimation`.

Before anybody has had one the upper limit is the exact one of none among those who are still followed.

Source: Aalen and Johansen 1978 (`competing.py`); who dies without an episode will never have one.
"""

import polars as pl

from transforms.competing import aalen_johansen
from transforms.frames import empty, shape
from transforms.model.estimation import Plan
from transforms.person_time import Stays
from transforms.risk_time import RiskTime, cut_spans

TABLE = "counts.first_onset"
EPISODE, DIED, LEFT = "episode", "died", "left"
_WHOM = ["person_index", "threshold_cells_per_ul"]
_DAYS = 2**40  # more than there are days between the ends of any two stays
_GROUP = ["cohort", "rule", "threshold_cells_per_ul"]
_REACHED = {
    "cumulative_share": "not_recovered",
    "cumulative_lo": "not_recovered_hi",
    "cumulative_hi": "not_recovered_lo",
}


def count_onsets(stays: Stays, time: RiskTime, deaths: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`counts.first_onset` of cohorts. `deaths`: person_index and died, in days since 1970."""
    wanted = plan.estimation.incidence
    followed = _follow(cut_spans(time.runs, stays), wanted.washout_days)
    if followed.is_empty():
        return empty(TABLE)
    new = stays.of_members(time.new.filter(pl.col("rule") == plan.estimation.default_rule)).drop("cohort")
    inside = new.join(followed, on=_WHOM).filter(pl.col("day").is_between("from_day", "to_day"))
    first = inside.group_by(_WHOM).agg(began=pl.col("day").min())
    known = followed.join(first, on=_WHOM, how="left").join(
        stays.of_members(deaths).drop("cohort"), on="person_index", how="left"
    )
    died = pl.when(pl.col("died").is_between(pl.col("from_day") - 1, "to_day")).then("died")
    end = pl.coalesce("began", died, "to_day")
    has_died = pl.when(died.is_not_null()).then(pl.lit(DIED)).otherwise(pl.lit(LEFT))
    ended_as = pl.when(pl.col("began").is_not_null()).then(pl.lit(EPISODE)).otherwise(has_died)
    step, last = wanted.step_days, wanted.curve_days[-1]
    day = (end - pl.col("from_day") + 1).clip(lower_bound=0)
    rounded = (day + step - 1) // step * step
    is_late = rounded > last
    counted = known.select(
        "cohort",
        "threshold_cells_per_ul",
        rule=pl.lit(plan.estimation.default_rule),
        ended_as=pl.when(is_late).then(pl.lit(LEFT)).otherwise(ended_as),
        day=pl.when(is_late).then(last + step).otherwise(rounded).cast(pl.Int64),
    )
    rows = counted.group_by(*_GROUP, "ended_as", "day").agg(n_people=pl.len().cast(pl.Int64))
    return shape(rows, TABLE)


def read_deaths(person: pl.LazyFrame) -> pl.DataFrame:
    """person_index and died, in days since 1970, of those whose day of death is known."""
    if "died_on" not in person.collect_schema():
        return pl.DataFrame(schema={"person_index": pl.UInt32, "died": pl.Int32})
    known = person.filter(pl.col("died_on").is_not_null())
    return known.select("person_index", died=pl.col("died_on").cast(pl.Int32)).collect()


def estimate_onsets(onset: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.cumulative_incidence` without its run: the curve at the days of the plan."""
    if onset.is_empty():
        return empty("estimate.cumulative_incidence").drop("run_id")
    names = {EPISODE: "n_events", DIED: "n_deaths", LEFT: "n_censored"}
    wide = onset.select(
        *_GROUP, time="day", **{name: pl.when(pl.col("ended_as") == word).then("n_people").otherwise(0)
                                for word, name in names.items()}
    )  # fmt: skip
    curve = aalen_johansen(wide, by=_GROUP, level=plan.estimation.confidence_level).with_columns(
        pl.col(name).cum_sum().over(_GROUP) for name in names.values()
    )
    whole = onset.group_by(_GROUP).agg(n_people=pl.col("n_people").sum(), longest=pl.col("day").max())
    days = pl.DataFrame({"day": list(plan.estimation.incidence.curve_days)}, schema={"day": pl.Int64})
    grid = whole.join(days, how="cross").sort("day")
    at = grid.join_asof(
        curve.sort("time"), left_on="day", right_on="time", by=_GROUP, check_sortedness=False
    )  # the last step of each group until the day
    counts = [pl.col(name).fill_null(0) for name in names.values()]
    left = pl.col("n_people") - pl.sum_horizontal(counts)
    is_over = pl.col("still").fill_null(1.0) <= 0  # nobody is left who could have one
    is_known = (left > 0) | is_over | (pl.col("longest") >= pl.col("day"))
    is_none = counts[0] == 0
    tail = (1 - plan.estimation.confidence_level) / 2
    exact = pl.when(left > 0).then(1 - (pl.lit(tail).log() / left).exp())
    shares = {name: 1 - pl.col(of).fill_null(1.0) for name, of in _REACHED.items()}
    shares["cumulative_hi"] = pl.when(is_none).then(exact).otherwise(shares["cumulative_hi"])
    return at.select(
        *_GROUP,
        "day",
        "n_people",
        n_episodes=counts[0],
        n_died=counts[1],
        n_followed=left,
        **{name: pl.when(is_known).then(share) for name, share in shares.items()},
    ).sort(*_GROUP, "day")


def _follow(runs: pl.DataFrame, washout_days: int) -> pl.DataFrame:
    """The first stretch of each person at each threshold: runs no further apart than the washout are one."""
    is_first = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in _WHOM).fill_null(value=True)
    ordered = runs.sort(*_WHOM, "from_day").with_columns(is_first=is_first)
    # Whole numbers that begin with whom they are of: one pass over all finds what is reached within each.
    base = pl.col("is_first").cast(pl.Int64).cum_sum() * _DAYS
    reached = (base + pl.col("to_day")).cum_max().shift(1) - base
    is_apart = ~pl.col("is_first") & (pl.col("from_day") - reached > washout_days)
    numbered = ordered.with_columns(n_apart=is_apart.cast(pl.Int64).cum_sum())
    begun = pl.when("is_first").then("n_apart").forward_fill()
    first = numbered.filter(pl.col("n_apart") == begun)
    return first.group_by(_WHOM).agg(pl.col("cohort").first(), pl.col("from_day").min(), pl.col("to_day").max())
