"""Days at risk of a new episode: the last value was not low, lies at most so many days back, and no episode is open.

A value that is certainly not low puts its person at risk from the next day on, for the days of the washout; a low value
ends that on its own day, whether or not an episode comes of it. A value that may be either says nothing. An open
episode takes its days away, from the day after its first low value to its recovery. An episode is new when its first
low value lies on a day at risk: numerator and denominator are cut from the same days. Obeys `incidence` of
`definitions/estimation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.model.estimation import Cut
from transforms.person_time import Stays, undecided_name

_AT = ["person_index", "threshold_cells_per_ul"]
_RULE = ["rule", "threshold_cells_per_ul"]


@dataclass(frozen=True)
class RiskTime:
    """Of everybody, by day since 1970; both ends belong to a span.

    `runs`: person_index, threshold_cells_per_ul, from_day, to_day: spans at risk, open episodes not yet taken away.
    `open`: those and rule: the parts of runs inside an open episode. `new`: person_index, rule,
    threshold_cells_per_ul, day: confirmed episodes that begin at risk.
    """

    runs: pl.DataFrame
    open: pl.DataFrame
    new: pl.DataFrame


def find_risk_time(
    test_days: pl.DataFrame, episodes: pl.DataFrame, cuts: Sequence[Cut], *, washout_days: int
) -> RiskTime:
    """From the `test_days` of `find_test_days` and from episodes, `started` and `ended` in days since 1970."""
    runs = pl.concat([_runs_of(test_days, cut, washout_days) for cut in cuts])
    spans = episodes.select("person_index", *_RULE, "is_confirmed", "started", "ended")
    near = spans.join(runs, on=_AT, how="inner")
    begun = near.filter("is_confirmed", pl.col("started").is_between("from_day", "to_day"))
    inside = near.select(
        "person_index",
        *_RULE,
        from_day=pl.max_horizontal("from_day", pl.col("started") + 1),
        to_day=pl.min_horizontal("to_day", "ended"),
    )
    taken = _disjoint(inside.filter(pl.col("from_day") <= pl.col("to_day")))
    new = begun.select("person_index", *_RULE, day="started").unique()
    is_inside = pl.col("day").is_between("from_day", "to_day")
    again = new.join(taken, on=["person_index", *_RULE], how="inner").filter(is_inside)
    return RiskTime(runs, taken, new.join(again, on=new.columns, how="anti"))


def cut_spans(spans: pl.DataFrame, stays: Stays) -> pl.DataFrame:
    """The parts of `spans` (person_index, from_day, to_day) inside stays, with cohort."""
    return (
        stays.inside(spans)
        .with_columns(
            from_day=pl.max_horizontal("from_day", "stay_started"),
            to_day=pl.min_horizontal("to_day", "stay_ended"),
        )
        .filter(pl.col("from_day") <= pl.col("to_day"))
        .drop("stay_started", "stay_ended")
    )


def split_years(spans: pl.DataFrame) -> pl.DataFrame:
    """`spans` in parts of one calendar `year` each, with their number of days `n_days` instead of their ends."""
    year_of = {name: pl.col(name).cast(pl.Date).dt.year() for name in ("from_day", "to_day")}
    years = pl.int_ranges(year_of["from_day"], year_of["to_day"] + 1, dtype=pl.Int32)
    first, last = (pl.date(pl.col("year"), *at).to_physical() for at in ((1, 1), (12, 31)))
    days = pl.min_horizontal("to_day", last) - pl.max_horizontal("from_day", first) + 1
    return (
        spans.with_columns(year=years)
        .explode("year", empty_as_null=False)
        .with_columns(n_days=days.cast(pl.Int64))
        .drop("from_day", "to_day")
    )


def _runs_of(test_days: pl.DataFrame, cut: Cut, washout_days: int) -> pl.DataFrame:
    is_low = cut.is_low(pl.col("lowest_cells_per_ul"))
    known = test_days.filter(pl.col("day").is_not_null(), is_low | ~pl.col(undecided_name(cut))).select(
        "person_index", "day", is_low=is_low
    )
    follows = pl.col("person_index") == pl.col("person_index").shift(-1)
    next_day = pl.when(follows).then(pl.col("day").shift(-1))
    spans = known.with_columns(to_day=pl.min_horizontal(pl.col("day") + washout_days, next_day)).filter(
        ~pl.col("is_low")
    )
    is_same = pl.col("person_index") == pl.col("person_index").shift(1)
    goes_on = is_same & (pl.col("day") == pl.col("to_day").shift(1))
    numbered = spans.with_columns(run=(~goes_on.fill_null(value=False)).cast(pl.Int32).cum_sum())
    runs = numbered.group_by("run", maintain_order=True).agg(
        pl.col("person_index").first(), from_day=pl.col("day").first() + 1, to_day=pl.col("to_day").last()
    )
    threshold = pl.lit(cut.threshold_cells_per_ul, pl.Int64)
    return runs.select("person_index", "from_day", "to_day", threshold_cells_per_ul=threshold)


def _disjoint(spans: pl.DataFrame) -> pl.DataFrame:
    """No day twice for a person, rule and threshold."""
    group = ["person_index", *_RULE]
    ordered = spans.sort([*group, "from_day", "to_day"])
    reached = pl.col("to_day").cum_max().shift(1).over(group)
    return ordered.with_columns(from_day=pl.max_horizontal("from_day", reached + 1)).filter(
        pl.col("from_day") <= pl.col("to_day")
    )
