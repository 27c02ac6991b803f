"""Each way to spoil an extract is caught by the check that should catch it, and the verdict is as its severity says.

A good extract is written as a hospital would send it, one thing in it is spoiled, and it is received and validated.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import duckdb
import pytest
from polars import col

from expectations.suite import load_suites
from flows.checker import Worker
from flows.errors import SourceError
from flows.handover import Request, RunContext, Validated
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.receive import receive
from flows.stages.validate import validate
from flows.workspace import Workspace
from tests.expectations.good_extract import Frames, good_frames, write_extract
from tests.expectations.spoiling import Change, add, both, first, of, put, times
from tests.expectations.spoils import (
    HGB,
    IN_OTHER_FORMS,
    N_SPECIMENS,
    PLATELETS,
    REFUSED,
    REFUSING,
    SPOILS,
    TOO_MANY,
    Spoil,
)
from tests.plain_checker import PlainChecker
from transforms.load import Definitions, load_definitions

TONIGHT = datetime(2024, 7, 15, tzinfo=UTC)
CHECKS = {check.id: check for suite in load_suites() for check in suite.checks}
VERDICTS = {"quarantine": "warn", "warn": "warn", "stop": "stop"}


@cache
def shipped() -> Definitions:
    return load_definitions()


@cache
def good() -> Frames:
    return good_frames()


@dataclass(frozen=True)
class Hospital:
    """Receives and validates extracts, each in a workspace of its own, with one checking process."""

    root: Path
    worker: Worker

    def send(self, change: Change, form: str = "delimited") -> Validated:
        """The tables that results are read with, and what was changed; all, if nothing was."""
        changed = {name: frame for name, frame in change(good()).items() if frame is not good()[name]}
        sent = {name: good()[name] for name in ("labs", "persons", "observations")} | (changed or good())
        extract = write_extract(sent, self.root / "extract", form)
        settings = Settings(steady_seconds=0)
        workspace = Workspace(self.root / "workspace").create()
        context = RunContext("run", TONIGHT, workspace, settings, shipped(), Progress(is_quiet=True))
        return validate(receive(Request((extract,)), context), context, self.worker)


@pytest.fixture
def hospital(tmp_path: Path, warm_worker: Worker) -> Hospital:
    return Hospital(tmp_path, warm_worker)


def unspoiled() -> Change:
    return lambda frames: frames


def worth_a_line(validated: Validated) -> dict[str, int]:
    """How many failed, for each check that failed or set something aside."""
    return {
        check.check_id: check.n_failed or 0
        for check in validated.checks
        if check.status in {"failed", "error"} or (check.severity == "quarantine" and check.n_failed)
    }


def rules_of(path: Path) -> Counter[str]:
    """How many rows each rule refused."""
    return Counter(dict(duckdb.sql(f"SELECT rule, count(*) FROM read_parquet('{path}') GROUP BY rule").fetchall()))


def sent(spoil: Spoil) -> str:
    return f"{spoil.name} ({spoil.form})"


def in_all_forms() -> list[Spoil]:
    by_name = {spoil.name: spoil for spoil in SPOILS}
    others = [by_name[name].sent_as(form) for form, names in IN_OTHER_FORMS.items() for name in names]
    return [*SPOILS, *others]


@pytest.mark.parametrize("form", ["delimited", "parquet", "omop"])
def test_an_extract_that_is_not_spoiled_goes_and_all_of_it_is_taken_in(hospital: Hospital, form: str) -> None:
    validated = hospital.send(unspoiled(), form)
    assert (worth_a_line(validated), validated.verdict) == ({}, "go")
    taken_in = {line.table_name: line.n_accepted for line in validated.ledger}
    assert taken_in["canonical.lab"] == 10 * N_SPECIMENS
    assert sum(line.n_quarantined for line in validated.ledger) == 0


ONE_BY_ONE = [
    pytest.param(place, spoil, id=sent(spoil), marks=[pytest.mark.slow] if place >= len(SPOILS) else [])
    for place, spoil in enumerate(in_all_forms())
]


@pytest.mark.parametrize(("place", "spoil"), ONE_BY_ONE)
def test_what_is_spoiled_is_caught_by_its_check_and_the_verdict_follows_from_its_severity(
    hospital: Hospital, place: int, spoil: Spoil
) -> None:
    """Great Expectations counts for every eighth, and for each check on single rows in `test_spoiled_rows.py`."""
    counting = hospital if place % 8 == 0 else Hospital(hospital.root, PlainChecker())
    validated = counting.send(spoil.change, spoil.form)
    found = worth_a_line(validated)
    assert found.get(spoil.found) == spoil.n_failed
    assert set(found) == {spoil.found, *spoil.beside}
    assert validated.verdict == VERDICTS[CHECKS[spoil.found].severity]
    if CHECKS[spoil.found].severity == "quarantine":
        assert rules_of(validated.set_aside)[spoil.found] == spoil.n_failed


def test_a_few_rows_that_reading_refuses_are_set_aside_by_the_rule_that_says_why_and_the_rest_goes(
    hospital: Hospital,
) -> None:
    changes = [
        put(table, col("person_id").cum_count().is_between(31 * place + 1, 31 * place + n), **columns)
        for _, n, table, place, columns in REFUSED
    ]
    validated = hospital.send(both(*changes))
    assert rules_of(validated.received.dropped) == {rule: n for rule, n, *_ in REFUSED}
    assert (worth_a_line(validated), validated.verdict) == ({}, "go")


def test_a_table_of_which_a_fifth_is_refused_warns(hospital: Hospital) -> None:
    validated = hospital.send(both(*REFUSING.values()))
    assert (set(worth_a_line(validated)), validated.verdict) == (set(REFUSING), "warn")


@pytest.mark.parametrize("name", TOO_MANY)
def test_so_many_refused_rows_that_the_map_must_be_wrong_stop_the_night_while_it_is_read(
    hospital: Hospital, name: str
) -> None:
    rule, change = TOO_MANY[name]
    with pytest.raises(SourceError, match=rule):
        hospital.send(change)


def test_a_result_sent_twice_is_one_and_two_that_contradict_each_other_are_none(hospital: Hospital) -> None:
    again = add("labs", lambda labs: labs.filter(first(5, of(HGB))))
    other = add("labs", lambda labs: labs.filter(first(4, of(PLATELETS))).with_columns(value=times(1.1)))
    validated = hospital.send(both(again, other))
    assert rules_of(validated.received.dropped) == {"same_as_another": 5, "conflicting_versions": 8}
    assert (worth_a_line(validated), validated.verdict) == ({}, "go")


def test_there_are_at_least_forty_five_ways_and_each_has_a_name() -> None:
    names = [sent(spoil) for spoil in in_all_forms()]
    assert len(names) == len(set(names)) >= 45
