"""The first screen says what the released tables say."""

import re
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from reports.answer import answer_sentence, comparison, freshness
from reports.content import KeyNumber, key_numbers
from reports.facts import AnswerFact, NightFacts
from reports.numbers import read_numbers
from transforms.load import Definitions
from transforms.release import Released

Night = Callable[..., Released]


@pytest.fixture(scope="module")
def numbers(released: Released, facts: NightFacts, definitions: Definitions) -> dict[str, KeyNumber]:
    return {number.id: number for number in key_numbers(released, facts, definitions)}


def one(released: Released, table: str, **match: Any) -> dict[str, Any]:
    frame = released.tables[f"released.{table}"].filter(*[pl.col(key) == value for key, value in match.items()])
    assert frame.height == 1
    return frame.row(0, named=True)


def last_month(released: Released, threshold: int) -> dict[str, Any]:
    return one(
        released,
        "prevalence",
        cohort="everyone",
        interval_start=date(2026, 9, 1),
        measure="any_low",
        threshold_cells_per_ul=threshold,
        denominator_name="tested",
    )


@pytest.mark.parametrize("threshold", [1500, 1000, 500])
def test_a_prevalence_tile_is_the_released_row_of_the_last_whole_month(
    numbers: dict[str, KeyNumber], released: Released, threshold: int
) -> None:
    row, tile = last_month(released, threshold), numbers[f"low_{threshold}"]
    assert tile.value == pytest.approx(row["prevalence"], abs=1e-6)
    assert (tile.lo, tile.hi) == (
        pytest.approx(row["prevalence_lo"], abs=1e-6),
        pytest.approx(row["prevalence_hi"], abs=1e-6),
    )
    assert tile.period == "September 2026"
    assert tile.denominator.startswith(f"{row['n_low']:,} of {row['n_population']:,} people tested; ")


def test_a_prevalence_tile_names_the_share_of_everyone_observed_too(
    numbers: dict[str, KeyNumber], released: Released
) -> None:
    fixed = {"interval_start": date(2026, 9, 1), "measure": "any_low", "threshold_cells_per_ul": 1500}
    row = one(released, "prevalence", cohort="everyone", denominator_name="observed", **fixed)
    said = f"; {row['prevalence'] * 100:.1f}\u00a0% of {row['n_population']:,} observed"
    assert numbers["low_1500"].denominator.endswith(said)


def test_numbers_of_the_month_and_of_the_whole_extract_stand_under_their_own_period(
    numbers: dict[str, KeyNumber], released: Released
) -> None:
    whole = one(released, "testing", cohort="everyone", interval_unit="all")
    assert (numbers["tested_all"].value, numbers["tested_all"].period) == (whole["n_tested"], "whole extract")
    assert numbers["tested"].period == "September 2026"
    assert {number.period for number in numbers.values()} == {"September 2026", "whole extract"}
    assert len({number.title for number in numbers.values()}) == len(numbers)


def test_the_episode_tile_is_the_released_total(numbers: dict[str, KeyNumber], released: Released) -> None:
    row = one(released, "episode", cohort="everyone", rule="clinical", threshold_cells_per_ul=1500, ended_as="all")
    assert numbers["episodes"].value == row["n_episodes"]
    assert numbers["episodes"].text == f"{row['n_episodes']:,}"


def test_the_duration_tile_names_the_episodes_the_censored_and_the_gap(
    numbers: dict[str, KeyNumber], released: Released
) -> None:
    which = {"cohort": "everyone", "rule": "clinical", "threshold_cells_per_ul": 1500, "cause_group": "all"}
    estimate = {"estimator": "interval_censored", "estimand": "typical incident episode", "tau_days": 30.0}
    row = one(released, "duration", **which, **estimate)
    tile = numbers["median_days_alive"]
    assert tile.value == pytest.approx(row["median_days"], abs=1e-6)
    assert "naive" not in tile.label
    assert f"of {row['n_episodes']:,} confirmed incident episodes" in tile.denominator


def test_the_sentence_has_the_numbers_of_the_tiles(
    released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    row, grave = last_month(released, 1500), last_month(released, 500)
    sentence = answer_sentence(read_numbers(released, facts, definitions), facts)
    assert sentence.startswith(
        f"{row['n_low']} of {row['n_population']} people tested in September 2026 were neutropenic, "
    )
    assert sentence.endswith(f"; {grave['n_low']} severely so.")


def test_without_real_dates_the_sentence_is_about_the_whole_extract(
    night: Night, facts: NightFacts, definitions: Definitions
) -> None:
    undated = replace(facts, dates="none", data_from=None, data_through=None)
    sentence = answer_sentence(read_numbers(night(has_dates=False), undated, definitions), undated)
    assert "people tested in the whole extract were neutropenic" in sentence
    assert "no dates" in freshness(undated)


def test_without_any_count_there_is_no_number_and_the_reason_is_said(
    night: Night, facts: NightFacts, definitions: Definitions
) -> None:
    reason = "ANC not computable: no neutrophil result in the extract."
    bare = replace(facts, answers=(AnswerFact("anc", "not_answerable", reason),))
    released = night(has_anc=False)
    assert key_numbers(released, bare, definitions) == ()
    assert answer_sentence(read_numbers(released, bare, definitions), bare) == reason


def test_a_hidden_number_is_said_to_be_hidden_and_has_no_value(
    night: Night, facts: NightFacts, definitions: Definitions
) -> None:
    released = night(cohorts={"everyone": 600})
    sentence = answer_sentence(read_numbers(released, facts, definitions), facts)
    tile = next(number for number in key_numbers(released, facts, definitions) if number.id == "low_500")
    assert re.fullmatch(r"\d+ people were tested in September 2026; how many were neutropenic is hidden\.", sentence)
    assert (tile.value, tile.mark, tile.shown, tile.text) == (None, "hidden", "hidden", "hidden (1\u201310 rule)")


def test_where_neither_the_tested_nor_the_low_are_shown_the_sentence_says_it_once(
    released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    numbers = read_numbers(released, facts, definitions)
    hidden = dict.fromkeys(("n_low", "n_population", "prevalence", "prevalence_lo", "prevalence_hi"), "hidden")
    rows = tuple({**row, **hidden} for row in numbers.tables["prevalence"])
    sentence = answer_sentence(replace(numbers, tables={**numbers.tables, "prevalence": rows}), facts)
    assert sentence == "How many people were tested in September 2026, and how many were neutropenic, is hidden."


def test_a_change_is_told_in_points_on_the_last_comparable_run(
    released: Released, facts: NightFacts, definitions: Definitions, numbers: dict[str, KeyNumber]
) -> None:
    now = numbers["low_1500"].value
    assert now is not None
    later = replace(facts, previous_key_numbers={"low_1500": now - 0.003, "episodes": None})
    moved = {number.id: number.change for number in key_numbers(released, later, definitions)}
    assert moved["low_1500"] == "0.3 points up on the last comparable run"
    assert moved["episodes"] == ""


def test_what_changes_compare_with_is_said_and_so_is_that_there_is_nothing(facts: NightFacts) -> None:
    assert "run-7" in comparison(replace(facts, n_earlier_runs=3, previous_run_id="run-7"))
    assert comparison(replace(facts, n_earlier_runs=3)).startswith("No comparable run")
    assert comparison(facts).startswith("The first published run")


def test_nobody_of_an_earlier_night_that_is_held_is_not_told_as_nobody_of_tonight(
    released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    held = {
        "released.testing": ["n_tested"],
        "released.prevalence": ["n_population", "n_low", "prevalence", "prevalence_lo"],
    }
    tables = {
        name: released.tables[name].with_columns(
            *(pl.lit(0).cast(released.tables[name].schema[value]).alias(value) for value in values),
            *(pl.lit("held").alias(f"{value}_mark") for value in values),
        )
        for name, values in held.items()
    }
    night = copy(released)  # nothing but a release makes one
    object.__setattr__(night, "tables", {**released.tables, **tables})
    told = {number.id: number for number in key_numbers(night, facts, definitions)}
    assert (told["tested"].shown, told["tested"].value) == ("held back", None)
    sentence = answer_sentence(read_numbers(night, facts, definitions), facts)
    assert sentence.startswith("How many people were tested in September 2026")
    assert "held back" in sentence
