"""A drawn hospital whose people, tests and episodes fit together, night after night: what an attacker may rely on.

Everybody has a sex, an age and a course of counts; episodes are runs of low counts, so whoever is in one was tested
and low. On an earlier night the same people are seen up to an earlier day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tests.disclosure.drawn_calendar import START, as_date, as_time
from tests.disclosure.drawn_treatments import draw_treatments
from tests.disclosure.reading_people import Background
from transforms.counting import count_people
from transforms.estimates import estimate_counts
from transforms.load import Definitions
from transforms.model.cohorts import Cohort
from transforms.model.estimation import ANY_VALUE, Cut, Plan
from transforms.zeros import with_zeros

THRESHOLDS = (1500, 1000, 500)
SEVERITY_BELOW = {1: 1500, 2: 1000, 3: 500, 4: 100}
CAUSES = ("chemotherapy", "medication", "infection", "malignancy_or_marrow", "unexplained")
AGENTS = ("doxorubicin", "docetaxel", "clozapine", "")
MEMBERS: Mapping[str, pl.Expr] = {
    "everyone": pl.lit(value=True),
    "men": pl.col("sex") == "men",
    "women": pl.col("sex") == "women",
    "adults": pl.col("age") >= 18,
    "children": pl.col("age").is_between(0, 17),
    "age_65_plus": pl.col("age") >= 65,
    "chemotherapy": pl.col("is_chemotherapy"),
    "clozapine": pl.col("is_clozapine"),
}
CONFIRMED_VALUES = {"clinical": 2, "simple_run": 3}
Frame = pl.DataFrame
Entry = tuple[str, int, pl.Expr]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Hospital:
    """People and all tests that they will have had by the last day."""

    people: Frame
    tests: Frame
    n_days: int


def draw_hospital(seed: int, *, n_people: int, n_days: int = 365, low_share: float = 0.12) -> Hospital:
    """A hospital of a seed. `low_share` of the people have a course with low counts."""
    rng = np.random.default_rng(seed)
    index = np.arange(n_people, dtype=np.uint32)
    came = rng.integers(0, n_days, n_people)
    people = pl.DataFrame(
        {
            "person_index": index,
            "person_hash": index.astype(np.uint64) * 2654435761 % 2**32,
            "sex": rng.choice(["men", "women", "unknown"], n_people, p=[0.49, 0.49, 0.02]),
            "age": rng.choice([8, 40, 70, -1], n_people, p=[0.15, 0.5, 0.33, 0.02]),
            "came": came,
            "left": np.minimum(came + rng.geometric(1 / 90, n_people), n_days - 1),
            "is_chemotherapy": rng.random(n_people) < 0.15,
            "is_clozapine": rng.random(n_people) < 0.03,
            "is_low": rng.random(n_people) < low_share,
            "cause": rng.choice(CAUSES, n_people, p=[0.5, 0.15, 0.2, 0.05, 0.1]),
            "agent": rng.choice(AGENTS, n_people, p=[0.45, 0.25, 0.1, 0.2]),
        }
    )
    return Hospital(people, _draw_tests(rng, people), n_days)


def count_hospital(
    hospital: Hospital,
    plan: Plan,
    *,
    until: int | None = None,
    members: Mapping[str, pl.Expr] = MEMBERS,
    entries: Sequence[Entry] = (),
) -> dict[str, Frame]:
    """Every `counts.*` table of what had happened by a day. `members` tells who is in which cohort, `entries` who has
    the first parts of what one asks for.
    """
    day = hospital.n_days if until is None else until
    people = hospital.people.filter(pl.col("came") <= day).with_columns(left=pl.min_horizontal("left", pl.lit(day)))
    tests = hospital.tests.filter(pl.col("day") <= day)
    frames = {
        "person": _persons(people),
        "observation": _spans(people),
        "cohort_member": pl.concat([_spans(people.filter(is_in), cohort=name) for name, is_in in members.items()]),
        "cohort_entry": _enter(people, entries),
        "anc": _as_results(tests),
        **_find_episodes(people, tests),
        **draw_treatments(people, tests, THRESHOLDS),
    }
    return count_people({name: frame.lazy() for name, frame in frames.items()}, plan)


def estimate_hospital(counts: Mapping[str, Frame], plan: Plan) -> dict[str, Frame]:
    """Every `estimate.*` table of the counts, zeros included."""
    return estimate_counts(with_zeros(counts, plan), plan, run_id="night")


def plan_hospital(definitions: Definitions, cohorts: Sequence[Cohort] | None = None) -> Plan:
    """Three thresholds by any value and by two rules; few replicates for intervals, which hide nothing."""
    known = [cohort for cohort in definitions.cohorts if cohort.id in MEMBERS] if cohorts is None else cohorts
    duration = definitions.estimation.duration
    few = duration.model_copy(update={"intervals": duration.intervals.model_copy(update={"replicates": 2})})
    return Plan(
        estimation=definitions.estimation.model_copy(update={"duration": few}),
        denominators=definitions.denominators,
        cuts=tuple(Cut("any_low", ANY_VALUE, each, "lt") for each in THRESHOLDS)
        + tuple(Cut("confirmed", rule, each, "lt") for rule in CONFIRMED_VALUES for each in THRESHOLDS),
        scales=tuple(scale for scale in definitions.scales if scale.id == definitions.estimation.severity_scale),
        complications=definitions.complications,
        person_days=definitions.person_days,
        chronic=definitions.chronic,
        drugs=definitions.drugs,
        has_calendar=True,
        has_dates=True,
        rules=definitions.rules,
        cohorts=tuple(known),
    )


def background() -> Background:
    """What the methods of the report say of its cohorts and severities."""
    inside = [(name, "everyone") for name in MEMBERS if name != "everyone"] + [("age_65_plus", "adults")]
    apart = [("everyone", ("men", "women")), ("everyone", ("adults", "children"))]
    return Background(tuple(inside), tuple(apart), SEVERITY_BELOW)


def _persons(people: Frame) -> Frame:
    """What is known of a person beside the tests; ages are of the first of January."""
    is_known = pl.col("age") >= 0
    return people.select(
        "person_index",
        "person_hash",
        birth_year=pl.when(is_known).then(START.year - pl.col("age")).cast(pl.Int32),
        age_years=pl.lit(None, pl.Int32),
        age_at=pl.lit(None, pl.Date),
        duffy_null=pl.lit(None, pl.Boolean),
        sex=pl.col("sex").replace_strict({"men": "male", "women": "female", "unknown": "unknown"}),
    )


def _enter(people: Frame, entries: Sequence[Entry]) -> Frame:
    schema = {"person_index": pl.UInt32, "cohort": pl.String, "n_parts": pl.Int32}
    found = [
        people.filter(is_in).select("person_index", cohort=pl.lit(cohort), n_parts=pl.lit(n_parts, pl.Int32))
        for cohort, n_parts, is_in in entries
    ]
    return pl.concat([pl.DataFrame(schema=schema), *found])


def _spans(people: Frame, **named: str) -> Frame:
    spans = people.select("person_index", started_on=as_date("came"), ended_on=as_date("left"))
    return spans.with_columns(pl.lit(value).alias(name) for name, value in named.items())


def _draw_tests(rng: np.random.Generator, people: Frame) -> Frame:
    """A test every few days; the counts of those with a low course swing around theirs."""
    every = rng.choice([2, 5, 14, 40], people.height, p=[0.2, 0.3, 0.3, 0.2])
    n_tests = ((people["left"] - people["came"]).to_numpy() // every + 1).astype(int)
    who = np.repeat(np.arange(people.height), n_tests)
    order = np.concatenate([np.arange(n) for n in n_tests]) if len(n_tests) else np.zeros(0, int)
    usual = np.where(
        people["is_low"].to_numpy(), rng.normal(7.1, 0.45, people.height), rng.normal(8.4, 0.2, people.height)
    )
    swing = rng.normal(0, 0.35, len(who)) + 0.5 * np.sin(order / 3 + who)
    return pl.DataFrame(
        {
            "person_index": who.astype(np.uint32),
            "day": people["came"].to_numpy()[who] + order * every[who],
            "count": np.exp(usual[who] + np.where(people["is_low"].to_numpy()[who], swing, 0)).astype(np.int64),
            "is_bound": rng.random(len(who)) < 0.02,
        }
    )


def _as_results(tests: Frame) -> Frame:
    is_number = ~pl.col("is_bound")
    return tests.select(
        "person_index",
        pl.int_range(pl.len()).cast(pl.String).alias("specimen_id"),
        collected_at=as_time("day"),
        anc_cells_per_ul=pl.when(is_number).then("count"),
        lower_cells_per_ul=pl.when(is_number).then("count").otherwise(0),
        upper_cells_per_ul=pl.col("count"),
        possible_lower_cells_per_ul=pl.when(is_number).then(pl.col("count") * 9 // 10).otherwise(0),
        possible_upper_cells_per_ul=pl.col("count") * 11 // 10,
        route=pl.when(is_number).then(pl.lit("direct_auto")).otherwise(pl.lit("granulocytes")),
    )


def _find_episodes(people: Frame, tests: Frame) -> dict[str, Frame]:
    parts = [
        _runs_below(tests.filter(~pl.col("is_bound")), threshold).with_columns(
            rule=pl.lit(rule), is_confirmed=pl.col("n_values") >= least
        )
        for threshold in THRESHOLDS
        for rule, least in CONFIRMED_VALUES.items()
    ]
    episode = pl.concat(parts).join(people.select("person_index", "cause", "agent", "left"), on="person_index")
    is_dead = pl.col("person_index") % 9 == 0
    ended = pl.when(pl.col("after").is_not_null()).then(pl.lit("recovered"))
    ended = ended.when(is_dead).then(pl.lit("died")).otherwise(pl.lit("censored_end"))
    episode = episode.sort("person_index", "rule", "threshold_cells_per_ul", "first").with_columns(
        episode_id=pl.int_range(pl.len()).cast(pl.String),
        is_incident=pl.col("before").is_not_null(),
        ended_as=ended,
        first_low_at=as_time("first"),
        last_low_at=as_time("last"),
        onset_after=as_time("before"),
        recovery_by=as_time("after"),
        duration_ruled_days=(pl.col("after") - pl.col("first")).cast(pl.Float64),
    )
    is_primary = pl.lit(value=True)
    category = pl.when(pl.col("cause") == "unexplained").then(pl.lit("none")).otherwise(pl.lit("possible"))
    named = {"cause_group": "cause", "agent": "agent", "category": category}
    cause = episode.select("episode_id", **named, is_primary=is_primary)
    others = {"agent": pl.lit("second"), "is_primary": pl.lit(value=False)}
    seconds = cause.filter(pl.col("category") == "possible", episode["first"] % 3 == 0).with_columns(**others)
    even = episode.filter(pl.col("first") % 2 == 0).select("episode_id")
    thirds = seconds.join(even, on="episode_id", how="semi").with_columns(cause_group=pl.lit("nutritional"))
    cause = pl.concat([cause, seconds, thirds])
    looked = _find_complications(episode)
    return {"episode": episode, "episode_cause": cause, "cause_window": _move_causes(episode), **looked}


def _move_causes(episode: Frame) -> Frame:
    """Causes by windows of another length: mostly the same."""
    others = dict(zip(CAUSES, (*CAUSES[1:], CAUSES[0]), strict=True))
    moved = [
        episode.select(
            "episode_id",
            window=pl.lit(window),
            cause_group=pl.when(pl.col("first") % every == 0)
            .then(pl.col("cause").replace_strict(others))
            .otherwise("cause"),
        )
        for window, every in (("half", 7), ("double", 13))
    ]
    return pl.concat(moved)


def _find_complications(episode: Frame) -> dict[str, Frame]:
    """Temperatures of two episodes in three, a fever in one of three of those; codes of all, one infection in four."""
    taken = episode.filter(pl.col("person_index") % 3 > 0).select("episode_id", "first")
    fever = taken.filter(pl.col("first") % 3 == 0).select("episode_id", complication=pl.lit("fn_ohdsi_208"))
    infection = episode.filter(pl.col("first") % 4 == 1).select("episode_id", complication=pl.lit("infection_any"))
    looks = [(taken, "temperatures"), (episode, "codes")]
    looked = pl.concat(rows.select("episode_id", look=pl.lit(look)) for rows, look in looks)
    return {"complication": pl.concat([fever, infection]), "complication_look": looked}


def _runs_below(tests: Frame, threshold: int) -> Frame:
    ordered = tests.sort("person_index", "day").with_columns(is_low=pl.col("count") < threshold)
    ordered = ordered.with_columns(
        run=pl.col("is_low").rle_id().over("person_index"),
        before_day=pl.col("day").shift(1).over("person_index"),
        after_day=pl.col("day").shift(-1).over("person_index"),
    )
    return (
        ordered.filter("is_low")
        .group_by("person_index", "run")
        .agg(
            first=pl.col("day").min(),
            last=pl.col("day").max(),
            before=pl.col("before_day").first(),
            after=pl.col("after_day").last(),
            n_values=pl.len().cast(pl.Int64),
            nadir_cells_per_ul=pl.col("count").min(),
        )
        .with_columns(threshold_cells_per_ul=pl.lit(threshold, pl.Int64))
        .drop("run")
    )
