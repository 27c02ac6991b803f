"""Chronic tracks by the fast code equal those of a plain reading of the chart, one patient at a time."""

import os
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tests.oracle.plain_chronic import plain_chronic
from transforms.load import load_definitions
from transforms.model.episodes import EpisodeRule

START = datetime.fromisoformat("2019-03-01T00:00")
COUNTS = (0, 100, 499, 500, 501, 999, 1000, 1200, 1499, 1500, 1501, 3000)
BOUNDS = ((0, 99), (0, 499), (0, 500), (0, 1500), (700, 1400), (700, 2000), (2000, None))
STEPS_HOURS = ((0, 0, 3, 12, 24, 48), (24, 168, 336), (500, 719, 721, 1080, 2160), (0, 24, 24, 720, 1080, 2159, 2160))
PATIENTS_PER_RULE = 200
N_PATIENTS = int(os.environ.get("NADIR_ORACLE_PATIENTS", "3000"))


class Drawn:
    """Choices that are the same in every run with the same seed."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def choice(self, options: Any) -> Any:
        return options[int(self.generator.integers(len(options)))]


def draw_patient(oracle: Any, drawn: Drawn) -> Any:
    """Tests from hours to months apart, mostly low or mostly not, with ties, bounds, doses in cycles and deaths."""
    is_day, steps, at = drawn.choice((False, False, True)), drawn.choice(STEPS_HOURS), START
    share, values = drawn.choice((0.3, 0.7, 0.9)), []
    for number in range(drawn.choice(range(1, 25))):
        at += timedelta(hours=drawn.choice(steps))
        when = datetime.combine(at.date(), datetime.min.time()) if is_day else at
        is_low = drawn.generator.random() < share
        lower, upper = (drawn.choice(COUNTS[:9] if is_low else COUNTS[8:]),) * 2
        if drawn.generator.random() < 0.15:
            lower, upper = drawn.choice(BOUNDS)
        name = f"{drawn.choice('abc')}{number}"
        values.append(oracle.Value(when, name, lower if lower == upper else None, lower, upper, is_day))
    days = (at - START).days + 30
    doses = [START.date() + timedelta(days=int(day)) for day in drawn.generator.integers(0, days, drawn.choice((0, 4)))]
    doses += [dose + timedelta(days=drawn.choice((0, 1, 10, 11))) for dose in doses]
    died = at.date() + timedelta(days=drawn.choice((0, 400))) if drawn.choice((True, False, False)) else None
    return oracle.Patient(tuple(values), doses=tuple(doses), died_on=died)


def draw_rule(shipped: EpisodeRule, drawn: Drawn) -> tuple[EpisodeRule, dict[str, int]]:
    """The shipped rule with its numbers drawn, and the same numbers for the oracle."""
    asked = {
        "low_days": drawn.choice((1, 2, 3, 3, 4)),
        "days": drawn.choice((0, 30, 90, 90)),
        "recovered": drawn.choice((1, 2, 2, 3)),
        "cycle_apart": drawn.choice((0, 10, 10)),
    }
    changed = {
        "minimum": {"low_values": asked["low_days"], "days": asked["days"]},
        "recovered_values": asked["recovered"],
        "cycle_split": {"new_cycle_after_days": asked["cycle_apart"]},
    }
    return EpisodeRule.model_validate(shipped.model_dump() | changed), asked


def tracks_of(patients: list[Any], rule: EpisodeRule, asked: dict[str, int]) -> list[dict[str, Any]]:
    """By the oracle, in the order and with the names of the fast code."""
    found = [
        {"person_index": place, "rule": rule.id, "rule_version": rule.version, "threshold_cells_per_ul": below} | track
        for place, patient in enumerate(patients)
        for below in (threshold.low_cells_per_ul for threshold in rule.thresholds)
        for track in plain_chronic(patient, below, asked)
    ]
    keys = ("person_index", "threshold_cells_per_ul", "first_low_at")
    return sorted(found, key=lambda track: tuple(track[key] for key in keys))


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    exact = [row | {"span_days": pytest.approx(row["span_days"], abs=1e-9)} for row in expected]
    assert len(found) == len(expected)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours == theirs


@pytest.fixture(scope="module")
def shipped() -> EpisodeRule:
    (rule,) = load_definitions().chronic
    return rule


def test_the_shipped_track_of_thousands_of_patients_is_that_of_the_oracle(
    shipped: EpisodeRule, oracle: Any, find_tracks: Any
) -> None:
    """3,000 patients; `make oracle` takes 100,000."""
    asked = {"low_days": 3, "days": 90, "recovered": 2, "cycle_apart": 10}  # as clinical.md has it
    drawn, n_found, endings = Drawn(20261129), 0, set()
    for _ in range(max(1, N_PATIENTS // PATIENTS_PER_RULE)):
        patients = [draw_patient(oracle, drawn) for _ in range(PATIENTS_PER_RULE)]
        expected = tracks_of(patients, shipped, asked)
        assert_same(find_tracks(patients, [shipped]), expected)
        n_found += len(expected)
        endings |= {track["ended_as"] for track in expected}
    assert n_found > N_PATIENTS // 2
    assert endings == {"recovered", "recovered_unconfirmed", "died", "censored_end"}


def test_tracks_with_every_number_drawn_are_those_of_the_oracle(
    shipped: EpisodeRule, oracle: Any, find_tracks: Any
) -> None:
    drawn = Drawn(31)
    for _ in range(max(8, N_PATIENTS // PATIENTS_PER_RULE // 2)):
        rule, asked = draw_rule(shipped, drawn)
        patients = [draw_patient(oracle, drawn) for _ in range(PATIENTS_PER_RULE)]
        assert_same(find_tracks(patients, [rule]), tracks_of(patients, rule, asked))
