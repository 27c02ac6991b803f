"""How long neutropenia lasts: additive triples of bounds, and a naive Kaplan-Meier curve made of them.

An episode is kept as (last value that is not low to first low, first low to last low, last low to first recovered) in
hours, each time cut to its hour. The naive curve takes first low to first recovered value of confirmed incident
episodes; without a recovery seen, and at death, it is censored at the last low value. It is called naive because both
ends lie between two tests. Horizons and names are `definitions/estimation`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.frames import MANY_ROWS, shape
from transforms.medians import median_of_counts
from transforms.model.estimation import Plan
from transforms.shares import ALL
from transforms.survival import kaplan_meier, median_times, restricted_means

HOURS_A_DAY = 24
_RECOVERED = ["recovered", "recovered_unconfirmed"]
_GROUP = ["cohort", "cause_group", "rule", "threshold_cells_per_ul"]
_WHOLE = [name for name in _GROUP if name != "cause_group"]
_BY = ["group"]
_DAYS_OF = {
    "median_days": "median",
    "median_lo": "median_lo",
    "median_hi": "median_hi",
    "rmst_days": "rmst",
    "rmst_lo": "rmst_lo_hours",
    "rmst_hi": "rmst_hi_hours",
    "median_lower_days": "lower_hours",
    "median_upper_days": "upper_hours",
    "median_gap_days": "gap_hours",
}
_PERSON = ["person_group", "episodes_of_person", "episodes_of_person_and_cause"]
_TRIPLE = ["gap_before_hours", "inside_hours", "gap_after_hours", "test_gap_hours"]


def count_durations(episodes: pl.DataFrame) -> pl.DataFrame:
    """`counts.duration` of the confirmed episodes of cohorts.

    `episodes` has the columns of derived.episode, person_index, cohort, cause_group and person_group.
    """
    of = ["person_index", "rule", "threshold_cells_per_ul"]
    n_incident = pl.col("is_incident").sum().cast(pl.Int64)
    key = [*_GROUP, "is_incident", "ended_as", *_TRIPLE, *_PERSON]
    triples = episodes.filter(pl.col("is_confirmed")).with_columns(
        episodes_of_person=n_incident.over(of), episodes_of_person_and_cause=n_incident.over([*of, "cause_group"])
    )
    return shape(triples.group_by(key).agg(n_episodes=pl.len()), "counts.duration")


def hour_columns() -> dict[str, pl.Expr]:
    """The triple of an episode and its mean gap between tests, in whole hours."""
    low, last = pl.col("first_low_at").dt.truncate("1h"), pl.col("last_low_at").dt.truncate("1h")
    before, after = pl.col("onset_after").dt.truncate("1h"), pl.col("recovery_by").dt.truncate("1h")
    n_gaps = pl.col("n_values") - 1 + pl.col("recovery_by").is_not_null().cast(pl.Int64)
    seen = (pl.coalesce(after, last) - low).dt.total_hours()
    return {
        "gap_before_hours": (low - before).dt.total_hours(),
        "inside_hours": (last - low).dt.total_hours(),
        "gap_after_hours": (after - last).dt.total_hours(),
        "test_gap_hours": pl.when(n_gaps > 0).then(seen // n_gaps),
    }


@dataclass(frozen=True)
class Incident:
    """Incident episodes of `counts.duration` by the number of their group, so that texts are compared once.

    `groups`: cohort, cause_group (each and all), rule, threshold_cells_per_ul, numbered as `group`. `wholes`: the
    group of each cause and that of all causes, `whole`. `rows`: group, is_event, ended_as, the four hours,
    person_group, how many such episodes the person has (of all causes, of this one), n_episodes.
    """

    groups: pl.DataFrame
    wholes: pl.DataFrame
    rows: pl.DataFrame

    def add_up(self, by: Sequence[str], **numbers: pl.Expr) -> pl.DataFrame:
        """Numbers of episodes in each group, by cause and of all causes together, as sums over `by`: whole numbers of 0
        or more. Rows are sorted by group and `by`, what is open (null) last.

        Group and `by` are one number, which is compared faster than several.
        """
        most = self.rows.select(pl.col(name).max().fill_null(0) for name in by).row(0) if by else ()
        room, key = 1, pl.lit(0, pl.Int64)
        for name, highest in zip(by, most, strict=True):
            room, key = room * (highest + 2), key * (highest + 2) + pl.col(name).fill_null(highest + 1)
        of_group = pl.col("group").cast(pl.Int64) * room
        causes = self.rows.group_by(key=of_group + key).agg(expr.sum().alias(name) for name, expr in numbers.items())
        wholes = self.wholes.select(pl.col("group", "whole").cast(pl.Int64))
        renamed = causes.with_columns(group=pl.col("key") // room).join(wholes, on=_BY)
        moved = renamed.with_columns(key=pl.col("key") + (pl.col("whole") - pl.col("group")) * room)
        whole = moved.group_by("key").agg(pl.col(list(numbers)).sum())
        told: dict[str, pl.Expr] = {}
        rest = pl.col("key")
        for name, highest in reversed(list(zip(by, most, strict=True))):
            value = rest % (highest + 2)
            told[name], rest = pl.when(value <= highest).then(value), rest // (highest + 2)
        group = rest.cast(self.groups.schema["group"])
        return pl.concat([causes, whole]).sort("key").select(*numbers, group=group, **told).select(*_BY, *by, *numbers)


def incident_of(duration: pl.DataFrame) -> Incident:
    """The incident episodes of `counts.duration`; everything that is estimated of durations is made of them."""
    facts = ["ended_as", *_TRIPLE, *_PERSON, "n_episodes"]
    told = duration.select(*_GROUP, *facts, "is_incident", place=_place(duration, _GROUP)).filter("is_incident")
    causes = told.unique("place").select("place", *_GROUP)
    whole = causes.select(_GROUP).with_columns(cause_group=pl.lit(ALL)).unique()
    groups = pl.concat([causes.select(_GROUP), whole]).sort(_GROUP).with_row_index("group")
    numbered = causes.join(groups, on=_GROUP)
    of_all = groups.filter(pl.col("cause_group") == ALL).rename({"group": "whole"}).drop("cause_group")
    wholes = numbered.join(of_all, on=_WHOLE)
    rows = told.select("place", *facts, is_event=_is_event()).join(numbered.select("place", "group"), on="place")
    return Incident(groups, wholes.select("group", "whole"), rows.drop("place"))


def divide_groups(duration: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """`counts.duration` some groups at a time, with all causes of each: no group reaches into another, and what is
    made of all rows at once takes much memory.
    """
    if duration.height <= MANY_ROWS:
        yield duration
        return
    place = duration.select(place=_place(duration, _WHOLE)).to_series()
    sizes = place.value_counts(name="n").sort("place").with_columns(part=pl.col("n").cum_sum() // MANY_ROWS)
    for part in sizes.partition_by("part", maintain_order=True):
        yield duration.filter(place.is_between(part["place"][0], part["place"][-1]))


def recovery_curve(incident: Incident, plan: Plan) -> pl.DataFrame:
    """The naive curve of every group, in hours; see `kaplan_meier`."""
    until = pl.when("is_event").then(pl.col("inside_hours") + pl.col("gap_after_hours")).otherwise("inside_hours")
    timed = Incident(incident.groups, incident.wholes, incident.rows.with_columns(time=until))
    times = timed.add_up(
        ["time"],
        n_events=pl.col("n_episodes").filter("is_event"),
        n_censored=pl.col("n_episodes").filter(~pl.col("is_event")),
    )
    return kaplan_meier(times, by=_BY, level=plan.estimation.confidence_level)


def summarise_groups(incident: Incident) -> pl.DataFrame:
    """What every estimate of a group stands beside: its keys, numbers of episodes, and medians of its bounds in hours.

    n_retested is the number of episodes that a second test was done in or after. People are counted as episodes of
    which each is the part of its person that the others leave.
    """
    n_episodes = pl.col("n_episodes")
    of_person, of_cause = (n_episodes / pl.col(f"episodes_of_person{of}") for of in ("", "_and_cause"))
    rows = incident.add_up(
        [],
        n_episodes=n_episodes,
        n_censored=n_episodes.filter(~pl.col("is_event")),
        n_died=n_episodes.filter(pl.col("ended_as") == "died"),
        n_retested=n_episodes.filter(pl.max_horizontal("inside_hours", "gap_after_hours") > 0),
        of_person=of_person,
        of_cause=of_cause,
    )
    for more in (*_medians_of_bounds(incident), incident.groups):
        rows = rows.join(more, on=_BY, how="left")
    n_people = pl.when(pl.col("cause_group") == ALL).then("of_person").otherwise("of_cause")
    return rows.with_columns(n_people=n_people.round().cast(pl.Int64)).drop("of_person", "of_cause")


def estimate_durations(groups: pl.DataFrame, curve: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.duration` without its run: a row per horizon of each group with a confirmed incident episode.

    `groups` is what `summarise_groups` gave, `curve` the `recovery_curve` of the same.
    """
    rows = groups.join(median_times(curve, by=_BY), on=_BY, how="left")
    return in_days(at_horizons(rows, curve, plan), plan, estimator=plan.estimation.duration.estimator)


def at_horizons(rows: pl.DataFrame, curve: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`rows` once for each horizon, tau_days, with the restricted mean to it, rmst in hours: the area under `still`."""
    horizons = plan.estimation.duration.horizons_days
    means = [restricted_means(curve, by=_BY, horizon=days * HOURS_A_DAY) for days in horizons]
    return pl.concat(
        rows.join(mean, on=_BY, how="left").with_columns(tau_days=pl.lit(float(days)))
        for days, mean in zip(horizons, means, strict=True)
    )


def in_days(rows: pl.DataFrame, plan: Plan, *, estimator: str, is_death_competing: bool = False) -> pl.DataFrame:
    """`estimate.duration` of `rows` with hours: median, its limits, rmst; nothing where nobody was tested again."""
    is_retested = pl.col("n_retested") > 0
    missing = [name for name in _DAYS_OF.values() if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in missing)
    return rows.with_columns(
        **{name: pl.when(is_retested).then(pl.col(hours) / HOURS_A_DAY) for name, hours in _DAYS_OF.items()},
        status=pl.when(~is_retested)
        .then(pl.lit("not_estimable"))
        .when(pl.col("median").is_null())
        .then(pl.lit("not_reached"))
        .otherwise(pl.lit("estimated")),
        estimator=pl.lit(estimator),
        estimand=pl.lit(plan.estimation.duration.estimand),
        is_death_competing=pl.lit(is_death_competing),
    )


def estimate_duration_curves(incident: Incident, curve: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.duration_curve` without its run: every whole day until nobody is left or the curve is long enough.

    A day holds what happened after the day before and up to it, and who is still open after it. `curve` is the
    `recovery_curve` of `incident`.
    """
    wanted = plan.estimation.duration
    ended = curve.with_columns(day=-(-pl.col("time") // HOURS_A_DAY)).group_by("group", "day", maintain_order=True)
    by_day = ended.agg(
        n_recovered=pl.col("n_events").sum(),
        n_censored=pl.col("n_censored").sum(),
        still_low=pl.col("still").last(),
        still_low_lo=pl.col("still_lo").last(),
        still_low_hi=pl.col("still_hi").last(),
    )
    gone = pl.col("n_recovered") + pl.col("n_censored")
    by_day = by_day.sort("group", "day").with_columns(n_at_risk=gone.sum().over(_BY) - gone.cum_sum().over(_BY))
    last = by_day.group_by(_BY).agg(pl.min_horizontal(pl.col("day").max(), wanted.curve_days).alias("last"))
    begins = by_day.group_by(_BY).agg(total=gone.sum())
    grid = last.join(begins, on=_BY).with_columns(day=pl.int_ranges(0, pl.col("last") + 1)).explode("day")
    states = by_day.drop("n_recovered", "n_censored").with_columns(is_begun=pl.lit(value=True))
    filled = grid.sort("group", "day").join_asof(states, on="day", by="group", check_sortedness=False)
    filled = filled.join(by_day.select("group", "day", "n_recovered", "n_censored"), on=["group", "day"], how="left")
    is_begun = pl.col("is_begun").is_not_null()
    return filled.join(incident.groups, on=_BY).with_columns(
        pl.col("n_recovered", "n_censored").fill_null(0),
        pl.when(is_begun).then(pl.col("still_low", "still_low_lo", "still_low_hi")).otherwise(1.0).name.keep(),
        n_at_risk=pl.when(is_begun).then("n_at_risk").otherwise("total"),
        estimator=pl.lit(wanted.estimator),
    )


def _place(duration: pl.DataFrame, of: Sequence[str]) -> pl.Expr:
    """One whole number for each group of the rows: comparing it is a fraction of comparing the texts it stands for."""
    place = pl.col("threshold_cells_per_ul")
    for name in (column for column in of if duration.schema[column] == pl.String):
        texts = duration[name].unique().sort()
        place = place * len(texts) + pl.col(name).cast(pl.Enum(texts)).to_physical().cast(pl.Int64)
    return place


def _is_event() -> pl.Expr:
    return pl.col("ended_as").is_in(_RECOVERED) & pl.col("gap_after_hours").is_not_null()


def _medians_of_bounds(incident: Incident) -> list[pl.DataFrame]:
    """Medians of the lower bound, the upper bound (open when an end was not seen) and the gap between tests, hours."""
    upper = pl.col("gap_before_hours") + pl.col("inside_hours") + pl.col("gap_after_hours")
    rows = incident.rows.with_columns(upper_hours=pl.when("is_event").then(upper))
    bounds = Incident(incident.groups, incident.wholes, rows)
    medians = []
    for value, name in (
        ("inside_hours", "lower_hours"),
        ("upper_hours", "upper_hours"),
        ("test_gap_hours", "gap_hours"),
    ):
        counted = bounds.add_up([value], n_episodes=pl.col("n_episodes"))
        known = counted.filter(pl.col(value).is_not_null()) if name == "gap_hours" else counted
        medians.append(median_of_counts(known, by=_BY, value=value, count="n_episodes").rename({"median": name}))
    return medians
