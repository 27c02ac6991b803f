"""Where a trend over calendar time may break for another reason than people."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb

from flows.answers import AfterTonight
from flows.breaks import find_breaks, find_source_spans
from flows.handover import SourceSpan
from reports.facts import Break

SPAN = (date(2025, 1, 10), date(2026, 10, 14))


def night(day: int, definitions_hash: str, **versions: str) -> dict[str, Any]:
    known = {"definitions_hash": definitions_hash, "definition_versions": versions, "code_version": "1"}
    return {"run_id": f"run-{day}", "started_at": f"2026-09-{day:02}T02:00:00", **known}


def test_a_source_that_begins_and_one_that_ends_inside_the_data_are_breaks_of_their_months() -> None:
    spans = [
        SourceSpan("all along", *SPAN),
        SourceSpan("later", date(2025, 7, 9), SPAN[1]),
        SourceSpan("until", SPAN[0], date(2026, 2, 3)),
    ]
    later, until = Break(date(2025, 7, 1), "source_from", "later"), Break(date(2026, 2, 1), "source_until", "until")
    assert find_breaks(spans, SPAN, []) == (later, until)


def test_a_night_with_other_definitions_than_the_one_before_is_a_break_that_names_them() -> None:
    nights = [night(1, "a", clinical="1"), night(2, "a", clinical="1"), night(3, "b", clinical="2", mine="1")]
    named = Break(date(2026, 9, 3), "definitions", "clinical 1 to 2, mine new to 1")
    assert find_breaks([], SPAN, nights) == (named,)


def test_without_calendar_dates_nothing_breaks() -> None:
    assert find_breaks([SourceSpan("a", *SPAN)], (None, None), [night(1, "a"), night(2, "b")]) == ()


def test_the_days_of_a_source_are_those_from_and_until_which_enough_people_were_seen(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        spans = """(VALUES
            (1, 'a', DATE '2025-01-01', DATE '2025-12-31'),
            (2, 'a', DATE '2025-02-01', DATE '2025-11-30'),
            (3, 'b', DATE '2025-03-01', DATE '2025-10-31'),
            (3, 'b', DATE '2025-11-05', DATE '2025-11-20'),
            (4, 'b', DATE '2025-05-01', DATE '2025-09-30')
        ) AS v(person_index, source_id, started_on, ended_on)"""
        people, observed = tmp_path / "people.parquet", tmp_path / "observation.parquet"
        for columns, path in (("person_index, source_id", people), ("person_index, started_on, ended_on", observed)):
            connection.execute(f"COPY (SELECT DISTINCT {columns} FROM {spans}) TO '{path}'").fetchall()
        population: Any = SimpleNamespace(people=people, is_everybody=True)
        night: Any = None
        after = AfterTonight(connection, night, population, {"observation": observed}, has_history=False)
        assert find_source_spans(after, 2) == (
            SourceSpan("a", date(2025, 2, 1), date(2025, 11, 30)),
            SourceSpan("b", date(2025, 5, 1), date(2025, 9, 30)),
        )
