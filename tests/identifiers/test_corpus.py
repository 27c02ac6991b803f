"""Planted identifiers are found, whatever they look like; clean columns raise no alarm.

NADIR_CORPUS_SEEDS=20 tries that many corpora in place of one.
"""

import os
from collections import defaultdict
from collections.abc import Iterable

import pytest

from tests.identifiers.conftest import Scan
from tests.identifiers.corpus import NAMED, TELLING, Planted, clean_columns, planted_columns, planted_comments

SEEDS = range(int(os.environ.get("NADIR_CORPUS_SEEDS", "1")))
ROWS = 100
LEAST_RECALL, MOST_ALARMS = 0.99, 0.01


def _missed(scan: Scan, planted: Iterable[Planted]) -> tuple[list[str], dict[str, int]]:
    """What was not found of a table of columns, and how many columns of each class there were."""
    columns = {f"{column.header}{'_' * place}": column for place, column in enumerate(planted)}
    people = [f"p{row}" for row in range(len(next(iter(columns.values())).cells))]
    found = scan({"patient": people, **{header: column.cells for header, column in columns.items()}}, "patient")
    missed, tried = [], defaultdict(int)
    for header, column in columns.items():
        tried[column.identifier_class] += 1
        finding = found[header].get(column.identifier_class)
        if finding is None or finding.disposition != "found":
            missed.append(f"{column.identifier_class}: {column.written}")
    return missed, tried


@pytest.mark.parametrize("seed", SEEDS)
def test_identifiers_are_found_by_their_cells_under_headers_that_say_nothing(scan: Scan, seed: int) -> None:
    missed, tried = _missed(scan, planted_columns(seed, ROWS, TELLING, has_header=False))
    assert len(missed) <= (1 - LEAST_RECALL) * sum(tried.values()), missed


@pytest.mark.parametrize("seed", SEEDS)
def test_identifiers_are_found_by_headers_in_several_languages(scan: Scan, seed: int) -> None:
    missed, tried = _missed(scan, planted_columns(seed, ROWS, NAMED, has_header=True))
    assert len(missed) <= (1 - LEAST_RECALL) * sum(tried.values()), missed


@pytest.mark.parametrize("seed", SEEDS)
def test_one_identifier_in_a_thousand_comments_is_found(scan: Scan, seed: int) -> None:
    missed, tried = _missed(scan, planted_comments(seed, 1000))
    assert len(missed) <= (1 - LEAST_RECALL) * sum(tried.values()), missed


@pytest.mark.parametrize("seed", SEEDS)
def test_every_class_of_safe_harbor_is_tried(seed: int) -> None:
    columns = [*planted_columns(seed, 1, TELLING, has_header=False), *planted_columns(seed, 1, NAMED, has_header=True)]
    assert len({column.identifier_class for column in columns}) == 19  # dates of birth and ages are one letter


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("has_person", [True, False])
def test_clean_columns_raise_no_alarm(scan: Scan, seed: int, has_person: bool) -> None:
    clean = dict(clean_columns(seed, ROWS))
    people = {"patient": [f"p{row // 3}" for row in range(ROWS)]}
    found = scan({**people, **clean}, "patient" if has_person else None)
    alarms = {
        header: [finding.identifier_class for finding in findings.values() if finding.disposition == "found"]
        for header, findings in found.items()
    }
    assert sum(bool(classes) for classes in alarms.values()) <= MOST_ALARMS * len(clean), alarms
