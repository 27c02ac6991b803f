"""New episodes and days at risk of a cohort, by sex and age, by year, and by group of people.

`first` is the first new episode of a person while in the cohort, with the days up to it; `every` is all of them. The
age is that of the year in which a day lies. Days of a cohort are those at risk inside a stay, less those inside an open
episode, so that one set of days serves all rules.
"""

from dataclasses import dataclass

import polars as pl

from transforms.frames import empty, shape
from transforms.model.estimation import Plan
from transforms.person_time import Stays
from transforms.risk_time import RiskTime, cut_spans, find_risk_time, split_years
from transforms.strata import STRATUM, UNKNOWN, age_in, band_of, read_ages, stratum_of

FIRST, EVERY = "first", "every"
_ONSETS = pl.Enum([FIRST, EVERY])
_RULE = ["rule", "threshold_cells_per_ul"]
_CELL = ["cohort", "year", *STRATUM, "person_group"]


@dataclass(frozen=True)
class Risk:
    """Everybody's time at risk and strata; `people`: person_index, person_group and the columns of `read_ages`."""

    time: RiskTime
    people: pl.DataFrame


def find_risk(test_days: pl.DataFrame, episodes: pl.DataFrame, person: pl.LazyFrame, plan: Plan) -> Risk:
    """What `count_incidence` needs of everybody, once for all cohorts."""
    named = episodes.with_columns(pl.col("rule").cast(_rules(plan)))
    time = find_risk_time(test_days, named, plan.any_low, washout_days=plan.estimation.incidence.washout_days)
    n_groups = plan.estimation.duration.intervals.person_groups
    groups = person.select("person_index", person_group=(pl.col("person_hash") % n_groups).cast(pl.Int32)).collect()
    return Risk(time, read_ages(person).join(groups, on="person_index", how="left"))


def _rules(plan: Plan) -> pl.Enum:
    """Rules and onsets, whose names are compared often, are told by their places."""
    return pl.Enum(sorted(plan.reported_rules))


def count_incidence(stays: Stays, risk: Risk, plan: Plan) -> dict[str, pl.DataFrame]:
    """`counts.incidence` and `counts.incidence_group` of cohorts."""
    runs, taken = (cut_spans(spans, stays) for spans in (risk.time.runs, risk.time.open))
    if runs.is_empty():
        return {name: empty(name) for name in ("counts.incidence", "counts.incidence_group")}
    risk = Risk(risk.time, stays.of_members(_with_sexes(risk.people, plan)).drop("cohort"))
    new = stays.inside(risk.time.new).filter(pl.col("day").is_between("stay_started", "stay_ended"))
    first = new.group_by("cohort", "person_index", *_RULE).agg(pl.col("day").min())
    days = _by_cell(runs, risk, plan, ["threshold_cells_per_ul"])
    changes = pl.concat([_changes(runs, taken, first), _events(new, EVERY), _events(first, FIRST)])
    moved = _by_cell(changes, risk, plan, [*_RULE, "onset"])
    return _tables(days, moved, plan)


def _tables(days: pl.DataFrame, moved: pl.DataFrame, plan: Plan) -> dict[str, pl.DataFrame]:
    rules = pl.DataFrame(
        [(cut.rule, cut.threshold_cells_per_ul) for cut in plan.cuts if cut.measure == "confirmed"],
        schema={"rule": _rules(plan), "threshold_cells_per_ul": pl.Int64},
        orient="row",
    ).unique()
    own = rules.filter(pl.col("rule") == plan.estimation.default_rule)
    whole = _add_up(days, moved, rules, list(STRATUM)).with_columns(
        interval_unit=pl.lit("all"), interval_start=pl.lit(None, pl.Date)
    )
    parts = [shape(whole, "counts.incidence")]
    if plan.has_calendar:
        years = _add_up(days, moved, own, ["year"]).filter(pl.col("onset") == FIRST).with_columns(
            age_from_years=pl.lit(None, pl.Int32), sex=pl.lit("any"), interval_unit=pl.lit("year"),
            interval_start=pl.date("year", 1, 1),
        )  # fmt: skip
        parts.append(shape(years, "counts.incidence"))
    groups = _add_up(days, moved, own, ["person_group"]).filter(pl.col("onset") == EVERY)
    return {
        "counts.incidence": pl.concat(parts),
        "counts.incidence_group": shape(groups, "counts.incidence_group"),
    }


def _add_up(days: pl.DataFrame, moved: pl.DataFrame, rules: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """cohort, rule, threshold, onset, `by`, n_episodes, n_days: the days of a threshold hold for all of its rules."""
    numbers, by = ["n_episodes", "n_days"], ["cohort", *by]
    base = days.group_by("threshold_cells_per_ul", *by).agg(pl.col(numbers).sum())
    onsets = pl.DataFrame({"onset": [FIRST, EVERY]}, schema={"onset": _ONSETS})
    every = base.join(rules, on="threshold_cells_per_ul", how="inner").join(onsets, how="cross")
    changed = moved.join(rules, on=_RULE, how="semi").group_by(*_RULE, "onset", *by).agg(pl.col(numbers).sum())
    columns = [*_RULE, "onset", *by, *numbers]
    return pl.concat([every.select(columns), changed.select(columns)]).group_by(columns[:-2]).agg(pl.col(numbers).sum())


def _changes(runs: pl.DataFrame, taken: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Spans to take away (sign -1) or to give back (1) for each rule and onset, from the spans of `runs`."""
    is_after = {"from_day": pl.max_horizontal("from_day", pl.col("day") + 1)}
    firsts = first.drop("cohort")
    later = runs.join(firsts, on=["person_index", "threshold_cells_per_ul"]).with_columns(**is_after)
    later_taken = taken.join(firsts, on=["person_index", *_RULE]).with_columns(**is_after)
    parts = [(taken, EVERY, -1), (taken, FIRST, -1), (later, FIRST, -1), (later_taken, FIRST, 1)]
    columns = ["person_index", "cohort", *_RULE, "from_day", "to_day"]
    return pl.concat(
        spans.filter(pl.col("from_day") <= pl.col("to_day")).select(
            *columns, onset=pl.lit(onset, _ONSETS), sign=pl.lit(sign, pl.Int64), n_episodes=pl.lit(0, pl.Int64)
        )
        for spans, onset, sign in parts
    )


def _events(new: pl.DataFrame, onset: str) -> pl.DataFrame:
    return new.select(
        "person_index",
        "cohort",
        *_RULE,
        from_day="day",
        to_day="day",
        onset=pl.lit(onset, _ONSETS),
        sign=pl.lit(0, pl.Int64),
        n_episodes=pl.lit(1, pl.Int64),
    )


def _by_cell(spans: pl.DataFrame, risk: Risk, plan: Plan, by: list[str]) -> pl.DataFrame:
    """`by`, cohort, year, stratum, person_group, n_episodes, n_days of spans."""
    if "sign" not in spans.columns:
        spans = spans.with_columns(sign=pl.lit(1, pl.Int64), n_episodes=pl.lit(0, pl.Int64))
    split, bands = split_years(spans), plan.estimation.standardisation.age_bands_from_years
    known = split.join(risk.people, on="person_index", how="left").select(
        *by,
        *(name for name in _CELL if name != "age_from_years"),
        "n_episodes",
        age_from_years=band_of(age_in(pl.col("year")), bands),
        n_days=pl.col("n_days") * pl.col("sign"),
    )
    return known.group_by(*by, *_CELL).agg(pl.col("n_episodes", "n_days").sum())


def _with_sexes(people: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`sex` as in `stratum_of`, as an Enum."""
    named = stratum_of(pl.lit(None, pl.Int32), plan.estimation.standardisation)["sex"]
    return people.with_columns(sex=named.cast(pl.Enum([*plan.estimation.standardisation.sex_shares, UNKNOWN])))
