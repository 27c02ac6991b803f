"""Runs the examples of episode rules: the counts of one person by day, and the episodes in them.

Day 0 is a morning, so that a quarter of a day later is the same calendar day. Only what an example names is compared,
but the number of episodes always is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from transforms.episodes import find_episodes
from transforms.example_results import (
    ExampleResult,
    Schema,
    frame_of,
    named_facts,
    read_examples,
    tell,
    wrong_example,
)
from transforms.examples_of_counts import DRAWN_AT
from transforms.load import Definitions
from transforms.model.episode_examples import EpisodeExample, EpisodeExpected
from transforms.model.episodes import EpisodeRule
from transforms.treatments import order_treatments

COUNTS: Schema = {
    "person_index": pl.UInt32,
    "specimen_id": pl.String,
    "collected_at": pl.Datetime("us"),
    "time_precision": pl.String,
    "anc_cells_per_ul": pl.Int64,
    "lower_cells_per_ul": pl.Int64,
    "upper_cells_per_ul": pl.Int64,
}
TIMES = {
    "onset_after": "onset_after",
    "first_low": "first_low_at",
    "last_low": "last_low_at",
    "recovery_by": "recovery_by",
    "nadir_day": "nadir_at",
}
NUMBERS = {
    "lower": "duration_lower_days",
    "upper": "duration_upper_days",
    "interpolated": "duration_interpolated_days",
    "nadir": "nadir_cells_per_ul",
    "ruled": "duration_ruled_days",
    "depth": "depth_duration",
}
_DIGITS_OF_A_DAY = 4
PERSON: dict[str, Any] = {"person_index": pl.UInt32}
Days = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Chart:
    """What is charted of some people: `counts` as rows of COUNTS; what was given, and death, in days by person.

    `anchors` are doses of the first anchor drug of the rule; `raising` are the kind, first and last day of a drug.
    """

    counts: Sequence[Mapping[str, Any]]
    died: Days = ()
    doses: Days = ()
    gcsf: Days = ()
    anchors: Days = ()
    raising: Sequence[tuple[int, str, float, float]] = ()


def check_episodes(definitions: Definitions) -> list[ExampleResult]:
    """Every example of the rules of episodes and of the chronic track, in a fixed order."""
    folders = {"episodes": definitions.rules, "chronic": definitions.chronic}
    return [result for folder, rules in folders.items() for rule in rules for result in _check_rule(rule, folder)]


def find_charted(chart: Chart, rule: EpisodeRule) -> pl.DataFrame:
    """Episodes at every threshold of the rule, as `find_episodes` gives them."""
    drug = rule.anchor.drugs[0] if rule.anchor else ""
    treatments = order_treatments(
        frame_of(PERSON | {"died_on": pl.Date}, _dated(chart.died)),
        frame_of(PERSON | {"day": pl.Date}, _dated(chart.doses)),
        frame_of(PERSON | {"day": pl.Date}, _dated(chart.gcsf)),
        frame_of(
            PERSON | {"kind": pl.String, "first_day": pl.Date, "last_day": pl.Date},
            [(person, kind, day_at(first), day_at(last)) for person, kind, first, last in chart.raising],
        ),
        frame_of(
            PERSON | {"drug": pl.String, "day": pl.Date}, [(person, drug, day_at(day)) for person, day in chart.anchors]
        ),
    )
    return find_episodes(pl.LazyFrame(chart.counts, schema=COUNTS), [rule], treatments).collect()


def _dated(days: Days) -> list[tuple[Any, ...]]:
    return [(person, day_at(day)) for person, day in days]


def count_row(day: float, count: object) -> dict[str, Any]:
    """A count of person 0 as a row of COUNTS: `900`, or bounds as `0-100` (`2000-` has no upper one)."""
    least, dash, most = str(count).partition("-")
    lower = int(least)
    upper = (int(most) if most else None) if dash else lower
    return {
        "person_index": 0,
        "specimen_id": "s",
        "collected_at": day_at(day),
        "time_precision": "minute",
        "anc_cells_per_ul": lower if lower == upper else None,
        "lower_cells_per_ul": lower,
        "upper_cells_per_ul": upper,
    }


def day_at(day: float) -> datetime:
    """The time of a day."""
    return DRAWN_AT + timedelta(days=day)


def _check_rule(rule: EpisodeRule, folder: str) -> Iterable[ExampleResult]:
    patients = read_examples(EpisodeExample, folder, rule)
    _refuse_other_thresholds(rule, folder, patients)
    found = find_charted(_chart(patients), rule)
    for place, patient in enumerate(patients):
        is_own = (pl.col("person_index") == place) & (pl.col("threshold_cells_per_ul") == patient.threshold)
        rows = found.filter(is_own).sort("first_low_at").to_dicts()
        expected = _joined(_told(episode) for episode in patient.episodes)
        yield ExampleResult(folder, rule.id, patient.case, expected, _joined(_got(rows, patient.episodes)))


def _chart(patients: Sequence[EpisodeExample]) -> Chart:
    places = list(enumerate(patients))
    return Chart(
        [count_row(day, count) | {"person_index": i} for i, p in places for day, count in p.counts.items()],
        died=[(i, p.died) for i, p in places if p.died is not None],
        doses=[(i, day) for i, p in places for day in p.doses],
        gcsf=[(i, day) for i, p in places for day in p.gcsf],
        anchors=[(i, day) for i, p in places for day in p.anchors],
        raising=[
            (i, kind, *span)
            for i, p in places
            for kind, spans in (("steroid", p.steroids), ("lithium", p.lithium))
            for span in spans
        ],
    )


def _refuse_other_thresholds(rule: EpisodeRule, folder: str, patients: Sequence[EpisodeExample]) -> None:
    """At a threshold that the rule lacks there are no episodes, and an example that expects none could not fail."""
    valid = [threshold.low_cells_per_ul for threshold in rule.thresholds]
    for number, patient in enumerate(patients):
        if patient.threshold not in valid:
            details = [f"threshold: {patient.threshold} is none of this rule"]
            raise wrong_example(folder, rule, number, details, f"Thresholds: {', '.join(map(str, valid))}.")


def _told(episode: EpisodeExpected) -> str:
    facts = named_facts(episode)
    return tell({name: _day(value) if isinstance(value, float) else value for name, value in facts.items()})


def _got(rows: Sequence[Mapping[str, Any]], expected: Sequence[EpisodeExpected]) -> Iterable[str]:
    """Each episode by what is expected of the one in its place; one too many by when it was and how it ended."""
    for place, row in enumerate(rows):
        names = list(named_facts(expected[place])) if place < len(expected) else ["first_low", "last_low", "ended_as"]
        yield tell({name: _fact(row, name) for name in names})


def _fact(row: Mapping[str, Any], name: str) -> Any:
    value = row[TIMES.get(name, NUMBERS.get(name, name))]
    if isinstance(value, datetime):
        return _day((value - DRAWN_AT) / timedelta(days=1))
    return _day(value) if isinstance(value, float) else value


def _day(value: float) -> float:
    return round(value, _DIGITS_OF_A_DAY)


def _joined(episodes: Iterable[str]) -> str:
    return "; ".join(f"{number}: {told}" for number, told in enumerate(episodes, start=1)) or "no episode"
