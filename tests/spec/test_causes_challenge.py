"""WHO-UMC categories: dechallenge, rechallenge and competition decide, each at its edge."""

from typing import Any

import pytest

from transforms.examples_of_patients import attribute_patients
from transforms.load import Definitions, load_definitions
from transforms.model.cause_examples import CauseExample


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return load_definitions()


def _clozapine(definitions: Definitions, **facts: Any) -> dict[str, Any]:
    patient = {"title": "", "expect": {}, "exposures": [{"agent": "clozapine", "day": -40, "until": 0}], **facts}
    found = attribute_patients(definitions, [CauseExample.model_validate(patient)])
    return next(row for row in found.to_dicts() if row["agent"] == "clozapine")


def _counts(*counts: tuple[int, int]) -> list[dict[str, int]]:
    return [{"day": day, "cells_per_ul": count} for day, count in counts]


@pytest.mark.parametrize(
    ("counts", "dechallenge", "category"),
    [
        pytest.param([(0, 400), (30, 1500)], "positive", "probable", id="1500 on day 30"),
        pytest.param([(0, 400), (30, 1499), (40, 1400)], "negative", "possible", id="1499 on day 30, tested on"),
        pytest.param([(0, 400), (20, 900), (31, 1500)], "negative", "possible", id="1500 on day 31 only"),
        pytest.param([(0, 400), (20, 900)], "unknown", "possible", id="testing stopped before the 30 days"),
        pytest.param([(0, 400), (40, 2000)], "unknown", "possible", id="not tested within the 30 days"),
        pytest.param(
            [(-3, 2500), (0, 400)], "unknown", "possible", id="a good count before the low one is no recovery"
        ),
        pytest.param([], "unknown", "possible", id="no counts at all"),
    ],
)
def test_dechallenge_is_a_count_of_1500_within_30_days_of_stopping(
    definitions: Definitions, counts: list[tuple[int, int]], dechallenge: str, category: str
) -> None:
    found = _clozapine(definitions, counts=_counts(*counts))
    assert (found["dechallenge"], found["category"]) == (dechallenge, category)


def test_a_second_episode_on_the_drug_makes_it_certain(definitions: Definitions) -> None:
    exposures = [{"agent": "clozapine", "day": -40, "until": 0}, {"agent": "clozapine", "day": 100, "until": 130}]
    found = _clozapine(
        definitions,
        exposures=exposures,
        counts=_counts((0, 400), (14, 2500), (120, 900), (140, 2600)),
        further_lows=[{"day": 120, "recovery_day": 140}],
        recovery_day=14,
    )
    assert (found["rechallenge"], found["category"]) == ("positive", "certain")


def test_a_re_exposure_without_an_episode_is_a_negative_rechallenge(definitions: Definitions) -> None:
    exposures = [{"agent": "clozapine", "day": -40, "until": 0}, {"agent": "clozapine", "day": 100, "until": 130}]
    counts = _counts((0, 400), (14, 2500), (120, 3000))
    found = _clozapine(definitions, exposures=exposures, counts=counts, recovery_day=14)
    assert (found["rechallenge"], found["category"]) == ("negative", "probable")


def test_a_second_episode_in_the_same_course_is_no_rechallenge(definitions: Definitions) -> None:
    found = _clozapine(
        definitions,
        exposures=[{"agent": "clozapine", "day": -40, "until": 60}],
        counts=_counts((0, 400), (50, 900)),
        further_lows=[{"day": 50}],
    )
    assert found["rechallenge"] == "unknown"


@pytest.mark.parametrize(
    ("other", "n_competing", "category"),
    [
        pytest.param({"diagnoses": [("B279", -5)]}, 1, "possible", id="an acute infection competes"),
        pytest.param({"diagnoses": [("J069", -5)]}, 0, "probable", id="a weak infection code does not"),
        pytest.param({"diagnoses": [("D702", 3)]}, 0, "probable", id="a coder's own attribution does not"),
        pytest.param({"diagnoses": [("M069", -500)]}, 0, "probable", id="context does not"),
        pytest.param({"diagnoses": [("A419", 2)]}, 0, "probable", id="sepsis afterwards does not"),
        pytest.param({"drug": ("filgrastim", 1)}, 0, "probable", id="a growth factor does not"),
        pytest.param({"drug": ("famotidine", -3)}, 0, "probable", id="a drug outside its window does not"),
        pytest.param({"drug": ("famotidine", -20)}, 1, "possible", id="a drug in its window does"),
    ],
)
def test_only_likely_candidates_compete(
    definitions: Definitions, other: dict[str, Any], n_competing: int, category: str
) -> None:
    doses: list[dict[str, Any]] = [{"agent": "clozapine", "day": -40, "until": 0}]
    if "drug" in other:
        agent, day = other["drug"]
        doses.append({"agent": agent, "day": day, "until": max(day, 0)})
    codes = [{"code": code, "code_system": "icd10cm", "day": day} for code, day in other.get("diagnoses", [])]
    found = _clozapine(definitions, exposures=doses, diagnoses=codes, counts=_counts((0, 400), (14, 2500)))
    assert (found["n_competing"], found["category"]) == (n_competing, category)


def test_daily_doses_that_stop_at_the_low_count_are_a_stop_though_the_drug_comes_back_within_the_course(
    definitions: Definitions,
) -> None:
    """A restart 25 days later belongs to the same course; the recovery in between still followed a stop."""
    doses = [{"agent": "clozapine", "day": day} for day in [*range(-40, 1), 25, 26, 27]]
    found = _clozapine(definitions, exposures=doses, counts=_counts((0, 400), (14, 2500)), recovery_day=14)
    assert (found["dechallenge"], found["category"]) == ("positive", "probable")


def test_recovery_while_daily_doses_go_on_is_unlikely(definitions: Definitions) -> None:
    doses = [{"agent": "clozapine", "day": day} for day in range(-40, 40)]
    found = _clozapine(definitions, exposures=doses, counts=_counts((0, 1200), (14, 2500)), recovery_day=14)
    assert (found["dechallenge"], found["category"]) == ("unknown", "unlikely")
