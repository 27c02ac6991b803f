"""The vectorised episodes equal those of the plain oracle, whatever the patient and whatever the rule."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms.load import load_definitions
from transforms.model.episodes import EpisodeRule

START = datetime.fromisoformat("2021-03-01T00:00")
COUNTS = (0, 9, 10, 99, 100, 400, 499, 500, 501, 750, 999, 1000, 1400, 1499, 1500, 1501, 2000, 3000, 4000)
BOUNDS = (
    (0, 99),
    (0, 100),
    (0, 499),
    (0, 500),
    (0, 1499),
    (0, 1500),
    (0, 3000),
    (700, 1400),
    (700, 2000),
    (2000, None),
)
STEPS_HOURS = (
    0,
    0,
    1,
    6,
    12,
    20,
    24,
    24,
    24,
    48,
    48,
    72,
    96,
    143,
    144,
    167,
    168,
    169,
    336,
    719,
    720,
    721,
    1000,
    2160,
    2161,
)
PATIENTS_PER_RULE = 125
N_PATIENTS = int(os.environ.get("NADIR_ORACLE_PATIENTS", "5000"))


class Drawn:
    """Choices that are the same in every run with the same seed."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def choice(self, options: Any) -> Any:
        return options[int(self.generator.integers(len(options)))]

    def shuffled(self, items: Any) -> tuple[Any, ...]:
        return tuple(items[place] for place in self.generator.permutation(len(items)))


def make_rule(pick: Any) -> EpisodeRule:
    """A rule with every parameter drawn by `pick`."""
    gap = pick((None, 5, 30, 30, 90))
    most = {"recovered_at_most_cells_per_ul": pick((None, None, None, 3000))}
    thresholds = [
        {"low_cells_per_ul": 1500, "low_operator": pick(("lt", "le")), "recovered_cells_per_ul": pick((1500, 2000))},
        {"low_cells_per_ul": 500, "low_operator": pick(("lt", "le")), "recovered_cells_per_ul": pick((500, 750, 1000))},
    ]
    anchor = {
        "drugs": pick((("a",), ("a", "b"))),
        "from_days": pick((0, 0, 5, 31)),
        "to_days": pick((None, 31, 60)),
        "new_after_days": pick((0, 10, 30)),
    }
    is_anchored = pick((False, False, True))
    confirmed_by = {
        "values": pick((1, 2, 2, 3)),
        "within_days": pick((None, 3, 30)),
        "or_below_cells_per_ul": pick((None, 500)),
        "or_days_after_dose": pick((None, None, (3, 21))),
    }
    words = {"id": "drawn", "version": "1", "title": "t", "source": "s", "why": "w", "rule": "r"}
    return EpisodeRule.model_validate(
        {
            **words,
            "thresholds": [threshold | most for threshold in thresholds],
            "takes": pick(("day", "specimen")),
            "uses_bounds": pick((True, True, False)),
            "recovered_values": pick((1, 2, 2, 3)),
            "confirmed_by": confirmed_by,
            "gap_days": gap,
            "join_days": pick((None, 3, 7, 7)),
            "minimum": {"low_values": pick((1, 1, 2)), "days": pick((0, 0, 3))},
            "cycle_split": pick((None, {"new_cycle_after_days": 0}, {"new_cycle_after_days": 10})),
            "look_back_days": pick((20, 90)),
            "gcsf_days": pick((0, 14)),
            "raising_days": pick((0, 7)),
            "ignores_below_cells_per_ul": pick((None, None, 10, 100)),
            "exit_days": None if gap else pick((None, 1, 21)),
            "length_unit_days": pick((None, None, 7)),
            "anchor": anchor if is_anchored else None,
            "grades": make_grades(pick) if is_anchored else (),
        }
    )


def make_grades(pick: Any) -> list[dict[str, Any]]:
    """Grades by days low at both thresholds."""
    return [
        {
            "grade": grade,
            "threshold_cells_per_ul": pick((1500, 500)),
            "at_least_days": pick((1, 3, 7, 14)),
            "never_above": pick((False, False, True)),
        }
        for grade in range(1, pick((1, 3, 6)))
    ]


def make_patient(oracle: Any, pick: Any, n_values: int, drugs: Sequence[str] | None = None) -> Any:
    """Values with ties, same-minute draws, zeros, bounds and gaps; doses, other drugs, infusions, sometimes death."""
    is_day = pick((False, False, False, True))
    at, values = START, []
    for _ in range(n_values):
        at += timedelta(hours=pick(STEPS_HOURS))
        when = datetime.combine(at.date(), datetime.min.time()) if is_day else at
        lower, upper = pick(BOUNDS) if pick((True, False, False, False)) else (pick(COUNTS),) * 2
        number = lower if lower == upper else None
        values.append(oracle.Value(when, pick("abc") + str(len(values)), number, lower, upper, is_day))
    days = (at - START).days + 40
    some = lambda most: tuple(day_of(pick(range(days))) for _ in range(pick(range(most))))  # noqa: E731
    died = day_of(pick(range(days))) if pick((True, False, False)) else None
    doses, gcsf, steroids, lithium, infusions = some(6), some(3), some(3), some(2), some(4)
    return oracle.Patient(
        tuple(values),
        doses,
        gcsf,
        died,
        tuple((day, day + timedelta(days=pick((0, 5, 60)))) for day in steroids),
        tuple((day, day + timedelta(days=pick((30, 300)))) for day in lithium),
        tuple((pick("abc" if drugs is None else drugs), day) for day in infusions),
    )


def day_of(number: int) -> date:
    return START.date() + timedelta(days=number)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_patient_under_any_rule_has_the_episodes_of_the_oracle(data: Any, oracle: Any, agree: Any) -> None:
    def pick(options: Any) -> Any:
        return data.draw(st.sampled_from(options))

    rule = make_rule(pick)
    agree([make_patient(oracle, pick, data.draw(st.integers(0, 9))) for _ in range(2)], [rule])


def test_thousands_of_patients_have_the_episodes_of_the_oracle(oracle: Any, agree: Any) -> None:
    """5,000 patients; `make oracle` takes 100,000."""
    drawn = Drawn(20261122)
    found = 0
    for _ in range(max(1, N_PATIENTS // PATIENTS_PER_RULE)):
        rule = make_rule(drawn.choice)
        patients = [make_patient(oracle, drawn.choice, drawn.choice(range(1, 30))) for _ in range(PATIENTS_PER_RULE)]
        found += agree(patients, [rule])
    assert found > N_PATIENTS


def test_the_shipped_rules_have_the_episodes_of_the_oracle(oracle: Any, agree: Any, shipped_rules: Any) -> None:
    drawn = Drawn(7)
    drugs = sorted({drug for rule in shipped_rules if rule.anchor for drug in rule.anchor.drugs})
    patients = [make_patient(oracle, drawn.choice, drawn.choice(range(1, 40)), drugs) for _ in range(400)]
    assert agree(patients, shipped_rules) > 400


def test_the_order_of_rows_and_other_patients_change_nothing(oracle: Any, find_fast: Any, shipped_rules: Any) -> None:
    drawn = Drawn(11)
    patients = [make_patient(oracle, drawn.choice, 20) for _ in range(60)]
    once = find_fast(patients, shipped_rules)
    shuffled = [replace(p, values=drawn.shuffled(p.values), doses=p.doses[::-1]) for p in patients]
    assert find_fast(shuffled, shipped_rules[::-1]) == once
    alone = find_fast([patients[7]], shipped_rules)
    assert alone == [row | {"person_index": 0} for row in once if row["person_index"] == 7]


def test_the_key_of_an_episode_is_unique(oracle: Any, find_fast: Any, shipped_rules: Any) -> None:
    drawn = Drawn(13)
    minute = START
    patients = [
        oracle.Patient(tuple(oracle.Value(minute, f"{n}", count, count, count) for n, count in enumerate(counts)))
        for counts in [[drawn.choice((100, 3000)) for _ in range(8)] for _ in range(200)]
    ]
    found = find_fast(patients, shipped_rules)
    keys = [(r["person_index"], r["rule"], r["threshold_cells_per_ul"], r["first_low_at"]) for r in found]
    assert found
    assert len(keys) == len(set(keys))


@pytest.fixture(scope="module")
def shipped_rules() -> list[EpisodeRule]:
    return list(load_definitions().rules)
