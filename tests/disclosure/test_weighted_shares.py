"""What a weighted share may not give away: a hidden share of people, or how few people have no weight."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from transforms.audit import find_small_cells
from transforms.cohort_order import CohortOrder
from transforms.counting import count_people
from transforms.estimates import estimate_counts
from transforms.load import load_definitions
from transforms.model.estimation import Plan
from transforms.plan import plan_of
from transforms.release import Released, release

DEFINITIONS = load_definitions()
PLAN = plan_of(DEFINITIONS, has_calendar=False, has_dates=False)
RULE = next(rule for rule in DEFINITIONS.disclosure if rule.channel == "internal")
CELL = ["cohort", "measure", "rule", "threshold_cells_per_ul", "denominator_name"]


N_SEEDS = 24 if os.environ.get("NADIR_ATTACK") == "all" else 6


def survey(seed: int, *, has_equal_weights: bool = False) -> dict[str, pl.LazyFrame]:
    rng = np.random.default_rng(seed)
    n = int(rng.choice([40, 150, 600, 2000]))
    anc = np.exp(rng.normal(rng.choice([6.6, 7.3, 8.0]), 0.6, n)).astype(np.int64)
    weight = np.where(rng.random(n) < rng.choice([0, 0.003, 0.05, 0.4]), 0.0, rng.lognormal(8, 1, n))
    weight = np.sign(weight) if has_equal_weights else weight
    index = np.arange(n, dtype=np.uint32)
    units = rng.integers(0, 16, n)
    person = pl.LazyFrame(
        {
            "person_index": index,
            "stratum": [f"s{unit // 2}" for unit in units],
            "psu": [str(unit % 2) for unit in units],
            "weight": weight,
        }
    )
    is_tested = rng.random(n) < rng.choice([1, 0.97, 0.6])
    known = {"person_index": index[is_tested], "anc": anc[is_tested]}
    tests = pl.LazyFrame(known).select(
        "person_index",
        collected_at=pl.lit(None, pl.Datetime("us")),
        anc_cells_per_ul="anc",
        lower_cells_per_ul="anc",
        upper_cells_per_ul="anc",
        route=pl.lit("direct_auto"),
    )
    never = pl.lit(None, pl.Date)
    members = [person.select("person_index", cohort=pl.lit("everyone"), started_on=never, ended_on=never)]
    inside = pl.Series(rng.random(n) < rng.uniform(0, 1))
    members.append(members[0].filter(inside).with_columns(cohort=pl.lit("some")))
    nothing = {"birth_year": pl.Int32, "age_years": pl.Int32, "age_at": pl.Date, "duffy_null": pl.Boolean}
    people = person.with_columns(
        person_hash=pl.col("person_index").cast(pl.UInt64),
        sex=pl.lit("unknown"),
        **{name: pl.lit(None, kind) for name, kind in nothing.items()},
    )
    return {"person": people, "anc": tests, "cohort_member": pl.concat(members), **_nothing_over_time()}


def _nothing_over_time() -> dict[str, pl.LazyFrame]:
    times = dict.fromkeys(("onset_after", "first_low_at", "last_low_at", "recovery_by"), pl.Datetime("us"))
    facts = {"is_incident": pl.Boolean, "is_confirmed": pl.Boolean, "ended_as": pl.String, "n_values": pl.Int64}
    facts["nadir_cells_per_ul"] = pl.Int64
    rule = {"rule": pl.String, "threshold_cells_per_ul": pl.Int64}
    episode = {"person_index": pl.UInt32, "episode_id": pl.String, **rule, **facts, **times}
    cause = {
        **dict.fromkeys(("episode_id", "cause_group", "agent", "category"), pl.String),
        "is_primary": pl.Boolean,
    }
    span = {"person_index": pl.UInt32, "started_on": pl.Date, "ended_on": pl.Date}
    window = {"episode_id": pl.String, "window": pl.String, "cause_group": pl.String}
    schemas: dict[str, dict[str, Any]] = {"episode": episode, "episode_cause": cause, "observation": span}
    schemas["complication"] = {"episode_id": pl.String, "complication": pl.String}
    schemas["complication_look"] = {"episode_id": pl.String, "look": pl.String}
    schemas["cause_window"] = window
    names = {"course_number": pl.Int32, "onset_min_days": pl.Int32, "onset_max_days": pl.Int32}
    texts = dict.fromkeys(("drug", "drug_class", "anchor"), pl.String)
    dates = ("started_on", "ended_on", "course_started_on", "window_from_on", "window_until_on")
    schemas["drug_block"] = {"person_index": pl.UInt32, **texts, **names, **dict.fromkeys(dates, pl.Date)}
    return {name: pl.LazyFrame(schema=schema) for name, schema in schemas.items()}


@cache  # several tests look at the same surveys
def release_survey(
    seed: int, plan: Plan = PLAN, *, has_equal_weights: bool = False
) -> tuple[Mapping[str, pl.DataFrame], Released]:
    people = survey(seed, has_equal_weights=has_equal_weights)
    estimates = estimate_counts(count_people(people, plan), plan, run_id="night")
    return estimates, release(estimates, RULE, CohortOrder(), run_id="night", definitions_hash="0")


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, N_SEEDS))])
def test_no_weighted_number_gives_away_what_is_hidden_of_people(seed: int) -> None:
    estimates, released = release_survey(seed)
    rows = released.tables["released.prevalence"].filter(pl.col("standard") == "crude")
    both = rows.filter("is_weighted").join(rows.filter(~pl.col("is_weighted")), on=CELL, suffix="_people")
    assert both.height == estimates["estimate.prevalence"].filter("is_weighted").height > 0
    assert both.filter(pl.col("prevalence").is_not_null(), pl.col("prevalence_people").is_null()).is_empty()
    for name in ("n_low", "n_low_possible", "n_population"):
        shown = both.filter(pl.col(name).is_not_null())
        assert shown.filter(pl.col(name).is_between(1, 10)).is_empty()
        assert shown.filter((pl.col(f"{name}_people") - pl.col(name)).is_between(1, 10)).is_empty(), name
    assert shown.filter((pl.col("n_population") - pl.col("n_low")).is_between(1, 10)).is_empty()
    unsized = both.filter(pl.col("n_population").is_null())
    assert unsized["prevalence_lo"].is_null().all()
    assert unsized["prevalence_hi"].is_null().all()
    assert released.closed == ()
    assert find_small_cells(released.tables, RULE.min_cell) == ()


@pytest.mark.parametrize("seed", range(24) if os.environ.get("NADIR_ATTACK") == "all" else (3, 13, 16))
def test_where_weights_are_alike_no_share_tells_a_hidden_count_as_a_quotient(seed: int) -> None:
    """Of 67 shown and a share of 67 / 1,996, the four of 2,000 who have no weight would follow."""
    _, released = release_survey(seed, has_equal_weights=True)
    rows = released.tables["released.prevalence"].filter("is_weighted", pl.col("prevalence") > 0)
    counts = rows.select("n_low", "n_population")
    assert counts.null_count().row(0) == (0, 0)


def test_most_weighted_shares_of_a_large_survey_are_shown() -> None:
    shown = [
        release_survey(seed)[1].tables["released.prevalence"].filter("is_weighted")
        for seed in range(24 if os.environ.get("NADIR_ATTACK") == "all" else 6)
    ]
    rows = pl.concat(shown).filter(pl.col("cohort") == "everyone", pl.col("threshold_cells_per_ul") == 1500)
    assert rows["prevalence"].is_not_null().mean() > 0.65  # type: ignore[operator]  # a mean of booleans is a number


def test_what_only_a_weighted_share_has_is_not_applicable_elsewhere() -> None:
    rows = release_survey(3)[1].tables["released.prevalence"].filter(~pl.col("is_weighted"))
    marks = rows.filter(pl.col("prevalence").is_not_null())["reliability_mark"].unique().to_list()
    assert marks == ["not_applicable"]


def test_the_last_look_finds_a_weighted_share_of_a_hidden_cell() -> None:
    _, released = release_survey(1)
    rows = released.tables["released.prevalence"]
    spoilt = rows.with_columns(
        prevalence=pl.when("is_weighted").then(0.02),
        n_low=pl.when("is_weighted").then("n_low"),
    )
    found = find_small_cells({"released.prevalence": spoilt}, RULE.min_cell)
    assert any("weighted share of a hidden cell" in str(finding) for finding in found)


def test_the_last_look_finds_how_few_have_no_weight() -> None:
    _, released = release_survey(1)
    rows = released.tables["released.prevalence"].with_columns(
        n_population=pl.when("is_weighted").then(495).otherwise(500)
    )
    found = find_small_cells({"released.prevalence": rows}, RULE.min_cell)
    assert any("without a weight of n_population" in str(finding) for finding in found)
