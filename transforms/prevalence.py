"""Period prevalence: people low in an interval among people tested, and among people observed.

A person counts once per interval however often they are low. `any_low` asks for one value certainly low; `confirmed`
for a confirmed episode open on a day on which the person is in the cohort. The numerator is always a part of its
denominator: among the tested, only tested people count. Nobody tested gives no prevalence, never 0. Obeys
`definitions/denominators` and `definitions/estimation`.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from transforms.frames import shape
from transforms.intervals import share_intervals
from transforms.model.estimation import Cut, Plan
from transforms.person_time import Stays, first_day, month_of_days, undecided_name

_CUT = ("measure", "rule", "threshold_cells_per_ul")
_RULE = ("rule", "threshold_cells_per_ul")
_MONTHS = 2**18  # room for months since year 0 beside a person in one whole number


def count_person_intervals(stays: Stays, population: pl.DataFrame, episodes: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`counts.person_interval` of cohorts; `population` is their `count_population`.

    `episodes` holds confirmed ones: person_index, rule, threshold_cells_per_ul, started, ended (days since 1970).
    """
    any_low = _count_any_low(stays, plan)
    confirmed = _count_confirmed(stays, episodes, plan)
    cuts = pl.DataFrame([{name: getattr(cut, name) for name in _CUT} for cut in plan.cuts], orient="row")
    rows = []
    for denominator in plan.main_denominators:
        flag = denominator.counts
        low = pl.concat([any_low, confirmed]).select(
            "cohort", "month", *_CUT, n_low=f"n_low_{flag}", n_low_possible=f"n_low_possible_{flag}"
        )
        joined = population.join(cuts, how="cross").join(low, on=["cohort", "month", *_CUT], how="left")
        rows.append(
            joined.with_columns(
                pl.col("n_low", "n_low_possible").fill_null(0),
                n_population=pl.col(f"n_{flag}"),
                denominator_name=pl.lit(denominator.id),
            )
        )
    return shape(name_intervals(pl.concat(rows)), "counts.person_interval")


def count_population(stays: Stays, *, has_calendar: bool) -> pl.DataFrame:
    """cohort, month (0 for the whole extract), n_observed, n_tested, n_tests."""
    whole = stays.members.group_by("cohort").agg(n_observed=pl.len().cast(pl.Int64))
    parts = [_population(whole.with_columns(month=pl.lit(0, pl.Int32)), stays.people)]
    if has_calendar:
        parts.append(_population(_observed_months(stays.spans), stays.cells))
    return pl.concat(parts)


def name_intervals(rows: pl.DataFrame) -> pl.DataFrame:
    """`month` as interval_unit and interval_start; month 0 is the whole extract."""
    is_all = pl.col("month") == 0
    return rows.with_columns(
        interval_unit=pl.when(is_all).then(pl.lit("all")).otherwise(pl.lit("month")),
        interval_start=pl.when(~is_all).then(first_day(pl.when(is_all).then(12).otherwise(pl.col("month")))),
    )


def count_observed_time(observation: pl.LazyFrame) -> pl.DataFrame:
    """`counts.observed_time`: in which month the observed time of each person begins and ends whole."""
    people = (
        observation.group_by("person_index")
        .agg(pl.col("started_on").min(), pl.col("ended_on").max())
        .drop_nulls()
        .select(
            since=pl.when(pl.col("started_on").dt.day() == 1)
            .then(pl.col("started_on"))
            .otherwise(pl.col("started_on").dt.month_start().dt.offset_by("1mo")),
            until=pl.when(pl.col("ended_on").dt.month_end() == pl.col("ended_on"))
            .then(pl.col("ended_on").dt.month_start())
            .otherwise(pl.col("ended_on").dt.month_start().dt.offset_by("-1mo")),
        )
        .collect()
    )
    edges = [
        people.group_by(interval_start=pl.col(column)).agg(n_people=pl.len()).with_columns(edge=pl.lit(edge))
        for edge, column in (("from", "since"), ("until", "until"))
    ]
    return shape(pl.concat(edges), "counts.observed_time")


def estimate_prevalence(person_interval: pl.DataFrame, observed_time: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.prevalence` without its run: shares with their intervals from the counts alone."""
    rows = person_interval.join(_complete_months(person_interval, observed_time), on="interval_start", how="left")
    intervals = share_intervals(
        rows["n_low"].to_numpy(),
        rows.select(_answerable_population(plan)).to_series().to_numpy(),
        level=plan.estimation.confidence_level,
        method=plan.estimation.prevalence_interval,
    )
    return rows.hstack(intervals).with_columns(
        stratum=pl.lit("all"),
        standard=pl.lit("crude"),
        is_weighted=pl.lit(value=False),
        prevalence=pl.col("share"),
        prevalence_lo=pl.col("share_lo"),
        prevalence_hi=pl.col("share_hi"),
        is_complete=(pl.col("interval_unit") == "all") | pl.col("is_complete").fill_null(value=False),
    )


def _answerable_population(plan: Plan) -> pl.Expr:
    """The denominator, or 0 where nobody was tested and nobody is low: then nothing is known, and it is not 0 %."""
    n_population, interval = pl.col("n_population"), ["cohort", "interval_unit", "interval_start"]
    n_tested = n_population.filter(pl.col("denominator_name") == plan.tested.id).max().over(interval)
    return pl.when((n_tested > 0) | (pl.col("n_low") > 0)).then(n_population).otherwise(0)


def _population(observed: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    tested = (
        cells.filter(pl.col("n_tests") > 0, pl.col("month").is_not_null())
        .group_by("cohort", "month")
        .agg(n_tested=pl.len(), n_tests=pl.col("n_tests").sum())
    )
    return (
        observed.cast({"month": pl.Int32})
        .join(tested, on=["cohort", "month"], how="left")
        .select("cohort", "month", pl.col("n_observed", "n_tested", "n_tests").cast(pl.Int64).fill_null(0))
    )


def _observed_months(spans: pl.DataFrame) -> pl.DataFrame:
    """cohort, month, n_observed: each month from the first of the cohort to its last."""
    changes = _span_months(spans)
    steps = pl.concat(
        [
            changes.group_by("cohort", month="first_month").agg(change=pl.len().cast(pl.Int64)),
            changes.group_by("cohort", month=pl.col("last_month") + 1).agg(change=-pl.len().cast(pl.Int64)),
        ]
    )
    ends = changes.group_by("cohort").agg(first=pl.col("first_month").min(), last=pl.col("last_month").max())
    months = ends.select("cohort", month=pl.int_ranges("first", pl.col("last") + 1, dtype=pl.Int32)).explode("month")
    return (
        months.join(steps.group_by("cohort", "month").agg(pl.col("change").sum()), on=["cohort", "month"], how="left")
        .sort("cohort", "month")
        .select("cohort", "month", n_observed=pl.col("change").fill_null(0).cum_sum().over("cohort"))
    )


def _span_months(spans: pl.DataFrame) -> pl.DataFrame:
    """cohort and months of each stay, less the first one when the person's stay before has it already."""
    months = spans.sort("person_index", "started").select(
        "person_index",
        "cohort",
        first_month=month_of_days(pl.col("started")),
        last_month=month_of_days(pl.col("ended")),
    )
    is_again = (pl.col("person_index") == pl.col("person_index").shift(1)) & (
        pl.col("first_month") == pl.col("last_month").shift(1)
    )
    return months.with_columns(
        first_month=pl.col("first_month") + is_again.fill_null(value=False).cast(pl.Int32)
    ).filter(pl.col("first_month") <= pl.col("last_month"))


def _count_any_low(stays: Stays, plan: Plan) -> pl.DataFrame:
    frames = [stays.people, stays.cells] if plan.has_calendar else [stays.people]
    parts = []
    for cells in frames:
        for cut in plan.any_low:
            low = cut.is_low(pl.col("lowest_cells_per_ul")).fill_null(value=False)
            possible = low | pl.col(undecided_name(cut))
            is_tested = pl.col("n_tests") > 0
            counted = (
                cells.filter(pl.col("month").is_not_null(), possible)
                .group_by("cohort", "month")
                .agg(
                    n_low_tested=low.sum(),
                    n_low_observed=low.sum(),
                    n_low_possible_tested=(possible & is_tested).sum(),
                    n_low_possible_observed=possible.sum(),
                )
            )
            parts.append(counted.with_columns(**_names(cut)))
    return _as_lows(parts)


def _count_confirmed(stays: Stays, episodes: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    rules = pl.Enum(sorted(plan.reported_rules))  # names of rules are compared often
    named = episodes.with_columns(pl.col("rule").cast(rules))
    open_days = (
        stays.inside(named.select("person_index", *_RULE, "started", "ended"))
        .with_columns(first=pl.max_horizontal("started", "stay_started"), last=pl.min_horizontal("ended", "stay_ended"))
        .filter(pl.col("first") <= pl.col("last"))
        .with_columns(first_month=month_of_days(pl.col("first")), last_month=month_of_days(pl.col("last")))
    )
    frames = [(open_days.with_columns(month=pl.lit(0, pl.Int32)), stays.people)]
    if plan.has_calendar:
        months = pl.int_ranges("first_month", pl.col("last_month") + 1, dtype=pl.Int32)
        frames.append((open_days.with_columns(month=months).explode("month"), stays.cells))
    parts = []
    for cells, values in frames:
        people = _once(cells, stays.members)
        told = values.select("person_index", "month", "n_tests", pl.col("^undecided_.*$"))
        seen = people.join(told, on=["person_index", "month"], how="left")
        parts.append(_confirmed_of(plan, seen, values))
    return _as_lows(parts)


def _once(cells: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """person_index, month, rule, threshold_cells_per_ul, cohort: a person in a month once for each cut.

    Who is in two cohorts has a person_index of their own in each. One number is compared faster than four.
    """
    cuts = cells.select(_RULE).unique().sort(_RULE).with_row_index("cut")
    size = max(cuts.height, 1)
    cell = pl.col("person_index").cast(pl.Int64) * _MONTHS + pl.col("month")
    numbered = cells.join(cuts, on=_RULE).select(row=(cell * size + pl.col("cut")).unique())
    told = numbered.select(
        person_index=(pl.col("row") // (size * _MONTHS)).cast(pl.UInt32),
        month=(pl.col("row") // size % _MONTHS).cast(pl.Int32),
        cut=(pl.col("row") % size).cast(pl.UInt32),
    )
    cohort = members["cohort"][members["person_index"].search_sorted(told["person_index"], side="left")]
    return told.with_columns(cohort, *(cuts[name][told["cut"]] for name in _RULE)).drop("cut")


def _confirmed_of(plan: Plan, seen: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """Low people of every confirmed cut, and those who may be: one pass for all cuts."""
    cuts = [cut for cut in plan.cuts if cut.measure == "confirmed"]
    known = {cut.threshold_cells_per_ul: name for cut in cuts if (name := undecided_name(cut)) in values.columns}
    is_tested = (pl.col("n_tests") > 0).fill_null(value=False)
    is_here = [pl.col("threshold_cells_per_ul").eq(threshold) & pl.col(name) for threshold, name in known.items()]
    undecided = pl.any_horizontal(pl.lit(value=False), *is_here).fill_null(value=False)
    key = ["cohort", "month", *_RULE]
    counted = seen.group_by(key).agg(
        n_low_tested=is_tested.sum(),
        n_low_observed=pl.len(),
        both_tested=(is_tested & undecided).sum(),
        both=undecided.sum(),
    )
    low = counted.with_columns(pl.col("rule").cast(pl.String))
    wanted = pl.DataFrame([{name: getattr(cut, name) for name in _CUT} for cut in cuts], orient="row")
    unclear = wanted.select(_RULE).join(_unclear(values, known), on="threshold_cells_per_ul", how="inner")
    joined = low.join(unclear, on=key, how="full", coalesce=True).with_columns(
        pl.all().exclude(key).cast(pl.Int64).fill_null(0)
    )
    return joined.join(wanted, on=_RULE, how="inner").select(
        "cohort",
        "month",
        *_CUT,
        "n_low_tested",
        "n_low_observed",
        n_low_possible_tested=pl.col("n_low_tested") + pl.col("unclear_tested") - pl.col("both_tested"),
        n_low_possible_observed=pl.col("n_low_observed") + pl.col("unclear") - pl.col("both"),
    )


def _unclear(values: pl.DataFrame, known: Mapping[int, str]) -> pl.DataFrame:
    """cohort, month, threshold_cells_per_ul, unclear_tested, unclear: people with a value undecided at it."""
    is_tested = (pl.col("n_tests") > 0).fill_null(value=False)
    dated = values.filter(pl.col("month").is_not_null(), pl.any_horizontal(pl.lit(value=False), *known.values()))
    numbers = [pl.col(name).sum().cast(pl.Int64).alias(f"unclear {at}") for at, name in known.items()]
    numbers += [(pl.col(name) & is_tested).sum().cast(pl.Int64).alias(f"tested {at}") for at, name in known.items()]
    by_month = dated.group_by("cohort", "month").agg(numbers)
    schema = {"threshold_cells_per_ul": pl.Int64, "unclear_tested": pl.Int64, "unclear": pl.Int64}
    none = by_month.select("cohort", "month").clear().with_columns(pl.lit(None, t).alias(n) for n, t in schema.items())
    parts = [
        by_month.select(
            "cohort",
            "month",
            threshold_cells_per_ul=pl.lit(at, pl.Int64),
            unclear_tested=f"tested {at}",
            unclear=f"unclear {at}",
        )
        for at in known
    ]
    return pl.concat([none, *parts])


def _names(cut: Cut) -> dict[str, pl.Expr]:
    return {name: pl.lit(getattr(cut, name)) for name in _CUT}


def _as_lows(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    numbers = ("n_low_tested", "n_low_observed", "n_low_possible_tested", "n_low_possible_observed")
    types = {"month": pl.Int32, **dict.fromkeys(numbers, pl.Int64), "measure": pl.String, "rule": pl.String}
    schema = {**types, "threshold_cells_per_ul": pl.Int64}
    return pl.concat(
        part.select("cohort", *(pl.col(name).cast(kind) for name, kind in schema.items())) for part in parts
    )


def _complete_months(person_interval: pl.DataFrame, observed_time: pl.DataFrame) -> pl.DataFrame:
    months = person_interval.select("interval_start").drop_nulls().unique()
    since = observed_time.filter(pl.col("edge") == "from")["interval_start"].min()
    until = observed_time.filter(pl.col("edge") == "until")["interval_start"].max()
    return months.with_columns(
        is_complete=pl.col("interval_start").is_between(pl.lit(since, pl.Date), pl.lit(until, pl.Date))
    )
