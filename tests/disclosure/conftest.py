"""Estimates of drawn hospitals of every size, for looking at what their release gives away."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from transforms.counting import count_people
from transforms.cycles import STATUSES
from transforms.estimates import estimate_counts
from transforms.load import Definitions, load_definitions
from transforms.model.estimation import ANY_VALUE, Cut, Plan

THRESHOLDS = (1500, 1000, 500)
ENDINGS = ["recovered", "recovered_unconfirmed", "censored_end", "censored_gap", "died"]
CAUSES = ["chemotherapy", "medication", "infection", "malignancy_or_marrow", "unexplained"]
AGENTS = ["doxorubicin", "docetaxel", "clozapine", ""]
REGIMENS = ["ac", "docetaxel", "folfox", "cisplatin"]
COHORTS = {"chemotherapy": 0.4, "clozapine": 0.06}
Estimates = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Odds:
    """How episodes of a drawn hospital divide, and how many there are for each person."""

    episodes_a_person: float
    incident: float
    confirmed: float = 0.8
    ending: list[float] = field(default_factory=lambda: [0.68, 0.12, 0.1, 0.05, 0.05])
    cause: list[float] = field(default_factory=lambda: [0.5, 0.15, 0.2, 0.05, 0.1])
    agent: list[float] = field(default_factory=lambda: [0.5, 0.25, 0.05, 0.2])


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return load_definitions()


@pytest.fixture(scope="session")
def draw_estimates(definitions: Definitions) -> Callable[[int], Estimates]:
    """Estimates of the hospital of a seed; the same seed is drawn once."""
    plan = draw_plan(definitions)
    drawn: dict[int, Estimates] = {}

    def draw(seed: int) -> Estimates:
        if seed not in drawn:
            drawn[seed] = estimate_counts(count_people(_hospital(seed), plan), plan, run_id="night")
        return drawn[seed]

    return draw


@pytest.fixture(scope="session")
def draw_odd_estimates(definitions: Definitions) -> Callable[[int], Estimates]:
    """Estimates of a small hospital of a seed: lopsided causes, cohorts of nearly all or nobody, often no calendar."""

    def draw(seed: int) -> Estimates:
        rng = np.random.default_rng(seed)
        plan = draw_plan(definitions, has_calendar=bool(rng.random() < 0.75), has_dates=bool(rng.random() < 0.9))
        return estimate_counts(count_people(_odd_hospital(rng), plan), plan, run_id="night")

    return draw


@pytest.fixture(scope="session")
def draw_growing(definitions: Definitions) -> Callable[[int], Estimates]:
    """Estimates of a hospital of 680 people with every kind of table, before most of its people came."""
    plan = draw_plan(definitions)
    whole = {name: rows.collect().lazy() for name, rows in growing_hospital().items()}
    drawn: dict[int, Estimates] = {}

    def draw(n_people: int) -> Estimates:
        if n_people not in drawn:
            is_here = pl.col("person_index") < n_people
            episodes = whole["episode"].filter(is_here).select("episode_id")
            here = {
                name: rows.filter(is_here)
                if "person_index" in rows.collect_schema().names()
                else rows.join(episodes, on="episode_id", how="semi")
                for name, rows in whole.items()
            }
            drawn[n_people] = estimate_counts(count_people(here, plan), plan, run_id="night")
        return drawn[n_people]

    return draw


def growing_hospital() -> dict[str, pl.LazyFrame]:
    """680 people with every kind of table."""
    people, days = 680, 50
    return {
        "person": _people(people),
        **_observe(np.random.default_rng(1), people, days, COHORTS),
        "anc": _measure(np.random.default_rng(2), people, days),
        **_neutropenia(np.random.default_rng(3), people, days, Odds(0.6, 0.9)),
        **_treat(np.random.default_rng(4), people, days),
    }


def draw_plan(definitions: Definitions, *, has_calendar: bool = True, has_dates: bool = True) -> Plan:
    """What is asked of a drawn hospital."""
    return Plan(
        estimation=definitions.estimation,
        denominators=definitions.denominators,
        cuts=tuple(Cut("any_low", ANY_VALUE, each, "lt") for each in THRESHOLDS)
        + tuple(Cut("confirmed", rule, each, "lt") for rule in ("clinical", "simple_run") for each in THRESHOLDS),
        scales=definitions.scales,
        has_calendar=has_calendar and has_dates,
        has_dates=has_dates,
        complications=definitions.complications,
        person_days=definitions.person_days,
        chronic=definitions.chronic,
        standards=definitions.standards,
        drugs=definitions.drugs,
        rules=definitions.rules,
        cohorts=tuple(cohort for cohort in definitions.cohorts if cohort.id in {"everyone", *COHORTS}),
    )


def _hospital(seed: int) -> dict[str, pl.LazyFrame]:
    rng = np.random.default_rng(seed)
    people = int(rng.choice([15, 60, 200, 600]))
    days = int(rng.choice([50, 110]))
    return {
        "person": _people(people),
        **_observe(rng, people, days, COHORTS),
        "anc": _measure(rng, people, days),
        **_neutropenia(rng, people, days, Odds(rng.uniform(0.2, 0.6), rng.choice([0.7, 1.0]))),
        **_treat(np.random.default_rng(seed + 1000), people, days),
    }


def _odd_hospital(rng: np.random.Generator) -> dict[str, pl.LazyFrame]:
    people = int(rng.choice([3, 8, 13, 20, 35, 60, 120, 250]))
    days = int(rng.choice([8, 30, 50, 110]))
    shares = rng.choice([0.02, 0.1, 0.5, 0.9, 0.98], rng.integers(0, 4))
    alpha = rng.choice([0.1, 0.5, 3])
    drawn = [rng.dirichlet(np.full(len(names), alpha)).tolist() for names in (ENDINGS, CAUSES, AGENTS)]
    odds = Odds(rng.choice([0.05, 0.2, 0.6, 1.5]), rng.choice([0, 0.9, 0.97, 1]), rng.choice([0.5, 0.9, 1]), *drawn)
    has_values, has_episodes = rng.random(2) > 0.06
    frames = {
        "person": _people(people),
        **_observe(rng, people, days, {f"cohort_{place}": share for place, share in enumerate(shares)}),
        "anc": _measure(rng, people, days).filter(bool(has_values)),
        **_neutropenia(rng, people, days, odds),
        **_treat(np.random.default_rng(people + days), people, days),
    }
    frames["episode"] = frames["episode"].filter(bool(has_episodes))
    return frames


def _observe(rng: np.random.Generator, people: int, days: int, cohorts: Mapping[str, float]) -> dict[str, pl.LazyFrame]:
    first = rng.integers(0, days // 2, people)
    last = first + rng.integers(1, days // 2, people)
    spans = pl.DataFrame(
        {"person_index": np.arange(people, dtype=np.uint32), "started_on": _dates(first), "ended_on": _dates(last)}
    )
    members = [spans.with_columns(cohort=pl.lit("everyone"))]
    for cohort, share in cohorts.items():
        inside = spans.filter(pl.Series(rng.random(people) < share, dtype=pl.Boolean))
        members.append(inside.with_columns(cohort=pl.lit(cohort)))
    return {"observation": spans.lazy(), "cohort_member": pl.concat(members).lazy()}


def _measure(rng: np.random.Generator, people: int, days: int) -> pl.LazyFrame:
    size = people * int(rng.choice([2, 6]))
    count = np.exp(rng.normal(7.9, 0.7, size)).astype(np.int64)
    frame = pl.DataFrame(
        {
            "person_index": rng.integers(0, people, size).astype(np.uint32),
            "collected_at": _times(rng.integers(0, days, size)),
            "count": count,
            "kind": rng.random(size),
        }
    )
    is_number, is_white = pl.col("kind") > 0.06, pl.col("kind") > 0.02
    return frame.lazy().select(
        "person_index",
        pl.int_range(pl.len()).cast(pl.String).alias("specimen_id"),
        "collected_at",
        pl.when(is_number).then("count").alias("anc_cells_per_ul"),
        pl.when(is_number).then("count").otherwise(0).alias("lower_cells_per_ul"),
        pl.col("count").alias("upper_cells_per_ul"),
        pl.when(is_number).then(pl.col("count") * 97 // 100).otherwise(0).alias("possible_lower_cells_per_ul"),
        (pl.col("count") * 103 // 100).alias("possible_upper_cells_per_ul"),
        pl.when(is_number)
        .then(pl.lit("direct_auto"))
        .when(is_white)
        .then(pl.lit("wbc_only"))
        .otherwise(pl.lit("granulocytes"))
        .alias("route"),
    )


def _neutropenia(rng: np.random.Generator, people: int, days: int, odds: Odds) -> dict[str, pl.LazyFrame]:
    parts = []
    for rule in ("clinical", "simple_run"):
        lows = _draw_lows(rng, people, days, odds)  # an episode at 500 lies in one at 1000
        for threshold, share in zip(THRESHOLDS, (1.0, 0.55, 0.4), strict=True):
            lows = lows.filter(pl.Series(rng.random(lows.height) < share, dtype=pl.Boolean))
            parts.append(lows.with_columns(rule=pl.lit(rule), threshold_cells_per_ul=pl.lit(threshold, pl.Int64)))
    episode = pl.concat(parts).with_columns(
        episode_id=pl.int_range(pl.len()).cast(pl.String),
        onset_after=pl.when("is_incident").then("onset_after"),
        recovery_by=pl.when(pl.col("ended_as").str.starts_with("recovered")).then("recovery_by"),
    )
    frames = {
        "episode": _with_compared(episode.drop("cause_group", "agent"), people).lazy(),
        "episode_cause": _suspect(episode, people).lazy(),
        "cause_window": _move_causes(rng, episode.filter(pl.col("rule") == "clinical")),
        "drug_block": _give_drugs(rng, people, days),
    }
    return frames | _complications(rng, episode)


def _suspect(episode: pl.DataFrame, people: int) -> pl.DataFrame:
    """The primary suspect of each episode, and second ones beside some, often nearly all, of those with a suspect."""
    category = pl.when(pl.col("cause_group") == "unexplained").then(pl.lit("none")).otherwise(pl.lit("possible"))
    primary = episode.select("episode_id", "cause_group", "agent", category=category, is_primary=pl.lit(value=True))
    rng = np.random.default_rng(people)
    parts, left = [primary], primary.filter(pl.col("category") == "possible")
    for agent, cause in (("second", pl.col("cause_group")), ("third", pl.lit("nutritional"))):
        is_kept = pl.Series(rng.random(left.height) < rng.choice([0.1, 0.5, 0.97, 1.0]), dtype=pl.Boolean)
        left = left.filter(is_kept).with_columns(cause_group=cause, agent=pl.lit(agent), is_primary=pl.lit(value=False))
        parts.append(left)
    return pl.concat(parts)


def _with_compared(episode: pl.DataFrame, people: int) -> pl.DataFrame:
    """Episodes of rules that are only compared as well: nearly those of the clinical rule."""
    own = episode.filter(pl.col("rule") == "clinical")
    rng, parts = np.random.default_rng(people), []
    for rule, limit in (("ohdsi_213", 1500), ("allmt", 500), ("icaht_early", 500)):
        at = own.filter(pl.col("threshold_cells_per_ul") == limit)
        kept = at.filter(pl.Series(rng.random(at.height) < rng.choice([0.2, 0.95, 1.0]), dtype=pl.Boolean))
        parts.append(kept.with_columns(rule=pl.lit(rule), episode_id=rule + pl.lit("|") + "episode_id"))
    days = pl.when(pl.col("recovery_by").is_not_null()).then(
        (pl.col("recovery_by") - pl.col("first_low_at")).dt.total_days().cast(pl.Float64)
    )
    return pl.concat([episode, *parts]).with_columns(duration_ruled_days=days)


def _complications(rng: np.random.Generator, episode: pl.DataFrame) -> dict[str, pl.LazyFrame]:
    """Fevers of which each lies in the one before, and infections; often temperatures of only some episodes."""
    ids = episode.select("episode_id")
    measured = ids.filter(pl.Series(rng.random(ids.height) < rng.choice([0, 0.3, 0.97, 1]), dtype=pl.Boolean))
    looks = [measured.with_columns(look=pl.lit("temperatures"))]
    looks += [ids.with_columns(look=pl.lit("codes"))] if rng.random() < 0.8 else []
    feverish, found = measured, []
    for name in ("fn_ohdsi_208", "fn_ctcae_v5", "fn_idsa_asco", "fn_esmo_2016", "fn_vogel"):
        keep = rng.random(feverish.height) < rng.choice([0.3, 0.8, 0.97, 1])
        feverish = feverish.filter(pl.Series(keep, dtype=pl.Boolean))
        found.append(feverish.with_columns(complication=pl.lit(name)))
    for name in ("infection_any", "pneumonia", "mouth_sores") if len(looks) > 1 else ():
        keep = rng.random(ids.height) < rng.choice([0.02, 0.3, 0.95])
        found.append(ids.filter(pl.Series(keep, dtype=pl.Boolean)).with_columns(complication=pl.lit(name)))
    return {"complication": pl.concat(found).lazy(), "complication_look": pl.concat(looks).lazy()}


def _treat(rng: np.random.Generator, people: int, days: int) -> dict[str, pl.LazyFrame]:
    """Cycles of a part of the people, and chronic tracks of a few; who is chronic at 500 is so at 1500."""
    size = max(1, int(people * rng.uniform(0.2, 3)))
    tests = rng.choice([0, 1, 2, 8], size)
    nadir = np.exp(rng.normal(7, 1, size)).astype(np.int64)
    status = rng.choice(STATUSES[2:], size, p=[0.7, 0.1, 0.1, 0.1])
    status = np.where(tests == 0, STATUSES[1], np.where(rng.random(size) < rng.uniform(0, 0.6), STATUSES[0], status))
    treated = max(1, int(people * rng.uniform(0.1, 0.9)))
    cycle = pl.DataFrame(
        {
            "person_index": rng.integers(0, treated, size).astype(np.uint32),
            "started_on": _dates(rng.integers(0, days // 2, size)),
            "regimen": rng.choice(REGIMENS, size, p=rng.dirichlet([2, 1, 0.3, 0.1])),
            "n_tests": tests,
            "nadir": nadir,
            "day": rng.integers(1, 22, size),
            "severe": rng.integers(0, 9, size),
            "severe_status": status,
        }
    ).with_columns(
        nadir_cells_per_ul=pl.when(pl.col("n_tests") > 0).then("nadir"),
        nadir_day=pl.when(pl.col("n_tests") > 0).then("day").cast(pl.Int32),
        severe_days=pl.when(pl.col("severe_status") == STATUSES[0]).then("severe").cast(pl.Int32),
    )
    chronic = pl.DataFrame(
        {
            "person_index": np.flatnonzero(rng.random(people) < rng.choice([0.05, 0.2])).astype(np.uint32),
        }
    ).with_columns(rule=pl.lit("chronic"))
    low = rng.integers(0, days // 2, chronic.height)
    ended = rng.random(chronic.height) < 0.5
    tracks = chronic.with_columns(
        first_low_at=_times(low), last_low_at=_times(low + 95), until=_times(low + 99), ended=pl.Series(ended)
    ).with_columns(recovery_by=pl.when("ended").then("until"))
    parts = []
    for threshold, share in zip(THRESHOLDS, (1.0, 0.6, 0.4), strict=True):
        tracks = tracks.filter(pl.Series(rng.random(tracks.height) < share, dtype=pl.Boolean))
        parts.append(tracks.with_columns(threshold_cells_per_ul=pl.lit(threshold, pl.Int64)))
    return {"cycle": cycle.lazy(), "chronic": pl.concat(parts).lazy()}


def _move_causes(rng: np.random.Generator, episode: pl.DataFrame) -> pl.LazyFrame:
    """Causes as windows of another length give them: mostly the same."""
    moved = []
    for window in ("half", "double"):
        is_other = pl.Series(rng.random(episode.height) < 0.1, dtype=pl.Boolean)
        other = pl.Series(rng.choice(CAUSES, episode.height), dtype=pl.String)
        named = pl.select(pl.when(is_other).then(other).otherwise(episode["cause_group"])).to_series()
        moved.append(episode.select("episode_id", window=pl.lit(window), cause_group=named))
    return pl.concat(moved).lazy()


def _give_drugs(rng: np.random.Generator, people: int, days: int) -> pl.LazyFrame:
    """Courses of one block each, of drugs that many or few are given."""
    parts = []
    for drug, drug_class, anchor, share in (
        ("doxorubicin", "cytotoxic", "each_dose", 0.4),
        ("docetaxel", "cytotoxic", "each_dose", 0.1),
        ("clozapine", "other", "course_start", rng.choice([0.05, 0.9])),
        ("rituximab", "other", "last_dose", 0.2),
    ):
        n = int(people * share) + 1
        first = rng.integers(0, days, n)
        last = first + rng.integers(0, 20, n)
        dates = {"started_on": first, "ended_on": last, "course_started_on": first}
        dates |= {"window_from_on": first + 1, "window_until_on": last + 25}
        frame = pl.DataFrame(
            {
                "person_index": rng.integers(0, people, n).astype(np.uint32),
                "course_number": np.arange(n, dtype=np.int32) + 1,
                **{name: _dates(at) for name, at in dates.items()},
            }
        )
        facts = {"drug": drug, "drug_class": drug_class, "anchor": anchor}
        parts.append(
            frame.with_columns(
                **{name: pl.lit(word) for name, word in facts.items()},
                onset_min_days=pl.lit(1, pl.Int32),
                onset_max_days=pl.lit(30, pl.Int32),
            )
        )
    return pl.concat(parts).lazy()


def _draw_lows(rng: np.random.Generator, people: int, days: int, odds: Odds) -> pl.DataFrame:
    size = max(1, int(people * odds.episodes_a_person))
    low = rng.integers(0, days // 2, size)
    last = low + rng.poisson(4, size)
    return pl.DataFrame(
        {
            "person_index": rng.integers(0, people, size).astype(np.uint32),
            "first_low_at": _times(low),
            "last_low_at": _times(last),
            "onset_after": _times(low - 3),
            "recovery_by": _times(last + 1 + rng.poisson(2, size)),
            "ended_as": rng.choice(ENDINGS, size, p=odds.ending),
            "is_incident": rng.random(size) < odds.incident,
            "is_confirmed": rng.random(size) < odds.confirmed,
            "n_values": rng.integers(1, 6, size),
            "nadir_cells_per_ul": rng.integers(0, 1500, size),
            "cause_group": rng.choice(CAUSES, size, p=odds.cause),
            "agent": rng.choice(AGENTS, size, p=odds.agent),
        }
    )


def _dates(days: Any) -> list[date]:
    return [date(2025, 1, 10) + timedelta(days=int(day)) for day in days]


def _times(days: Any) -> pl.Series:
    origin = datetime.fromisoformat("2025-01-10T09:00:00")
    return pl.Series([origin + timedelta(days=int(day)) for day in days], dtype=pl.Datetime("us"))


def _people(number: int) -> pl.LazyFrame:
    index = np.arange(number, dtype=np.uint32)
    hashed = index.astype(np.uint64) * 2654435761
    return pl.LazyFrame(
        {
            "person_index": index,
            "person_hash": hashed,
            "birth_year": (hashed % 97).astype(np.int32) % 40 + 1986,  # some are infants, some not yet of age
            "age_years": pl.Series([None] * number, dtype=pl.Int32),
            "age_at": pl.Series([None] * number, dtype=pl.Date),
            "duffy_null": hashed % 7 < 2,
            "sex": np.where(hashed % 31 == 0, "unknown", np.where(hashed % 2 == 0, "female", "male")),
        }
    )
