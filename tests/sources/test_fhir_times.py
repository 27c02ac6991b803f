"""Times of one FHIR resource keep their order whatever offsets they are written in."""

from datetime import UTC, datetime, timedelta, timezone

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.sources.fhir_times import local_times

OFFSETS = st.builds(
    lambda quarters: timezone(timedelta(minutes=15 * quarters)), st.integers(min_value=-48, max_value=56)
)
TIMES = st.datetimes(min_value=datetime(1990, 1, 2), max_value=datetime(2040, 1, 1), timezones=OFFSETS)  # noqa: DTZ001
CONNECTION = duckdb.connect()
Pairs = list[tuple[datetime, datetime]]


def _shown(pairs: Pairs, zone: str) -> list[tuple[datetime, datetime]]:
    texts = [tuple(time.isoformat(timespec="milliseconds") for time in pair) for pair in pairs]
    values = ", ".join(f"({place}, '{start}', '{end}')" for place, (start, end) in enumerate(texts))
    columns = local_times(zone)
    return CONNECTION.execute(
        f"SELECT ({columns['started_at']})::TIMESTAMP, ({columns['ended_at']})::TIMESTAMP "
        f"FROM (VALUES {values}) v(place, started, ended) ORDER BY place"
    ).fetchall()


@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=200))
@settings(max_examples=25, deadline=None)
def test_the_start_is_as_written_and_the_end_as_long_after_it_as_it_was(pairs: Pairs) -> None:
    for (start, end), (started, ended) in zip(pairs, _shown(pairs, ""), strict=True):
        assert started == start.replace(tzinfo=None, microsecond=0)
        assert ended - started == _whole(end) - _whole(start)


@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=200))
@settings(max_examples=25, deadline=None)
def test_with_a_time_zone_all_times_are_on_one_clock(pairs: Pairs) -> None:
    for (start, end), (started, ended) in zip(pairs, _shown(pairs, "Etc/GMT-2"), strict=True):
        assert started - started.min == (_whole(start) + timedelta(hours=2)).replace(tzinfo=None) - started.min
        assert ended - started == _whole(end) - _whole(start)


def _whole(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(microsecond=0)
