"""All counts of a night; what is counted here can be added to the counts of other people.

People who are in the same cohorts on the same days are counted once for all of them (`circles.py`), so many stays at a
time, beside the test days of everybody. No count depends on the order of rows.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from transforms.certainty import count_certainty
from transforms.chronic import count_chronic, find_assessable, read_tracks
from transforms.circles import Circles, add_circles, find_circles
from transforms.competition import count_competition
from transforms.complication_counts import Seen, count_complications, read_seen
from transforms.cycle_counts import count_cycles, read_cycles
from transforms.drug_counts import count_courses, count_drug_days, count_times, read_drugs_given
from transforms.drug_weeks import count_weeks
from transforms.durations import count_durations, hour_columns
from transforms.frames import MANY_ROWS, shape, stack
from transforms.incidence import count_incidence, find_risk
from transforms.model.estimation import Plan
from transforms.onsets import count_onsets, read_deaths
from transforms.person_days import count_person_days
from transforms.person_time import Stays, find_stays, find_test_days, read_members
from transforms.populations import Exposed, count_populations, read_exposed
from transforms.prevalence import count_observed_time, count_person_intervals, count_population
from transforms.prevalence_strata import count_strata
from transforms.rules_compared import count_rules
from transforms.schemas import load_tables, schema_of
from transforms.severities import count_severity, read_grading
from transforms.shares import count_anc_distribution, count_causes, count_episodes
from transforms.steps import count_entries, count_members, name_members
from transforms.survey_counts import count_psus, count_weighted, read_sample
from transforms.test_shares import count_test_shares
from transforms.testing import count_gaps, count_tests

UNKNOWN_CAUSE = "insufficient_data"
_AT_ONCE = 2
_STAYS_AT_ONCE = 40_000


def count_people(frames: Mapping[str, pl.LazyFrame], plan: Plan) -> dict[str, pl.DataFrame]:
    """Every `counts.*` table by name.

    `frames`: person (with person_hash), observation, anc, episode, episode_cause, cause_window, complication,
    complication_look, drug_block and cohort_member by person_index; cycle and chronic where there are any.
    """
    test_days = find_test_days(frames["anc"], plan.tested, plan.any_low)
    members = read_members(frames["cohort_member"])
    episodes = _read_episodes(frames, plan)
    seen = read_seen(frames, plan)
    exposed = read_exposed(frames.get("drug_block"))
    windows = frames["cause_window"].select("episode_id", "window", "cause_group").collect()
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in load_tables() if name.startswith("counts.")}
    sample = read_sample(frames["person"], plan)
    grading = read_grading(frames["person"], plan)
    risk = find_risk(test_days, episodes, frames["person"], plan)
    counted = frames["anc"].select("person_index").unique().collect()
    deaths = read_deaths(frames["person"])
    found = Found(episodes, windows, seen, exposed, counted)
    cycles, tracks = read_cycles(frames, plan), read_tracks(frames)
    circles = find_circles(members)
    assessable = find_assessable(test_days, tracks, plan)

    def count(spans: pl.DataFrame) -> dict[str, pl.DataFrame]:
        stays = find_stays(spans, test_days)
        severity, changes = count_severity(stays, grading, plan)
        return {
            "counts.survey_cell": count_weighted(stays, sample, plan),
            "counts.person_days": count_person_days(stays, plan),
            "counts.chronic": count_chronic(stays, tracks, assessable),
            "counts.severity": severity,
            "counts.scale_change": changes,
            **({} if cycles is None else count_cycles(stays, cycles, plan)),
            **count_incidence(stays, risk, plan),
            "counts.first_onset": count_onsets(stays, risk.time, deaths, plan),
            "counts.test_share": count_test_shares(stays, plan),
            "counts.prevalence_stratum": count_strata(stays, episodes, risk.people, plan),
            **_count_cohorts(stays, found, plan),
        }

    # Joins of some people leave processors idle; others beside them take them.
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for numbers in threads.map(count, _divide(circles.spans)):
            for name, rows in numbers.items():
                parts[name].append(rows)
    of_cohorts = {name: _of_cohorts(name, found, circles, plan) for name, found in parts.items() if found}
    of_all = _count_everybody(frames, test_days, episodes, plan)
    sorted_ones = of_cohorts.keys() - of_all.keys()
    both = {name: [part[name] for part in (of_cohorts, of_all) if name in part] for name in parts}
    return {name: found[0] if name in sorted_ones else stack(found, name) for name, found in both.items()}


def add_counts(name: str, parts: Sequence[pl.DataFrame] | Sequence[pl.LazyFrame]) -> pl.DataFrame:
    """Counts of people in different partitions, added by key; a large table a cohort at a time, to spare memory."""
    table = schema_of(name)
    numbers = [column for column in table.column_names if column.startswith(("n_", "weight_"))]
    facts = [column for column in table.column_names if column not in numbers]
    rows = pl.concat([part.lazy() for part in parts])

    def add(some: pl.LazyFrame) -> pl.DataFrame:
        return stack([some.group_by(facts).agg(pl.col(numbers).sum()).collect()], name)

    if rows.select(pl.len()).collect().item() <= MANY_ROWS:
        return add(rows)
    first = pl.col(table.key[0])
    texts = rows.select(first.unique()).collect().to_series().sort()
    return pl.concat([add(rows.filter(first == text)) for text in texts])


@dataclass(frozen=True)
class Found:
    """Episodes of all, causes by windows of another length, what was seen in their time, days with drugs, and people
    with a count.
    """

    episodes: pl.DataFrame
    windows: pl.DataFrame
    seen: Seen
    exposed: Exposed
    counted: pl.DataFrame


def _of_cohorts(name: str, parts: Sequence[pl.DataFrame], circles: Circles, plan: Plan) -> pl.DataFrame:
    """A table of counts of cohorts, sorted on its key, from parts that count circles."""
    rows = add_circles(pl.concat(parts), circles, schema_of(name).key)
    return shape(rows, name) if name != "counts.attrition" else name_members(rows, plan)


def _divide(spans: pl.DataFrame) -> list[pl.DataFrame]:
    """Whole circles together as long as they are not too many people at once."""
    part = (pl.col("place") // _STAYS_AT_ONCE).min().over("cohort")
    placed = spans.with_row_index("place").with_columns(part=part).drop("place")
    return placed.partition_by("part", maintain_order=True, include_key=False)


def _count_cohorts(stays: Stays, found: Found, plan: Plan) -> dict[str, pl.DataFrame]:
    episodes = found.episodes
    confirmed = episodes.filter(pl.col("is_confirmed"))
    population = count_population(stays, has_calendar=plan.has_calendar)
    begun = (
        stays.inside(episodes)
        .filter(pl.col("started").is_between("stay_started", "stay_ended"))
        .drop("stay_started", "stay_ended")
    )
    return {
        "counts.person_interval": count_person_intervals(stays, population, confirmed, plan),
        "counts.population": count_populations(stays, confirmed, found.exposed, plan),
        "counts.testing": count_tests(population),
        "counts.testing_gap": count_gaps(stays, plan),
        "counts.anc_distribution": count_anc_distribution(stays, plan),
        "counts.episode": count_episodes(begun),
        "counts.cause": count_causes(begun, found.windows),
        "counts.complication": count_complications(stays, found.seen, plan),
        "counts.duration": count_durations(begun),
        "counts.attrition": count_members(stays, found.counted, begun, plan),
    }


def _count_everybody(
    frames: Mapping[str, pl.LazyFrame], test_days: pl.DataFrame, episodes: pl.DataFrame, plan: Plan
) -> dict[str, pl.DataFrame]:
    """What is counted of all people at once, whatever cohort they are in."""
    certainty = count_certainty(frames["anc"], plan)
    return {
        **({"counts.observed_time": count_observed_time(frames["observation"])} if plan.has_calendar else {}),
        "counts.survey_psu": count_psus(frames["person"], plan),
        **_count_after_drugs(frames, test_days, episodes, plan),
        "counts.certainty": certainty,
        "counts.rule": count_rules(frames["episode"], plan, is_tested=not certainty.is_empty()),
        "counts.competition": count_competition(frames["episode"], frames["episode_cause"], plan),
        "counts.attrition": count_entries(frames, plan),
    }


def _count_after_drugs(
    frames: Mapping[str, pl.LazyFrame], test_days: pl.DataFrame, episodes: pl.DataFrame, plan: Plan
) -> dict[str, pl.DataFrame]:
    if plan.drugs is None:
        return {}
    given = read_drugs_given(frames["drug_block"], test_days, episodes, plan)
    return {
        "counts.drug": count_courses(given, plan),
        "counts.drug_time": count_times(given),
        "counts.drug_day": count_drug_days(given, plan.drugs),
        "counts.drug_week": count_weeks(given, plan.drugs),
    }


def _read_episodes(frames: Mapping[str, pl.LazyFrame], plan: Plan) -> pl.DataFrame:
    primary = frames["episode_cause"].filter(pl.col("is_primary")).select("episode_id", "cause_group", "agent")
    n_groups = plan.estimation.duration.intervals.person_groups
    people = frames["person"].select("person_index", person_group=(pl.col("person_hash") % n_groups).cast(pl.Int32))
    return (
        frames["episode"]
        .filter(pl.col("rule").is_in(plan.reported_rules))
        .join(primary, on="episode_id", how="left")
        .join(people, on="person_index")
        .select(
            "person_index",
            "episode_id",
            "rule",
            "threshold_cells_per_ul",
            "is_incident",
            "is_confirmed",
            "ended_as",
            pl.col("cause_group").fill_null(UNKNOWN_CAUSE),
            pl.col("agent").fill_null(""),
            "person_group",
            started=pl.col("first_low_at").dt.date().cast(pl.Int32),
            ended=pl.coalesce("recovery_by", "last_low_at").dt.date().cast(pl.Int32),
            **hour_columns(),
        )
        .collect()
    )
