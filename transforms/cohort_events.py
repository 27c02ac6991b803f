"""Spans of cohorts that follow from something that happened: a stay, tests, a low value, an index event.

Spans are not yet cut to observation. A stay without an end is of one day; tests without a date happen on no day.
Obeys `definitions/cohorts`.
"""

import polars as pl

from transforms.model.cohorts import IndexCriterion, LowCriterion, SettingCriterion, TestingCriterion
from transforms.spans import SPAN, merge_spans


def in_setting(encounter: pl.LazyFrame, criterion: SettingCriterion) -> pl.LazyFrame:
    """Days of stays of a setting. `encounter`: person_index, started_at, ended_at, setting."""
    first, last = (pl.col(name).dt.date().to_physical() for name in ("started_at", "ended_at"))
    stays = encounter.filter(pl.col("setting").is_in(criterion.settings))
    return merge_spans(
        [stays.select("person_index", start_day=first, end_day=last.fill_null(first) + criterion.lasts_days)]
    )


def with_tests(tests: pl.LazyFrame, criterion: TestingCriterion) -> pl.LazyFrame:
    """Days on which enough tests lie behind. `tests`: person_index, day, n_tests; an end is null where there is none.

    Each test that is the last of enough begins a span, which ends when the first of them is too long ago.
    """
    counted = tests.filter(pl.col("n_tests") > 0, pl.col("day").is_not_null()).select(
        "person_index", day=pl.col("day").repeat_by("n_tests")
    )
    each = counted.explode("day").sort("person_index", "day")
    before = criterion.at_least_tests - 1
    enough = each.with_columns(first=pl.col("day").shift(before)).filter(
        pl.col("person_index") == pl.col("person_index").shift(before)
    )
    if criterion.within_days is None:
        begun = enough.group_by("person_index").agg(start_day=pl.col("day").min())
        return begun.with_columns(end_day=pl.lit(None, pl.Int32)).select(SPAN)
    last = (pl.col("first") + (criterion.within_days - 1)).cast(pl.Int32)
    return merge_spans([enough.select("person_index", start_day="day", end_day=last)])


def with_low_values(tests: pl.LazyFrame, criterion: LowCriterion) -> pl.LazyFrame:
    """Days after a test certainly below. `tests`: person_index, day, lowest_cells_per_ul."""
    low = tests.filter(pl.col("lowest_cells_per_ul") < criterion.below_cells_per_ul, pl.col("day").is_not_null())
    if criterion.lasts_days is None:
        first = low.group_by("person_index").agg(start_day=pl.col("day").min())
        return first.with_columns(end_day=pl.lit(None, pl.Int32)).select(SPAN)
    last = (pl.col("day") + criterion.lasts_days).cast(pl.Int32)
    return merge_spans([low.select("person_index", start_day="day", end_day=last)])


def after_index(spans: pl.LazyFrame, observed: pl.LazyFrame, criterion: IndexCriterion) -> pl.LazyFrame:
    """Days around the first day of `spans` of each person, where the clean time before it was observed."""
    first = spans.group_by("person_index").agg(index=pl.col("start_day").min())
    around = first.join(observed, on="person_index").filter(
        pl.col("index").is_between("start_day", "end_day"),
        pl.col("index") - criterion.clean_days >= pl.col("start_day"),
    )
    until = pl.lit(None, pl.Int32)
    if criterion.until_days is not None:
        until = (pl.col("index") + criterion.until_days).cast(pl.Int32)
    return around.select(
        "person_index", start_day=(pl.col("index") + criterion.from_days).cast(pl.Int32), end_day=until
    )
