"""Runs the examples of complications: an episode with temperatures, codes, counts and stays, and whether it has one."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import polars as pl

from transforms.codelists import read_conditions
from transforms.complications import EPISODE, Signs, find_complications
from transforms.example_results import ORIGIN, ExampleResult, Schema, frame_of, read_examples, tell
from transforms.examples_of_patients import DIAGNOSIS
from transforms.load import Definitions
from transforms.model.examples import ComplicationExample

VITAL: Schema = {"person_index": pl.UInt32, "measured_at": pl.Datetime("us"), "celsius": pl.Decimal(5, 2)}
STAY: Schema = {
    "person_index": pl.UInt32,
    "started_at": pl.Datetime("us"),
    "ended_at": pl.Datetime("us"),
    "setting": pl.String,
}
COUNT: Schema = {"person_index": pl.UInt32, "collected_at": pl.Datetime("us"), "upper_cells_per_ul": pl.Int64}
EPISODES: Schema = {
    "person_index": pl.UInt32,
    "rule": pl.String,
    "threshold_cells_per_ul": pl.Int64,
    "first_low_at": pl.Datetime("us"),
    "last_low_at": pl.Datetime("us"),
    "recovery_by": pl.Datetime("us"),
    "is_confirmed": pl.Boolean,
}


def check_complications(definitions: Definitions) -> Iterable[ExampleResult]:
    """Every example of complications, in a fixed order."""
    complications = definitions.complications
    listed = [
        (one.id, example)
        for one in complications
        for example in read_examples(ComplicationExample, "complications", one)
    ]
    patients = [example for _, example in listed]
    signs = signs_of(definitions, patients)
    found = find_complications(episodes_of(patients), signs, complications).collect()
    present = set(found.select("person_index", "complication").iter_rows())
    for place, (name, example) in enumerate(listed):
        told = (tell({"present": is_so}) for is_so in (example.expect, (place, name) in present))
        yield ExampleResult("complications", name, example.title, *told)


def episodes_of(patients: Sequence[ComplicationExample]) -> pl.LazyFrame:
    """The episode of each patient; `person_index` is the place in `patients`."""
    ends = [timedelta(days=patient.recovery_day) for patient in patients]
    rows = [(place, "example", 0, ORIGIN, ORIGIN, ORIGIN + end, True) for place, end in enumerate(ends)]
    return frame_of(EPISODES, rows).select(*EPISODE, "last_low_at", "recovery_by", "is_confirmed")


def signs_of(definitions: Definitions, patients: Sequence[ComplicationExample]) -> Signs:
    """What is known of the patients."""
    places = list(enumerate(patients))
    readings = [
        (i, ORIGIN + timedelta(hours=one.hour, minutes=one.minute), one.celsius)
        for i, patient in places
        for one in patient.temperatures
    ]
    codes = [(i, c.code, c.code_system, ORIGIN + timedelta(days=c.day)) for i, p in places for c in p.diagnoses]
    stays = [
        (i, ORIGIN + timedelta(days=s.day), None if s.until is None else ORIGIN + timedelta(days=s.until), s.setting)
        for i, patient in places
        for s in patient.stays
    ]
    counts = [(i, ORIGIN + timedelta(days=c.day), c.cells_per_ul) for i, p in places for c in p.counts]
    return Signs(
        frame_of(VITAL, readings),
        frame_of(DIAGNOSIS, codes),
        frame_of(STAY, stays),
        frame_of(COUNT, counts),
        read_conditions(definitions),
    )
