"""The plain oracle and the fast code on the same patients."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from tests.oracle import plain_episodes
from transforms.chronic import find_chronic
from transforms.episodes import EPISODE_COLUMNS, find_episodes
from transforms.model.episodes import EpisodeRule
from transforms.treatments import Treatments, order_treatments

PERSON: dict[str, Any] = {"person_index": pl.UInt32}
TEXTS: dict[str, Any] = {"specimen_id": pl.String, "collected_at": pl.Datetime("us"), "time_precision": pl.String}
COUNTS: dict[str, Any] = dict.fromkeys(("anc_cells_per_ul", "lower_cells_per_ul", "upper_cells_per_ul"), pl.Int64)
DURATIONS = tuple(name for name in EPISODE_COLUMNS if name.startswith("duration_"))


def fast_episodes(patients: Sequence[Any], rules: Sequence[EpisodeRule]) -> list[dict[str, Any]]:
    """Episodes of many patients by the fast code; the patient's place is the person_index."""
    found = find_episodes(counts(patients), rules, treatments(patients))
    frame = found.collect()
    assert frame.schema == pl.Schema(EPISODE_COLUMNS)
    return frame.to_dicts()


def fast_tracks(patients: Sequence[Any], rules: Sequence[EpisodeRule]) -> list[dict[str, Any]]:
    """Chronic tracks of many patients by the fast code."""
    return find_chronic(counts(patients), rules, treatments(patients)).collect().to_dicts()


def counts(patients: Sequence[Any]) -> pl.LazyFrame:
    """The counts of many patients as derived.anc has them."""
    anc = [
        {
            "person_index": index,
            "specimen_id": value.specimen_id,
            "collected_at": value.at,
            "time_precision": "day" if value.is_day else "minute",
            "anc_cells_per_ul": value.number,
            "lower_cells_per_ul": value.lower,
            "upper_cells_per_ul": value.upper,
        }
        for index, patient in enumerate(patients)
        for value in patient.values
    ]
    return pl.LazyFrame(anc, schema=PERSON | TEXTS | COUNTS)


def treatments(patients: Sequence[Any]) -> Treatments:
    """What the patients were given, and when they died."""

    def frame(columns: dict[str, Any], rows: list[tuple[Any, ...]]) -> pl.LazyFrame:
        return pl.LazyFrame(rows, schema=PERSON | columns, orient="row")

    places = list(enumerate(patients))
    return order_treatments(
        frame({"died_on": pl.Date}, [(i, p.died_on) for i, p in places if p.died_on]),
        frame({"day": pl.Date}, [(i, day) for i, p in places for day in p.doses]),
        frame({"day": pl.Date}, [(i, day) for i, p in places for day in p.gcsf]),
        frame(
            {"kind": pl.String, "first_day": pl.Date, "last_day": pl.Date},
            [(i, "steroid", *span) for i, p in places for span in p.steroids]
            + [(i, "lithium", *span) for i, p in places for span in p.lithium],
        ),
        frame({"drug": pl.String, "day": pl.Date}, [(i, *dose) for i, p in places for dose in p.infusions]),
    )


def slow_episodes(patients: Sequence[Any], rules: Sequence[EpisodeRule]) -> list[dict[str, Any]]:
    """The same by the oracle, one patient at a time, in the order of the fast code."""
    rows = []
    for rule in rules:
        for threshold in rule.thresholds:
            for index, patient in enumerate(patients):
                for episode in plain_episodes.plain_episodes(patient, rule, threshold):
                    head = {"person_index": index, "rule": rule.id, "rule_version": rule.version}
                    rows.append(head | {"threshold_cells_per_ul": threshold.low_cells_per_ul} | episode)
    keys = ("person_index", "rule", "threshold_cells_per_ul", "first_low_at")
    return sorted(rows, key=lambda row: tuple(row[key] for key in keys))


def assert_same(patients: Sequence[Any], rules: Sequence[EpisodeRule]) -> int:
    """Both find the same episodes, durations to a billionth of a day; how many."""
    fast, slow = fast_episodes(patients, rules), slow_episodes(patients, rules)
    for ours, theirs in zip(fast, slow, strict=False):
        expected = {name: theirs[name] for name in ours if name != "cycle_number"}
        for name in DURATIONS:
            expected[name] = None if expected[name] is None else pytest.approx(expected[name], abs=1e-9)
        area = theirs["depth_duration"]
        expected["depth_duration"] = None if area is None else pytest.approx(area, abs=1e-3)
        got = {name: value for name, value in ours.items() if name != "cycle_number"}
        assert got == expected, (patients[ours["person_index"]], rules)
    assert len(fast) == len(slow)
    return len(fast)


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    return plain_episodes


@pytest.fixture(scope="session")
def agree() -> Any:
    return assert_same


@pytest.fixture(scope="session")
def find_tracks() -> Any:
    return fast_tracks


@pytest.fixture(scope="session")
def find_fast() -> Any:
    return fast_episodes
