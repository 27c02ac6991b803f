"""Where a trend over calendar time may break for another reason than people: sources that begin or end, other rules."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from flows.answers import AfterTonight
from flows.earlier_night import tell_difference
from flows.handover import SourceSpan
from flows.population import quoted
from reports.facts import Break

Summary = Mapping[str, Any]
Span = tuple[date | None, date | None]


def find_source_spans(after: AfterTonight, least_people: int) -> tuple[SourceSpan, ...]:
    """Of each source the days from which and until which `least_people` have been observed; none of a single source."""
    (touched, _), *others = after.relations("canonical.observation")
    people = f"read_parquet('{quoted(after.population.people)}')"
    keys = "started_on, ended_on"
    touched = f"{touched} JOIN {people} AS p USING (person_index)"
    observed = [f"SELECT p.source_id, 't' || person_index AS person, {keys} FROM {touched}"]
    observed += [f"SELECT source_id, 'p' || person_id, {keys} FROM {rows}" for rows, _ in others]
    spans = (
        "SELECT source_id, min(started_on) AS first, max(ended_on) AS last "
        f"FROM ({' UNION ALL '.join(observed)}) GROUP BY source_id, person"
    )
    nth = f"[{least_people}]"
    found = after.connection.execute(
        f"SELECT source_id, min(first, {least_people}){nth}, max(last, {least_people}){nth} "
        f"FROM ({spans}) GROUP BY source_id ORDER BY source_id"
    ).fetchall()
    return tuple(SourceSpan(*row) for row in found) if len(found) > 1 else ()


def find_breaks(spans: Sequence[SourceSpan], span: Span, nights: Sequence[Summary]) -> tuple[Break, ...]:
    """Sources that begin or end inside `span`, and nights of `nights` (oldest first) with definitions of their own."""
    first, last = span
    if first is None or last is None:
        return ()
    found = [*_of_sources(spans, first, last), *_of_definitions(nights)]
    return tuple(sorted((one for one in found if one.on > first), key=lambda one: (one.on, one.kind, one.name)))


def _of_sources(spans: Sequence[SourceSpan], first: date, last: date) -> Iterator[Break]:
    for source in spans:
        if source.first is not None and (source.first.year, source.first.month) > (first.year, first.month):
            yield Break(source.first.replace(day=1), "source_from", source.source_id)
        if source.last is not None and (source.last.year, source.last.month) < (last.year, last.month):
            yield Break(source.last.replace(day=1), "source_until", source.source_id)


def _of_definitions(nights: Sequence[Summary]) -> Iterator[Break]:
    for before, now in pairwise(nights):
        if before["definitions_hash"] != now["definitions_hash"]:
            moved = tell_difference(before, now, 0).definitions
            names = ", ".join(f"{name} {old or 'new'} to {new or 'gone'}" for name, old, new in moved)
            yield Break(datetime.fromisoformat(str(now["started_at"])).date(), "definitions", names)
