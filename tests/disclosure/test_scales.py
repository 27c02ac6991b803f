"""What a reader who solves all shown numbers of all severity scales together can find out."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from transforms.cohort_order import CohortOrder
from transforms.load import Definitions
from transforms.model.scales import EVERYBODY, Scale
from transforms.release import release

SEEDS = range(4)
TOLERANCE = 1e-6
INTERVAL = ["cohort", "interval_unit", "interval_start"]
Estimates = Mapping[str, pl.DataFrame]


class Reader:
    """People of one cohort and interval between neighbouring boundaries of all scales, inside a scope and outside.

    Every shown number is a sum of these unknowns; a set of people can be known when its own sum follows from them.
    """

    def __init__(self, scales: tuple[Scale, ...], scope: str) -> None:
        ends = {level.most + 1 for scale in scales for level in scale.levels if level.most is not None}
        self.edges = [0, *sorted(ends)]
        self.scales = {scale.id: scale for scale in scales}
        self.scope = scope
        self.sums: list[np.ndarray[Any, Any]] = []
        self.counts: list[int] = []

    def bands(self, scale: str, severity: str) -> np.ndarray[Any, Any]:
        """Which bands a level holds, nested levels taken out of the wider one."""
        levels = self.scales[scale].levels
        nested = {level.inside: level for level in levels if level.inside is not None}
        (level,) = [level for level in levels if level.name == severity]
        inner = nested.get(severity)
        lowest = level.least if inner is None or inner.most is None else inner.most + 1
        highest = np.inf if level.most is None else level.most
        return np.array([lowest <= edge <= highest for edge in self.edges], dtype=float)

    def learn(self, bands: np.ndarray[Any, Any], count: int, *, inside: bool, outside: bool) -> None:
        """A shown count of the people of these bands, of one side or of both."""
        self.sums.append(np.concatenate([bands * inside, bands * outside]))
        self.counts.append(count)

    def finds(self) -> list[float]:
        """The size of every run of neighbouring bands, of one side or of both, that follows from what was learned."""
        if not self.sums:
            return []
        places = np.arange(len(self.edges))
        runs = [(first <= places) & (places < last) for first in places for last in range(first + 1, len(places) + 1)]
        sides = ((1, 1), (1, 0), (0, 1))
        sought = np.array([np.concatenate([run * a, run * b]) for run in runs for a, b in sides], dtype=float).T
        known = np.array(self.sums).T
        weights = np.linalg.lstsq(known, sought, rcond=None)[0]
        follows = np.abs(known @ weights - sought).max(axis=0) < TOLERANCE
        return list((np.array(self.counts, dtype=float) @ weights)[follows])


def read(tables: Mapping[str, pl.DataFrame], scales: tuple[Scale, ...], scope: str) -> Iterator[Reader]:
    """One reader for each cohort and interval, who knows all that is shown of it."""
    severity = tables["released.severity"].filter(pl.col("applied_to").is_in([EVERYBODY, scope]))
    changes = tables["released.scale_change"]
    shown = {name: rows.filter(pl.col("n_people").is_not_null()) for name, rows in
             (("severity", severity), ("changes", changes))}  # fmt: skip
    groups = severity.select(INTERVAL).unique().sort(INTERVAL).rows()
    tested = tables["released.testing"]
    # These hospitals have no limits of normal, so the levels that need one hold nobody.
    without_limits = {
        (scale.id, level.name) for scale in scales for level in scale.levels if level.reference in {"at_least", "below"}
    }
    for group in groups:
        here = pl.all_horizontal(
            pl.col(name).eq_missing(pl.lit(value)) for name, value in zip(INTERVAL, group, strict=True)
        )
        reader = Reader(scales, scope)
        everybody = np.ones(len(reader.edges))
        for count in tested.filter(here)["n_tested"].drop_nulls():
            reader.learn(everybody, count, inside=True, outside=True)
        for row in shown["severity"].filter(here).iter_rows(named=True):
            is_all, is_outside = row["applied_to"] == EVERYBODY, row["severity"] == "not_applicable"
            bands = everybody if is_outside else reader.bands(row["scale"], row["severity"])
            if (row["scale"], row["severity"]) not in without_limits:
                reader.learn(bands, row["n_people"], inside=is_all or not is_outside, outside=is_all or is_outside)
        for row in shown["changes"].filter(here).iter_rows(named=True):
            both = reader.bands(row["from_scale"], row["from_severity"]) * reader.bands(row["scale"], row["severity"])
            reader.learn(both, row["n_people"], inside=True, outside=True)
        yield reader


@pytest.fixture(scope="module")
def draw_tables(draw_estimates: Callable[[int], Estimates], definitions: Definitions) -> Callable[[int], Estimates]:
    """What is shown of the hospital of a seed."""
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")

    @cache
    def draw(seed: int) -> Estimates:
        return release(draw_estimates(seed), rule, CohortOrder(), run_id="night", definitions_hash="0").tables

    return draw


@pytest.mark.parametrize("seed", SEEDS)
def test_no_group_of_1_to_10_follows_from_all_scales_together(
    seed: int, draw_tables: Callable[[int], Estimates], definitions: Definitions
) -> None:
    tables = draw_tables(seed)
    scopes = sorted({scale.scope for scale in definitions.scales} - {EVERYBODY})
    for scope in scopes:
        for reader in read(tables, definitions.scales, scope):
            for size in reader.finds():
                assert not 0.5 < size < 10.5, scope


def test_larger_hospitals_are_told_how_many_change_grade(draw_tables: Callable[[int], Estimates]) -> None:
    shown = (draw_tables(seed)["released.scale_change"]["n_people"].is_not_null().sum() for seed in SEEDS)
    assert sum(shown) > 0
