"""Complications: of the confirmed episode in whose time they came; what was not looked at is in no denominator."""

from datetime import date, timedelta

import polars as pl
import pytest

from transforms.complication_counts import count_complications, estimate_complications, read_seen
from transforms.complications import EPISODE, find_complications, find_looks
from transforms.example_results import ORIGIN
from transforms.examples_of_complications import episodes_of, signs_of
from transforms.load import load_definitions
from transforms.model.examples import ComplicationExample
from transforms.person_time import Stays
from transforms.plan import plan_of

DEFINITIONS = load_definitions()
PLAN = plan_of(DEFINITIONS, has_calendar=False, has_dates=True)
FEVERISH = {"temperatures": [{"hour": 5, "celsius": 39.0}], "counts": [{"day": 0, "cells_per_ul": 400}]}
PNEUMONIA = {"diagnoses": [{"code": "J189", "code_system": "icd10cm", "day": 3}]}
FEVERS = {"fn_idsa_asco", "fn_ctcae_v5", "fn_esmo_2016", "fn_vogel"}


def _patient(**facts: object) -> ComplicationExample:
    return ComplicationExample.model_validate({"title": "", "expect": True, **facts})


def _found(*patients: ComplicationExample, is_confirmed: bool = True) -> dict[int, set[str]]:
    episodes = episodes_of(patients).with_columns(is_confirmed=pl.lit(is_confirmed))
    found = find_complications(episodes, signs_of(DEFINITIONS, patients), DEFINITIONS.complications).collect()
    told: dict[int, set[str]] = {place: set() for place in range(len(patients))}
    for person, name in found.select("person_index", "complication").iter_rows():
        told[person].add(name)
    return told


def _looks(*patients: ComplicationExample, has_diagnoses: bool = True) -> list[tuple[int, str]]:
    signs = signs_of(DEFINITIONS, patients)
    signs = type(signs)(signs.vital, signs.diagnosis, signs.encounter, signs.anc, signs.conditions, has_diagnoses)
    found = find_looks(episodes_of(patients), signs, DEFINITIONS.complications)
    return found.select("person_index", "look").collect().rows()


def test_one_fever_is_febrile_neutropenia_by_every_definition_that_needs_no_stay() -> None:
    assert _found(_patient(**FEVERISH)) == {0: FEVERS}


def test_the_same_fever_at_a_count_of_1200_is_none() -> None:
    assert _found(_patient(**{**FEVERISH, "counts": [{"day": 0, "cells_per_ul": 1200}]})) == {0: set()}


def test_an_isolated_low_value_has_no_complications() -> None:
    assert _found(_patient(**FEVERISH), is_confirmed=False) == {0: set()}


def test_two_readings_at_one_time_count_by_the_lower_one() -> None:
    readings = [{"hour": 5, "celsius": 39.0}, {"hour": 5, "celsius": 36.8}]
    assert _found(_patient(temperatures=readings, counts=FEVERISH["counts"])) == {0: set()}


def test_an_infection_is_a_complication_after_the_first_low_value_and_a_candidate_cause_before_it() -> None:
    early = {"diagnoses": [{"code": "A419", "code_system": "icd10cm", "day": 0}]}
    late = {"diagnoses": [{"code": "A419", "code_system": "icd10cm", "day": 1}]}
    assert _found(_patient(**early), _patient(**late)) == {0: set(), 1: {"infection_any", "sepsis"}}


def test_the_signs_of_one_person_are_not_those_of_another() -> None:
    assert _found(_patient(), _patient(**FEVERISH), _patient(**PNEUMONIA)) == {
        0: set(),
        1: FEVERS,
        2: {"infection_any", "pneumonia"},
    }


def test_an_episode_is_looked_at_by_temperatures_only_if_one_was_taken_in_its_time() -> None:
    before = _patient(temperatures=[{"hour": -24 * 5, "celsius": 36.5}])
    during = _patient(temperatures=[{"hour": 30, "celsius": 36.5}])
    assert _looks(before, during) == [(0, "codes"), (1, "codes"), (1, "temperatures")]


def test_without_a_diagnosis_table_no_episode_is_looked_at_by_codes() -> None:
    assert _looks(_patient(), has_diagnoses=False) == []


def _count(*patients: ComplicationExample, second_rule: str = PLAN.estimation.default_rule) -> pl.DataFrame:
    """`counts.complication` of one cohort in which everybody is; the second episode is one of `second_rule`."""
    episodes = episodes_of(patients).with_columns(
        rule=pl.when(pl.col("person_index") == 1)
        .then(pl.lit(second_rule))
        .otherwise(pl.lit(PLAN.estimation.default_rule)),
        threshold_cells_per_ul=pl.lit(1500, pl.Int64),
        episode_id=pl.format("e{}", "person_index"),
        nadir_cells_per_ul=pl.when(pl.col("person_index") == 0).then(50).otherwise(700),
    )
    signs = signs_of(DEFINITIONS, patients)
    named = episodes.select(*EPISODE, "episode_id")
    found = find_complications(episodes, signs, DEFINITIONS.complications)
    looks = find_looks(episodes, signs, DEFINITIONS.complications)
    frames = {
        "episode": episodes,
        "complication": found.join(named, on=EPISODE),
        "complication_look": looks.join(named, on=EPISODE),
    }
    day = (ORIGIN - timedelta(days=1)).toordinal() - date(1970, 1, 1).toordinal()
    people = {"person_index": range(len(patients)), "of_person": range(len(patients)), "cohort": 0}
    spans = pl.DataFrame({**people, "started": day, "ended": day + 100}).cast(
        {"person_index": pl.UInt32, "of_person": pl.UInt32, "started": pl.Int32, "ended": pl.Int32}
    )
    return count_complications(Stays(spans, pl.DataFrame()), read_seen(frames, PLAN), PLAN)


def test_a_share_is_of_the_episodes_in_which_the_complication_could_be_seen() -> None:
    rows = estimate_complications(_count(_patient(**FEVERISH, recovery_day=5), _patient(recovery_day=20)), PLAN)
    whole = {row["complication"]: row for row in rows.filter(pl.col("band_kind") == "all").to_dicts()}
    fever, pneumonia = whole["fn_idsa_asco"], whole["pneumonia"]
    assert (fever["n_episodes"], fever["n_assessed"], fever["n_people"], fever["share"]) == (1, 1, 1, 1.0)
    assert (pneumonia["n_episodes"], pneumonia["n_assessed"], pneumonia["share"]) == (0, 2, 0.0)


def test_episodes_of_other_rules_are_not_counted_once_more() -> None:
    counted = _count(_patient(), _patient(), second_rule="simple_run")
    rows = counted.filter(pl.col("complication") == "pneumonia", pl.col("band_kind") == "all")
    assert rows["n_assessed"].to_list() == [1]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("severity", {"profound": (1, 1), "moderate": (0, 1)}, id="depth: below 100, and 700"),
        pytest.param("duration", {"up_to_7_days": (1, 1), "15_to_30_days": (0, 1)}, id="length: 5 and 20 days"),
    ],
)
def test_bands_divide_episodes_by_depth_and_by_length(kind: str, expected: dict[str, tuple[int, int]]) -> None:
    counted = _count(_patient(**PNEUMONIA, recovery_day=5), _patient(recovery_day=20))
    rows = counted.filter(pl.col("complication") == "pneumonia", pl.col("band_kind") == kind)
    assert {row["band"]: (row["n_episodes"], row["n_assessed"]) for row in rows.to_dicts()} == expected


def _share(people: int, tested: int, affected: int, with_it: int) -> dict[str, object]:
    """`with_it` of the `people` have `affected` of their `tested` episodes with it, the others none."""
    m, x = people * tested, with_it * affected
    sums = {
        "n_assessed": m,
        "n_episodes": x,
        "n_people_assessed": people,
        "n_assessed_squared": people * tested**2,
        "n_episodes_squared": with_it * affected**2,
        "n_assessed_episodes": with_it * tested * affected,
    }
    return estimate_complications(pl.DataFrame([sums]), PLAN).row(0, named=True)


def test_the_interval_of_a_share_takes_people_as_clusters() -> None:
    apart, together = _share(200, 1, 1, 50), _share(50, 4, 4, 12)
    assert (apart["share"], apart["method"]) == (0.25, "wilson")
    assert (apart["share_lo"], apart["share_hi"]) == pytest.approx((0.195, 0.314), abs=0.001)
    assert together["share_hi"] - together["share_lo"] > 1.8 * (apart["share_hi"] - apart["share_lo"])


def test_no_interval_tells_the_number_of_people_where_nobody_or_everybody_had_it() -> None:
    for row in (_share(40, 2, 1, 0), _share(40, 1, 1, 40)):
        assert (row["share_lo"], row["share_hi"], row["method"]) == (None, None, "none")
